//! The rate at which transactions are followed.

use std::collections::VecDeque;

use sensor_common::transactions::{Control, MAX_SHIFT, NEVER};

/// Ticks for which a followed transaction lives: 10 s, and one for what began within a tick.
const LIFE_TICKS: usize = 41;
/// Ticks over which the rate is measured before it is sampled less: 2 s.
const CALM_TICKS: usize = 8;
/// Followed in a tick, on all CPUs together, above which the rate is halved: as many as leave the table
/// with 2 s of unanswered ones an eighth full.
const TOO_MANY: u64 = 4096;
/// Followed in a tick below which the rate is doubled.
const FEW: u64 = 512;

/// Raises the shift where too much is followed (the programs do so too, within a tick), and lowers it when
/// it has been calm for a while. What was followed under another shift stays valid for 10 s.
#[derive(Default)]
pub(super) struct FollowingRate {
    /// The lowest and the highest of each tick.
    shifts: VecDeque<(u32, u32)>,
    /// As it was told at the last tick; the programs may have raised it since.
    told: u32,
    followed: VecDeque<u64>,
    before: u64,
    one_direction: bool,
}

impl FollowingRate {
    /// Nothing is unmatched from now on.
    pub(super) fn see_one_direction(&mut self) {
        self.one_direction = true;
    }

    /// One more, because the programs did so just now.
    pub(super) fn raise(&mut self, mut control: Control) -> Control {
        control.shift = (control.shift + 1).min(MAX_SHIFT);
        if control.unmatched_shift != NEVER {
            control.unmatched_shift = control.unmatched_shift.max(control.shift);
        }
        self.told = self.told.min(control.shift);
        control
    }

    /// The next tick. `followed` is the count of all transactions ever followed.
    pub(super) fn tick(&mut self, mut control: Control, followed: u64) -> Control {
        push(&mut self.followed, followed - self.before, CALM_TICKS);
        self.before = followed;
        let last = self.followed.back().copied().unwrap_or(0);
        let passed = (self.told.min(control.shift), self.told.max(control.shift));
        push(&mut self.shifts, passed, LIFE_TICKS);
        if last > TOO_MANY {
            let halvings = (last / TOO_MANY).ilog2() + 1;
            control.shift = (control.shift + halvings).min(MAX_SHIFT);
            self.followed.clear();
        } else if control.shift > 0 && self.followed.len() == CALM_TICKS {
            let most = self.followed.iter().copied().max().unwrap_or(0);
            if most < FEW {
                let doublings = (FEW / most.max(1)).ilog2().max(1);
                control.shift = control.shift.saturating_sub(doublings);
                self.followed.clear();
            }
        }
        let lowest = self.shifts.iter().map(|(lowest, _)| *lowest).min();
        let highest = self.shifts.iter().map(|(_, highest)| *highest).max();
        control.match_shift = lowest.unwrap_or(0).min(control.shift);
        control.unmatched_shift = if self.shifts.len() == LIFE_TICKS && !self.one_direction {
            highest.unwrap_or(0).max(control.shift)
        } else {
            // A response may be to a query from before the sensor began.
            NEVER
        };
        control.tick = control.tick.wrapping_add(1);
        self.told = control.shift;
        control
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() == most {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ticks in which so many queries came each; what is followed goes by the shift.
    fn run(rate: &mut FollowingRate, control: Control, ticks: usize, queries: u64) -> Control {
        (0..ticks).fold(control, |control, _| {
            let followed = rate.before + (queries >> control.shift);
            rate.tick(control, followed)
        })
    }

    #[test]
    fn a_low_rate_is_exact_and_unmatched_waits_ten_seconds() {
        let mut following = FollowingRate::default();
        let control = run(&mut following, Control::DEFAULT, 40, 500);
        assert_eq!((control.shift, control.unmatched_shift), (0, NEVER));
        let control = run(&mut following, control, 1, 500);
        assert_eq!((control.match_shift, control.unmatched_shift), (0, 0));
    }

    #[test]
    fn a_flood_lowers_the_rate_and_calm_restores_it() {
        let mut following = FollowingRate::default();
        let control = run(&mut following, Control::DEFAULT, 50, 100);
        let flood = run(&mut following, control, 3, 1_000_000);
        assert!((7..=10).contains(&flood.shift), "{flood:?}");
        // Queries of before the flood are still looked for, and nothing is unmatched that was not
        // sampled at the lowest rate.
        assert_eq!((flood.match_shift, flood.unmatched_shift), (0, flood.shift));
        let flood = run(&mut following, flood, 50, 1_000_000);
        assert_eq!(flood.match_shift, flood.shift);
        let calm = run(&mut following, flood, 60, 100);
        assert_eq!((calm.shift, calm.match_shift), (0, 0));
        let calm = run(&mut following, calm, 50, 100);
        assert_eq!(calm.unmatched_shift, 0);
    }

    #[test]
    fn a_shift_that_lasted_less_than_a_tick_is_remembered() {
        let mut following = FollowingRate::default();
        let mut control = run(&mut following, Control::DEFAULT, 50, 100);
        control.shift = 6;
        let mut control = run(&mut following, control, 60, 100_000);
        assert_eq!((control.shift, control.match_shift), (6, 6));
        while control.shift != 0 {
            control = run(&mut following, control, 1, 100);
        }
        // The programs raise it before the next tick.
        control.shift = 6;
        let control = run(&mut following, control, 3, 100_000);
        assert_eq!((control.match_shift, control.unmatched_shift), (0, 6));
    }

    #[test]
    fn what_the_programs_raised_stays_until_it_is_calm() {
        let mut following = FollowingRate::default();
        let mut control = run(&mut following, Control::DEFAULT, 50, 100);
        control.shift = 5;
        let control = run(&mut following, control, 1, 100_000);
        assert_eq!(control.shift, 5);
        assert_eq!(control.unmatched_shift, 5);
    }
}
