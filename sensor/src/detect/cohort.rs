//! Queries by the time at which they were asked, whenever their end became known.
//!
//! A failure becomes known two seconds after its query. Laid beside answers of that later time, a few old failures
//! would be most of a quiet moment. So every share is of the queries that were asked in the same span.

use std::collections::VecDeque;
use std::time::Duration;

use super::history::float;
use crate::measure::window::{ServerWindow, Window};

/// Cohorts are kept one by one for so long.
const SINGLE: Duration = Duration::from_secs(20);
/// Older ones are added up to so much.
const STEP: Duration = Duration::from_secs(2);
/// And kept for so long.
pub const KEPT: Duration = Duration::from_secs(132);

/// Queries that were asked in one slot, or in several that are long over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cohort {
    /// The last of its slots.
    slot: u64,
    /// When the first began.
    pub from: Duration,
    /// When the last ended.
    pub to: Duration,
    asked: i64,
    answered: i64,
    errored: i64,
    /// The loader was stopped: which queries were asked when is not known.
    mixed: bool,
}

/// Queries that were asked in a span of time, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// When the span began, and when it ended.
    pub from: Duration,
    /// See `from`.
    pub to: Duration,
    /// Queries. Each is in one of the following.
    pub asked: u64,
    /// Answered in time.
    pub answered: u64,
    /// Ended by an ICMP error.
    pub errored: u64,
    /// Their time-out passed without either.
    pub unanswered: u64,
    /// They have waited suspiciously long, and count as failing for now.
    pub overdue: u64,
    /// They may well be answered yet.
    pub waiting: u64,
}

impl Asked {
    /// Queries of which the end is known, or taken for known.
    #[must_use]
    pub fn decided(&self) -> u64 {
        self.answered + self.failed()
    }

    /// Queries that failed, as far as is known.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.errored + self.unanswered + self.overdue
    }

    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        if other.asked == 0 && other.from == other.to {
            return;
        }
        if self.asked == 0 && self.from == self.to {
            *self = *other;
            return;
        }
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        self.asked += other.asked;
        self.answered += other.answered;
        self.errored += other.errored;
        self.unanswered += other.unanswered;
        self.overdue += other.overdue;
        self.waiting += other.waiting;
    }
}

