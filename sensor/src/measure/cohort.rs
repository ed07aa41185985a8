//! Transactions by the time at which they were asked.
//!
//! The packet program counts them in a ring of slots. Where two readings are close enough together, it is
//! clear which slot of time each change belongs to.

use std::time::Duration;

use sensor_common::server::{Cohort, Cohorts};
use sensor_common::settings::Settings;
use sensor_common::transactions::RING;

/// What became known between two readings of the transactions asked in one slot of time; weighted, as all
/// transactions. A part may be negative: a query and its answer may be counted on two CPUs, which are read one
/// after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CohortChange {
    /// Number of the slot on the clock of the engine; see [`Slots`].
    pub slot: u64,
    /// Queries, without retransmissions.
    pub asked: i64,
    /// Answered within the time-out.
    pub answered: i64,
    /// Ended by an ICMP error within the time-out.
    pub errored: i64,
}

/// Where a reading lies among the slots: the time of a query on the engine's clock, in nanoseconds, without its
/// lowest bits, is the number of its slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// As [`crate::measure::window::Reading::at`].
    pub at: Duration,
    /// The engine's clock at that time, when the reading began.
    pub began: u64,
    /// The clock when the reading had ended.
    pub ended: u64,
    /// Bits of the clock below a slot.
    pub bits: u32,
    /// Slots before its own in which a transaction that ends may have been asked.
    pub reach: u64,
}

impl Slots {
    /// Bits of the clock below a slot, and how far back a slot may change.
    #[must_use]
    pub fn shape(settings: &Settings) -> (u32, u64) {
        // A time-out from the end of one slot reaches so many slots on; one more for what was counted a
        // moment after the clock was read.
        let reach = u64::from(settings.timeout >> settings.tick_bits) + 2;
        (
            settings.tick_bits + sensor_common::latency::UNIT_BITS,
            reach,
        )
    }

    /// The newest slot that may have been counted in.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.ended >> self.bits
    }

    /// How long a slot is.
    #[must_use]
    pub fn length(&self) -> Duration {
        Duration::from_nanos(1 << self.bits)
    }

    /// When a slot ends, on the time line of the readings; 0 for what ended before that begins.
    #[must_use]
    pub fn end(&self, slot: u64) -> Duration {
        let end = slot.saturating_add(1).saturating_mul(1 << self.bits);
        match end.checked_sub(self.began) {
            Some(ahead) => self.at.saturating_add(Duration::from_nanos(ahead)),
            None => self
                .at
                .saturating_sub(Duration::from_nanos(self.began - end)),
        }
    }

    /// Whether a change since `then` may belong to one of two slots, because a place of the ring has been used
    /// again; or to none, because the clock was set back.
    #[must_use]
    pub fn gap_since(&self, then: &Self) -> bool {
        let oldest = (then.began >> self.bits).saturating_sub(self.reach);
        let passed = self.newest().checked_sub(oldest);
        self.ended < then.began || passed.is_none_or(|passed| passed >= RING as u64)
    }

    /// Tells the difference of two rings by slots, the oldest first. After a gap all of it is told of the newest.
    #[must_use]
    pub fn changes(&self, difference: &Cohorts, gap: bool) -> Vec<CohortChange> {
        let newest = self.newest();
        let change = |slot: u64| {
            let Cohort {
                asked,
                open,
                errored,
            } = difference[slot as usize % RING];
            // A few against 2^31, so each difference has a sign.
            let signed = |count: u32| i64::from(count.cast_signed());
            CohortChange {
                slot,
                asked: signed(asked),
                answered: signed(asked) - signed(open) - signed(errored),
                errored: signed(errored),
            }
        };
        let slots = (newest + 1).saturating_sub(RING as u64)..=newest;
        let mut changes: Vec<_> = if gap {
            let sum = CohortChange {
                slot: newest,
                asked: 0,
                answered: 0,
                errored: 0,
            };
            vec![
                (0..RING as u64)
                    .map(change)
                    .fold(sum, |sum, slot| CohortChange {
                        asked: sum.asked + slot.asked,
                        answered: sum.answered + slot.answered,
                        errored: sum.errored + slot.errored,
                        ..sum
                    }),
            ]
        } else {
            slots.map(change).collect()
        };
        changes.retain(|change| (change.asked, change.answered, change.errored) != (0, 0, 0));
        changes
    }
}

/// Adds a ring to a sum.
pub fn add(sum: &mut Cohorts, other: &Cohorts) {
    for (sum, other) in sum.iter_mut().zip(other) {
        sum.asked = sum.asked.wrapping_add(other.asked);
        sum.open = sum.open.wrapping_add(other.open);
        sum.errored = sum.errored.wrapping_add(other.errored);
    }
}

/// Takes a ring out of a sum.
pub fn take(sum: &mut Cohorts, other: &Cohorts) {
    for (sum, other) in sum.iter_mut().zip(other) {
        sum.asked = sum.asked.wrapping_sub(other.asked);
        sum.open = sum.open.wrapping_sub(other.open);
        sum.errored = sum.errored.wrapping_sub(other.errored);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITS: u32 = 28;

    fn slots(began: u64) -> Slots {
        Slots {
            at: Duration::from_secs(100),
            began,
            ended: began,
            bits: BITS,
            reach: 9,
        }
    }

    #[test]
    fn a_slot_ends_on_the_time_line_of_readings() {
        let now = slots((50 << BITS) + 7);
        let into = Duration::from_nanos(7);
        assert_eq!(now.end(49) + into, now.at);
        assert_eq!(now.end(49) + now.length(), now.end(50));
        assert_eq!(now.end(0) + 49 * now.length() + into, now.at);
        let begin = Slots {
            at: Duration::ZERO,
            ..now
        };
        assert_eq!(begin.end(3), Duration::ZERO);
    }

    #[test]
    fn a_gap_is_where_a_place_may_have_been_used_again() {
        let then = slots(50 << BITS);
        // 50 - 9 = 41 and 57 share a place of the ring with no other slot between them.
        for (newest, gap) in [
            (50, false),
            (56, false),
            (57, true),
            (500, true),
            (49, true),
        ] {
            assert_eq!(slots(newest << BITS).gap_since(&then), gap, "{newest}");
        }
    }

    #[test]
    fn changes_are_told_by_slot_and_after_a_gap_of_the_newest() {
        let mut ring = Cohorts::default();
        ring[50 % RING] = Cohort {
            asked: 5,
            open: 2,
            errored: 1,
        };
        // Its queries were counted on a CPU that was read before.
        ring[42 % RING].open = 3_u32.wrapping_neg();
        let newest = CohortChange {
            slot: 50,
            asked: 5,
            answered: 2,
            errored: 1,
        };
        let older = CohortChange {
            slot: 42,
            asked: 0,
            answered: 3,
            errored: 0,
        };
        let now = slots(50 << BITS);
        assert_eq!(now.changes(&ring, false), [older, newest]);
        let all = CohortChange {
            answered: 5,
            ..newest
        };
        assert_eq!(now.changes(&ring, true), [all]);
        assert_eq!(now.changes(&Cohorts::default(), true), []);
    }
}
