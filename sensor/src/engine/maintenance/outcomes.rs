//! Unanswered queries, without a timer or a scan in the kernel.
//!
//! Each place of the server table counts its open transactions in a ring of 16 slots, by the tick of
//! the query (268 ms). When the time-out of a tick's last query has passed, its slot changes no more
//! until it is used again 16 ticks later: what it has gained since it was last closed is what stayed
//! unanswered. A slot that is missed, because the loader was held up, is counted a round later.

use std::collections::BTreeMap;

use sensor_common::latency::UNIT_BITS;
use sensor_common::server::{Cohorts, ServerKey};
use sensor_common::settings::Settings;
use sensor_common::transactions::RING;

use super::state::State;
use crate::measure::reading::{Snapshot, Waiting};

/// One ring.
#[derive(Clone, Copy, Default)]
struct Ring {
    /// Each slot as it was when it was last closed.
    closed: [u32; RING],
    /// Of all ticks that were closed. Negative for a while where the query was counted on another CPU
    /// than its end.
    unanswered: i64,
    /// Of `other`: what servers had left unanswered before they lost their place.
    lost: i64,
    waiting: Waiting,
}

impl Ring {
    fn observe(&mut self, slots: &Cohorts, tick: u64, timeout_ticks: u64) {
        self.waiting = Waiting::default();
        // The slot behind the newest may already be the one in front of it, if a tick has just begun.
        for age in 0..RING as u64 - 1 {
            let Some(of) = tick.checked_sub(age) else {
                break;
            };
            let slot = of as usize % RING;
            // Open transactions are few against 2^31, so the difference has a sign.
            let gained = slots[slot]
                .open
                .wrapping_sub(self.closed[slot])
                .cast_signed();
            if age > timeout_ticks {
                self.unanswered += i64::from(gained);
                self.closed[slot] = slots[slot].open;
            } else {
                self.waiting.0[age as usize] = i64::from(gained);
            }
        }
    }
}

/// All rings of an engine.
pub(super) struct Outcomes {
    tick_bits: u32,
    timeout_ticks: u64,
    /// With the tenure of the place.
    places: BTreeMap<(u32, ServerKey), (Ring, u32)>,
    other: BTreeMap<u32, Ring>,
    one_direction: bool,
}

impl Outcomes {
    pub(super) fn new(settings: &Settings) -> Self {
        // The last query of a tick has its time-out so many ticks after the tick has begun, at most.
        let timeout_ticks = u64::from(settings.timeout >> settings.tick_bits) + 1;
        Self {
            tick_bits: settings.tick_bits + UNIT_BITS,
            timeout_ticks,
            places: BTreeMap::new(),
            other: BTreeMap::new(),
            one_direction: false,
        }
    }

    /// Closes the ticks whose time has come.
    pub(super) fn observe(&mut self, state: &impl State) {
        let mut before = std::mem::take(&mut self.places);
        // Before the rings are read: what happens meanwhile is then of an open tick. Once for all CPUs: where a
        // query and its answer met different ones, the sum is right only if both close the same ticks.
        let tick = state.clock() >> self.tick_bits;
        for cpu in 0..state.cpus() {
            let servers = state.servers(cpu);
            let other = self.other.entry(cpu).or_default();
            for entry in &servers.places {
                let key = (cpu, entry.key);
                let known = match before.remove(&key) {
                    Some((ring, tenure)) if entry.tenure == tenure => ring,
                    lost => {
                        forget(other, lost.as_ref());
                        Ring::default()
                    }
                };
                self.places.insert(key, (known, entry.tenure));
            }
            let lost: Vec<_> = before.range((cpu, FIRST)..(cpu + 1, FIRST)).collect();
            for (_, lost) in lost {
                forget(other, Some(lost));
            }
            other.observe(&servers.other.cohorts, tick, self.timeout_ticks);
            for entry in &servers.places {
                if let Some((ring, _)) = self.places.get_mut(&(cpu, entry.key)) {
                    ring.observe(&entry.cohorts, tick, self.timeout_ticks);
                }
            }
        }
    }

    /// Nothing is unanswered from now on.
    pub(super) fn see_one_direction(&mut self) {
        self.one_direction = true;
    }

