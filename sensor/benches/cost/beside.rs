//! The embedded object beside another, in turn, class by class: what a change of the kernel half costs, on
//! a machine whose own noise is larger than that.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use aya::Ebpf;
use sensor::engine::kernel::load::OBJECT;
use sensor_common::names;
use serde::Serialize;

use super::rig::{self, Format, Hook, Pair, frame};
use super::{CLASSES, SHIFT};

/// Nanoseconds of one class.
#[derive(Serialize)]
struct Beside {
    kind: &'static str,
    class: &'static str,
    ns: u32,
    other_ns: u32,
    median_ns: u32,
    other_median_ns: u32,
}

/// Most that a class may cost over the other object, in nanoseconds.
const SLACK: u32 = 1;

/// Measures every class with a goal. Whether none costs more than [`SLACK`] over the other object, by
/// the minima or by the medians: a change of the code shows in both.
pub fn run(path: &Path, format: Format, rounds: usize, repeat: u32) -> Result<bool> {
    let other = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (mut ours, mut other) = (load(OBJECT)?, load(&other)?);
    if format == Format::Text {
        println!(
            "{:<28}  ours  other   over   medians",
            "beside another object"
        );
    }
    let mut within = true;
    for (class, hook, of, _) in CLASSES {
        let frame = frame(of);
        let program = match hook {
            Hook::Xdp => names::PROGRAM_XDP,
            Hook::Egress => names::PROGRAM_EGRESS,
        };
        rig::follow(&mut ours, SHIFT)?;
        rig::follow(&mut other, SHIFT)?;
        let pair = Pair::measure(rounds, |is_ours| {
            let ebpf = if is_ours { &mut ours } else { &mut other };
            rig::time(ebpf, hook, program, &frame, repeat)
        })?;
        let (median_ns, other_median_ns) = pair.medians();
        let cost = Beside {
            kind: "beside",
            class,
            ns: pair.ours[0],
            other_ns: pair.empty[0],
            median_ns,
            other_median_ns,
        };
        within &= cost.is_within();
        cost.show(format)?;
    }
    Ok(within)
}

impl Beside {
    fn is_within(&self) -> bool {
        self.ns <= self.other_ns + SLACK || self.median_ns <= self.other_median_ns + SLACK
    }

    fn show(&self, format: Format) -> Result<()> {
        match format {
            Format::Json => println!("{}", serde_json::to_string(self)?),
            Format::Text => println!(
                "{:<28} {:>5} {:>6} {:>+6}   {} and {}",
                self.class,
                self.ns,
                self.other_ns,
                i64::from(self.ns) - i64::from(self.other_ns),
                self.median_ns,
                self.other_median_ns,
            ),
        }
        Ok(())
    }
}

fn load(object: &[u8]) -> Result<Ebpf> {
    let mut ebpf = rig::object(object)?;
    rig::xdp(&mut ebpf, names::PROGRAM_XDP)?.load()?;
    rig::tc(&mut ebpf, names::PROGRAM_EGRESS)?.load()?;
    Ok(ebpf)
}
