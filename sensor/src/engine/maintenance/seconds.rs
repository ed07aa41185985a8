//! What the sketches say of each second.
//!
//! One bank of what rotates is in use; the one before is read and cleared from a tick after it was left, when no
//! program can still be writing to it; the third waits, clean, to be used next. The count-min rows are never
//! cleared: what a second added is the difference of their sums. On a host with many CPUs the reading takes as
//! many ticks as a second has, so that none of them is long.

use std::mem::offset_of;
use std::time::Duration;

use bytemuck::zeroed_box;
use sensor_common::server::ServerKey;
use sensor_common::shard::Shard;
use sensor_common::sketch::{BANKS, Bank, CountMin, Sketches};

use super::state::{State, read};
use crate::measure::heavy::Counts;
use crate::measure::second::Second;
use crate::measure::sketch::Distinct;

/// Ticks of a second.
const TICKS: u64 = 4;
/// Candidates of a second that are kept, over all CPUs.
const CANDIDATES: usize = 4096;
/// CPUs whose sketches are read at one tick, at least.
const CPUS: u32 = 32;

/// Where the sketches lie in a shard.
const SKETCHES: usize = offset_of!(Shard, sketches);

/// A second that is over and of which not all CPUs were read.
struct Left {
    bank: u32,
    /// Frames counted when it came into use.
    frames: Option<u64>,
    /// CPUs that were read.
    cpus: u32,
    elapsed: Duration,
    /// The highest of all CPUs.
    sources: Box<[u16]>,
    names: Box<[u16]>,
    candidates: Vec<(u32, ServerKey)>,
}

/// See the module.
pub(super) struct Seconds {
    /// Since it began.
    ticks: u64,
    /// Time of the transactions when the second before was read; at first, when time began.
    read: Option<u64>,
    /// The bank in use.
    bank: u32,
    /// Frames counted when it came into use.
    frames: Option<u64>,
    left: Option<Left>,
    /// Sums of the count-min rows at the end of the second before.
    addresses: Counts,
    prefixes: Counts,
    /// Of the hashes.
    secret: u64,
    /// Read, and not yet taken.
    done: Option<Second>,
    memory: Memory,
}

impl Seconds {
    pub(super) fn new(secret: u64) -> Self {
        Self {
            ticks: 0,
            read: None,
            bank: 0,
            frames: Some(0),
            left: None,
            addresses: Counts::default(),
            prefixes: Counts::default(),
            secret,
            done: None,
            memory: Memory {
                bank: zeroed_box(),
                rows: zeroed_box(),
                addresses: Counts::default(),
                prefixes: Counts::default(),
            },
        }
    }

    /// The bank to use from now on.
    pub(super) fn tick(&mut self, state: &mut impl State) -> u32 {
        let all = state.cpus().div_ceil(TICKS as u32);
        self.read_on(state, all.max(CPUS));
        self.read.get_or_insert(state.clock());
        self.ticks += 1;
        if self.ticks >= TICKS {
            self.begin(state)
        } else {
            self.bank
        }
    }

    /// Whether the next tick brings a second in which something was counted, as far as is known.
    pub(super) fn owes(&self, state: &impl State) -> bool {
        let counted = |left: &Left| left.frames.is_none() || left.frames != state.frames();
        self.left.as_ref().is_some_and(counted)
    }

    /// Begins a second in another bank; the one before is read from the next tick on.
    pub(super) fn begin(&mut self, state: &mut impl State) -> u32 {
        self.finish(state);
        self.ticks = 0;
        self.left = Some(Left {
            bank: self.bank,
            frames: std::mem::replace(&mut self.frames, state.frames()),
            cpus: 0,
            elapsed: Duration::ZERO,
            sources: Box::default(),
            names: Box::default(),
            candidates: Vec::new(),
        });
        self.bank = (self.bank + 1) % BANKS as u32;
        self.bank
    }

    /// Reads all that is left of the second before.
    pub(super) fn finish(&mut self, state: &mut impl State) {
        self.read_on(state, u32::MAX);
    }

    /// Reads some CPUs of the second before.
    fn read_on(&mut self, state: &mut impl State, cpus: u32) {
        let Some(mut left) = self.left.take() else {
            return;
        };
        if left.cpus == 0 {
            // What is counted by the rows of a CPU is of the time between two readings of it.
            let now = state.clock();
            let then = self.read.replace(now).unwrap_or(now);
            left.elapsed = Duration::from_nanos(now.saturating_sub(then));
        }
        if left.frames.is_some() && left.frames == state.frames() {
            // Nothing was counted since the bank came into use: it is empty, and no row has changed.
            self.keep(Second::empty(left.elapsed, self.secret));
            return;
        }
        let end = left.cpus.saturating_add(cpus).min(state.cpus());
        for cpu in left.cpus..end {
            left.read(state, cpu, &mut self.memory);
        }
        left.cpus = end;
        if end < state.cpus() {
            self.left = Some(left);
            return;
        }
        let second = self.second(left);
        self.keep(second);
    }

    fn keep(&mut self, second: Second) {
        match &mut self.done {
            Some(before) => before.add(&second),
            none => *none = Some(second),
        }
    }

    fn second(&mut self, mut left: Left) -> Second {
        left.candidates
            .sort_unstable_by_key(|(count, _)| std::cmp::Reverse(*count));
        left.candidates.truncate(CANDIDATES);
        let addresses = self.addresses.go_on_to(&mut self.memory.addresses);
        let prefixes = self.prefixes.go_on_to(&mut self.memory.prefixes);
        Second {
            elapsed: left.elapsed,
            sources: Distinct::of(&left.sources),
            names: Distinct::of(&left.names),
            candidates: left.candidates.into_iter().map(|(_, key)| key).collect(),
            addresses,
            prefixes,
            secret: self.secret,
        }
    }

    /// The second that has been read since this was last called.
    pub(super) fn take(&mut self) -> Option<Second> {
        self.done.take()
    }
}

impl Left {
    /// Reads the bank of a CPU and clears it, and adds its count-min rows.
    fn read(&mut self, state: &mut impl State, cpu: u32, memory: &mut Memory) {
        let offset =
            SKETCHES + offset_of!(Sketches, banks) + self.bank as usize * size_of::<Bank>();
        let bank = &mut *memory.bank;
        read(state, cpu, offset, bank);
        state.clear(cpu, offset, size_of::<Bank>() / 8);
        for (highest, of_cpu) in [
            (&mut self.sources, &bank.sources),
            (&mut self.names, &bank.names),
        ] {
            if highest.is_empty() {
                *highest = vec![0; of_cpu.highest.len()].into();
            }
            let pairs = highest.iter_mut().zip(&of_cpu.highest);
            pairs.for_each(|(highest, of_cpu)| *highest = (*highest).max(*of_cpu));
        }
        let used = bank.candidates.as_flattened().iter();
        self.candidates
            .extend(used.filter(|c| c.tag != 0).map(|c| (c.count, c.key)));
        for (counts, offset) in [
            (&mut memory.addresses, offset_of!(Sketches, addresses)),
            (&mut memory.prefixes, offset_of!(Sketches, prefixes)),
        ] {
            read(state, cpu, SKETCHES + offset, &mut *memory.rows);
            counts.add(memory.rows.columns.as_flattened());
        }
    }
}

/// Memory for what is read of one CPU, and the sums of the count-min rows of those that were read.
struct Memory {
    bank: Box<Bank>,
    rows: Box<CountMin>,
    addresses: Counts,
    prefixes: Counts,
}