    /// Adds them to the places of a snapshot.
    pub(super) fn fill(&self, snapshot: &mut Snapshot) {
        if self.one_direction {
            return;
        }
        for (key, place) in &mut snapshot.places {
            // A server that lost its place and has one again since the last tick has another ring.
            if let Some((ring, tenure)) = self.places.get(key)
                && place.tenure == *tenure
            {
                place.unanswered = ring.unanswered;
                place.waiting = ring.waiting;
            }
        }
        for ring in self.other.values() {
            snapshot.other_unanswered += ring.unanswered;
            snapshot.lost_unanswered += ring.lost;
        }
    }
}

/// The least key.
const FIRST: ServerKey = ServerKey {
    address: [0; 16],
    family: 0,
    reserved: [0; 7],
};

/// A server lost its place, and its ring went to the sum, with what had been counted of it: that is not to
/// be counted again there.
fn forget(other: &mut Ring, lost: Option<&(Ring, u32)>) {
    if let Some((lost, _)) = lost {
        other.lost += lost.unanswered;
        for (sum, closed) in other.closed.iter_mut().zip(lost.closed) {
            *sum = sum.wrapping_add(closed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use bytemuck::Zeroable;
    use sensor_common::server::ServerEntry;
    use sensor_common::transactions::Control;

    use super::super::servers::Servers;
    use super::*;

    #[test]
    fn a_slot_is_counted_once_its_time_out_has_passed_and_only_once() {
        let mut ring = Ring::default();
        let mut slots = Cohorts::default();
        slots[3].open = 5;
        for tick in 3..=11 {
            ring.observe(&slots, tick, 8);
            assert_eq!(ring.unanswered, 0, "tick {tick}");
            assert_eq!(ring.waiting.since(0), 5);
            assert_eq!(ring.waiting.since(tick as usize - 3), 5);
            assert_eq!(ring.waiting.since(tick as usize - 2), 0);
        }
        // Two were answered in time.
        slots[3].open = 3;
        for tick in 12..=18 {
            ring.observe(&slots, tick, 8);
            assert_eq!(ring.unanswered, 3, "tick {tick}");
        }
        // The slot is used again, 16 ticks later.
        slots[3].open += 2;
        ring.observe(&slots, 19, 8);
        assert_eq!((ring.unanswered, ring.waiting.since(0)), (3, 2));
        // The loader was held up until the slot is open once more, and then closed.
        slots[3].open += 1;
        ring.observe(&slots, 35, 8);
        assert_eq!(ring.unanswered, 3);
        ring.observe(&slots, 45, 8);
        assert_eq!(ring.unanswered, 6);
    }

    /// Two CPUs: one counted a query, the other its answer. The clock moves on whenever it is read.
    struct TwoCpus {
        /// A server's open transactions.
        open: [u32; 2],
        clock: Cell<u64>,
        tick: u64,
    }

    impl State for TwoCpus {
        fn cpus(&self) -> u32 {
            2
        }

        fn read(&self, _: u32, _: usize, _: &mut [u64]) {}

        fn write(&mut self, _: u32, _: usize, _: &[u64]) {}

        fn servers(&self, cpu: u32) -> Servers {
            let mut entry = ServerEntry::zeroed();
            entry.key.family = 4;
            entry.cohorts[3].open = self.open[cpu as usize];
            Servers {
                evicted: 0,
                refused: 0,
                other: ServerEntry::zeroed(),
                places: vec![entry],
            }
        }

        fn control(&self) -> Control {
            Control::DEFAULT
        }

        fn set_control(&mut self, _: Control) {}

        fn clock(&self) -> u64 {
            self.clock.replace(self.clock.get() + self.tick)
        }
    }

    #[test]
    fn all_cpus_close_the_same_ticks() {
        let settings = Settings::DEFAULT;
        let tick = 1 << (settings.tick_bits + UNIT_BITS);
        let mut outcomes = Outcomes::new(&settings);
        for at in 4..16 {
            let state = TwoCpus {
                open: [14, 14_u32.wrapping_neg()],
                clock: Cell::new(at * tick),
                tick,
            };
            outcomes.observe(&state);
            let sum: i64 = outcomes
                .places
                .values()
                .map(|(ring, _)| ring.unanswered)
                .sum();
            assert_eq!(sum, 0, "tick {at}");
        }
    }
}
