//! `cargo xtask scenarios`: failures and floods on private networks, and whether the sensor sees them.

use std::process::Command;

use anyhow::{Result, ensure};
use clap::Args;

use crate::process;
use crate::setup;
use crate::workspace;

/// Options of the task; they are those of `sensor/examples/scenarios`.
#[derive(Args)]
pub struct Options {
    /// Only this one; may be given several times.
    #[arg(long, value_name = "N")]
    only: Vec<u32>,
    /// The short set.
    #[arg(long)]
    short: bool,
    /// Runs of each.
    #[arg(long, default_value_t = 1)]
    runs: u32,
    /// Those that do not flood side by side.
    #[arg(long)]
    parallel: bool,
    /// Seconds of healthy traffic in scenario 2, instead of its own 40.
    #[arg(long, value_name = "SECONDS")]
    day: Option<u64>,
    /// `json` for one object a run.
    #[arg(long, default_value = "text")]
    output: String,
}

/// Runs the task.
///
/// # Errors
/// It cannot run, or a run was not as it should be.
pub fn run(options: &Options) -> Result<()> {
    ensure!(
        setup::is_root(),
        "scenarios need root: they make network namespaces and load programs"
    );
    let root = workspace::root();
    let build = ["build", "--quiet", "--release", "--package", "sensor"];
    let mut command = Command::new("cargo");
    command.current_dir(&root).args(build);
    command.args(["--bin", "sensor", "--example", "scenarios"]);
    process::run(&mut command)?;
    let release = root.join("target/release");
    let mut command = Command::new(release.join("examples/scenarios"));
    command.arg("--sensor").arg(release.join("sensor"));
    command.args(["--output", &options.output]);
    command.args(["--runs", &options.runs.to_string()]);
    for only in &options.only {
        command.args(["--only", &only.to_string()]);
    }
    if let Some(day) = options.day {
        command.args(["--day", &day.to_string()]);
    }
    for (flag, on) in [("--short", options.short), ("--parallel", options.parallel)] {
        if on {
            command.arg(flag);
        }
    }
    process::run(&mut command)
}
