//! `cargo xtask fuzz`: any bytes for whatever takes bytes from outside.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::process;
use crate::workspace;

/// Options of the task.
#[derive(Args)]
pub struct Options {
    /// Millions of inputs of each target.
    #[arg(long, default_value = "10")]
    millions: u64,
    /// One target: captures, packets, dossiers or casebook.
    #[arg(default_value = "all")]
    target: String,
    /// Of the numbers that inputs are drawn from: another one makes other inputs.
    #[arg(long, default_value = "20")]
    seed: u64,
}

/// Runs the task.
///
/// # Errors
/// It cannot run, or finds something.
pub fn run(options: &Options) -> Result<()> {
    let runs = options.millions.saturating_mul(1_000_000).to_string();
    let mut command = Command::new("cargo");
    command.current_dir(workspace::root());
    // Overflows and broken assumptions are findings too.
    command.env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true");
    command.env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true");
    command.args([
        "test",
        "--quiet",
        "--release",
        "--package",
        "sensor",
        "--test",
        "fuzz",
    ]);
    command.args([
        "--",
        "--runs",
        &runs,
        &options.target,
        &options.seed.to_string(),
    ]);
    process::run(&mut command)
}
