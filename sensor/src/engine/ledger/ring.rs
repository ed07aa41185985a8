//! Open transactions of one server, over all CPUs, by the slot of time in which they were asked.

use sensor_common::transactions::RING;

use crate::measure::cohort::CohortChange;
use crate::measure::reading::Waiting;

/// What was asked in one slot and has no end yet.
#[derive(Clone, Copy, Default)]
struct Slot {
    number: u64,
    /// Negative for a while where a query and its end are counted on two CPUs, which are read one after the
    /// other.
    open: i64,
}

/// The last slots.
#[derive(Clone, Copy, Default)]
pub(super) struct Ring {
    slots: [Slot; RING],
    /// What stayed open when the time-out of its slot had passed.
    overdue: i64,
}

impl Ring {
    /// Takes what became known. After a gap all of it is told of the newest slot, and so is what was open before:
    /// what became of it is part of the change.
    pub(super) fn add(&mut self, changes: &[CohortChange], gap: bool) {
        if gap {
            self.fold(changes.last().map(|change| change.slot));
        }
        for change in changes {
            let open = change.asked - change.answered - change.errored;
            self.open_in(change.slot, open);
        }
    }

    fn open_in(&mut self, number: u64, open: i64) {
        let slot = &mut self.slots[number as usize % RING];
        if slot.number < number {
            self.overdue += slot.open;
            *slot = Slot { number, open: 0 };
        }
        if slot.number == number {
            slot.open += open;
        } else {
            // Its place is another's already.
            self.overdue += open;
        }
    }

    /// All that is open belongs to one slot from now on: to this one, or to the newest that there is.
    fn fold(&mut self, into: Option<u64>) {
        let newest = self.slots.iter().map(|slot| slot.number).max();
        let into = into.or(newest).unwrap_or(0);
        let open = self.slots.iter().map(|slot| slot.open).sum();
        self.slots = [Slot::default(); RING];
        self.open_in(into, open);
    }

    /// The clock was set back: nothing that is open will have an end.
    pub(super) fn end(&mut self) {
        self.overdue += self.slots.iter().map(|slot| slot.open).sum::<i64>();
        self.slots = [Slot::default(); RING];
    }

    /// Adds what is open of another server.
    pub(super) fn merge(&mut self, other: &Self) {
        self.overdue += other.overdue;
        for slot in other.slots.iter().filter(|slot| slot.open != 0) {
            self.open_in(slot.number, slot.open);
        }
    }

    /// Queries whose time-out has passed since this was last called, where the slot `now` runs and a slot can
    /// change for `reach` more.
    pub(super) fn unanswered(&mut self, now: u64, reach: u64) -> u64 {
        for slot in &mut self.slots {
            if slot.number + reach < now {
                self.overdue += std::mem::take(&mut slot.open);
            }
        }
        let unanswered = u64::try_from(self.overdue).unwrap_or(0);
        // What is below 0 belongs to a part that is read at the next tick.
        self.overdue -= unanswered.cast_signed();
        unanswered
    }

    /// What may yet be answered, by its age.
    pub(super) fn waiting(&self, now: u64) -> Waiting {
        let mut waiting = Waiting::default();
        for slot in &self.slots {
            let age = now.saturating_sub(slot.number) as usize;
            if let Some(sum) = waiting.0.get_mut(age) {
                *sum += slot.open;
            }
        }
        waiting
    }

    /// Whether nothing will ever come of it unless there is a change.
    pub(super) fn is_empty(&self) -> bool {
        self.overdue == 0 && self.slots.iter().all(|slot| slot.open == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time-out of two seconds, and one slot for what is counted late.
    const REACH: u64 = 8;

    fn asked(slot: u64, asked: i64) -> CohortChange {
        CohortChange {
            slot,
            asked,
            answered: 0,
            errored: 0,
        }
    }

    fn answered(slot: u64, answered: i64) -> CohortChange {
        CohortChange {
            answered,
            ..asked(slot, 0)
        }
    }

    #[test]
    fn a_query_is_unanswered_once_when_its_time_out_has_passed() {
        let mut ring = Ring::default();
        ring.add(&[asked(100, 5)], false);
        for now in 100..=108 {
            assert_eq!(ring.unanswered(now, REACH), 0, "slot {now}");
            assert_eq!(ring.waiting(now).since(0), 5);
            assert_eq!(ring.waiting(now).since(now as usize - 100), 5);
            assert_eq!(ring.waiting(now).since(now as usize - 99), 0);
        }
        ring.add(&[answered(100, 2)], false);
        assert_eq!(ring.unanswered(109, REACH), 3);
        assert_eq!(ring.unanswered(110, REACH), 0);
        assert!(ring.is_empty());
    }

    #[test]
    fn a_place_that_is_used_again_has_told_what_it_had() {
        let mut ring = Ring::default();
        ring.add(&[asked(3, 5)], false);
        ring.add(&[asked(3 + RING as u64, 2)], false);
        assert_eq!(ring.unanswered(3 + RING as u64, REACH), 5);
        assert_eq!(ring.waiting(3 + RING as u64).since(0), 2);
        // Of the first, and late: another CPU was read before.
        ring.add(&[asked(3, 4)], false);
        assert_eq!(ring.unanswered(3 + RING as u64, REACH), 4);
        assert_eq!(ring.waiting(3 + RING as u64).since(0), 2);
    }

    #[test]
    fn an_answer_that_is_read_before_its_query_leaves_nothing() {
        let mut ring = Ring::default();
        ring.add(&[answered(100, 3)], false);
        assert_eq!(ring.waiting(100).since(0), 0);
        ring.add(&[asked(100, 3)], false);
        assert_eq!(ring.unanswered(120, REACH), 0);
        assert!(ring.is_empty());
    }

    #[test]
    fn what_was_open_before_a_gap_and_was_answered_in_it_is_not_unanswered() {
        let mut ring = Ring::default();
        ring.add(&[asked(100, 4)], false);
        // Half a minute: 1,000 asked, and all of those and the four answered.
        let newest = CohortChange {
            slot: 212,
            asked: 1_000,
            answered: 1_004,
            errored: 0,
        };
        ring.add(&[newest], true);
        assert_eq!(ring.unanswered(212, REACH), 0);
        assert_eq!(ring.unanswered(300, REACH), 0);
        assert!(ring.is_empty());
    }

    #[test]
    fn what_is_open_of_another_is_added() {
        let (mut sum, mut other) = (Ring::default(), Ring::default());
        sum.add(&[asked(100, 1)], false);
        other.add(&[asked(100, 2), asked(101, 4)], false);
        sum.merge(&other);
        assert_eq!(sum.unanswered(109, REACH), 3);
        assert_eq!(sum.unanswered(110, REACH), 4);
    }
}
