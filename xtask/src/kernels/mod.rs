//! `cargo xtask kernels`: boots the kernels that people have and runs the tests that need one on each. An
//! object that one kernel's verifier accepts says nothing of another's.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::workspace;
use guest::Step;
use image::Image;
use qemu::Accelerator;
use results::Results;

mod build;
mod guest;
mod image;
mod initramfs;
mod modules;
mod qemu;
mod results;
mod tools;

/// Kernels of Debian 12 and 13.
const USUAL: [&str; 2] = ["6.1", "6.12"];
/// What `--load` runs: every program under every setting, and every frame of the corpus.
const LOAD: [&str; 2] = ["kernel_verifier", "kernel_frames"];
/// Longest time for one kernel.
const PATIENCE: Duration = Duration::from_mins(10);

/// Options of the task.
#[derive(Args)]
pub struct Options {
    /// Kernels, as `6.1` (its newest image) or `6.12.117`; those of Debian 12 and 13 if none is given.
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
    /// Show all that the guest prints.
    #[arg(long)]
    verbose: bool,
}

/// Where images and file systems are kept.
fn folder() -> PathBuf {
    workspace::root().join("target/kernels")
}

/// Runs the task.
///
/// # Errors
/// A kernel cannot be booted here, or something failed on one.
pub fn run(options: &Options) -> Result<()> {
    tools::install().context("no kernel can be booted here")?;
    std::fs::create_dir_all(folder())?;
    let versions: Vec<&str> = match options.versions.as_slice() {
        [] => USUAL.to_vec(),
        given => given.iter().map(String::as_str).collect(),
    };
    let images = versions.iter().map(|version| Image::get(version));
    let images: Vec<Image> = images.collect::<Result<_>>()?;
    let binaries = build::Binaries::build()?;
    let steps = steps(options, &binaries)?;
    let mut accelerator = Accelerator::best();
    let mut all = Vec::new();
    for image in &images {
        let results = boot(image, &binaries, &steps, options, &mut accelerator)?;
        all.push((image.release.clone(), results));
    }
    if options.run.is_none() {
        println!("\n{}", results::table(&all));
    }
    let mut failed = false;
    for (kernel, results) in &all {
        for what in results.failed_steps.iter().chain(&results.failed) {
            println!("{kernel}: {what} failed");
        }
        failed |= !results.are_fine();
    }
    if failed {
        bail!(
            "what the guests said is in {}/results-*.log",
            folder().display()
        );
    }
    Ok(())
}

fn boot(
    image: &Image,
    binaries: &build::Binaries,
    steps: &[Step],
    options: &Options,
    accelerator: &mut Accelerator,
) -> Result<Results> {
    let initramfs = initramfs::make(image, binaries, steps)?;
    println!("booting {}", image.release);
    let start = Instant::now();
    let show_all = options.verbose || options.run.is_some();
    let said = qemu::boot(image, &initramfs, accelerator, PATIENCE, |line| {
        let line = line.trim_end();
        let at = start.elapsed().as_secs();
        if let Some(step) = line.strip_prefix(guest::STEP) {
            println!("{at:>5} s {step}");
        } else if show_all && !line.starts_with("@@")
            || line.ends_with(" ... FAILED")
            || line.starts_with("test result: ")
        {
            println!("        {line}");
        }
    })
    .with_context(|| format!("booting {}", image.release))?;
    println!("{:>5} s done", start.elapsed().as_secs());
    Ok(Results::read(&said))
}

/// What the guest is to do.
fn steps(options: &Options, binaries: &build::Binaries) -> Result<Vec<Step>> {
    if let Some(command) = &options.run {
        return Ok(vec![Step::new(command.replace('\'', ""), command)]);
    }
    let mut steps = Vec::new();
    if options.test.is_none() {
        steps.push(Step::new("doctor", "sensor doctor"));
    }
    let mut skipped = String::new();
    for (test, reason) in crate::test::ignored()? {
        if reason.contains("captures") {
            skipped.push_str(" --skip ");
            skipped.push_str(&test);
        }
    }
    for (name, path) in &binaries.tests {
        if options.load && !LOAD.contains(&name.as_str()) {
            continue;
        }
        let filter = options.test.as_deref().unwrap_or_default();
        let command = format!(
            "{} --ignored --show-output{skipped} {filter}",
            path.display()
        );
        steps.push(Step::new(name, command));
    }
    Ok(steps)
}
