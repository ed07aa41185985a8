//! What becomes of second copies, beside what becomes of first ones.
//!
//! Loss strikes both alike: of a quarter that is lost, a quarter of the second copies is lost too. A server that is dead
//! behind a shared address, or a flow that goes nowhere, fails every copy.

use std::time::Duration;

use crate::detect::history::share;
use crate::detect::interval;
use crate::measure::dossier::Dossier;

/// An answer may take so many times as long as nearly all answers take, and so long at least.
const PATIENCE: f64 = 2.0;
const LEAST: f64 = 0.3;

/// Copies of one kind whose end is known.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    failed: u64,
    all: u64,
}

impl Ends {
    fn add(&mut self, failed: bool) {
        self.failed += u64::from(failed);
        self.all += 1;
    }
}

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Copies {
    first: Ends,
    second: Ends,
    /// Queries that the second copies that failed stand for.
    stand_for: u64,
}

impl Copies {
    /// Of these dossiers; nearly all answers take less than `slowest` seconds.
    pub fn of(dossiers: &[&Dossier], slowest: f64, now: Duration, timeout: Duration) -> Self {
        let patience = patience(slowest, timeout);
        let mut copies = Self::default();
        let told = |dossier: &&&Dossier| dossier.errors.iter().all(|error| error.about_answer);
        for dossier in dossiers.iter().filter(told) {
            let answer = dossier.answer().map(|answer| answer.at);
            // Whether a copy failed: until the next one was sent, or for as long as an answer may take.
            let ends = |copy: Duration, next: Option<&Duration>| {
                let until = next.copied().unwrap_or(copy + patience);
                match answer {
                    Some(at) if at <= until => Some(false),
                    _ => (now > until).then_some(true),
                }
            };
            let Some(&first) = dossier.copies.first() else {
                continue;
            };
            let second = dossier.copies.get(1);
            let Some(failed) = ends(first, second) else {
                continue;
            };
            copies.first.add(failed);
            if let (Some(&second), true) = (second, failed)
                && let Some(failed) = ends(second, dossier.copies.get(2))
            {
                copies.second.add(failed);
                copies.stand_for += if failed { u64::from(dossier.weight) } else { 0 };
            }
        }
        copies
    }

    /// Second copies whose end is known.
    pub fn decided(&self) -> u64 {
        self.second.all
    }

    /// Queries whose second copy failed too.
    pub fn failed(&self) -> u64 {
        self.stand_for
    }

    /// Whether second copies fail far more often than first ones: nearer to always than to as often.
    pub fn fail_too(&self) -> bool {
        let first = share(self.first.failed, self.first.all);
        let surely = interval::lower_likely(self.second.failed, self.second.all);
        surely > first.midpoint(1.0)
    }
}

/// For how long an answer is waited for.
fn patience(slowest: f64, timeout: Duration) -> Duration {
    Duration::from_secs_f64((PATIENCE * slowest).max(LEAST)).min(timeout)
}

/// When a first copy was last sent that failed. Second copies that are sent later tell of a failure that is over: they
/// are answered, whatever it was.
#[must_use]
pub fn goes_on(dossiers: &[&Dossier], slowest: f64, now: Duration, timeout: Duration) -> Duration {
    let patience = patience(slowest, timeout);
    let lost = dossiers.iter().filter_map(|dossier| {
        let first = *dossier.copies.first()?;
        let answer = dossier.answer().map(|answer| answer.at);
        let failed = answer.map_or(now, |at| at) > first + patience;
        failed.then_some(first)
    });
    lost.max().unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::dossier::Dossiers;
    use crate::measure::made::{answer, query};

    const SECOND: Duration = Duration::from_secs(1);

    /// So many queries one after another; each copy is answered or not, a second apart.
    fn asked(all: &[&[bool]]) -> Dossiers {
        let mut dossiers = Dossiers::default();
        for (port, copies) in (1_u16..).zip(all) {
            for (n, answered) in (0_u32..).zip(*copies) {
                let at = SECOND * n + Duration::from_millis(u64::from(port));
                let mut asked = query(at, 1, 53, port);
                asked.id = Some(7);
                dossiers.add(&asked);
                if *answered {
                    dossiers.add(&answer(&asked, Duration::from_millis(3), 0));
                }
            }
        }
        dossiers
    }

    fn of(all: &[&[bool]]) -> Copies {
        let dossiers = asked(all);
        let all: Vec<&Dossier> = dossiers.since(Duration::ZERO).collect();
        Copies::of(&all, 0.004, SECOND * 20, SECOND * 2)
    }

    #[test]
    fn a_quarter_that_is_lost_is_lost_of_second_copies_too() {
        let mut all: Vec<&[bool]> = vec![&[true]; 60];
        all.extend(vec![&[false, true] as &[bool]; 15]);
        all.extend(vec![&[false, false, true] as &[bool]; 5]);
        let copies = of(&all);
        assert_eq!((copies.decided(), copies.failed()), (20, 5));
        assert!(!copies.fail_too());
    }

    #[test]
    fn a_dead_server_behind_the_address_fails_every_copy() {
        let mut all: Vec<&[bool]> = vec![&[true]; 60];
        all.extend(vec![&[false, false, false] as &[bool]; 20]);
        let copies = of(&all);
        assert_eq!(copies.failed(), 20);
        assert!(copies.fail_too());
    }
}
