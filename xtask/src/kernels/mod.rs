//! `cargo xtask kernels`: boots the kernels that people have and runs the tests that need one on each. An
//! object that one kernel's verifier accepts says nothing of another's.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::workspace;
use guest::Step;
use image::Image;
use results::Results;

mod baseline;
mod build;
mod guest;
mod here;
mod image;
mod initramfs;
mod modules;
mod qemu;
mod results;
mod tools;

/// A version that stands for the kernel that runs here; it is not booted.
const RUNNING: &str = "running";
/// Kernels of Debian 12 and 13.
const USUAL: [&str; 2] = ["6.1", "6.12"];
/// Longest time for one kernel: several times what it takes emulated on two cores that do nothing else.
const PATIENCE: Duration = Duration::from_mins(40);

/// Options of the task.
#[derive(Args)]
pub struct Options {
    /// Kernels, as `6.1` (its newest image) or `6.12.117`; those of Debian 12 and 13 if none is given.
    /// `running` is the one that runs here
    versions: Vec<String>,
    /// Only load every program under every setting and count the frames of the corpus.
    #[arg(long)]
    load: bool,
    /// Only tests whose name contains this.
    #[arg(long, value_name = "NAME", conflicts_with = "load")]
    test: Option<String>,
    /// Only this shell command, with its output: for a look at a kernel by hand.
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["load", "test"])]
    run: Option<String>,
    /// Keep the instructions that verifiers followed as the baseline of later runs.
    #[arg(long, conflicts_with_all = ["test", "run"])]
    record: bool,
    /// Show all that the guest prints.
    #[arg(long)]
    verbose: bool,
}

/// Nothing was checked, because this machine has not what boots a kernel.
#[derive(Debug)]
pub struct NotHere;

impl NotHere {
    /// What the task exits with then: neither passed nor failed.
    pub const EXIT: u8 = 3;
}

impl std::fmt::Display for NotHere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not checked: no kernel can be booted here")
    }
}

/// Runs the task.
///
/// # Errors
/// A kernel cannot be booted here, or something failed on one.
pub fn run(options: &Options) -> Result<()> {
    let versions: Vec<&str> = match options.versions.as_slice() {
        [] => USUAL.to_vec(),
        given => given.iter().map(String::as_str).collect(),
    };
    let booted = versions.iter().filter(|version| **version != RUNNING);
    let images = images(booted.copied())?;
    let names = if options.load {
        build::LOAD.map(str::to_string).to_vec()
    } else {
        build::all_tests()?
    };
    let binaries = build::Binaries::build(&names)?;
    let steps = steps(options, &binaries);
    let mut all = Vec::new();
    if versions.contains(&RUNNING) {
        let release = here::release()?;
        println!("here: {release}");
        let said = here::run(&binaries.sensor, &steps, progress(options, RUNNING))?;
        all.push((release, Results::read(&said)));
    }
    all.extend(boot_all(&images, &binaries, &steps, options)?);
    if options.run.is_none() {
        println!("\n{}", results::table(&all));
    }
    let mut failed = false;
    for (kernel, results) in &all {
        for what in results.failed_steps.iter().chain(&results.failed) {
            println!("{kernel}: {what} failed");
        }
        failed |= !results.are_fine();
        // A name that no test has.
        if options.run.is_none() && results.passed == 0 {
            println!("{kernel}: no test ran to its end");
            failed = true;
        }
    }
    if options.record {
        let kernels = all
            .iter()
            .filter(|(_, results)| !results.verified.is_empty());
        baseline::record(
            kernels.map(|(release, of)| (baseline::kernel(release), of.verified.clone())),
        )?;
    }
    if failed {
        bail!(
            "what the guests said is in {}/results-*.log",
            workspace::kernels().display()
        );
    }
    Ok(())
}

/// Boots all of them, as many at once as there are processors: the tests of one keep one busy.
fn boot_all(
    images: &[Image],
    binaries: &build::Binaries,
    steps: &[Step],
    options: &Options,
) -> Result<Vec<(String, Results)>> {
    let at_once = std::thread::available_parallelism()?.get();
    let mut all = Vec::new();
    for images in images.chunks(at_once) {
        // It has the most hooks, and so the most to do: the others leave it the processors.
        let newest = images.iter().map(Image::numbers).max();
        let booted: Vec<Result<_>> = std::thread::scope(|scope| {
            let boot = |image| {
                let leaves = Some(Image::numbers(image)) != newest;
                scope.spawn(move || boot(image, binaries, steps, options, leaves))
            };
            let threads: Vec<_> = images.iter().map(boot).collect();
            let ended = threads.into_iter().map(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            ended.collect()
        });
        for result in booted {
            all.push(result?);
        }
    }
    Ok(all)
}

fn boot(
    image: &Image,
    binaries: &build::Binaries,
    steps: &[Step],
    options: &Options,
    leaves: bool,
) -> Result<(String, Results)> {
    let initramfs = initramfs::make(image, binaries, steps)?;
    println!("booting {}", image.release);
    let on_line = progress(options, &image.version);
    let said = qemu::boot(image, &initramfs, leaves, PATIENCE, on_line)
        .with_context(|| format!("booting {}", image.release))?;
    Ok((image.release.clone(), Results::read(&said)))
}

/// Fetches the images; nothing is asked of this machine where there are none.
fn images<'v>(versions: impl Iterator<Item = &'v str>) -> Result<Vec<Image>> {
    let mut images = Vec::new();
    for version in versions {
        if images.is_empty() {
            tools::install().context(NotHere)?;
            std::fs::create_dir_all(workspace::kernels())?;
        }
        images.push(Image::get(version).context(NotHere)?);
    }
    Ok(images)
}

/// Shows what goes on, a line at a time.
fn progress(options: &Options, kernel: &str) -> impl FnMut(&str) {
    let start = Instant::now();
    let show_all = options.verbose || options.run.is_some();
    move |line| {
        let line = line.trim_end();
        let at = start.elapsed().as_secs();
        if let Some(step) = line.strip_prefix(guest::STEP) {
            println!("{kernel:<8}{at:>5} s {step}");
        } else if line == guest::DONE {
            println!("{kernel:<8}{at:>5} s done");
        } else if show_all && !line.starts_with("@@")
            || line.ends_with(" ... FAILED")
            || line.starts_with("test result: ")
        {
            println!("{kernel:<15} {line}");
        }
    }
}

/// What is to be done on each kernel.
fn steps(options: &Options, binaries: &build::Binaries) -> Vec<Step> {
    if let Some(command) = &options.run {
        return vec![Step::new(command.replace('\'', ""), command)];
    }
    let mut steps = Vec::new();
    if options.test.is_none() {
        steps.push(Step::new("doctor", "sensor doctor"));
    }
    let filter = options.test.as_deref().unwrap_or_default();
    for (name, path) in &binaries.tests {
        let command = format!("{} --ignored --show-output {filter}", path.display());
        steps.push(Step::new(name, command));
    }
    steps
}
