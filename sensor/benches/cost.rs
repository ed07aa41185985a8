//! What a packet costs in the kernel: `cargo xtask bench`.
//!
//! Each class of packet runs through our program and through an empty one in turn
//! (`BPF_PROG_TEST_RUN`), so that both meet the same noise; minimum and median of several rounds. The
//! kernel reports whole nanoseconds.
//!
//! The classes with a goal are one packet again and again, as in a flood: one transaction in 64 is
//! followed, and all that it touches is in the caches. Beside them stand many different packets in
//! turn, made by the generator of `flood.rs` and handed on by a tail call; what the generator
//! costs by itself is taken off.

#[path = "cost/beside.rs"]
mod beside;
mod rig;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use aya::Ebpf;
use clap::Parser;
use rig::{Format, Hook, Pair, Vary, frame};
use sensor::engine::kernel::load::OBJECT;
use sensor_common::names;
use serde::Serialize;

/// One transaction in 2^6 is followed where nothing else is said.
const SHIFT: u32 = 6;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    common: rig::Arguments,
    /// Measure only the classes with a goal, in turn with another object; fail with --check where one costs more
    /// than 1 ns over it.
    #[arg(long, value_name = "OBJECT")]
    beside: Option<PathBuf>,
}

/// One measured class.
#[derive(Serialize)]
struct Cost {
    kind: &'static str,
    class: String,
    ns: u32,
    median_ns: u32,
    empty_ns: u32,
    empty_median_ns: u32,
    over_ns: u32,
    goal_ns: Option<u32>,
}

impl Cost {
    fn new(kind: &'static str, class: impl Into<String>, pair: &Pair, goal: Option<u32>) -> Self {
        let (median_ns, empty_median_ns) = pair.medians();
        Self {
            kind,
            class: class.into(),
            ns: pair.ours[0],
            median_ns,
            empty_ns: pair.empty[0],
            empty_median_ns,
            over_ns: pair.over(),
            goal_ns: goal,
        }
    }

    /// Whether it meets its goal with a quarter to spare.
    fn is_within(&self) -> bool {
        self.goal_ns.is_none_or(|goal| self.over_ns * 4 <= goal * 5)
    }

    fn show(&self, format: Format) -> Result<()> {
        match format {
            Format::Json => println!("{}", serde_json::to_string(self)?),
            Format::Text => println!(
                "{:<28} {:>5} {:>6} {:>6} {:>6}   {} and {}",
                self.class,
                self.ns,
                self.empty_ns,
                self.over_ns,
                self.goal_ns
                    .map_or_else(|| "-".into(), |goal| goal.to_string()),
                self.median_ns,
                self.empty_median_ns,
            ),
        }
        Ok(())
    }
}

/// Classes with a goal: name, hook, frame of the tests' corpus, goal.
const CLASSES: [(&str, Hook, &str, Option<u32>); 16] = [
    ("tcp_v4", Hook::Xdp, "TCP of another port", Some(3)),
    ("tcp_v6", Hook::Xdp, "v6 TCP of another port", Some(3)),
    ("arp", Hook::Xdp, "ARP", Some(3)),
    ("udp_other", Hook::Xdp, "UDP of another port", Some(3)),
    ("dns_query_v4", Hook::Xdp, "v4 query", Some(24)),
    ("dns_query_v6", Hook::Xdp, "v6 query", Some(24)),
    ("dns_query_qinq", Hook::Xdp, "two 802.1Q", Some(24)),
    ("dns_response_v4", Hook::Xdp, "v4 response", Some(24)),
    ("dns_response_v6", Hook::Xdp, "v6 response", Some(24)),
    (
        "dns_query_v6_extensions",
        Hook::Xdp,
        "two extension headers",
        Some(28),
    ),
    ("icmp_error_v4", Hook::Xdp, "from the server", Some(15)),
    (
        "icmp_error_v6",
        Hook::Xdp,
        "v6 unreachable, code 4",
        Some(15),
    ),
    ("worst", Hook::Xdp, "worst", Some(60)),
    ("tc_query_v4", Hook::Egress, "v4 query", Some(30)),
    ("tc_response_v4", Hook::Egress, "v4 response", Some(30)),
    ("tc_tcp_v4", Hook::Egress, "TCP of another port", None),
];

/// Many different packets: name, template, what varies, shift.
fn varied() -> Vec<(&'static str, &'static str, Vary, u32)> {
    let vary = |sources, destinations, bits| Vary {
        sources,
        destinations,
        bits,
    };
    vec![
        (
            "4096 sources, names",
            "v4 query of a random name",
            vary(4096, 0, rig::NAME),
            SHIFT,
        ),
        (
            "4096 sources, every one timed",
            "v4 query of a random name",
            vary(4096, 0, rig::NAME),
            0,
        ),
        (
            "responses to 4096 clients",
            "v4 response",
            vary(0, 4096, rig::DESTINATION_PORT),
            SHIFT,
        ),
        (
            "a server evicts another",
            "v4 query",
            vary(0, 1 << 24, 0),
            SHIFT,
        ),
    ]
}

