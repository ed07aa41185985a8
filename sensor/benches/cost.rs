//! What a packet costs in the kernel: `cargo xtask bench`.
//!
//! Each class of packet runs through our program and through an empty one in turn
//! (`BPF_PROG_TEST_RUN`), so that both meet the same noise; minimum and median of several rounds. The
//! kernel reports whole nanoseconds.

#[path = "../tests/support/frames.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod frames;

use std::process::ExitCode;

use anyhow::{Context, Result};
use aya::maps::Array;
use aya::programs::{ProgramError, SchedClassifier, TestRun, TestRunOptions, TestRunResult, Xdp};
use clap::{Parser, ValueEnum};
use sensor::kernel::load::{LoadOptions, Loaded, load};
use sensor::settings::for_ports;
use sensor_common::names;
use serde::Serialize;

#[derive(Parser)]
struct Arguments {
    /// Fewer rounds.
    #[arg(long)]
    quick: bool,
    /// Fail where a class passes its goal by more than a quarter.
    #[arg(long)]
    check: bool,
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// A class of packets.
struct Class {
    name: &'static str,
    hook: Hook,
    frame: Vec<u8>,
    /// Over the empty program, in nanoseconds.
    goal: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hook {
    Xdp,
    Egress,
}

/// One measured class.
#[derive(Serialize)]
struct Cost {
    kind: &'static str,
    class: &'static str,
    hook: &'static str,
    ns: u32,
    median_ns: u32,
    empty_ns: u32,
    empty_median_ns: u32,
    over_ns: u32,
    goal_ns: Option<u32>,
}

fn classes() -> Vec<Class> {
    use Hook::{Egress, Xdp};
    let frame = |name: &str| {
        let corpus = frames::corpus();
        let found = corpus.into_iter().find(|named| named.name == name);
        found.map(|named| named.frame).unwrap_or_default()
    };
    let class = |name, hook, of: &str, goal| Class {
        name,
        hook,
        frame: frame(of),
        goal,
    };
    vec![
        class("tcp_v4", Xdp, "TCP of another port", Some(3)),
        class("tcp_v6", Xdp, "v6 TCP of another port", Some(3)),
        class("arp", Xdp, "ARP", Some(3)),
        class("udp_other", Xdp, "UDP of another port", Some(3)),
        class("dns_query_v4", Xdp, "v4 query", Some(24)),
        class("dns_query_v6", Xdp, "v6 query", Some(24)),
        class("dns_query_qinq", Xdp, "two 802.1Q", Some(24)),
        class("dns_response_v4", Xdp, "v4 response", Some(24)),
        class("dns_response_v6", Xdp, "v6 response", Some(24)),
        class(
            "dns_query_v6_extensions",
            Xdp,
            "two extension headers",
            Some(28),
        ),
        class("icmp_error_v4", Xdp, "from the server", Some(15)),
        class("icmp_error_v6", Xdp, "v6 unreachable, code 4", Some(15)),
        class("worst", Xdp, "worst", Some(60)),
        class("tc_query_v4", Egress, "v4 query", Some(30)),
        class("tc_response_v4", Egress, "v4 response", Some(30)),
        class("tc_tcp_v4", Egress, "TCP of another port", None),
    ]
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every class met its goal, with a quarter to spare, or nobody asked.
fn run() -> Result<bool> {
    let arguments = Arguments::parse();
    let mut loaded = load(LoadOptions {
        settings: for_ports(&[])?,
        log_level: None,
    })?;
    let xdp: &mut Xdp = program(&mut loaded, names::PROGRAM_EMPTY_XDP)?;
    xdp.load()?;
    let tc: &mut SchedClassifier = program(&mut loaded, names::PROGRAM_EMPTY_TC)?;
    tc.load()?;
    // As in a flood: one transaction in 64 is followed.
    let mut control: Array<_, [u32; 8]> = loaded
        .ebpf
        .map_mut(names::CONTROL)
        .context("control")?
        .try_into()?;
    control.set(0, [6, 6, 6, 0, 41, 0, 0, 0], 0)?;
    let (rounds, repeat) = if arguments.quick {
        (15, 100_000)
    } else {
        (101, 400_000)
    };
    if arguments.output == Format::Text {
        println!("class                     ours  empty   over   goal   medians");
    }
    let mut within = true;
    for class in classes() {
        let cost = measure(&mut loaded, &class, rounds, repeat)?;
        within &= cost.goal_ns.is_none_or(|goal| cost.over_ns * 4 <= goal * 5);
        match arguments.output {
            Format::Json => println!("{}", serde_json::to_string(&cost)?),
            Format::Text => println!(
                "{:<24} {:>5} {:>6} {:>6} {:>6}   {} and {}",
                cost.class,
                cost.ns,
                cost.empty_ns,
                cost.over_ns,
                cost.goal_ns
                    .map_or_else(|| "-".into(), |goal| goal.to_string()),
                cost.median_ns,
                cost.empty_median_ns,
            ),
        }
    }
    Ok(within || !arguments.check)
}

fn measure(loaded: &mut Loaded, class: &Class, rounds: usize, repeat: u32) -> Result<Cost> {
    let (ours, empty) = match class.hook {
        Hook::Xdp => (names::PROGRAM_XDP, names::PROGRAM_EMPTY_XDP),
        Hook::Egress => (names::PROGRAM_EGRESS, names::PROGRAM_EMPTY_TC),
    };
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        times
            .0
            .push(time(loaded, class.hook, ours, &class.frame, repeat)?);
        times
            .1
            .push(time(loaded, class.hook, empty, &class.frame, repeat)?);
    }
    times.0.sort_unstable();
    times.1.sort_unstable();
    Ok(Cost {
        kind: "cost",
        class: class.name,
        hook: match class.hook {
            Hook::Xdp => "xdp",
            Hook::Egress => "tc_egress",
        },
        ns: times.0[0],
        median_ns: times.0[rounds / 2],
        empty_ns: times.1[0],
        empty_median_ns: times.1[rounds / 2],
        over_ns: times.0[0].saturating_sub(times.1[0]),
        goal_ns: class.goal,
    })
}

/// Nanoseconds of one run, as the kernel's mean over `repeat`.
fn time(
    loaded: &mut Loaded,
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
    let result: TestRunResult = match hook {
        Hook::Xdp => program::<Xdp>(loaded, name)?.test_run(options)?,
        Hook::Egress => program::<SchedClassifier>(loaded, name)?.test_run(options)?,
    };
    Ok(u32::try_from(result.duration.as_nanos())?)
}

fn program<'l, P>(loaded: &'l mut Loaded, name: &'static str) -> Result<&'l mut P>
where
    &'l mut P: TryFrom<&'l mut aya::programs::Program, Error = ProgramError>,
{
    let program = loaded.ebpf.program_mut(name).context(name)?;
    Ok(program.try_into()?)
}
