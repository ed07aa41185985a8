//! The drop program in the kernel: loads it, and reads what it counted.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use aya::maps::{Array, MapData, PerCpuArray, PerCpuHashMap};
use aya::programs::RawTracePoint;
use aya::programs::raw_trace_point::RawTracePointLinkId;
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};
use sensor_common::drops::{
    BANK, BANKS, Dropped, LAYOUT, Layout, MAX_REASONS, PROGRAM, REASONS, Reason, TRACEPOINT,
};

use super::btf::{Btf, BtfError};
use super::layout::{Names, layout, names};

/// The compiled program.
static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/drops.bpf.o"));

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum DropsError {
    /// The kernel lacks what it reads.
    #[error(transparent)]
    Kernel(#[from] BtfError),
    /// The kernel does not take it.
    #[error("the kernel refuses the drop program: {0}")]
    Refused(String),
}

/// The program, attached; it is detached when this is dropped.
pub struct DropProgram {
    /// Owns the program and its links.
    ebpf: Ebpf,
    program: String,
    /// None while it rests.
    link: Option<RawTracePointLinkId>,
    reasons: PerCpuArray<MapData, CountedReason>,
    banks: [PerCpuHashMap<MapData, Key, u64>; 2],
    bank: Array<MapData, u64>,
    used: usize,
    names: Names,
    before: Totals,
}

/// What was counted between two readings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// DNS packets.
    pub dns: BTreeMap<Dropped, u64>,
    /// Any packets, by the kernel's number of the reason.
    pub reasons: BTreeMap<u32, u64>,
    /// Packets that were not parsed, because there were too many.
    pub unparsed: u64,
    /// DNS packets for which there was no room.
    pub full: u64,
}

/// Since it was attached.
#[derive(Clone, Debug, Default)]
struct Totals {
    reasons: BTreeMap<u32, u64>,
    unparsed: u64,
    full: u64,
}

/// Types of the ABI as aya wants them.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Key(Dropped);
// SAFETY: `Dropped` is bytemuck::Pod, which asks for more.
unsafe impl aya::Pod for Key {}

#[derive(Clone, Copy)]
#[repr(transparent)]
struct CountedReason(Reason);
// SAFETY: as above.
unsafe impl aya::Pod for CountedReason {}

#[derive(Clone, Copy)]
#[repr(transparent)]
struct GivenLayout(Layout);
// SAFETY: as above.
unsafe impl aya::Pod for GivenLayout {}

fn refused(error: &dyn std::error::Error) -> DropsError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    log::debug!("{text}");
    // Behind it stands the verifier's log.
    let first = text.split(". Verifier output").next().unwrap_or_default();
    DropsError::Refused(format!("{first} (`--log debug` shows the verifier's log)"))
}

/// Inode number of the calling thread's network namespace.
#[must_use]
pub fn own_namespace() -> Option<u32> {
    let of = std::fs::metadata("/proc/thread-self/ns/net").ok()?;
    u32::try_from(of.ino()).ok()
}

impl DropProgram {
    /// Loads and attaches it. It counts the packets of every network namespace.
    ///
    /// # Errors
    /// What the kernel lacks, or why it refuses.
    pub fn attach(ports: &[u16]) -> Result<Self, DropsError> {
        Self::attach_named(ports, PROGRAM)
    }

    /// The same of another program of the object; benchmarks measure the empty one.
    ///
    /// # Errors
    /// As [`DropProgram::attach`].
    pub fn attach_named(ports: &[u16], program: &str) -> Result<Self, DropsError> {
        let btf = Btf::of_kernel()?;
        let (layout, names) = (GivenLayout(layout(&btf, ports)?), names(&btf)?);
        drop(btf);
        let mut loader = EbpfLoader::new();
        loader.override_global(LAYOUT, &layout, true);
        let mut ebpf = loader.load(OBJECT).map_err(|error| refused(&error))?;
        let traced = traced(&mut ebpf, program)?;
        traced.load().map_err(|error| refused(&error))?;
        let link = traced.attach(TRACEPOINT).map_err(|error| refused(&error))?;
        let reasons = PerCpuArray::try_from(taken(&mut ebpf, REASONS)?);
        let mut bank = |name| {
            let map = PerCpuHashMap::try_from(taken(&mut ebpf, name)?);
            map.map_err(|error| refused(&error))
        };
        let banks = [bank(BANKS[0])?, bank(BANKS[1])?];
        let bank = Array::try_from(taken(&mut ebpf, BANK)?);
        Ok(Self {
            reasons: reasons.map_err(|error| refused(&error))?,
            banks,
            bank: bank.map_err(|error| refused(&error))?,
            used: 0,
            names,
            before: Totals::default(),
            ebpf,
            program: program.to_string(),
            link: Some(link),
        })
    }

