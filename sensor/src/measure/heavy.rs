//! How often each source was counted, by a count-min sketch: the heaviest, with their bounds.

use std::collections::BTreeSet;

use sensor_common::sketch::{COLUMN_BITS, COLUMNS, ROWS};

use super::sketch::{Heavy, Prefix};

/// Counters of a sketch that are not 0, beyond which all of them are kept.
const FEW: usize = 1 << 10;
/// Counters that are compared at once.
const AT_ONCE: usize = 16;

/// A count-min sketch in which only what an interval added is left.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// The rows interleaved, as in [`sensor_common::sketch::CountMin`]; empty where nothing was counted, or little.
    columns: Box<[u32]>,
    /// Where little was counted: the places of the counters that are not 0, in order, and the counters.
    few: Vec<(u32, u32)>,
}

impl Counts {
    /// Whether nothing can have been counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty() && self.few.is_empty()
    }

    /// Adds the counters of one CPU.
    pub fn add(&mut self, columns: &[u32]) {
        if columns.is_empty() {
            return;
        }
        let few = std::mem::take(&mut self.few);
        if self.columns.is_empty() {
            self.columns = columns.into();
        } else {
            for (sum, count) in self.columns.iter_mut().zip(columns) {
                *sum = sum.wrapping_add(*count);
            }
        }
        self.add_few(&few);
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: &Self) {
        self.add(&other.columns);
        self.add_few(&other.few);
    }

    fn add_few(&mut self, few: &[(u32, u32)]) {
        if few.is_empty() {
            return;
        }
        if self.columns.is_empty() {
            self.few.extend(few);
            self.few.sort_by_key(|(place, _)| *place);
            self.few.dedup_by(|(place, count), (kept, sum)| {
                let is_same = place == kept;
                *sum = sum.wrapping_add(if is_same { *count } else { 0 });
                is_same
            });
            if self.few.len() > FEW {
                self.columns = vec![0; ROWS * COLUMNS].into();
                let few = std::mem::take(&mut self.few);
                self.add_few(&few);
            }
            return;
        }
        for (place, count) in few {
            let sum = &mut self.columns[*place as usize];
            *sum = sum.wrapping_add(*count);
        }
    }

    fn counter(&self, place: usize) -> u32 {
        if let Some(counter) = self.columns.get(place) {
            return *counter;
        }
        let found = self.few.binary_search_by_key(&(place as u32), |few| few.0);
        found.map_or(0, |at| self.few[at].1)
    }

    /// Adds packets of a source, as the packet program does.
    #[cfg(test)]
    pub(crate) fn count(&mut self, source: Prefix, packets: u32, secret: u64) {
        let hash = source.hash(secret);
        if self.columns.is_empty() {
            self.columns = vec![0; ROWS * COLUMNS].into();
        }
        for row in 0..ROWS {
            let column = (hash >> (COLUMN_BITS * row as u32)) as usize & (COLUMNS - 1);
            self.columns[column * ROWS + row] += packets;
        }
    }

    /// Becomes what a later sketch is, the counters of which are 0 then. Gives what was added meanwhile.
    #[must_use]
    pub fn go_on_to(&mut self, later: &mut Self) -> Self {
        if self.columns.is_empty() {
            self.columns.clone_from(&later.columns);
            return std::mem::take(later);
        }
        let mut few = Vec::new();
        let (now, _) = later.columns.as_chunks_mut::<AT_ONCE>();
        let (then, _) = self.columns.as_chunks_mut::<AT_ONCE>();
        for (at, (now, then)) in now.iter_mut().zip(then).enumerate() {
            // Where little was counted most are as they were.
            if now == then {
                now.fill(0);
                continue;
            }
            for (place, (now, then)) in (at * AT_ONCE..).zip(now.iter_mut().zip(then)) {
                let added = now.wrapping_sub(*then);
                *then = std::mem::replace(now, added);
                if added != 0 && few.len() <= FEW {
                    few.push((place as u32, added));
                }
            }
        }
        if few.len() > FEW {
            return std::mem::take(later);
        }
        for (place, _) in &few {
            later.columns[*place as usize] = 0;
        }
        Self {
            columns: Box::default(),
            few,
        }
    }

    /// Queries counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        let (columns, _) = self.columns.as_chunks::<ROWS>();
        let sum: u64 = columns.iter().map(|column| u64::from(column[0])).sum();
        let is_first = |(place, _): &&(u32, u32)| (*place as usize).is_multiple_of(ROWS);
        let few = self.few.iter().filter(is_first);
        sum + few.map(|(_, count)| u64::from(*count)).sum::<u64>()
    }

    /// By how much an estimate may be too high, with a probability of 98 %: e / columns of all.
    #[must_use]
    pub fn error(&self) -> u64 {
        // e is 2.718281828.
        self.total() * 2_718_282 / (COLUMNS as u64 * 1_000_000)
    }

    fn estimate(&self, hash: u64) -> u64 {
        let column = |row: usize| (hash >> (COLUMN_BITS * row as u32)) as usize & (COLUMNS - 1);
        let counts = (0..ROWS).map(|row| self.counter(column(row) * ROWS + row));
        u64::from(counts.min().unwrap_or(0))
    }

    /// The heaviest of some candidates, the heaviest first. Those that the error bound could explain
    /// are left out.
    #[must_use]
    pub fn top(&self, candidates: &BTreeSet<Prefix>, many: usize, secret: u64) -> Vec<Heavy> {
        let error = self.error();
        let mut heavy: Vec<Heavy> = candidates
            .iter()
            .map(|source| {
                let at_most = self.estimate(source.hash(secret));
                Heavy {
                    source: *source,
                    at_most,
                    at_least: at_most.saturating_sub(error),
                }
            })
            .filter(|heavy| heavy.at_least > 0)
            .collect();
        heavy.sort_by_key(|heavy| std::cmp::Reverse(heavy.at_most));
        heavy.truncate(many);
        heavy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counters of which every `each`th is higher by one than its place.
    fn columns(each: usize) -> Vec<u32> {
        let counter = |place: usize| place as u32 + u32::from(place.is_multiple_of(each));
        (0..ROWS * COLUMNS).map(counter).collect()
    }

    fn added(each: usize) -> Counts {
        let counts = |columns: Vec<u32>| {
            let mut counts = Counts::default();
            counts.add(&columns);
            counts
        };
        let mut before = counts((0..(ROWS * COLUMNS) as u32).collect());
        let mut later = counts(columns(each));
        let added = before.go_on_to(&mut later);
        assert_eq!(before.columns, counts(columns(each)).columns);
        assert!(later.columns.iter().all(|counter| *counter == 0));
        added
    }

    #[test]
    fn few_counters_and_all_of_them_say_the_same() {
        let (many, few, fewer) = (added(ROWS), added(ROWS * 100), added(ROWS * 1_000));
        assert!(many.few.is_empty() && few.columns.is_empty());
        assert_eq!(many.total(), COLUMNS as u64);
        assert_eq!(few.total(), COLUMNS.div_ceil(100) as u64);
        let mut sum = fewer.clone();
        sum.merge(&few);
        assert!(sum.columns.is_empty());
        assert_eq!(sum.total(), few.total() + fewer.total());
        let mut all = many.clone();
        all.merge(&sum);
        sum.merge(&many);
        for place in 0..ROWS * COLUMNS {
            let expected = [ROWS, ROWS * 100, ROWS * 1_000];
            let expected = expected.map(|each| u32::from(place.is_multiple_of(each)));
            assert_eq!(all.counter(place), expected.iter().sum::<u32>());
            assert_eq!(sum.counter(place), all.counter(place));
        }
    }

    #[test]
    fn many_sums_of_few_become_one_of_all() {
        let mut sum = Counts::default();
        for place in 0..=FEW as u32 {
            let mut one = Counts::default();
            one.add_few(&[(place * 2, 3)]);
            sum.merge(&one);
        }
        assert_eq!((sum.few.len(), sum.columns.len()), (0, ROWS * COLUMNS));
        assert_eq!((sum.counter(2 * FEW), sum.counter(2 * FEW + 1)), (3, 0));
    }
}
