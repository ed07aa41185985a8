//! The last two minutes of one server.

use sensor_common::class::TcpEvent;
use std::collections::VecDeque;
use std::time::Duration;

use bytemuck::Zeroable;
use sensor_common::class::ErrorKind;
use sensor_common::server::ServerCounters;

use crate::measure::counters::Counters;

/// Each tick is kept for so long.
const TICKS: Duration = Duration::from_secs(10);
/// Older ones are added up to so much.
const STEP: Duration = Duration::from_secs(2);
/// And kept for so long.
pub const KEPT: Duration = Duration::from_secs(132);

/// What a server did in a span of time.
#[derive(Clone, Copy)]
pub struct Span {
    /// When it ended.
    pub end: Duration,
    /// How long it was.
    pub elapsed: Duration,
    /// What was counted in it.
    pub counters: ServerCounters,
    /// Queries whose time-out passed in it.
    pub unanswered: u64,
}

impl Span {
    /// Nothing, up to `end`.
    #[must_use]
    pub fn empty(end: Duration) -> Self {
        Self {
            end,
            elapsed: Duration::ZERO,
            counters: Zeroable::zeroed(),
            unanswered: 0,
        }
    }

    /// Segments that open and accept connections, and resets that answer a SYN.
    #[must_use]
    pub fn connections(&self) -> [u64; 3] {
        [TcpEvent::Syn, TcpEvent::SynAck, TcpEvent::Refused]
            .map(|event| self.counters.tcp[event.index()])
    }

    /// Answers, in time or late.
    #[must_use]
    pub fn answers(&self) -> u64 {
        let transactions = &self.counters.transactions;
        transactions.answered + transactions.late
    }

    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.end = self.end.max(other.end);
        self.elapsed += other.elapsed;
        self.counters.add(&other.counters);
        self.unanswered += other.unanswered;
    }

    /// Ticks are a little longer or shorter than they should be: a span belongs where its middle is.
    fn middle(&self) -> Duration {
        self.end.saturating_sub(self.elapsed / 2)
    }

    /// Whether nothing happened in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counters.is_zero() && self.unanswered == 0
    }

    /// Queries that ended in an ICMP error or in none.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.counters.transactions.errored + self.unanswered
    }

    /// Queries of which the end is known.
    #[must_use]
    pub fn decided(&self) -> u64 {
        self.failed() + self.counters.transactions.answered
    }

    /// Matched ICMP errors of some kinds.
    #[must_use]
    pub fn matched(&self, kinds: &[ErrorKind]) -> u64 {
        let of = |kind: &ErrorKind| self.counters.errors_matched[kind.index()];
        kinds.iter().map(of).sum()
    }

    /// A count as a rate, per second.
    #[must_use]
    pub fn rate(&self, count: u64) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            float(count) / seconds
        } else {
            0.0
        }
    }
}

/// A count to compute with.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "counts beyond 2^53 are not reached"
)]
pub fn float(count: u64) -> f64 {
    count as f64
}

/// A part of a whole; 0 of nothing.
#[must_use]
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        float(part) / float(whole)
    }
}

/// Spans in the order of time. Those in which nothing happened are not kept.
#[derive(Clone)]
pub struct History {
    /// When it began.
    begun: Duration,
    now: Duration,
    /// When something last happened, also where that is no longer kept.
    last: Option<Duration>,
    steps: VecDeque<Span>,
    ticks: VecDeque<Span>,
}

impl History {
    /// Nothing yet.
    #[must_use]
    pub fn new(begun: Duration) -> Self {
        Self {
            begun,
            now: begun,
            last: None,
            steps: VecDeque::new(),
            ticks: VecDeque::new(),
        }
    }

    /// Adds the tick that ended just now.
    pub fn push(&mut self, tick: Span) {
        self.now = tick.end;
        if !tick.is_empty() {
            self.last = Some(tick.end);
            self.ticks.push_back(tick);
        }
        while let Some(first) = self.ticks.front()
            && first.end + TICKS < self.now
        {
            let first = *first;
            self.ticks.pop_front();
            match self.steps.back_mut() {
                Some(step) if first.end.saturating_sub(step.end) + step.elapsed <= STEP => {
                    step.add(&first);
                }
                _ => self.steps.push_back(first),
            }
        }
        while let Some(first) = self.steps.front()
            && first.end + KEPT < self.now
        {
            self.steps.pop_front();
        }
    }

    /// The newest first.
    fn back(&self) -> impl Iterator<Item = &Span> {
        self.ticks.iter().rev().chain(self.steps.iter().rev())
    }

    /// Time that it looks back on, at most `length`.
    fn covered(&self, length: Duration) -> Duration {
        length.min(self.now.saturating_sub(self.begun))
    }