/// Growth: name, how many servers, how many sources.
const GROWTH: [(&str, u32, u32); 9] = [
    ("1 server, 1 source", 1, 1),
    ("100 servers", 100, 1),
    ("1,000 servers", 1_000, 1),
    ("10,000 servers", 10_000, 1),
    ("100,000 servers", 100_000, 1),
    ("1,000 sources", 1, 1_000),
    ("100,000 sources", 1, 100_000),
    ("1,000,000 sources", 1, 1_000_000),
    ("10,000,000 sources", 1, 10_000_000),
];

fn main() -> ExitCode {
    rig::exit(run())
}

/// Whether every class met its goal, with a quarter to spare, or nobody asked.
fn run() -> Result<bool> {
    let Arguments {
        common: arguments,
        beside,
    } = Arguments::parse();
    let format = arguments.output;
    let (rounds, repeat) = if arguments.quick {
        (15, 60_000)
    } else {
        (101, 400_000)
    };
    if let Some(other) = beside {
        let within = beside::run(&other, format, rounds, repeat)?;
        return Ok(within || !arguments.check);
    }
    let mut within = true;
    header(format, "one packet, again and again");
    let mut ebpf = rig::object(OBJECT)?;
    rig::xdp(&mut ebpf, names::PROGRAM_XDP)?.load()?;
    rig::xdp(&mut ebpf, names::PROGRAM_EMPTY_XDP)?.load()?;
    rig::tc(&mut ebpf, names::PROGRAM_EGRESS)?.load()?;
    rig::tc(&mut ebpf, names::PROGRAM_EMPTY_TC)?.load()?;
    for (name, hook, of, goal) in CLASSES {
        let frame = frame(of);
        let (ours, empty) = match hook {
            Hook::Xdp => (names::PROGRAM_XDP, names::PROGRAM_EMPTY_XDP),
            Hook::Egress => (names::PROGRAM_EGRESS, names::PROGRAM_EMPTY_TC),
        };
        rig::follow(&mut ebpf, SHIFT)?;
        let pair = Pair::measure(rounds, |is_ours| {
            let program = if is_ours { ours } else { empty };
            rig::time(&mut ebpf, hook, program, &frame, repeat)
        })?;
        let cost = Cost::new("cost", name, &pair, goal);
        within &= cost.is_within();
        cost.show(format)?;
    }
    drop(ebpf);
    header(format, "different packets in turn");
    for (name, of, vary, shift) in varied() {
        let mut generated = Generated::new(vary)?;
        let pair = generated.measure(of, rounds, repeat, shift)?;
        Cost::new("varied", name, &pair, None).show(format)?;
    }
    header(format, "growth");
    let vary = |destinations, sources| Vary {
        sources,
        destinations,
        bits: 0,
    };
    // Enough frames to have met every one of ten million sources.
    let repeat = if arguments.quick { repeat } else { 2_000_000 };
    for (name, servers, sources) in GROWTH {
        let mut generated = Generated::new(vary(servers, sources))?;
        let pair = generated.measure("v4 query", rounds.min(21), repeat, SHIFT)?;
        Cost::new("growth", name, &pair, None).show(format)?;
    }
    Ok(within || !arguments.check)
}

fn header(format: Format, what: &str) {
    if format == Format::Text {
        println!("{what:<28}  ours  empty   over   goal   medians");
    }
}

/// The generator with each of two programs behind it.
struct Generated {
    ours: Behind,
    empty: Behind,
}

/// A program behind the generator, and its object.
struct Behind {
    generator: Ebpf,
    ebpf: Ebpf,
}

impl Generated {
    fn new(vary: Vary) -> Result<Self> {
        let load = |name: &'static str| -> Result<Behind> {
            let (mut generator, mut ebpf) = (rig::generator(vary)?, rig::object(OBJECT)?);
            rig::xdp(&mut ebpf, name)?.load()?;
            rig::next(&mut generator, &mut ebpf, name)?;
            Ok(Behind { generator, ebpf })
        };
        Ok(Self {
            ours: load(names::PROGRAM_XDP)?,
            empty: load(names::PROGRAM_EMPTY_XDP)?,
        })
    }

    fn measure(&mut self, of: &str, rounds: usize, repeat: u32, shift: u32) -> Result<Pair> {
        let frame = frame(of);
        rig::unlimited(&mut self.ours.ebpf)?;
        rig::follow(&mut self.ours.ebpf, shift)?;
        Pair::measure(rounds, |is_ours| {
            let behind = if is_ours {
                &mut self.ours
            } else {
                &mut self.empty
            };
            rig::time(
                &mut behind.generator,
                Hook::Xdp,
                names::PROGRAM_FLOOD,
                &frame,
                repeat,
            )
        })
    }
}
