//! Captures through both engines and tshark, packet by packet; `cargo xtask compare` runs it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use sensor::engine::kernel::test_run::TestRunEngine;
use sensor::engine::replay::capture::Capture;
use sensor::engine::replay::counting::Counting;
use sensor::engine::replay::host_engine::HostEngine;
use sensor::engine::settings::for_ports;

use verdict::Verdict;

mod tshark;
mod verdict;

/// Packets of a capture that are named, at most; all are counted.
const NAMED: usize = 20;

/// What was found in a capture.
#[derive(Default)]
struct Found {
    packets: usize,
    /// Packets on which the engines differ, and those on which tshark does without a reason.
    wrong: usize,
    lines: Vec<String>,
}

impl Found {
    fn differ(&mut self, packet: usize, what: &str, is_wrong: bool) {
        self.wrong += usize::from(is_wrong);
        self.lines.push(format!("  packet {packet}: {what}"));
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(wrong) => {
            eprintln!("error: {wrong} packets differ without a reason");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<usize> {
    let mut captures = Vec::new();
    for path in std::env::args_os().skip(1).map(PathBuf::from) {
        if path.is_dir() {
            captures.extend(in_folder(&path)?);
        } else {
            captures.push(path);
        }
    }
    ensure!(
        !captures.is_empty(),
        "which captures? files, or folders of them"
    );
    let has_kernel = nix::unistd::geteuid().is_root();
    if !has_kernel {
        println!("not as root: the kernel engine is left out");
    }
    let has_tshark = tshark::is_here();
    if !has_tshark {
        println!("tshark is not installed: only the engines are compared");
    }
    let mut wrong = 0;
    for path in captures {
        let found = compare(&path, has_kernel, has_tshark);
        let found = found.with_context(|| format!("{}", path.display()))?;
        let differ = found.lines.len();
        println!(
            "{}: {} packets, {differ} differ",
            path.display(),
            found.packets
        );
        found
            .lines
            .iter()
            .take(NAMED)
            .for_each(|line| println!("{line}"));
        if differ > NAMED {
            println!("  and {} more", differ - NAMED);
        }
        wrong += found.wrong;
    }
    Ok(wrong)
}

/// Captures of a folder, by what their names end with.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = folder.read_dir();
    let entries = entries.with_context(|| format!("{}", folder.display()))?;
    let paths: std::io::Result<Vec<PathBuf>> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    let is_capture = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        [".pcap", ".pcapng", ".cap"]
            .iter()
            .any(|end| name.contains(end))
    };
    let mut paths: Vec<PathBuf> = paths?.into_iter().filter(is_capture).collect();
    paths.sort();
    Ok(paths)
}

fn compare(path: &Path, has_kernel: bool, has_tshark: bool) -> Result<Found> {
    let host = verdicts(path, HostEngine::new("host", for_ports(&[])?))?;
    let mut found = Found {
        packets: host.len(),
        ..Found::default()
    };
    if has_kernel {
        let kernel = verdicts(path, TestRunEngine::new("kernel", for_ports(&[])?)?)?;
        ensure!(
            kernel.len() == host.len(),
            "the engines read different packets"
        );
        for (at, (host, kernel)) in host.iter().zip(&kernel).enumerate() {
            match (host, kernel) {
                (_, Verdict::Refused(why)) => {
                    found.differ(at + 1, &format!("host: {host}; {why}"), false);
                }
                _ if host != kernel => {
                    found.differ(at + 1, &format!("host: {host}; kernel: {kernel}"), true);
                }
                _ => {}
            }
        }
    }
    if has_tshark {
        let theirs = tshark::verdicts(path)?;
        ensure!(
            theirs.len() == host.len(),
            "tshark reads {} packets, and this reads {}",
            theirs.len(),
            host.len()
        );
        for (at, (ours, theirs)) in host.iter().zip(&theirs).enumerate() {
            if let Some(difference) = theirs.difference(ours) {
                let (what, reason) = (difference.what, difference.reason);
                let text = format!("{what}: {}", reason.unwrap_or("no reason is known"));
                found.differ(at + 1, &text, reason.is_none());
            }
        }
    }
    Ok(found)
}

/// What an engine says of each packet.
fn verdicts<C: Counting>(path: &Path, mut engine: C) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    // What was counted before the first packet.
    engine.reading(Duration::ZERO);
    let capture = Capture::open(path)?;
    capture.for_each(|frame| {
        let counted = engine.count_frame(frame.bytes);
        let totals = engine.reading(Duration::ZERO).window.totals();
        verdicts.push(match counted {
            Ok(()) => Verdict::of(&totals),
            Err(error) => Verdict::Refused(error.to_string()),
        });
    })?;
    Ok(verdicts)
}
