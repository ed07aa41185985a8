//! `cargo xtask scenarios`: failures and floods on private networks, and whether the sensor sees them.

use std::process::Command;

use anyhow::{Result, ensure};
use clap::Args;

use crate::process;
use crate::setup;
use crate::workspace;

/// Options of the task.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub struct Options {
    /// Those of `sensor/examples/scenarios`; `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
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
    // As the tests are built, so that it is done once: whether a failure is seen is no matter of speed.
    let build = ["build", "--quiet", "--package", "sensor"];
    let mut command = Command::new("cargo");
    command.current_dir(&root).args(build);
    command.args(["--bin", "sensor", "--example", "scenarios"]);
    process::run(&mut command)?;
    let folder = root.join("target/debug");
    let mut command = Command::new(folder.join("examples/scenarios"));
    command.arg("--sensor").arg(folder.join("sensor"));
    command.args(&options.options);
    process::run(&mut command)
}
