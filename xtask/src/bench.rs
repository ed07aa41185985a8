//! `cargo xtask bench`: what a packet costs in the kernel, how good the sketches are, and what a flood
//! loses to the sensor.

use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;

use crate::process;
use crate::workspace;

/// Options of the task; they are those of `sensor/benches/`.
#[derive(Args)]
pub struct Options {
    /// Fewer rounds: ends within 40 s.
    #[arg(long)]
    quick: bool,
    /// Fail where a class passes its goal by more than a quarter.
    #[arg(long)]
    check: bool,
    /// `json` for one object a class.
    #[arg(long, default_value = "text")]
    output: String,
}

/// What is measured, in this order.
const BENCHES: [&str; 3] = ["cost", "accuracy", "flood"];

/// Runs the task.
///
/// # Errors
/// A benchmark cannot run, or `--check` found a class beyond its goal.
pub fn run(options: &Options) -> Result<()> {
    let mut missed = Vec::new();
    for (number, bench) in BENCHES.iter().enumerate() {
        eprintln!("{} of {}: {bench}", number + 1, BENCHES.len());
        let mut command = Command::new("cargo");
        command
            .current_dir(workspace::root())
            .args(["bench", "--quiet", "--package", "sensor", "--bench", bench])
            .args(["--", "--output", &options.output]);
        for (flag, on) in [("--quick", options.quick), ("--check", options.check)] {
            if on {
                command.arg(flag);
            }
        }
        if process::run(&mut command).is_err() {
            missed.push(*bench);
        }
    }
    if missed.is_empty() {
        Ok(())
    } else {
        bail!(
            "failed or, with --check, beyond a goal: {}",
            missed.join(", ")
        )
    }
}
