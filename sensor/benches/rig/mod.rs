//! The object with the programs that only benchmarks run.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::mem::offset_of;

use anyhow::{Context, Result, bail};
use aya::maps::{Array, Map, MapData, ProgramArray};
use aya::programs::{ProgramError, SchedClassifier, TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use clap::{Parser, ValueEnum};
use sensor::engine::kernel::maps::MappedArray;
use sensor_common::names;
use sensor_common::settings::DIRECTIONS;
use sensor_common::shard::{Following, Shard};
use sensor_common::transactions::{Control, MAX_SHIFT};

#[path = "../../tests/support/frames.rs"]
pub mod frames;

/// Options of every benchmark.
#[derive(Parser)]
// Each benchmark has a struct of this name too, and clap names the group of options after it.
#[group(skip)]
pub struct Arguments {
    /// Fewer rounds.
    #[arg(long)]
    pub quick: bool,
    /// Fail where a goal is missed by more than a quarter.
    #[arg(long)]
    pub check: bool,
    #[arg(long, value_enum, default_value = "text")]
    pub output: Format,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// Exits with 1 where a goal was missed and that was asked for.
pub fn exit(result: Result<bool>) -> std::process::ExitCode {
    match result {
        Ok(true) => std::process::ExitCode::SUCCESS,
        Ok(false) => std::process::ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

/// A frame of the tests' corpus.
pub fn frame(name: &str) -> Vec<u8> {
    let found = frames::corpus()
        .into_iter()
        .find(|named| named.name == name);
    found.map(|named| named.frame).unwrap_or_default()
}

/// What the generator varies; see `flood.rs` of sensor-ebpf.
#[derive(Clone, Copy, Default)]
pub struct Vary {
    pub sources: u32,
    pub destinations: u32,
    pub bits: u32,
}

/// The first label of the question: the frame's has eight letters.
pub const NAME: u32 = 1;
pub const DESTINATION_PORT: u32 = 2;
pub const KEEP_TRANSACTION: u32 = 4;

/// Loads the generator.
pub fn generator(vary: Vary) -> Result<Ebpf> {
    const GENERATOR: &[u8] = aya::include_bytes_aligned!("../../bpf/flood.bpf.o");
    let Vary {
        sources,
        destinations,
        bits,
    } = vary;
    let mut ebpf = EbpfLoader::new()
        .override_global("FLOOD_SOURCES", &sources, true)
        .override_global("FLOOD_DESTINATIONS", &destinations, true)
        .override_global("FLOOD_VARIES", &bits, true)
        .load(GENERATOR)?;
    xdp(&mut ebpf, names::PROGRAM_FLOOD)?.load()?;
    Ok(ebpf)
}

/// Loads an object for all CPUs, without a program.
pub fn object(object: &[u8]) -> Result<Ebpf> {
    let cpus = u32::try_from(aya::util::nr_cpus().map_err(|(_, error)| error)?)?;
    let ebpf = EbpfLoader::new()
        .override_global(aya_log::LEVEL, &0_u8, true)
        .map_max_entries(names::TOTALS, cpus * DIRECTIONS as u32)
        .map_max_entries(names::SHARDS, cpus)
        .load(object)?;
    Ok(ebpf)
}

pub fn xdp<'e>(ebpf: &'e mut Ebpf, name: &'static str) -> Result<&'e mut Xdp> {
    program(ebpf, name)
}

pub fn tc<'e>(ebpf: &'e mut Ebpf, name: &'static str) -> Result<&'e mut SchedClassifier> {
    program(ebpf, name)
}

fn program<'e, P>(ebpf: &'e mut Ebpf, name: &'static str) -> Result<&'e mut P>
where
    &'e mut P: TryFrom<&'e mut aya::programs::Program, Error = ProgramError>,
{
    Ok(ebpf.program_mut(name).context(name)?.try_into()?)
}

/// Has one in 2^shift transactions followed, as the loader would in a flood.
pub fn follow(ebpf: &mut Ebpf, shift: u32) -> Result<()> {
    let Some(Map::Array(map)) = ebpf.map(names::CONTROL) else {
        bail!("no array {}", names::CONTROL);
    };
    // Another object's may be shorter, of before it had the addresses of this host.
    let bytes = map.info()?.value_size() as usize;
    let control = Control {
        shift,
        match_shift: shift,
        unmatched_shift: shift,
        sample_shift: MAX_SHIFT,
        ..Control::DEFAULT
    };
    let words: [u32; size_of::<Control>() / 4] = bytemuck::cast(control.with_masks());
    if bytes == size_of::<Control>() {
        set(ebpf, words)
    } else {
        const SHORTER: usize = 8;
        set::<SHORTER>(ebpf, std::array::from_fn(|at| words[at]))
    }
}

fn set<const WORDS: usize>(ebpf: &mut Ebpf, words: [u32; WORDS]) -> Result<()> {
    let map = ebpf.map_mut(names::CONTROL).context(names::CONTROL)?;
    let mut control: Array<&mut MapData, [u32; WORDS]> = map.try_into()?;
    control.set(0, words, 0)?;
    Ok(())
}

/// Lets the program follow as much as it is told to: it would otherwise follow less by itself.
pub fn unlimited(ebpf: &mut Ebpf) -> Result<()> {
    let map = ebpf.map(names::SHARDS).context(names::SHARDS)?;
    let Map::Array(map) = map else {
        bail!("{} is no array", names::SHARDS);
    };
    let cpus = u32::try_from(aya::util::nr_cpus().map_err(|(_, error)| error)?)?;
    let mut shards: MappedArray<Shard> = MappedArray::new(map.fd(), cpus)?;
    for cpu in 0..cpus {
        let budget = offset_of!(Shard, following) + offset_of!(Following, budget);
        shards.write(cpu, budget, &[u64::MAX]);
    }
    Ok(())
}

/// Gives the generator's frames to a program of an object instead of the wire.
pub fn next(generator: &mut Ebpf, ebpf: &mut Ebpf, name: &'static str) -> Result<()> {
    let program = xdp(ebpf, name)?.fd()?;
    let map = generator.map_mut("NEXT").context("NEXT")?;
    let mut next: ProgramArray<&mut MapData> = map.try_into()?;
    next.set(0, program, 0)?;
    Ok(())
}

/// Where a program runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    Xdp,
    Egress,
}

/// Nanoseconds of one run, as the kernel's mean over `repeat`.
pub fn time(
    ebpf: &mut Ebpf,
    hook: Hook,
    name: &'static str,
    frame: &[u8],
    repeat: u32,
) -> Result<u32> {
    let options = TestRunOptions {
        data_in: Some(frame),
        repeat,
        ..TestRunOptions::default()
    };
    let result = match hook {
        Hook::Xdp => xdp(ebpf, name)?.test_run(options)?,
        Hook::Egress => tc(ebpf, name)?.test_run(options)?,
    };
    Ok(u32::try_from(result.duration.as_nanos())?)
}

/// Two programs in turn, so that both meet the same noise: ours, and an empty one or another object's.
#[derive(Clone)]
pub struct Pair {
    pub ours: Vec<u32>,
    pub empty: Vec<u32>,
}

impl Pair {
    pub fn measure(rounds: usize, mut run: impl FnMut(bool) -> Result<u32>) -> Result<Self> {
        let (mut ours, mut empty) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(run(true)?);
            empty.push(run(false)?);
        }
        ours.sort_unstable();
        empty.sort_unstable();
        Ok(Self { ours, empty })
    }

    /// Of the minima.
    pub fn over(&self) -> u32 {
        self.ours[0].saturating_sub(self.empty[0])
    }

    pub fn medians(&self) -> (u32, u32) {
        (
            self.ours[self.ours.len() / 2],
            self.empty[self.empty.len() / 2],
        )
    }
}
