//! The clock of a capture.

use std::ops::Range;
use std::time::Duration;

use crate::engine::maintenance::TICK;

/// Ticks that are made up for at the begin of a silence, until every query before it has its end, and at its
/// end. Between them one in so many is enough, until all that happened before is over and forgotten; more would
/// change nothing.
const FIRST_TICKS: u32 = 40;
const LAST_TICKS: u32 = 24;
const ONE_TICK_IN: u32 = 20;
const ALL_OVER: u32 = 3_000;
/// Where nothing goes on these are enough: when the time-out of the last queries has passed, when what was seen is
/// learnt as usual, when it is older than what rules look at, and one in so many until all is forgotten.
const AT_REST: [u32; 3] = [9, 32, 49];
const ONE_AT_REST_IN: u32 = 120;
/// Ticks that are left out are made up for in the engine's maintenance, so many of a silence: then its rates have
/// settled.
const MADE_UP: u32 = 64;

/// The clock of a capture, by the time of its packets.
#[derive(Default)]
pub struct PacketClock {
    now: Duration,
    next_tick: Option<Duration>,
}

/// How far back a packet may lie in time, behind one that was captured on another CPU. Further back, the
/// clock was set.
pub const DISORDER: Duration = Duration::from_secs(1);

impl PacketClock {
    /// Moves to the time of a packet. Gives the ticks that have passed, and the time now: a packet that
    /// is a little behind others does not turn it back, and one far behind begins anew.
    pub fn advance(
        &mut self,
        time: Duration,
    ) -> (impl Iterator<Item = Duration> + use<>, Duration) {
        let mut gap = self.advance_to(time);
        (std::iter::from_fn(move || gap.next_tick(false)), self.now)
    }

    /// The same: what passes between two packets, of which ticks may be left out.
    pub(super) fn advance_to(&mut self, time: Duration) -> Gap {
        if time.saturating_add(DISORDER) < self.now {
            self.now = time;
            self.next_tick = None;
        }
        self.now = self.now.max(time);
        let first = self.next_tick.unwrap_or(self.now);
        let passed = self.now.checked_sub(first);
        let passed = passed.map_or(0, |since| since.as_nanos() / TICK.as_nanos() + 1);
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        let next = first.saturating_add(TICK.saturating_mul(passed));
        self.next_tick = Some(next);
        Gap {
            first,
            passed,
            next: 0,
            left_out: 0..0,
            made_up: 0,
        }
    }

    /// The latest time.
    pub(super) fn now(&self) -> Duration {
        self.now
    }
}

/// The time between two packets, in ticks. What was counted before it is read at the first.
pub(super) struct Gap {
    first: Duration,
    passed: u32,
    /// The tick that is due if none is left out.
    next: u32,
    /// Ticks before the last one that are made up for.
    left_out: Range<u32>,
    /// All that were.
    made_up: u32,
}

impl Gap {
    /// No tick passes.
    pub(super) fn is_empty(&self) -> bool {
        self.passed == 0
    }

    /// The next tick. Where nothing goes on few of a silence are needed.
    pub(super) fn next_tick(&mut self, at_rest: bool) -> Option<Duration> {
        if self.next >= self.passed {
            return None;
        }
        let tick = if at_rest && self.next > 0 {
            self.at_rest()
        } else {
            self.while_something_goes_on()
        };
        let made_up = (tick - self.next).min(MADE_UP - self.made_up);
        self.left_out = self.next..self.next + made_up;
        self.made_up += made_up;
        self.next = tick + 1;
        Some(self.time(tick))
    }

    /// Ticks that were left out before the last one and are to be made up for, and their times.
    pub(super) fn left_out(&self) -> impl Iterator<Item = (u32, Duration)> + use<> {
        let first = self.first;
        let left_out = self.left_out.clone();
        left_out.map(move |tick| (tick, first.saturating_add(TICK.saturating_mul(tick))))
    }

    /// Goes on behind a tick that is not left out after all.
    pub(super) fn go_back_to(&mut self, tick: u32) {
        self.next = tick + 1;
    }

    fn time(&self, tick: u32) -> Duration {
        self.first.saturating_add(TICK.saturating_mul(tick))
    }

    fn at_rest(&self) -> u32 {
        let last = self.passed - 1;
        let then = AT_REST.iter().copied().find(|tick| *tick >= self.next);
        let then = then.unwrap_or_else(|| {
            let after = AT_REST[AT_REST.len() - 1];
            after + (self.next - after).div_ceil(ONE_AT_REST_IN) * ONE_AT_REST_IN
        });
        if then < ALL_OVER {
            then.min(last)
        } else {
            last
        }
    }

    fn while_something_goes_on(&self) -> u32 {
        let begin = self.passed.min(FIRST_TICKS);
        let end = self.passed - (self.passed - begin).min(LAST_TICKS);
        if self.next < begin || self.next >= end {
            return self.next;
        }
        let then = begin + (self.next - begin).div_ceil(ONE_TICK_IN) * ONE_TICK_IN;
        if then < end.min(ALL_OVER) { then } else { end }
    }
}

/// Times of captures count from 1970; 64 bits reach to 2554.
#[must_use]
pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_capture_ticks_four_times_a_second() {
        let mut clock = PacketClock::default();
        let mut at = |ms: u64| {
            let (ticks, now) = clock.advance(Duration::from_millis(ms));
            let ticks: Vec<u128> = ticks.map(|tick| tick.as_millis()).collect();
            (ticks, now.as_millis())
        };
        assert_eq!(at(10_000), (vec![10_000], 10_000));
        assert_eq!(at(10_249), (vec![], 10_249));
        assert_eq!(at(10_750), (vec![10_250, 10_500, 10_750], 10_750));
        // A packet of another CPU, a little behind.
        assert_eq!(at(10_700), (vec![], 10_750));
        // A long silence: what was before it ends when it did.
        let (ticks, now) = at(10_000_000);
        assert_eq!((ticks[0], ticks[39]), (11_000, 20_750));
        assert_eq!((ticks[40], ticks[41]), (21_000, 26_000));
        assert_eq!((ticks[187], ticks[188]), (756_000, 9_994_250));
        assert_eq!((ticks.len(), now), (212, 10_000_000));
        assert_eq!(ticks.last(), Some(&10_000_000));
        // Another capture behind the first.
        assert_eq!(at(5_000), (vec![5_000], 5_000));
    }
}
