//! Counters of loaded programs.

use std::collections::BTreeSet;
use std::mem::offset_of;
use std::time::Duration;

use aya::maps::{Array, MapData, RingBuf};
use sensor_common::names;
use sensor_common::sample::Sample;
use sensor_common::server::ServerKey;
use sensor_common::settings::{DIRECTIONS, Direction};
use sensor_common::shard::Shard;
use sensor_common::totals::Totals;
use sensor_common::transactions::Control;

use super::load::{LoadError, Loaded, chain, map_data};
use super::maps::MappedArray;
use super::own::OwnAddresses;
use crate::engine::lanes::Hooks;
use crate::engine::ledger::Ledger;
use crate::engine::maintenance::{State, next_generation, own_words};
use crate::engine::reader::Reader;
use crate::measure::reading::Lane;
use crate::measure::window::Reading;

/// Counters of loaded programs.
pub struct Counts {
    shards: Shards,
    reader: Reader,
    own: OwnAddresses,
    samples: RingBuf<MapData>,
}

/// The shards, and what the programs share.
struct Shards {
    memory: MappedArray<Shard>,
    /// Of each CPU at each hook.
    totals: MappedArray<Totals>,
    control: Array<MapData, PodControl>,
    cpus: u32,
    /// Hooks that each CPU has room for.
    hooks: u32,
}

impl Hooks for Shards {
    fn hook_cpus(&self) -> u32 {
        self.cpus
    }

    fn seen(&self, hook: u32, cpu: u32) -> u64 {
        let mut word = [0];
        let at = cpu * self.hooks + hook;
        self.totals.read(at, offset_of!(Totals, seen), &mut word);
        word[0]
    }

    fn read_totals(&self, hook: u32, cpu: u32, totals: &mut Totals) {
        let words = bytemuck::cast_slice_mut(std::slice::from_mut(totals));
        self.totals.read(cpu * self.hooks + hook, 0, words);
    }
}

/// Number of a hook: of an interface's slot, in one direction.
pub(super) fn hook(slot: u32, direction: Direction) -> u32 {
    slot * DIRECTIONS as u32 + direction as u32
}

/// `Control` as aya wants it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct PodControl(Control);

// SAFETY: `Control` is bytemuck::Pod, which asks for more.
unsafe impl aya::Pod for PodControl {}

impl State for Shards {
    fn cpus(&self) -> u32 {
        self.cpus
    }

    fn read(&self, cpu: u32, offset: usize, words: &mut [u64]) {
        self.memory.read(cpu, offset, words);
    }

    fn write(&mut self, cpu: u32, offset: usize, words: &[u64]) {
        self.memory.write(cpu, offset, words);
    }

    fn write_byte(&mut self, cpu: u32, offset: usize, byte: u8) {
        self.memory.write_byte(cpu, offset, byte);
    }

    fn control(&self) -> Control {
        // The one entry of an array is always there.
        self.control
            .get(&0, 0)
            .map_or(Control::DEFAULT, |control| control.0)
    }

    fn set_control(&mut self, control: Control) {
        if let Err(error) = self.control.set(0, PodControl(control), 0) {
            log::error!("the kernel refuses new sampling rates: {}", chain(&error));
        }
    }

    fn clock(&self) -> u64 {
        match self.control().clock {
            0 => monotonic(),
            clock => clock,
        }
    }
}

/// The clock of `bpf_ktime_get_ns`, in nanoseconds.
pub(super) fn monotonic() -> u64 {
    let clock = nix::time::ClockId::CLOCK_MONOTONIC;
    let now = clock.now().map_or(Duration::ZERO, Duration::from);
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

fn unmapped(error: &std::io::Error) -> LoadError {
    LoadError::Other(format!(
        "cannot map the kernel's counters into memory: {error}"
    ))
}

impl Counts {
    /// Maps the counters of loaded programs.
    ///
    /// # Errors
    /// The system refuses.
    pub fn of(loaded: &mut Loaded) -> Result<Self, LoadError> {
        let (cpus, lanes) = (loaded.cpus, loaded.settings.lanes);
        let totals = map_data(&loaded.ebpf, names::TOTALS)?;
        let totals =
            MappedArray::new(totals.fd(), cpus * lanes).map_err(|error| unmapped(&error))?;
        let shards = map_data(&loaded.ebpf, names::SHARDS)?;
        let memory = MappedArray::new(shards.fd(), cpus).map_err(|error| unmapped(&error))?;
        let mut taken = |name: &'static str| {
            let map = loaded.ebpf.take_map(name);
            map.ok_or_else(|| LoadError::Other(format!("the object has no map {name}")))
        };
        let wrong = |error: aya::maps::MapError| LoadError::Other(chain(&error));
        let mut counts = Self {
            shards: Shards {
                memory,
                totals,
                hooks: lanes,
                control: taken(names::CONTROL)?.try_into().map_err(wrong)?,
                cpus,
            },
            reader: Reader::new(&loaded.settings, cpus),
            own: OwnAddresses::new(taken(names::OWN)?).map_err(wrong)?,
            samples: taken(names::SAMPLES)?.try_into().map_err(wrong)?,
        };
        counts.maintain();
        Ok(counts)
    }

    /// Tells totals of an interface's slot in one direction, too.
    pub fn add_lane(&mut self, slot: u32, interface: &str, direction: Direction) {
        self.reader
            .add_lane(hook(slot, direction), interface, direction);
    }

    /// Only one direction is seen.
    pub fn see_one_direction(&mut self) {
        self.reader.see_one_direction();
    }

    /// Does what is to be done every [`crate::engine::maintenance::TICK`].
    pub fn maintain(&mut self) {
        self.reader.maintain(&mut self.shards);
    }

    /// Whether the next tick brings a second of sketches.
    pub fn owes_second(&self) -> bool {
        self.reader.owes_second(&self.shards)
    }

    /// Ends the second that is running.
    pub fn flush(&mut self) {
        self.reader.flush(&mut self.shards);
    }

    /// What was counted since this was last asked.
    pub fn reading(&mut self, at: Duration) -> Reading {
        self.reader.read(&mut self.shards, at)
    }

    /// What each server has counted.
    pub fn ledger(&self) -> &Ledger {
        self.reader.ledger()
    }

    /// What each hook has counted since the programs were loaded.
    pub fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.reader.totals()
    }

    /// The time that the programs take for now; they have the kernel's clock until this is called.
    pub fn set_clock(&mut self, nanoseconds: u64) {
        let mut control = self.shards.control();
        control.clock = nanoseconds;
        self.shards.set_control(control);
    }

    /// The addresses of this host: what comes in and claims to be from one of them is forged.
    pub fn set_own_addresses(&mut self, addresses: &BTreeSet<ServerKey>) {
        if !self.own.set(addresses) {
            return;
        }
        let mut control = self.shards.control();
        control.own = own_words(self.own.known());
        self.shards.set_control(control);
        // Last: what is cleared from now on has met the addresses of now.
        control.own_generation = next_generation(control.own_generation);
        self.shards.set_control(control);
    }

    /// Samples taken since this was last asked.
    pub fn samples(&mut self) -> impl Iterator<Item = Sample> {
        std::iter::from_fn(|| {
            let item = self.samples.next()?;
            bytemuck::try_pod_read_unaligned(&item).ok()
        })
    }
}
