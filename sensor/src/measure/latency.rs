//! Latency from histograms.

use std::time::Duration;

use sensor_common::latency::{BUCKETS, FINE_PER_COARSE, floor_ns};

/// Fine buckets in an octave.
const FINE_PER_OCTAVE: usize = 8;

/// How many answers came after how long. Estimates, each followed answer counting for all that it stands
/// for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency {
    /// By the buckets of [`sensor_common::latency`]: fine ones, an eighth of an octave wide, or coarse ones of
    /// two octaves, each in the place where its second octave begins. Empty where there was no answer: most
    /// servers of a tick had none.
    buckets: Box<[u64]>,
    /// Buckets of `buckets` in one of its own.
    width: usize,
}

impl Latency {
    /// From the fine histograms.
    #[must_use]
    pub fn fine() -> Self {
        Self {
            buckets: Box::default(),
            width: 1,
        }
    }

    fn buckets(&mut self) -> &mut [u64] {
        if self.buckets.is_empty() {
            self.buckets = vec![0; BUCKETS].into();
        }
        &mut self.buckets
    }

    /// From the coarse histogram that each server has.
    #[must_use]
    pub fn coarse(buckets: &[u64]) -> Self {
        let mut latency = Self {
            width: FINE_PER_COARSE,
            ..Self::fine()
        };
        if buckets.iter().any(|count| *count != 0) {
            let all = latency.buckets().iter_mut();
            let all = all.skip(FINE_PER_COARSE / 2).step_by(FINE_PER_COARSE);
            for (bucket, count) in all.zip(buckets) {
                *bucket = *count;
            }
        }
        latency
    }

    /// Adds fine buckets.
    pub fn add(&mut self, buckets: impl IntoIterator<Item = u32>) {
        for (sum, count) in self.buckets().iter_mut().zip(buckets) {
            *sum += u64::from(count);
        }
    }

    /// Adds those of another. The sum is as coarse as the coarser of both.
    pub fn merge(&mut self, other: &Self) {
        self.width = self.width.max(other.width);
        if !other.buckets.is_empty() {
            for (sum, count) in self.buckets().iter_mut().zip(&other.buckets) {
                *sum += count;
            }
        }
    }

    /// Takes away what was merged before.
    pub fn take(&mut self, other: &Self) {
        for (sum, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum = sum.saturating_sub(*count);
        }
    }

    /// Whether its buckets are coarse ones.
    #[must_use]
    pub fn is_coarse(&self) -> bool {
        self.width != 1
    }

