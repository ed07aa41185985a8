//! Counters of loaded programs.

use std::time::Duration;

use aya::maps::{Array, MapData, RingBuf};
use sensor_common::names;
use sensor_common::sample::Sample;
use sensor_common::settings::{DIRECTIONS, Direction};
use sensor_common::shard::Shard;
use sensor_common::totals::Totals;
use sensor_common::transactions::Control;

use super::load::{LoadError, Loaded, chain, map_data};
use super::maps::MappedArray;
use crate::engine::maintenance::{Servers, State, Upkeep};
use crate::measure::counters::Counters;
use crate::measure::reading::Snapshot;

/// Counters of loaded programs.
pub struct Counts {
    totals: MappedArray<Totals>,
    shards: Shards,
    upkeep: Upkeep,
    samples: RingBuf<MapData>,
    cpus: u32,
    lanes: u32,
}

/// The shards, and what the programs share.
struct Shards {
    memory: MappedArray<Shard>,
    control: Array<MapData, PodControl>,
    cpus: u32,
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

    fn servers(&self, cpu: u32) -> Servers {
        self.memory.servers(cpu)
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
            totals,
            shards: Shards {
                memory,
                control: taken(names::CONTROL)?.try_into().map_err(wrong)?,
                cpus,
            },
            upkeep: Upkeep::new(&loaded.settings),
            samples: taken(names::SAMPLES)?.try_into().map_err(wrong)?,
            cpus,
            lanes,
        };
        counts.tick();
        Ok(counts)
    }

    /// See [`Upkeep::see_one_direction`].
    pub fn see_one_direction(&mut self) {
        self.upkeep.see_one_direction();
    }

    /// Does what is to be done every [`crate::engine::maintenance::TICK`].
    pub fn tick(&mut self) {
        self.upkeep.tick(&mut self.shards);
    }

    /// Ends the second that is running.
    pub fn flush(&mut self) {
        self.upkeep.flush(&mut self.shards);
    }

    /// The time that the programs take for now; they have the kernel's clock until this is called.
    pub fn set_clock(&mut self, nanoseconds: u64) {
        let mut control = self.shards.control();
        control.clock = nanoseconds;
        self.shards.set_control(control);
    }

    /// Samples taken since this was last asked.
    pub fn samples(&mut self) -> impl Iterator<Item = Sample> {
        std::iter::from_fn(|| {
            let item = self.samples.next()?;
            bytemuck::try_pod_read_unaligned(&item).ok()
        })
    }

    /// Totals of one lane, over all CPUs.
    #[must_use]
    pub fn lane(&self, slot: u32, direction: Direction) -> Totals {
        let lane = slot * DIRECTIONS as u32 + direction as u32;
        let mut sum: Totals = bytemuck::Zeroable::zeroed();
        for cpu in 0..self.cpus {
            sum.add(&self.totals.get(cpu * self.lanes + lane));
        }
        sum
    }

    /// Adds all that is not of one lane to a snapshot.
    pub fn read(&self, snapshot: &mut Snapshot) {
        self.upkeep.read(&self.shards, snapshot);
    }
}