fn count(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

impl Cohort {
    /// What became of it as of `now`, where an answer may take `timeout`, and `overdue` is suspiciously long.
    #[must_use]
    pub fn as_of(&self, now: Duration, timeout: Duration, overdue: Duration) -> Asked {
        let (answered, errored) = (count(self.answered), count(self.errored));
        let asked = count(self.asked).max(answered + errored);
        let mut result = Asked {
            from: self.from,
            to: self.to,
            asked,
            answered,
            errored,
            ..Asked::default()
        };
        let open = asked - answered - errored;
        let age = now.saturating_sub(self.to);
        if age > timeout {
            result.unanswered = open;
        } else if age >= overdue {
            result.overdue = open;
        } else {
            result.waiting = open;
        }
        result
    }

    fn merge(&mut self, other: &Self) {
        self.slot = other.slot;
        self.to = other.to;
        self.asked += other.asked;
        self.answered += other.answered;
        self.errored += other.errored;
        self.mixed |= other.mixed;
    }
}

/// The cohorts of one server, the oldest first. Slots without a query have none.
#[derive(Clone, Debug, Default)]
pub struct Cohorts {
    kept: VecDeque<Cohort>,
}

impl Cohorts {
    /// Adds what changed in a tick.
    pub fn add(&mut self, server: &ServerWindow, window: &Window) {
        for change in &server.cohorts {
            let to = window.slots.end(change.slot);
            let at = self
                .kept
                .partition_point(|cohort| cohort.slot < change.slot);
            // Of one CPU the reading may lag: its slot may have been added up already.
            if self.kept.get(at).is_none_or(|cohort| cohort.from >= to) {
                self.kept.insert(
                    at,
                    Cohort {
                        slot: change.slot,
                        from: to.saturating_sub(window.slots.length()),
                        to,
                        mixed: window.gap,
                        ..Cohort::default()
                    },
                );
            }
            if let Some(cohort) = self.kept.get_mut(at) {
                cohort.asked += change.asked;
                cohort.answered += change.answered;
                cohort.errored += change.errored;
            }
        }
    }

    /// Forgets what is too old, and adds up what is old.
    pub fn pass(&mut self, now: Duration) {
        while self.kept.front().is_some_and(|first| first.to + KEPT < now) {
            self.kept.pop_front();
        }
        // At most one pair a tick comes to be old enough.
        let old = |cohort: &Cohort| cohort.to + SINGLE < now;
        let mut at = self.kept.partition_point(old);
        while at >= 2 {
            let (first, second) = (self.kept[at - 2], self.kept[at - 1]);
            if second.to.saturating_sub(first.from) <= STEP {
                self.kept[at - 2].merge(&second);
                self.kept.remove(at - 1);
                at -= 1;
            } else {
                break;
            }
        }
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Queries of the last `length` that failed or have no end yet.
    #[must_use]
    pub fn without_answer(&self, length: Duration, clock: &Clock) -> u64 {
        let from = clock.now.saturating_sub(length);
        let newest = self.kept.iter().rev().take_while(|cohort| cohort.to > from);
        newest
            .map(|cohort| {
                let asked = cohort.as_of(clock.now, clock.timeout, clock.overdue);
                asked.failed() + asked.waiting
            })
            .sum()
    }

    /// All of the last `length` up to `to`, the oldest first.
    pub fn between(&self, from: Duration, to: Duration) -> impl Iterator<Item = &Cohort> {
        let is_in = move |cohort: &&Cohort| cohort.to > from && cohort.to <= to && !cohort.mixed;
        self.kept.iter().filter(is_in)
    }

    /// The newest first, apart from those whose time of asking is not known.
    pub fn back(&self) -> impl Iterator<Item = &Cohort> {
        self.kept.iter().rev().filter(|cohort| !cohort.mixed)
    }
}

/// When queries count as what.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Now.
    pub now: Duration,
    /// Time for an answer.
    pub timeout: Duration,
    /// A suspiciously long wait.
    pub overdue: Duration,
    /// Whether cohorts tell something that are younger than that, where errors come.
    pub young: bool,
}

impl Cohorts {
    /// Since when failures up to `to` have been nearer to this share than to none (Page's change point).
    #[must_use]
    pub fn rose(&self, to: Duration, share: f64, clock: &Clock) -> Duration {
        let (mut sum, mut most, mut begun) = (0.0, 0.0, to);
        for cohort in self.back().filter(|cohort| cohort.to <= to) {
            let asked = cohort.as_of(clock.now, clock.timeout, clock.timeout);
            sum += float(asked.failed()) - float(asked.decided()) * share / 2.0;
            if sum > most {
                (most, begun) = (sum, cohort.from);
            }
        }
        begun
    }

    /// The sum of the queries that were asked in the last `length`. Of those that are too young only the ends that
    /// are known already, good or bad, count as asked.
    #[must_use]
    pub fn over(&self, length: Duration, clock: &Clock) -> Asked {
        let from = clock.now.saturating_sub(length);
        let mut sum = Asked {
            from,
            to: from,
            ..Asked::default()
        };
        for cohort in self.back().take_while(|cohort| cohort.to > from) {
            sum.add(&known(cohort, clock));
        }
        sum
    }

    /// The sum of the newest queries, as far back as it takes for `enough` of them to have an end, and for at least
    /// `shortest` and at most `longest`.
    #[must_use]
    pub fn enough(
        &self,
        enough: u64,
        shortest: Duration,
        longest: Duration,
        clock: &Clock,
    ) -> Asked {
        let mut sum = Asked {
            from: clock.now,
            to: clock.now,
            ..Asked::default()
        };
        let mut newest = None;
        for cohort in self.back() {
            if cohort.to + longest <= clock.now {
                break;
            }
            let asked = known(cohort, clock);
            if asked.decided() == 0 {
                continue;
            }
            let newest = *newest.get_or_insert(cohort.to);
            if sum.decided() >= enough && newest.saturating_sub(cohort.to) >= shortest {
                break;
            }
            sum.add(&asked);
        }
        sum
    }
}

/// What is known of a cohort. A young one says nothing while all that is known of it are answers: failures take longer
/// to be known. Where errors come, they are as quick as answers, and those that still wait are left out.
fn known(cohort: &Cohort, clock: &Clock) -> Asked {
    let mut asked = cohort.as_of(clock.now, clock.timeout, clock.overdue);
    let is_young = clock.now < cohort.to + clock.overdue;
    if is_young && (asked.errored == 0 || !clock.young) {
        return Asked::default();
    }
    asked.asked -= asked.waiting;
    asked.waiting = 0;
    asked
}
