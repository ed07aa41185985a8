//! What is exported of a server, as numbers in a row: so they can be added and subtracted.

use std::time::Duration;

use sensor_common::class::{ERROR_KINDS, TCP_EVENTS};
use sensor_common::totals::HEADER_CODES;

use crate::measure::window::ServerWindow;

/// Edges of the exported latency buckets: each power of two from 2^18 to 2^33 ns, 0.26 ms to 8.6 s. All of
/// them are edges of the histograms that the packet program fills.
pub const EDGES: [Duration; 16] = {
    let mut edges = [Duration::ZERO; 16];
    let mut at = 0;
    while at < edges.len() {
        edges[at] = Duration::from_nanos(1 << (18 + at));
        at += 1;
    }
    edges
};
/// Outcomes of queries, in the order of [`Counts::outcomes()`].
pub const OUTCOMES: [&str; 4] = ["answered", "late", "errored", "unanswered"];

const QUERIES: usize = 0;
const RCODES: usize = QUERIES + 1;
const OUTCOME: usize = RCODES + HEADER_CODES;
const TCP: usize = OUTCOME + OUTCOMES.len();
const ERRORS: usize = TCP + TCP_EVENTS;
const MATCHED: usize = ERRORS + ERROR_KINDS;
const FROM_SERVER: usize = MATCHED + ERROR_KINDS;
const BELOW: usize = FROM_SERVER + 1;
const ANSWERS: usize = BELOW + EDGES.len();
const LATENCY_US: usize = ANSWERS + 1;
const ALL: usize = LATENCY_US + 1;

/// Monotone counts of a server, or of several together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts([u64; ALL]);

impl Counts {
    /// Nothing.
    pub const ZERO: Self = Self([0; ALL]);

    /// Of a server.
    #[must_use]
    pub fn of(server: &ServerWindow) -> Self {
        let counters = &server.counters;
        let transactions = &counters.transactions;
        let mut counts = Self::ZERO;
        let mut put = |at: usize, values: &[u64]| {
            counts.0[at..at + values.len()].copy_from_slice(values);
        };
        put(QUERIES, &[counters.queries]);
        put(RCODES, &counters.rcode);
        put(
            OUTCOME,
            &[
                transactions.answered,
                transactions.late,
                transactions.errored,
                server.unanswered,
            ],
        );
        put(TCP, &counters.tcp);
        put(ERRORS, &counters.errors);
        put(MATCHED, &counters.errors_matched);
        put(FROM_SERVER, &[counters.errors_from_server]);
        put(BELOW, &EDGES.map(|edge| server.latency.below(edge)));
        let sum = u64::try_from(server.latency.sum().as_micros()).unwrap_or(u64::MAX);
        put(ANSWERS, &[server.latency.count(), sum]);
        counts
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
    }

    /// Without others; what would be less than nothing is nothing.
    #[must_use]
    pub fn without(mut self, other: &Self) -> Self {
        for (count, less) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_sub(less);
        }
        self
    }

    /// Of each count the greater one.
    #[must_use]
    pub fn at_least(mut self, other: &Self) -> Self {
        for (count, least) in self.0.iter_mut().zip(other.0) {
            *count = (*count).max(least);
        }
        self
    }

    /// Whether any count is below that of another: they were counted from the beginning again.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).any(|(now, then)| *now < then)
    }

    /// Queries, copies included.
    #[must_use]
    pub fn queries(&self) -> u64 {
        self.0[QUERIES]
    }

    /// Responses by rcode.
    #[must_use]
    pub fn rcodes(&self) -> &[u64] {
        &self.0[RCODES..OUTCOME]
    }

    /// Queries by [`OUTCOMES`].
    #[must_use]
    pub fn outcomes(&self) -> &[u64] {
        &self.0[OUTCOME..TCP]
    }

    /// By [`sensor_common::class::TcpEvent`].
    #[must_use]
    pub fn tcp(&self) -> &[u64] {
        &self.0[TCP..ERRORS]
    }

    /// ICMP errors by [`sensor_common::class::ErrorKind`]: those whose query was seen, and the others.
    #[must_use]
    pub fn errors(&self, kind: usize) -> [u64; 2] {
        let matched = self.0[MATCHED + kind];
        [matched, self.0[ERRORS + kind].saturating_sub(matched)]
    }

    /// ICMP errors that the server's own address sent.
    #[must_use]
    pub fn errors_from_server(&self) -> u64 {
        self.0[FROM_SERVER]
    }

    /// Answers that took less than each of [`EDGES`].
    #[must_use]
    pub fn below(&self) -> &[u64] {
        &self.0[BELOW..ANSWERS]
    }

    /// Answers.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.0[ANSWERS]
    }

    /// What they took together, in seconds: an estimate ([`crate::measure::latency::Latency::sum()`]).
    #[must_use]
    pub fn latency_seconds(&self) -> f64 {
        Duration::from_micros(self.0[LATENCY_US]).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_has_its_place() {
        let mut server = ServerWindow::empty();
        server.counters.queries = 7;
        server.counters.rcode[3] = 2;
        server.counters.errors[0] = 5;
        server.counters.errors_matched[0] = 4;
        server.counters.errors_from_server = 3;
        server.counters.tcp[2] = 9;
        server.counters.transactions.late = 1;
        server.unanswered = 6;
        let counts = Counts::of(&server);
        assert_eq!((counts.queries(), counts.rcodes()[3]), (7, 2));
        assert_eq!(counts.outcomes(), [0, 1, 0, 6]);
        assert_eq!((counts.errors(0), counts.errors_from_server()), ([4, 1], 3));
        assert_eq!((counts.tcp()[2], counts.answers()), (9, 0));
        let mut twice = counts;
        twice.add(&counts);
        assert_eq!(twice.without(&counts), counts);
        assert!(counts.is_before(&twice) && !twice.is_before(&counts));
        assert_eq!(counts.at_least(&twice), twice);
    }
}
