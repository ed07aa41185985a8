//! The server table of one CPU, and what was read of it before: only what has changed is read.
//!
//! The packet program marks a place with 1 whenever it counts in it, and clears the mark when it looks for a
//! place to take away (second chance). A reader makes 2 of each 1 that it finds: to the program that is a mark
//! like any other, so a server loses its place no sooner, and at the next reading it tells a place that nothing
//! was counted in since. A mark that was cleared before it was found goes with an eviction in the same set,
//! which the set's sequence tells.

use std::mem::offset_of;

use bytemuck::{Zeroable, bytes_of, cast_slice_mut, zeroed_box, zeroed_vec};
use sensor_common::server::{
    Cohorts, SETS, ServerCounters, ServerEntry, ServerSet, ServerTable, WAYS,
};
use sensor_common::shard::Shard;

use crate::engine::maintenance::State;
use crate::measure::cohort;
use crate::measure::counters::Counters;

/// Times that a place is read again while it is being given to another server; then the newest reading is
/// taken.
const RETRIES: usize = 8;

/// The mark of a place in which something was counted since it was last read.
const COUNTED: u8 = 1;
/// The mark of a place that was read since.
const READ: u8 = 2;

/// Where the server table lies in a shard.
const SERVERS: usize = offset_of!(Shard, servers);

/// A place as it was last read.
#[derive(Clone, Copy, Zeroable)]
#[repr(C)]
pub(super) struct Known {
    pub entry: ServerEntry,
    /// Number of its server's account, plus one, when it was last looked up.
    pub account: u64,
}

/// The places of a set.
type Places = [ServerEntry; WAYS];

/// See the module.
pub(super) struct CpuPlaces {
    /// Each set as it was last read; only those in which there ever was a server.
    known: Vec<Option<Box<[Known; WAYS]>>>,
    /// Sequence of each set when it was last read.
    sequences: Vec<u32>,
    /// Places that were read last time, a bit each of a set: a program may have marked one a moment before that,
    /// and counted after it.
    again: Vec<u8>,
    /// Memory for the sets and for a place, as they are read.
    sets: Vec<ServerSet>,
    entry: Box<ServerEntry>,
    /// What had been read of servers when they lost their places: it is in `other` too.
    lost: ServerEntry,
    /// What has been told of `other`.
    told: ServerEntry,
    /// Places in use.
    used: usize,
    evicted: u64,
    refused: u64,
    /// Frames counted when it was last read, where that is known and no place is to be read again.
    frames: Option<u64>,
}

/// What the tables of all CPUs say beside their places.
pub(super) struct Beside {
    /// What was counted of servers without a place.
    pub counters: ServerCounters,
    pub cohorts: Cohorts,
    /// Servers that lost their place to another.
    pub evicted: u64,
    /// Packets of servers that were not given a place.
    pub refused: u64,
    /// Places in use.
    pub used: usize,
}

impl Beside {
    pub(super) fn new() -> Self {
        Self {
            counters: ServerCounters::zeroed(),
            cohorts: Cohorts::default(),
            evicted: 0,
            refused: 0,
            used: 0,
        }
    }
}

impl CpuPlaces {
    pub(super) fn new() -> Self {
        Self {
            known: (0..SETS).map(|_| None).collect(),
            sequences: vec![0; SETS],
            again: vec![0; SETS],
            sets: zeroed_vec(SETS),
            entry: zeroed_box(),
            lost: ServerEntry::zeroed(),
            told: ServerEntry::zeroed(),
            used: 0,
            evicted: 0,
            refused: 0,
            frames: None,
        }
    }

    /// Hands over the places that have changed, as they are and as they were, and adds what has changed beside
    /// them.
    pub(super) fn read(
        &mut self,
        state: &mut impl State,
        cpu: u32,
        beside: &mut Beside,
        mut take: impl FnMut(&ServerEntry, &mut Known),
    ) {
        let frames = state.frames();
        if frames.is_some() && self.frames == frames {
            beside.used += self.used;
            return;
        }
        // First: who loses a place from now on is seen to have lost it, and told of `other` at the next reading.
        let other = read_other(state, cpu);
        let offset = SERVERS + offset_of!(ServerTable, sets);
        let mut sets = std::mem::take(&mut self.sets);
        let mut entry = std::mem::replace(&mut self.entry, zeroed_box());
        state.read(cpu, offset, cast_slice_mut(&mut sets));
        let mut all = 0;
        for (at, set) in sets.iter().enumerate() {
            let recent = self.recent(state, cpu, at, set);
            all |= recent;
            for way in (0..WAYS).filter(|way| recent & 1 << way != 0) {
                read_place(state, cpu, at, way, set, &mut entry);
                if let Some(known) = self.changed(at, way, &entry) {
                    take(&entry, known);
                    known.entry = *entry;
                }
            }
        }
        (self.sets, self.entry) = (sets, entry);
        self.tell_beside(other, beside);
        self.frames = frames.filter(|_| all == 0);
    }

