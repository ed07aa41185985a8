//! Fine latency of the busiest servers: only the histograms that were written are read.

use std::mem::offset_of;

use bytemuck::{Zeroable, cast_slice_mut};
use sensor_common::latency::BUCKETS;
use sensor_common::server::ServerKey;
use sensor_common::shard::{HISTOGRAMS, Histogram, Histograms as Table, Shard};

use crate::engine::maintenance::State;
use crate::measure::latency::Latency;

/// Where the histograms lie in a shard.
const TABLE: usize = offset_of!(Shard, histograms);

/// A place as it was last read.
struct Known {
    /// How many have had it.
    owners: u32,
    buckets: [u32; BUCKETS],
}

/// Those of one CPU.
pub(super) struct CpuHistograms {
    known: Vec<Option<Box<Known>>>,
}

impl CpuHistograms {
    pub(super) fn new() -> Self {
        Self {
            known: (0..HISTOGRAMS).map(|_| None).collect(),
        }
    }

    /// Adds what a place has counted of its owner since it was last read, if that is this server.
    pub(super) fn read(
        &mut self,
        state: &impl State,
        cpu: u32,
        at: u32,
        owner: &ServerKey,
        sum: &mut Latency,
    ) {
        let Some(known) = self.known.get_mut(at as usize) else {
            return;
        };
        let offset = TABLE + offset_of!(Table, places) + at as usize * size_of::<Histogram>();
        let mut now = Histogram::zeroed();
        state.read(cpu, offset, cast_slice_mut(std::slice::from_mut(&mut now)));
        const { assert!(offset_of!(Histogram, sequence).is_multiple_of(8)) };
        let mut after = [0];
        state.read(cpu, offset + offset_of!(Histogram, sequence), &mut after);
        let [sequence, _]: [u32; 2] = bytemuck::cast(after);
        // It is being given to another: the coarse histogram tells what it had of this one.
        if sequence != now.sequence || !sequence.is_multiple_of(2) || now.key != *owner {
            return;
        }
        let owners = sequence / 2;
        match known {
            Some(known) if known.owners == owners => {
                let new = now.buckets.iter().zip(&known.buckets);
                sum.add(new.map(|(now, then)| now.wrapping_sub(*then)));
                known.buckets = now.buckets;
            }
            known => {
                // The buckets go on from one owner to the next: where this one began is known of the first
                // alone.
                if owners == 1 {
                    sum.add(now.buckets);
                }
                *known = Some(Box::new(Known {
                    owners,
                    buckets: now.buckets,
                }));
            }
        }
    }
}

/// Fine histograms in use on a CPU, and how often one was given to a busier server.
pub(super) fn in_use(state: &impl State, cpu: u32) -> (u32, u32) {
    let mut words = [0];
    const { assert!(offset_of!(Table, assigned) == 0 && offset_of!(Table, replaced) == 4) };
    state.read(cpu, TABLE, &mut words);
    let [assigned, replaced] = bytemuck::cast(words);
    (assigned, replaced)
}
