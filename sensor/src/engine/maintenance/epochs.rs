//! Rotation of the banks of sketches.

use std::collections::{BTreeSet, VecDeque};
use std::mem::offset_of;
use std::sync::Arc;

use sensor_common::server::ServerKey;
use sensor_common::shard::Shard;
use sensor_common::sketch::{BANKS, Bank, Sketches};

use super::state::{State, record};
use crate::measure::reading::Epoch;
use crate::measure::sketch::Distinct;

/// Ticks of an epoch: a second.
const TICKS: u64 = 4;
/// Epochs that are kept.
const KEPT: usize = 16;
/// Candidates of an epoch that are kept, over all CPUs.
const CANDIDATES: usize = 4096;

/// One bank is in use, the one before is read and cleared a tick after it was left, when no program can
/// still be writing to it, and the third waits, clean, to be used next.
#[derive(Default)]
pub(super) struct Epochs {
    /// Since it began.
    ticks: u64,
    /// The bank in use.
    bank: u32,
    number: u64,
    left: Option<u32>,
    recent: VecDeque<Arc<Epoch>>,
    all_sources: Arc<Distinct>,
    all_names: Arc<Distinct>,
}

impl Epochs {
    /// The bank to use from now on.
    pub(super) fn tick(&mut self, state: &mut impl State) -> u32 {
        self.finish(state);
        self.ticks += 1;
        if self.ticks >= TICKS {
            self.begin(state)
        } else {
            self.bank
        }
    }

    /// Begins an epoch in another bank; the one before is read by [`Epochs::finish`].
    pub(super) fn begin(&mut self, state: &mut impl State) -> u32 {
        self.finish(state);
        self.ticks = 0;
        self.left = Some(self.bank);
        self.bank = next(self.bank);
        self.bank
    }

    /// Ends the epoch that was left.
    pub(super) fn finish(&mut self, state: &mut impl State) {
        if let Some(left) = self.left.take() {
            self.end(state, left);
        }
    }

    /// Reads a bank and clears it.
    fn end(&mut self, state: &mut impl State, bank: u32) {
        self.number += 1;
        let mut epoch = Epoch {
            number: self.number,
            sources: Distinct::default(),
            names: Distinct::default(),
            candidates: BTreeSet::new(),
        };
        let offset = offset_of!(Shard, sketches)
            + offset_of!(Sketches, banks)
            + bank as usize * size_of::<Bank>();
        let mut candidates: Vec<(u32, ServerKey)> = Vec::new();
        let cleared = vec![0; size_of::<Bank>() / 8];
        for cpu in 0..state.cpus() {
            let bank: Box<Bank> = record(state, cpu, offset);
            state.write(cpu, offset, &cleared);
            epoch.sources.add_registers(&bank.sources.highest);
            epoch.names.add_registers(&bank.names.highest);
            let used = bank.candidates.as_flattened().iter();
            candidates.extend(used.filter(|c| c.tag != 0).map(|c| (c.count, c.key)));
        }
        candidates.sort_unstable_by_key(|(count, _)| std::cmp::Reverse(*count));
        candidates.truncate(CANDIDATES);
        epoch.candidates = candidates.into_iter().map(|(_, key)| key).collect();
        Arc::make_mut(&mut self.all_sources).merge(&epoch.sources);
        Arc::make_mut(&mut self.all_names).merge(&epoch.names);
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(Arc::new(epoch));
    }

    pub(super) fn recent(&self) -> Vec<Arc<Epoch>> {
        self.recent.iter().cloned().collect()
    }

    pub(super) fn all_sources(&self) -> Arc<Distinct> {
        self.all_sources.clone()
    }

    pub(super) fn all_names(&self) -> Arc<Distinct> {
        self.all_names.clone()
    }
}

fn next(bank: u32) -> u32 {
    (bank + 1) % BANKS as u32
}
