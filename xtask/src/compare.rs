//! `cargo xtask compare`: captures through both engines and tshark, packet by packet.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::process;
use crate::workspace;

/// Options of the task.
#[derive(Args)]
pub struct Options {
    /// Captures, or folders of them.
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
}

/// Runs the task.
///
/// # Errors
/// It cannot run, or a packet differs without a reason.
pub fn run(options: &Options) -> Result<()> {
    let root = workspace::root();
    let mut command = Command::new("cargo");
    command
        .current_dir(&root)
        .args(["build", "--quiet", "--package", "sensor"]);
    command.args(["--example", "compare"]);
    process::run(&mut command)?;
    // Paths are those of the caller.
    let mut command = Command::new(root.join("target/debug/examples/compare"));
    process::run(command.args(&options.captures))
}
