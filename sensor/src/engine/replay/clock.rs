//! The clock of a capture.

use std::time::Duration;

use crate::engine::maintenance::TICK;

/// Ticks that are made up for at the begin of a silence, until every query before it has its end, and at its
/// end. Between them one in so many is enough, until all that happened before is over and forgotten; more would
/// change nothing.
const FIRST_TICKS: u32 = 40;
const LAST_TICKS: u32 = 24;
const ONE_TICK_IN: usize = 20;
const ALL_OVER: u32 = 3_000;

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
        let begin = passed.min(FIRST_TICKS);
        let end = (passed - begin).min(LAST_TICKS);
        let between = (begin..(passed - end).min(ALL_OVER)).step_by(ONE_TICK_IN);
        let ticks = (0..begin).chain(between).chain(passed - end..passed);
        let ticks = ticks.map(move |number| first.saturating_add(TICK.saturating_mul(number)));
        (ticks, self.now)
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