    /// The sum of the last `length`. Its `elapsed` is shorter where the history is.
    #[must_use]
    pub fn over(&self, length: Duration) -> Span {
        let mut sum = Span::empty(self.now);
        let from = self.now.saturating_sub(length);
        self.back()
            .take_while(|span| span.middle() > from)
            .for_each(|span| sum.add(span));
        sum.end = self.now;
        sum.elapsed = self.covered(length);
        sum
    }

    /// The sum of what ended up to `to`: of `least`, or of so much more that it is enough, but of no more than `most`.
    #[must_use]
    pub fn newest(
        &self,
        to: Duration,
        least: Duration,
        most: Duration,
        is_enough: impl Fn(&Span) -> bool,
    ) -> Span {
        let mut sum = Span::empty(to);
        let mut from = to;
        for span in self.back().skip_while(|span| span.end > to) {
            let age = to.saturating_sub(span.end);
            if age >= most || (age >= least && is_enough(&sum)) {
                break;
            }
            sum.add(span);
            from = span.end.saturating_sub(span.elapsed);
        }
        sum.elapsed = self.covered(to.saturating_sub(from));
        sum
    }

    /// The span that came to be older than `age` with the last tick, if one did.
    #[must_use]
    pub fn tick_before(&self, age: Duration, elapsed: Duration) -> Option<Span> {
        let from = self.now.saturating_sub(age);
        let was = from.saturating_sub(elapsed);
        let mut spans = self.steps.iter().chain(&self.ticks).rev();
        spans
            .find(|span| span.end <= from)
            .filter(|span| span.end > was)
            .copied()
    }

    /// All spans of the last `length`, the oldest first.
    pub fn spans(&self, length: Duration) -> impl Iterator<Item = &Span> {
        let from = self.now.saturating_sub(length);
        let spans = self.steps.iter().chain(&self.ticks);
        spans.filter(move |span| span.middle() > from)
    }

    /// All spans that ended in a time.
    pub fn between(&self, from: Duration, to: Duration) -> impl Iterator<Item = &Span> {
        let spans = self.steps.iter().chain(&self.ticks);
        spans.filter(move |span| span.end > from && span.end <= to)
    }

    /// When something last happened.
    #[must_use]
    pub fn last(&self) -> Option<Duration> {
        self.last
    }

    /// Whether something happened in the time that is kept.
    #[must_use]
    pub fn is_recent(&self) -> bool {
        self.back().next().is_some()
    }

    /// When the last tick ended.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// When it began.
    #[must_use]
    pub fn begun(&self) -> Duration {
        self.begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(at_ms: u64, queries: u64, answered: u64) -> Span {
        let mut span = Span::empty(Duration::from_millis(at_ms));
        span.elapsed = Duration::from_millis(250);
        span.counters.queries = queries;
        span.counters.transactions.answered = answered;
        span
    }

    #[test]
    fn sums_reach_back_as_far_as_they_are_asked_to() {
        let mut history = History::new(Duration::ZERO);
        for n in 1..=800 {
            history.push(tick(n * 250, 2, 1));
        }
        assert_eq!(
            history.over(Duration::from_secs(1)).counters.queries,
            8,
            "four ticks"
        );
        let minute = history.over(Duration::from_mins(1)).counters.queries;
        assert!((472..=488).contains(&minute), "{minute}");
        let all = history.over(Duration::from_secs(999));
        assert!((1040..=1072).contains(&all.counters.queries));
        assert!(history.steps.len() <= 70 && history.ticks.len() <= 41);
    }

    #[test]
    fn it_looks_back_until_there_is_enough() {
        let mut history = History::new(Duration::ZERO);
        for n in 1..=5 {
            history.push(tick(n * 30_000, 1, 1));
        }
        let most = Duration::from_secs(130);
        let newest = |history: &History, to, least, enough| {
            history.newest(to, least, most, |sum| sum.decided() >= enough)
        };
        let (now, second) = (history.now(), Duration::from_secs(1));
        let span = newest(&history, now, second, 5);
        assert_eq!(span.decided(), 5);
        assert!(span.elapsed >= Duration::from_mins(2));
        assert_eq!(newest(&history, now, second, 2).decided(), 2);
        assert_eq!(newest(&history, now, second * 40, 1).decided(), 2);
        // What ended later is left out.
        let earlier = newest(&history, now.saturating_sub(second), second, 1);
        assert_eq!(
            (earlier.decided(), earlier.end),
            (1, now.saturating_sub(second))
        );
        history.push(tick(290_000, 0, 0));
        assert_eq!(newest(&history, history.now(), second, 5).decided(), 0);
    }
}