    /// Detaches the program: packets are dropped at no cost, and are not counted.
    ///
    /// # Errors
    /// From the system.
    pub fn rest(&mut self) -> Result<(), DropsError> {
        let Some(link) = self.link.take() else {
            return Ok(());
        };
        let traced = traced(&mut self.ebpf, &self.program)?;
        traced.detach(link).map_err(|error| refused(&error))
    }

    /// Attaches it again.
    ///
    /// # Errors
    /// From the system.
    pub fn resume(&mut self) -> Result<(), DropsError> {
        if self.link.is_none() {
            let traced = traced(&mut self.ebpf, &self.program)?;
            let link = traced.attach(TRACEPOINT);
            self.link = Some(link.map_err(|error| refused(&error))?);
        }
        Ok(())
    }

    /// The kernel's name of a reason; its number where it has none.
    #[must_use]
    pub fn name(&self, reason: u32) -> String {
        let name = self.names.get(&reason).cloned();
        name.unwrap_or_else(|| format!("reason {reason}"))
    }

    /// Lets the program count in the other bank from now on. What it counted before is read by
    /// [`DropProgram::read`], a moment later: the program may be running.
    ///
    /// # Errors
    /// From the system.
    pub fn turn(&mut self) -> Result<(), DropsError> {
        self.used = 1 - self.used;
        let set = self.bank.set(0, self.used as u64, 0);
        set.map_err(|error| refused(&error))
    }

    /// What was counted from the last call to the last [`DropProgram::turn`].
    ///
    /// # Errors
    /// From the system.
    pub fn read(&mut self) -> Result<Counted, DropsError> {
        let bank = &mut self.banks[1 - self.used];
        let keys: Vec<Key> = bank.keys().filter_map(Result::ok).collect();
        let mut dns = BTreeMap::new();
        for key in keys {
            let packets = bank.get(&key, 0).map_err(|error| refused(&error))?;
            dns.insert(key.0, packets.iter().sum());
            bank.remove(&key).map_err(|error| refused(&error))?;
        }
        let mut now = Totals::default();
        for place in 0..MAX_REASONS as u32 {
            let of = self.reasons.get(&place, 0);
            for CountedReason(cpu) in of.map_err(|error| refused(&error))?.iter() {
                if cpu.dropped != 0 {
                    *now.reasons.entry(place).or_default() += cpu.dropped;
                }
                now.unparsed += cpu.unparsed;
                now.full += cpu.full;
            }
        }
        let before = std::mem::replace(&mut self.before, now);
        let now = &self.before;
        let reasons = now.reasons.iter().filter_map(|(reason, packets)| {
            let since = packets - before.reasons.get(reason).copied().unwrap_or(0);
            (since != 0).then_some((*reason, since))
        });
        Ok(Counted {
            dns,
            reasons: reasons.collect(),
            unparsed: now.unparsed - before.unparsed,
            full: now.full - before.full,
        })
    }
}

fn traced<'e>(ebpf: &'e mut Ebpf, program: &str) -> Result<&'e mut RawTracePoint, DropsError> {
    ebpf.program_mut(program)
        .ok_or_else(|| DropsError::Refused(format!("the object has no program {program}")))?
        .try_into()
        .map_err(|error: aya::programs::ProgramError| refused(&error))
}

fn taken(ebpf: &mut Ebpf, name: &str) -> Result<aya::maps::Map, DropsError> {
    let map = ebpf.take_map(name);
    map.ok_or_else(|| DropsError::Refused(format!("the object has no map {name}")))
}
