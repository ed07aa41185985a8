//! The series of an incident that goes on: what was asked lately may be answered yet.

use std::time::Duration;

use super::super::series::Series;
use crate::detect::cohort::{Asked, Clock, Cohorts};
use crate::detect::history::Span;
use crate::measure::clock::WallClock;

/// See the module.
pub struct RunningSeries {
    /// Of a server: what was asked is added by the time of asking, and not as it passed.
    by_asking: bool,
    /// From a minute before the first sign on.
    series: Series,
    /// What was asked so lately that it may be answered yet: from when to when, in milliseconds since 1970.
    tail: Vec<(u64, u64, Asked)>,
    /// The series has what was asked up to then.
    to: Duration,
}

impl RunningSeries {
    /// Of a server, or of the whole network.
    #[must_use]
    pub fn new(of_server: bool) -> Self {
        Self {
            by_asking: of_server,
            series: Series::default(),
            tail: Vec::new(),
            to: Duration::ZERO,
        }
    }

    /// Adds what passed to the series.
    pub fn push(&mut self, end_ms: u64, span: &Span) {
        if self.by_asking {
            self.series.push_packets(end_ms, span);
        } else {
            self.series.push(end_ms, span);
        }
    }

    /// Adds what was asked to the series, from a minute before the onset on.
    pub fn note_asked(
        &mut self,
        cohorts: &Cohorts,
        onset: Duration,
        clock: &Clock,
        calendar: &WallClock,
    ) {
        let from = onset.saturating_sub(Duration::from_mins(1));
        self.to = self.to.max(from);
        let over = clock
            .now
            .saturating_sub(clock.timeout + Duration::from_secs(1));
        self.tail.clear();
        for cohort in cohorts.between(self.to, clock.now + clock.timeout) {
            let asked = cohort.as_of(clock.now, clock.timeout, clock.timeout);
            let (from, to) = (calendar.ms(cohort.from), calendar.ms(cohort.to));
            if cohort.to <= over {
                self.series.push_asked(from, to, &asked);
                self.to = cohort.to;
            } else {
                self.tail.push((from, to, asked));
            }
        }
    }

    /// The series up to now.
    #[must_use]
    pub fn series(&self) -> Series {
        let mut series = self.series.clone();
        for (from, to, asked) in &self.tail {
            series.push_asked(*from, *to, asked);
        }
        series
    }
}
