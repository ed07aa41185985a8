//! Any bytes for the readers of captures, the packet parser, the dossier decoder and the casebook's format: no panic,
//! no check that fails, no input that takes long.
//!
//! As a test it replays the corpus and a little of what can be made of it. `cargo xtask fuzz` runs as many inputs as
//! are asked for; what it finds it writes to the corpus.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::{Arguments, Failed, Trial};

use mutate::Mutator;
use random::Random;
use target::Target;

#[expect(dead_code, reason = "the format alone is read here")]
#[path = "../casebook/addresses.rs"]
mod addresses;
#[expect(dead_code, unused_imports, reason = "the format alone is read here")]
#[path = "../casebook/format/mod.rs"]
mod format;
#[expect(dead_code, reason = "the corpus is read elsewhere")]
#[path = "../casebook/load.rs"]
mod load;
mod mutate;
#[expect(dead_code, reason = "fewer kinds of numbers are drawn here")]
#[path = "../casebook/random.rs"]
mod random;
mod seeds;
#[path = "../support/mod.rs"]
mod support;
mod target;
#[expect(dead_code, reason = "the format alone is read here")]
#[path = "../casebook/words.rs"]
mod words;

/// Inputs of each target that every run of the tests makes.
const FEW: u64 = 3_000;
/// An input that takes longer, each time it is given, is a finding: a machine that is shared stops a program for a while.
const LONGEST: Duration = Duration::from_secs(5);
const TIMES: usize = 5;
/// Of the numbers that inputs are drawn from.
const SEED: u64 = 20;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some("--runs") {
        return libtest_mimic::run(&Arguments::from_args(), trials()).exit_code();
    }
    match long(&arguments.collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn folder(target: Target) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    root.join(target.name())
}

/// What was found before, and what inputs are made of.
fn corpus(target: Target) -> Result<Vec<Vec<u8>>> {
    let mut corpus = seeds::of(target)?;
    let folder = folder(target);
    for entry in folder
        .read_dir()
        .with_context(|| format!("{}", folder.display()))?
    {
        corpus.push(std::fs::read(entry?.path())?);
    }
    Ok(corpus)
}

fn trials() -> Vec<Trial> {
    let of = |target: Target| {
        let name = target.name();
        let replay = move || {
            let all = corpus(target).map_err(|error| Failed::from(format!("{error:#}")))?;
            all.iter().try_for_each(|input| judge(target, input))?;
            Ok(())
        };
        let some = move || {
            let all = corpus(target).map_err(|error| Failed::from(format!("{error:#}")))?;
            let mut mutator = Mutator::new(all, Random::new(SEED));
            for _ in 0..FEW {
                judge(target, mutator.next())?;
            }
            Ok(())
        };
        [
            Trial::test(format!("the_corpus_of_{name}_is_taken"), replay),
            Trial::test(
                format!("what_is_made_of_the_corpus_of_{name}_is_taken"),
                some,
            ),
        ]
    };
    Target::ALL.into_iter().flat_map(of).collect()
}

/// Gives an input to its target.
fn judge(target: Target, input: &[u8]) -> Result<(), String> {
    for _ in 0..TIMES {
        let begin = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| target.take(input))).is_err() {
            return Err(format!("{} bytes: a panic", input.len()));
        }
        if begin.elapsed() <= LONGEST {
            return Ok(());
        }
    }
    Err(format!("{} bytes take more than {LONGEST:?}", input.len()))
}

/// `RUNS [TARGET [SEED]]`: so many inputs of one target or of each.
fn long(arguments: &[String]) -> Result<()> {
    let runs: u64 = arguments
        .first()
        .and_then(|runs| runs.parse().ok())
        .context("how many runs?")?;
    let wanted = arguments.get(1).map_or("all", String::as_str);
    let seed: u64 = arguments.get(2).map_or(Ok(SEED), |seed| seed.parse())?;
    let is_wanted = |target: &Target| wanted == "all" || wanted == target.name();
    let targets: Vec<Target> = Target::ALL.into_iter().filter(is_wanted).collect();
    ensure!(!targets.is_empty(), "no target is called {wanted:?}");
    for target in targets {
        let mut mutator = Mutator::new(corpus(target)?, Random::new(seed));
        let begin = Instant::now();
        for run in 1..=runs {
            let input = mutator.next();
            if let Err(why) = judge(target, input) {
                let path = folder(target).join(format!("found-{seed}-{run}"));
                std::fs::write(&path, input)?;
                bail!(
                    "{}: run {run}: {why}; the input is in {}",
                    target.name(),
                    path.display()
                );
            }
        }
        println!(
            "{}: {runs} inputs (seed {seed}) without a finding in {:.0} s",
            target.name(),
            begin.elapsed().as_secs_f64()
        );
    }
    Ok(())
}
