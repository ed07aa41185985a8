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
        rate(count, self.elapsed)
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

fn rate(count: u64, elapsed: Duration) -> f64 {
    let seconds = elapsed.as_secs_f64();
    if seconds > 0.0 {
        float(count) / seconds
    } else {
        0.0
    }
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

/// A span that is kept, by all that was counted up to its end: what any number of spans add up to is one difference.
#[derive(Clone, Copy)]
struct Mark {
    end: Duration,
    elapsed: Duration,
    counters: ServerCounters,
    unanswered: u64,
}

impl Mark {
    /// Ticks are a little longer or shorter than they should be: a span belongs where its middle is.
    fn middle(&self) -> Duration {
        self.end.saturating_sub(self.elapsed / 2)
    }

    /// The span that it ends, where `before` ends the one before that.
    fn span(&self, before: &Self) -> Span {
        Span {
            end: self.end,
            elapsed: self.elapsed,
            counters: self.counters.since(&before.counters),
            unanswered: self.unanswered - before.unanswered,
        }
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
    /// The end of what is no longer kept.
    before: Mark,
    steps: VecDeque<Mark>,
    ticks: VecDeque<Mark>,
}

impl History {
    /// Nothing yet.
    #[must_use]
    pub fn new(begun: Duration) -> Self {
        Self {
            begun,
            now: begun,
            last: None,
            before: Mark {
                end: begun,
                elapsed: Duration::ZERO,
                counters: Zeroable::zeroed(),
                unanswered: 0,
            },
            steps: VecDeque::new(),
            ticks: VecDeque::new(),
        }
    }

    /// Adds the tick that ended just now.
    pub fn push(&mut self, tick: &Span) {
        self.now = tick.end;
        if !tick.is_empty() {
            self.last = Some(tick.end);
            let mut mark = *self.newest_mark();
            mark.counters.add(&tick.counters);
            mark.unanswered += tick.unanswered;
            (mark.end, mark.elapsed) = (tick.end, tick.elapsed);
            self.ticks.push_back(mark);
        }
        while let Some(first) = self.ticks.front()
            && first.end + TICKS < self.now
        {
            let mut first = *first;
            self.ticks.pop_front();
            match self.steps.back_mut() {
                Some(step) if first.end.saturating_sub(step.end) + step.elapsed <= STEP => {
                    first.elapsed += step.elapsed;
                    *step = first;
                }
                _ => self.steps.push_back(first),
            }
        }
        while let Some(first) = self.steps.front()
            && first.end + KEPT < self.now
        {
            self.before = *first;
            self.steps.pop_front();
        }
    }

    fn newest_mark(&self) -> &Mark {
        let newest = self.ticks.back().or(self.steps.back());
        newest.unwrap_or(&self.before)
    }

    /// The end of the last span that does not belong to the time after `from`.
    fn mark_before(&self, from: Duration) -> &Mark {
        let last = |marks: &VecDeque<Mark>| {
            let earlier = marks.partition_point(|mark| mark.middle() <= from);
            earlier.checked_sub(1)
        };
        if let Some(tick) = last(&self.ticks) {
            return &self.ticks[tick];
        }
        last(&self.steps).map_or(&self.before, |step| &self.steps[step])
    }

    /// The ends of all spans and of those before them, the newest first.
    fn back(&self) -> impl Iterator<Item = (&Mark, &Mark)> {
        let marks = || self.ticks.iter().rev().chain(self.steps.iter().rev());
        marks().zip(marks().skip(1).chain([&self.before]))
    }

    /// The same, the oldest first.
    fn forth(&self) -> impl Iterator<Item = (&Mark, &Mark)> {
        let marks = || self.steps.iter().chain(&self.ticks);
        marks().zip([&self.before].into_iter().chain(marks()))
    }

    /// Time that it looks back on, at most `length`.
    fn covered(&self, length: Duration) -> Duration {
        length.min(self.now.saturating_sub(self.begun))
    }

    /// The sum of the last `length`. Its `elapsed` is shorter where the history is.
    #[must_use]
    pub fn over(&self, length: Duration) -> Span {
        let from = self.now.saturating_sub(length);
        let mut sum = self.newest_mark().span(self.mark_before(from));
        sum.end = self.now;
        sum.elapsed = self.covered(length);
        sum
    }

    /// How many of something were counted in the last `length`, as [`Self::over()`] has it. Without the other counts this
    /// takes no time.
    #[must_use]
    pub fn count(&self, length: Duration, of: impl Fn(&ServerCounters) -> u64) -> u64 {
        let from = self.now.saturating_sub(length);
        let before = of(&self.mark_before(from).counters);
        of(&self.newest_mark().counters).wrapping_sub(before)
    }

    /// The same, per second.
    #[must_use]
    pub fn rate(&self, length: Duration, of: impl Fn(&ServerCounters) -> u64) -> f64 {
        rate(self.count(length, of), self.covered(length))
    }

    /// Whether any were counted in the time that is kept.
    #[must_use]
    pub fn has_any(&self, of: impl Fn(&ServerCounters) -> u64) -> bool {
        of(&self.newest_mark().counters) != of(&self.before.counters)
    }

    /// The sum of what ended up to `to`: of `least`, or of so much more that `enough` of what `of` tells are in it, but
    /// of no more than `most`. Of time in which none was counted it is empty.
    #[must_use]
    pub fn newest(
        &self,
        to: Duration,
        [least, most]: [Duration; 2],
        enough: u64,
        of: impl Fn(&ServerCounters) -> u64,
    ) -> Span {
        let between = |now: &Mark, then: &Mark| of(&now.counters).wrapping_sub(of(&then.counters));
        let mut sum = Span::empty(to);
        if !self.has_any(&of) {
            return sum;
        }
        let mut found: Option<[&Mark; 3]> = None;
        for (mark, before) in self.back().skip_while(|(mark, _)| mark.end > to) {
            let age = to.saturating_sub(mark.end);
            let count = found.map_or(0, |[newest, _, before]| between(newest, before));
            if age >= most || (age >= least && count >= enough) {
                break;
            }
            found = Some([found.map_or(mark, |[newest, ..]| newest), mark, before]);
        }
        if let Some([newest, oldest, before]) = found {
            let from = oldest.end.saturating_sub(oldest.elapsed);
            sum = newest.span(before);
            sum.end = to;
            sum.elapsed = self.covered(to.saturating_sub(from));
        }
        sum
    }

    /// All spans of the last `length`, the oldest first.
    pub fn spans(&self, length: Duration) -> impl Iterator<Item = Span> {
        let from = self.now.saturating_sub(length);
        let spans = self.forth().filter(move |(mark, _)| mark.middle() > from);
        spans.map(|(mark, before)| mark.span(before))
    }

    /// All spans that ended in a time, the oldest first.
    pub fn between(&self, from: Duration, to: Duration) -> impl Iterator<Item = Span> {
        let is_in = move |(mark, _): &(&Mark, &Mark)| mark.end > from && mark.end <= to;
        let spans = self.forth().filter(is_in);
        spans.map(|(mark, before)| mark.span(before))
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
            history.push(&tick(n * 250, 2, 1));
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
    fn one_count_is_that_of_the_whole_sum() {
        let queries = |counters: &ServerCounters| counters.queries;
        let errors = |counters: &ServerCounters| counters.errors.iter().sum();
        let mut history = History::new(Duration::ZERO);
        assert!(!history.has_any(queries));
        for n in 1..=12 {
            history.push(&tick(n * 250, n, 1));
        }
        // Longer than it lasts, too: then by the time that is known.
        for length in [250, 1_000, 2_600, 60_000].map(Duration::from_millis) {
            let sum = history.over(length);
            assert_eq!(history.count(length, queries), sum.counters.queries);
            let rate = sum.rate(sum.counters.queries);
            assert!((history.rate(length, queries) - rate).abs() < 1e-9);
        }
        assert!(history.has_any(queries) && !history.has_any(errors));
    }

    #[test]
    fn it_looks_back_until_there_is_enough() {
        let mut history = History::new(Duration::ZERO);
        for n in 1..=5 {
            history.push(&tick(n * 30_000, 1, 1));
        }
        let most = Duration::from_secs(130);
        let newest = |history: &History, to, least, enough| {
            let answered = |counters: &ServerCounters| counters.transactions.answered;
            history.newest(to, [least, most], enough, answered)
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
        history.push(&tick(290_000, 0, 0));
        assert_eq!(newest(&history, history.now(), second, 5).decided(), 0);
    }
}
