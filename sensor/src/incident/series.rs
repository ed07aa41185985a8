//! What happened, second by second.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::history::Span;

/// Points that are kept; when there are more, two become one.
const POINTS: usize = 900;

/// One step of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Milliseconds since 1970 at its beginning.
    pub at_ms: u64,
    /// Queries.
    pub queries: u64,
    /// Answered in time.
    pub answered: u64,
    /// Ended by an ICMP error, or known by now to be unanswered.
    pub failed: u64,
    /// ICMP errors about queries.
    pub icmp_errors: u64,
    /// Answers with an rcode other than NOERROR.
    pub bad_rcodes: u64,
}

impl Point {
    /// Adds another step to it.
    pub fn add(&mut self, other: &Self) {
        self.queries += other.queries;
        self.answered += other.answered;
        self.failed += other.failed;
        self.icmp_errors += other.icmp_errors;
        self.bad_rcodes += other.bad_rcodes;
    }

    fn of(at_ms: u64, span: &Span) -> Self {
        let counters = &span.counters;
        Self {
            at_ms,
            queries: counters.queries,
            answered: counters.transactions.answered,
            failed: span.failed(),
            icmp_errors: counters.errors.iter().sum(),
            bad_rcodes: counters.answers_by_rcode[1..].iter().sum(),
        }
    }
}

/// Points in the order of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// Milliseconds that each point stands for.
    pub step_ms: u64,
    /// The points.
    pub points: Vec<Point>,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            step_ms: 1_000,
            points: Vec::new(),
        }
    }
}

impl Series {
    /// Adds a span whose end is at `end_ms`.
    pub fn push(&mut self, end_ms: u64, span: &Span) {
        let elapsed = u64::try_from(span.elapsed.min(Duration::from_secs(2)).as_millis());
        // By its middle, so that ticks do not fall between two steps.
        let middle = end_ms.saturating_sub(elapsed.unwrap_or(0) / 2);
        let at_ms = middle / self.step_ms * self.step_ms;
        let point = Point::of(at_ms, span);
        match self.points.last_mut() {
            Some(last) if last.at_ms >= at_ms => last.add(&point),
            _ => self.points.push(point),
        }
        if self.points.len() > POINTS {
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        self.step_ms *= 2;
        let mut coarse: Vec<Point> = Vec::with_capacity(POINTS);
        for point in &self.points {
            let at_ms = point.at_ms / self.step_ms * self.step_ms;
            match coarse.last_mut() {
                Some(last) if last.at_ms == at_ms => last.add(point),
                _ => coarse.push(Point { at_ms, ..*point }),
            }
        }
        self.points = coarse;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_become_seconds_and_a_long_series_becomes_coarser() {
        let mut series = Series::default();
        let mut span = Span::empty(Duration::ZERO);
        span.elapsed = Duration::from_millis(250);
        span.counters.queries = 1;
        for tick in 1..=4 * 2_000 {
            series.push(tick * 250, &span);
        }
        assert!(series.points.len() <= POINTS, "{}", series.points.len());
        assert_eq!(series.step_ms, 4_000);
        let queries: u64 = series.points.iter().map(|point| point.queries).sum();
        assert_eq!(queries, 8_000);
        assert_eq!(series.points[3].queries, 16);
    }
}
