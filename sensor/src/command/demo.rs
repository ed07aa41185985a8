//! `sensor demo`.
use anyhow::Result;
use super::Outcome;
use crate::cli::DemoArguments;
/// Runs the command.
pub async fn run(_: &DemoArguments) -> Result<Outcome> { Ok(Outcome::Fine) }
