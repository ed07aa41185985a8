//! `sensor causes`: the table of weights, and the arithmetic of an incident.

use anyhow::Result;

use super::{Outcome, report};
use crate::cli::CausesArguments;
use crate::incident::store::Store;
use crate::present::causes;
use crate::present::output::{self, Format};

/// Runs the command.
///
/// # Errors
/// There is no such incident.
pub fn run(arguments: &CausesArguments) -> Result<Outcome> {
    let Some(id) = &arguments.id else {
        match arguments.output {
            Format::Text => {
                output::line(&causes::table())?;
            }
            Format::Json => {
                for object in causes::table_objects() {
                    output::json(&object)?;
                }
            }
        }
        return Ok(Outcome::Fine);
    };
    let record = report::find(&Store::new(arguments.state.as_deref()), Some(id))?;
    match arguments.output {
        Format::Text => {
            output::line(&causes::arithmetic(&record))?;
        }
        Format::Json => {
            for object in causes::arithmetic_objects(&record) {
                output::json(&object)?;
            }
        }
    }
    Ok(Outcome::Fine)
}