    /// Whether there was no answer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.iter().all(|count| *count == 0)
    }

    /// Answers.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Answers by octaves: how long they took at most, and how many. Coarse buckets are told at their lower end's
    /// octave.
    #[must_use]
    pub fn octaves(&self) -> Vec<(Duration, u64)> {
        let octaves = self.buckets.chunks(FINE_PER_OCTAVE).enumerate();
        octaves
            .map(|(at, buckets)| {
                let end = floor_ns((at + 1) * FINE_PER_OCTAVE);
                (Duration::from_nanos(end), buckets.iter().sum())
            })
            .collect()
    }

    /// The latency that a share of the answers, 0 to 1, did not exceed: the upper end of its bucket, so
    /// that a fine histogram tells at most an eighth too much. `None` where nothing was answered.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank of at most `count`, of which 53 bits are enough"
        )]
        let rank = ((count as f64 * share).ceil() as u64).clamp(1, count);
        let mut seen = 0;
        let at = self.buckets.iter().position(|bucket| {
            seen += bucket;
            seen >= rank
        })?;
        let end = (at / self.width + 1) * self.width;
        Some(Duration::from_nanos(floor_ns(end)))
    }

    /// Answers that took less than an edge. Exact where fine buckets meet the edge, as they do at each power of
    /// two; a coarse bucket that the edge divides counts as not below it. So the count only grows where the
    /// buckets only grow, also while coarse ones are merged into fine ones.
    #[must_use]
    pub fn below(&self, edge: Duration) -> u64 {
        let ends = (1..=self.buckets.len()).map(|end| Duration::from_nanos(floor_ns(end)));
        let below = self.buckets.iter().zip(ends);
        below
            .take_while(|(_, end)| *end <= edge)
            .map(|(count, _)| count)
            .sum()
    }

    /// What all answers took together, estimated: each counts with the middle of its fine bucket, which is at
    /// most a sixteenth wrong, or with the geometric middle of its coarse one, which is at most half or twice
    /// the truth. Answers in the last bucket, beyond 17 s, count with its middle.
    #[must_use]
    pub fn sum(&self) -> Duration {
        let each = self.buckets.iter().enumerate().map(|(at, count)| {
            let middle = u64::midpoint(floor_ns(at), floor_ns(at + 1));
            u128::from(*count) * u128::from(middle)
        });
        let ns: u128 = each.sum();
        Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensor_common::latency::bucket;

    #[test]
    fn buckets_are_an_eighth_of_an_octave_and_in_order() {
        for units in (0..5_000).chain((0..24).flat_map(|n| [(1 << n) - 1, 1 << n, (1 << n) + 1])) {
            let at = bucket(units);
            let ns = u64::from(units) << 10;
            assert!(floor_ns(at) <= ns && (ns < floor_ns(at + 1) || at == BUCKETS - 1));
            assert!(units < 8 || floor_ns(at + 1) * 8 <= floor_ns(at) * 9);
        }
        assert_eq!(bucket(u32::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_the_upper_ends_of_their_buckets() {
        let mut latency = Latency::fine();
        assert_eq!(latency.quantile(0.5), None);
        // 90 answers after about a millisecond, 10 after about a second.
        let mut buckets = [0; BUCKETS];
        buckets[bucket(1_000_000 >> 10)] = 90;
        buckets[bucket(1_000_000_000 >> 10)] = 10;
        latency.add(buckets);
        let within = |share, at_least: u64| {
            let ns = u64::try_from(latency.quantile(share).expect("answers").as_nanos());
            let ns = ns.expect("seconds");
            assert!(
                ns > at_least * 1000 && ns <= at_least * 1150,
                "{share}: {ns}"
            );
        };
        within(0.5, 1_000);
        within(0.9, 1_000);
        within(0.91, 1_000_000);
        within(1.0, 1_000_000);
        let coarse = Latency::coarse(&[0, 3]);
        assert_eq!(coarse.count(), 3);
        assert_eq!(
            coarse.quantile(0.5),
            Some(Duration::from_nanos(floor_ns(32)))
        );
    }

    #[test]
    fn counts_below_each_power_of_two_are_exact_where_buckets_are_fine() {
        let mut latency = Latency::fine();
        for power in 18..=33 {
            let edge = 1_u64 << power;
            let mut buckets = [0; BUCKETS];
            for ns in [edge - 1024, edge, edge + 1024] {
                buckets[bucket(u32::try_from(ns >> 10).expect("17 s"))] += 1;
            }
            latency.add(buckets);
        }
        for power in 18..=33 {
            let below = latency.below(Duration::from_nanos(1 << power));
            assert_eq!(below, 3 * (power - 18) + 1, "2^{power} ns");
        }
        assert_eq!(latency.below(Duration::MAX), latency.count());
    }

    #[test]
    fn a_coarse_bucket_is_below_its_end_only_and_merging_it_takes_nothing_away() {
        // 2^18 to 2^20 ns.
        let coarse = Latency::coarse(&[0, 0, 0, 5]);
        let below = |latency: &Latency, power: u32| latency.below(Duration::from_nanos(1 << power));
        assert_eq!([18, 19, 20].map(|power| below(&coarse, power)), [0, 0, 5]);
        let mut sum = Latency::fine();
        let mut buckets = [0; BUCKETS];
        buckets[bucket((1 << 18) >> 10)] = 2;
        sum.add(buckets);
        sum.merge(&coarse);
        assert_eq!([18, 19, 20].map(|power| below(&sum, power)), [0, 2, 7]);
    }

    #[test]
    fn the_sum_is_estimated_within_half_a_bucket() {
        let mut latency = Latency::fine();
        assert_eq!(latency.sum(), Duration::ZERO);
        let mut buckets = [0; BUCKETS];
        buckets[bucket(5_000_000 >> 10)] = 1000;
        latency.add(buckets);
        let seconds = latency.sum().as_secs_f64();
        assert!((4.7..5.3).contains(&seconds), "{seconds}");
        let coarse = Latency::coarse(&[0, 0, 0, 1000]).sum().as_secs_f64();
        assert!((0.26..1.05).contains(&coarse), "{coarse}");
    }
}
