//! Queries by the time of asking: those of before an incident, and those of it.

use std::time::Duration;

use crate::detect::cohort::{Asked, Clock, Cohort, Cohorts};

/// See the module.
#[derive(Default)]
pub struct AskedAround {
    /// Queries that were asked in the minute before.
    pub before: Asked,
    /// Those that were asked during it.
    pub during: Asked,
    /// Of the latter those that have had their time-out: a share of the others would be of answers alone.
    pub ripe: Asked,
    /// Of those during it, cohorts that have had their time-out.
    closed: Asked,
    closed_to: Duration,
    /// Queries that were asked from then on count as during it.
    counts_from: Option<Duration>,
}

impl AskedAround {
    /// Counts the queries that were asked in the minute before the onset, and from it up to the last symptom.
    pub fn count(&mut self, cohorts: &Cohorts, onset: Duration, last: Duration, clock: &Clock) {
        let as_of = |from: Duration, to: Duration| {
            let mut sum = Asked {
                from,
                to: from,
                ..Asked::default()
            };
            for cohort in cohorts.between(from, to) {
                sum.add(&cohort.as_of(clock.now, clock.timeout, clock.timeout));
            }
            sum
        };
        let minute = Duration::from_mins(1);
        // Cohorts are whole: the one of the onset counts where most of it lies.
        let middle = |cohort: &&Cohort| (cohort.from + cohort.to) / 2 <= onset;
        let first = cohorts.back().find(|cohort| cohort.from < onset);
        let onset = first
            .filter(middle)
            .map_or(onset, |cohort| cohort.to.max(onset));
        // What was asked just before has had its time-out a moment later.
        if self.closed_to.is_zero() {
            self.closed_to = onset;
        }
        let onset = self.counts_from.get_or_insert(onset);
        if clock.now < *onset + clock.timeout + Duration::from_secs(2) || self.before.asked == 0 {
            self.before = as_of(onset.saturating_sub(minute), *onset);
        }
        let over = clock
            .now
            .saturating_sub(clock.timeout + Duration::from_secs(1))
            .min(last);
        if over > self.closed_to {
            self.closed.add(&as_of(self.closed_to, over));
            self.closed_to = over;
        }
        let so_far = |to: Duration| {
            let mut asked = self.closed;
            if to > self.closed_to {
                asked.add(&as_of(self.closed_to, to));
            }
            asked
        };
        self.during = so_far(last);
        self.ripe = so_far(last.min(clock.now.saturating_sub(clock.timeout)));
    }
}
