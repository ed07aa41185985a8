//! `cargo xtask casebook`: situations as text, and what the sensor says of them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::process;
use crate::workspace;

/// Options of the task.
#[derive(Args)]
pub struct Options {
    /// Only situations with this in their name or title.
    filter: Option<String>,
    /// Write each situation that runs as a capture into this folder.
    #[arg(long, value_name = "DIR")]
    pcap: Option<PathBuf>,
    /// Print everything that was said of each, and when.
    #[arg(long)]
    changes: bool,
}

/// Runs the task.
///
/// # Errors
/// It cannot run, or a situation is judged wrong.
pub fn run(options: &Options) -> Result<()> {
    let mut command = Command::new("cargo");
    command
        .current_dir(workspace::root())
        .args(["test", "--quiet", "--release", "--package", "sensor"])
        .args(["--test", "casebook", "--", "--quiet", "--table"]);
    if let Some(folder) = &options.pcap {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let folder = folder
            .canonicalize()
            .with_context(|| format!("cannot find {}", folder.display()))?;
        command.arg("--pcap").arg(folder);
    }
    if options.changes {
        command.arg("--changes");
    }
    command.args(&options.filter);
    process::run(&mut command)
}
