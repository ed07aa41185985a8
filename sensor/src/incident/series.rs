//! What happened, second by second.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detect::cohort::Asked;
use crate::detect::history::Span;

/// Points that are kept; when there are more, two become one.
const POINTS: usize = 900;

/// One step of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Milliseconds since 1970 at its beginning.
    pub at_ms: u64,
    /// Queries that were asked in it. Each is in one of the next three; those of the whole network, which are counted
    /// as they pass, need not be.
    pub queries: u64,
    /// Answered in time.
    pub answered: u64,
    /// Ended by an ICMP error, or known by now to be unanswered.
    pub failed: u64,
    /// They may be answered yet.
    pub pending: u64,
    /// ICMP errors about queries that came in it.
    pub icmp_errors: u64,
    /// Answers with an rcode other than NOERROR.
    pub bad_rcodes: u64,
    /// SYNs to its DNS ports, with those that were sent again.
    #[serde(default)]
    pub syns: u64,
    /// SYNs that were accepted.
    #[serde(default)]
    pub syn_acks: u64,
}

impl Point {
    /// Adds another step to it.
    pub fn add(&mut self, other: &Self) {
        self.queries += other.queries;
        self.answered += other.answered;
        self.failed += other.failed;
        self.pending += other.pending;
        self.icmp_errors += other.icmp_errors;
        self.bad_rcodes += other.bad_rcodes;
        self.syns += other.syns;
        self.syn_acks += other.syn_acks;
    }

    /// Of what passed.
    fn of(span: &Span) -> Self {
        let counters = &span.counters;
        Self {
            queries: counters.queries,
            answered: counters.transactions.answered,
            failed: span.failed(),
            ..Self::of_packets(span)
        }
    }

    /// Of what passed and belongs to no query.
    fn of_packets(span: &Span) -> Self {
        let counters = &span.counters;
        let [syns, syn_acks, _] = span.connections();
        Self {
            icmp_errors: counters.errors.iter().sum(),
            bad_rcodes: counters.answers_by_rcode[1..].iter().sum(),
            syns,
            syn_acks,
            ..Self::default()
        }
    }

    /// What was asked from one moment to another of so many: neighbours together have all.
    fn of_asked(asked: &Asked, [from, to]: [u64; 2], all: u64) -> Self {
        let of = |count: u64| count * to / all - count * from / all;
        let (answered, failed) = (of(asked.answered), of(asked.failed()));
        let pending = of(asked.waiting);
        Self {
            queries: answered + failed + pending,
            answered,
            failed,
            pending,
            ..Self::default()
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

/// A span counts by its middle, so that ticks do not fall between two steps.
fn middle(end_ms: u64, span: &Span) -> u64 {
    let elapsed = u64::try_from(span.elapsed.min(Duration::from_secs(2)).as_millis());
    end_ms.saturating_sub(elapsed.unwrap_or(0) / 2)
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
    /// Adds a span whose end is at `end_ms`, with its queries and answers as they passed.
    pub fn push(&mut self, end_ms: u64, span: &Span) {
        self.add(middle(end_ms, span), &Point::of(span));
    }

    /// Adds the errors and the rcodes of a span whose end is at `end_ms`.
    pub fn push_packets(&mut self, end_ms: u64, span: &Span) {
        self.add(middle(end_ms, span), &Point::of_packets(span));
    }

    /// Adds queries by the time of asking, evenly over that.
    pub fn push_asked(&mut self, from_ms: u64, to_ms: u64, asked: &Asked) {
        let to_ms = to_ms.max(from_ms + 1);
        let mut at_ms = from_ms;
        while at_ms < to_ms {
            let next_ms = (at_ms / self.step_ms + 1) * self.step_ms;
            let part = [at_ms - from_ms, next_ms.min(to_ms) - from_ms];
            self.add(at_ms, &Point::of_asked(asked, part, to_ms - from_ms));
            at_ms = next_ms;
        }
    }

    /// Adds another series, of a later time.
    pub fn join(&mut self, later: &Self) {
        while self.step_ms < later.step_ms {
            self.coarsen();
        }
        for point in &later.points {
            self.add(point.at_ms, point);
        }
    }

    fn add(&mut self, at_ms: u64, point: &Point) {
        let at_ms = at_ms / self.step_ms * self.step_ms;
        match self
            .points
            .binary_search_by_key(&at_ms, |point| point.at_ms)
        {
            Ok(at) => self.points[at].add(point),
            Err(at) => self.points.insert(at, Point { at_ms, ..*point }),
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
    fn what_was_asked_is_divided_where_steps_meet() {
        let mut series = Series::default();
        let asked = |answered| Asked {
            answered,
            ..Asked::default()
        };
        // Ticks of 268 ms at a steady rate: no second has a tick more than its share of them.
        for tick in 0..40 {
            series.push_asked(tick * 268, (tick + 1) * 268, &asked(268));
        }
        let whole = &series.points[..10];
        assert!(
            whole.iter().all(|point| point.queries.abs_diff(1_000) <= 4),
            "{whole:?}"
        );
        let all: u64 = series.points.iter().map(|point| point.answered).sum();
        assert_eq!(all, 40 * 268);
    }

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
