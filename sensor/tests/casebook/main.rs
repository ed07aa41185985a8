//! The casebook: situations as text, turned into packets and judged by the sensor in packet time.
//!
//! Each situation of `sensor/casebook` is a test by its title. `cargo xtask casebook` prints the score; the
//! vocabulary is in `sensor/casebook/README.md`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use indicatif::ProgressBar;
use libtest_mimic::{Arguments, Trial};

use format::Situation;
use pcap::BEGIN;
use run::{Sensor, Spoken};
use score::Score;

mod addresses;
mod captures;
mod checks;
mod connection;
mod exchange;
mod fates;
mod format;
mod frames;
mod judged;
mod load;
mod message;
mod names;
mod pcap;
mod random;
#[path = "../support/report.rs"]
mod report;
mod run;
mod score;
mod stray;
mod times;
mod traffic;
mod words;

/// Scores as they come, from all threads.
type Scores = Arc<Mutex<Vec<Score>>>;

/// Beside the options of every test: `--table` prints all rows, `--pcap DIR` writes the situations that run as
/// captures, `--changes` prints what was said and when.
#[derive(Clone, Default)]
struct Options {
    table: bool,
    changes: bool,
    pcap: Option<PathBuf>,
    /// How many are judged, on a terminal.
    bar: Bar,
}

/// Shows with a table how far it is; without one the harness does.
#[derive(Clone)]
struct Bar(ProgressBar);

impl Default for Bar {
    fn default() -> Self {
        Self(ProgressBar::hidden())
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let (mut options, arguments) = options(std::env::args())?;
    let arguments = Arguments::from_iter(arguments);
    let scores = Scores::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("casebook");
    let mut trials = checks::all(&folder);
    let situations = load::all(&folder)?;
    if options.table {
        options.bar.0 = ProgressBar::new(situations.len() as u64);
    }
    for situation in situations {
        let (scores, options) = (scores.clone(), options.clone());
        let name = format!("{}: {}", situation.name, situation.title);
        let judge = move || Ok(judge(&situation, &options, &scores)?);
        trials.push(Trial::test(name, judge));
    }
    let cases = captures::folder();
    if cases.join("EXPECTED.tsv").is_file() {
        for row in captures::rows(&cases)? {
            let scores = scores.clone();
            let name = capture_name(&row);
            let titled = format!("{name}: {}", row.title);
            let options = options.clone();
            trials.push(Trial::test(titled, move || {
                let spoken = captures::run(&row)?;
                print_changes(&options, &name, &spoken);
                let score = score::score(&name, &row.expect, &spoken);
                Ok(keep(&options, score, &scores)?)
            }));
        }
    } else if !arguments.list {
        println!(
            "captures are left out: {} has no EXPECTED.tsv",
            cases.display()
        );
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    options.bar.0.finish_and_clear();
    let mut scores = scores.lock().unwrap_or_else(PoisonError::into_inner);
    scores.sort_by(|a, b| a.name.cmp(&b.name));
    if !scores.is_empty() {
        println!("{}", score::table(&scores, options.table));
    }
    // With a table nothing fails but here.
    let as_known = |score: &Score| score.is_right() != open(&score.name).is_some();
    Ok(if conclusion.has_failed() || !scores.iter().all(as_known) {
        ExitCode::from(101)
    } else {
        ExitCode::SUCCESS
    })
}

fn capture_name(row: &captures::Row) -> String {
    let file = row
        .file
        .file_name()
        .unwrap_or_default()
        .display()
        .to_string();
    format!("captures/{}", file.split('.').next().unwrap_or(&file))
}

/// Takes our own options out of those of every test.
fn options(all: impl Iterator<Item = String>) -> Result<(Options, Vec<String>)> {
    let (mut options, mut others) = (Options::default(), Vec::new());
    let mut all = all;
    while let Some(argument) = all.next() {
        match argument.as_str() {
            "--table" => options.table = true,
            "--changes" => options.changes = true,
            "--pcap" => {
                let folder = all.next().context("--pcap needs a folder")?;
                options.pcap = Some(folder.into());
            }
            _ => others.push(argument),
        }
    }
    Ok((options, others))
}

fn judge(situation: &Situation, options: &Options, scores: &Scores) -> Result<()> {
    let frames = traffic::frames(situation);
    ensure!(!frames.is_empty(), "it has no packet");
    if let Some(folder) = &options.pcap {
        let path = folder.join(format!("{}.pcap", situation.name.replace('/', "-")));
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        let mut out = BufWriter::new(file);
        pcap::write(&mut out, &frames)?;
        out.flush()?;
    }
    let spoken = speak(situation, &frames)?;
    print_changes(options, &situation.name, &spoken);
    let expect = &situation.expect;
    let score = score::score(&situation.name, expect, &spoken);
    keep(options, score, scores)?;
    ensure!(
        spoken.reports.is_empty(),
        "its reports: {}",
        spoken.reports.join("\n")
    );
    Ok(())
}

/// What the sensor says of these packets.
fn speak(situation: &Situation, frames: &[frames::Frame]) -> Result<Spoken> {
    let host = &situation.host;
    let host = (0..host.count()).map(|n| host.nth(n)).collect();
    let mut sensor = Sensor::new(host, &situation.ports, Some(BEGIN))?;
    sensor.tell_directions();
    sensor.probes(&situation.probe, BEGIN);
    sensor.kernel(&situation.kernel);
    for frame in frames {
        sensor.directed(BEGIN + frame.at, &frame.bytes)?;
    }
    Ok(sensor.finish(BEGIN + situation.lasts))
}

fn print_changes(options: &Options, name: &str, spoken: &Spoken) {
    if options.changes {
        for said in spoken.changes.iter().chain(&spoken.last) {
            println!("{name}: {said}");
        }
    }
}

/// Why a situation is not judged right yet, where that is known.
fn open(name: &str) -> Option<&'static str> {
    let lines = include_str!("../../casebook/open.txt").lines();
    let mut rows = lines.filter_map(|line| line.split_once(" | "));
    rows.find(|(open, _)| *open == name).map(|(_, why)| why)
}

/// Fails where something is wrong that is not known to be, or the other way about; with a table, that says it.
fn keep(options: &Options, score: Score, scores: &Scores) -> Result<()> {
    let verdict = score.faults.join(", ");
    let is_right = score.is_right();
    let open = open(&score.name);
    let text = format!("expected {}, said {}", score.expected, score.said);
    let mut scores = scores.lock().unwrap_or_else(PoisonError::into_inner);
    scores.push(score);
    options.bar.0.inc(1);
    if options.table {
        return Ok(());
    }
    match (is_right, open) {
        (true, None) | (false, Some(_)) => Ok(()),
        (true, Some(_)) => bail!("it is right now: take it off sensor/casebook/open.txt"),
        (false, None) => bail!("{verdict}: {text}"),
    }
}