    /// Places of a set that may have changed, a bit each. Their marks become [`READ`].
    fn recent(&mut self, state: &mut impl State, cpu: u32, at: usize, set: &ServerSet) -> u8 {
        const { assert!(WAYS <= 8) };
        let evicted = set.sequence != self.sequences[at];
        self.sequences[at] = set.sequence;
        let mut recent = 0;
        for way in (0..WAYS).filter(|way| set.tags[*way] != 0) {
            let counted = set.used[way] == COUNTED;
            if counted {
                state.write_byte(
                    cpu,
                    set_offset(at) + offset_of!(ServerSet, used) + way,
                    READ,
                );
            }
            if counted || evicted {
                recent |= 1 << way;
            }
        }
        recent | std::mem::replace(&mut self.again[at], recent)
    }

    /// What was known of a place, if that has changed; nothing, where it has another server now.
    fn changed(&mut self, set: usize, way: usize, entry: &ServerEntry) -> Option<&mut Known> {
        let known = &mut self.known[set].get_or_insert_with(zeroed_box)[way];
        if bytes_of(&known.entry) == bytes_of(entry) {
            return None;
        }
        if known.entry.tenure != entry.tenure {
            if known.entry.key.family == 0 {
                self.used += 1;
            } else {
                self.lost.counters.add(&known.entry.counters);
                cohort::add(&mut self.lost.cohorts, &known.entry.cohorts);
            }
            *known = Known::zeroed();
        }
        Some(known)
    }

    /// What is new beside the places.
    fn tell_beside(&mut self, mut now: Other, beside: &mut Beside) {
        beside.used += self.used;
        beside.evicted += now.evicted.wrapping_sub(self.evicted);
        beside.refused += now.refused.wrapping_sub(self.refused);
        (self.evicted, self.refused) = (now.evicted, now.refused);
        // Less what had been read of servers while they had a place.
        let counters = now.sum.counters.since(&self.lost.counters);
        beside
            .counters
            .add(&counters.grown(&mut self.told.counters));
        cohort::take(&mut now.sum.cohorts, &self.lost.cohorts);
        let told = std::mem::replace(&mut self.told.cohorts, now.sum.cohorts);
        cohort::take(&mut now.sum.cohorts, &told);
        cohort::add(&mut beside.cohorts, &now.sum.cohorts);
    }
}

/// What a table says beside its places, since it began.
struct Other {
    sum: ServerEntry,
    evicted: u64,
    refused: u64,
}

fn read_other(state: &impl State, cpu: u32) -> Other {
    let mut sum = ServerEntry::zeroed();
    let mut words = [0; 2];
    let read = |offset: usize, words: &mut [u64]| state.read(cpu, SERVERS + offset, words);
    read(
        offset_of!(ServerTable, other),
        cast_slice_mut(std::slice::from_mut(&mut sum)),
    );
    read(offset_of!(ServerTable, evicted), &mut words[..1]);
    read(offset_of!(ServerTable, refused), &mut words[1..]);
    let [evicted, refused] = words;
    Other {
        sum,
        evicted,
        refused,
    }
}

/// Where a set lies in a shard.
fn set_offset(set: usize) -> usize {
    SERVERS + offset_of!(ServerTable, sets) + set * size_of::<ServerSet>()
}

/// Reads a place of a set whole: again, where it was given to another server meanwhile.
fn read_place(
    state: &impl State,
    cpu: u32,
    set: usize,
    way: usize,
    seen: &ServerSet,
    entry: &mut ServerEntry,
) {
    let place = SERVERS
        + offset_of!(ServerTable, places)
        + set * size_of::<Places>()
        + way * size_of::<ServerEntry>();
    let mut before = *seen;
    for _ in 0..RETRIES {
        state.read(cpu, place, cast_slice_mut(std::slice::from_mut(entry)));
        let mut after = ServerSet::zeroed();
        state.read(
            cpu,
            set_offset(set),
            cast_slice_mut(std::slice::from_mut(&mut after)),
        );
        if before.sequence == after.sequence && after.sequence.is_multiple_of(2) {
            break;
        }
        before = after;
    }
}
