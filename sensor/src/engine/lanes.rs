//! Totals of each hook, added up over CPUs: only those of CPUs that have seen packets are read.

use bytemuck::{Zeroable, zeroed_box};
use sensor_common::settings::Direction;
use sensor_common::totals::Totals;

use crate::measure::counters::Counters;
use crate::measure::reading::Lane;

/// Where totals are read.
pub(super) trait Hooks {
    /// How many CPUs count at a hook.
    fn hook_cpus(&self) -> u32;

    /// Packets that a CPU has seen at a hook.
    fn seen(&self, hook: u32, cpu: u32) -> u64;

    /// All that it has counted there.
    fn read_totals(&self, hook: u32, cpu: u32, totals: &mut Totals);
}

/// One hook of one interface.
struct Known {
    hook: u32,
    /// With what it has counted since the engine began.
    lane: Lane,
    /// By CPU, as they were last read.
    totals: Vec<Option<Box<Totals>>>,
}

/// All hooks, in the order in which they are told.
#[derive(Default)]
pub(super) struct Lanes {
    known: Vec<Known>,
}

impl Lanes {
    /// Adds a hook, by its number.
    pub(super) fn add(&mut self, hook: u32, interface: &str, direction: Direction) {
        self.known.push(Known {
            hook,
            lane: Lane {
                interface: interface.into(),
                direction,
                totals: Totals::zeroed(),
            },
            totals: Vec::new(),
        });
    }

    /// What each has counted since the engine began.
    pub(super) fn totals(&self) -> impl Iterator<Item = &Lane> {
        self.known.iter().map(|known| &known.lane)
    }

    /// What each has counted since this was last called.
    pub(super) fn read(&mut self, hooks: &impl Hooks) -> Vec<Lane> {
        let mut now: Box<Totals> = zeroed_box();
        let mut window = Vec::with_capacity(self.known.len());
        for known in &mut self.known {
            let mut new = Totals::zeroed();
            known
                .totals
                .resize_with(hooks.hook_cpus() as usize, || None);
            for (then, cpu) in known.totals.iter_mut().zip(0..) {
                let seen = hooks.seen(known.hook, cpu);
                if seen == then.as_ref().map_or(0, |then| then.seen) {
                    continue;
                }
                hooks.read_totals(known.hook, cpu, &mut now);
                let then = then.get_or_insert_with(zeroed_box);
                new.add(&now.since(then));
                then.clone_from(&now);
            }
            known.lane.totals.add(&new);
            window.push(Lane {
                totals: new,
                ..known.lane.clone()
            });
        }
        window
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Packets that each CPU has seen at the one hook, and the CPUs of which all was read.
    struct Cpus {
        seen: [u64; 3],
        read: RefCell<Vec<u32>>,
    }

    impl Hooks for Cpus {
        fn hook_cpus(&self) -> u32 {
            3
        }

        fn seen(&self, _: u32, cpu: u32) -> u64 {
            self.seen[cpu as usize]
        }

        fn read_totals(&self, _: u32, cpu: u32, totals: &mut Totals) {
            totals.seen = self.seen[cpu as usize];
            self.read.borrow_mut().push(cpu);
        }
    }

    #[test]
    fn a_hook_is_the_sum_of_its_cpus_and_only_what_is_new_is_read_and_told() {
        let mut lanes = Lanes::default();
        lanes.add(0, "eth0", Direction::Ingress);
        let mut cpus = Cpus {
            seen: [5, 0, 7],
            read: RefCell::default(),
        };
        let mut told = |cpus: &Cpus| {
            let window = lanes.read(cpus);
            let sum = lanes.totals().next().map(|lane| lane.totals.seen);
            (window[0].totals.seen, sum, cpus.read.take())
        };
        assert_eq!(told(&cpus), (12, Some(12), vec![0, 2]));
        assert_eq!(told(&cpus), (0, Some(12), vec![]));
        cpus.seen = [5, 1, 9];
        assert_eq!(told(&cpus), (3, Some(15), vec![1, 2]));
    }
}
