//! `cargo xtask test`.
use anyhow::Result;
use clap::Args;
/// Options of the task.
#[derive(Args)]
pub struct Options {
    /// Fail where a test that needs a kernel cannot run.
    #[arg(long)]
    require_kernel: bool,
}
/// Runs the task.
pub fn run(options: &Options) -> Result<()> {
    let _ = options.require_kernel;
    Ok(())
}
