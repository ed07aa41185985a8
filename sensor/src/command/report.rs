//! `sensor report`: an incident that was kept.

use anyhow::{Context, Result};

use super::Outcome;
use crate::cli::ReportArguments;
use crate::incident::store::Store;
use crate::present::incident::IncidentObject;
use crate::present::output::{self, Format};
use crate::present::{redact, report};

/// Runs the command.
///
/// # Errors
/// There is no such incident.
pub fn run(arguments: &ReportArguments) -> Result<Outcome> {
    let store = Store::new(arguments.state.as_deref());
    if arguments.list {
        for id in store.ids() {
            let record = store.read(Some(&id))?;
            match arguments.output {
                Format::Json => output::json(&IncidentObject::new(&record, None))?,
                Format::Text => output::line(&format!(
                    "{id}  {}  {}  {}  {}",
                    report::time(record.detected_ms),
                    record.level,
                    record.stage.name(),
                    record.first_cause
                ))?,
            };
        }
        return Ok(Outcome::Fine);
    }
    let mut record = store.read(arguments.id.as_deref())?;
    let mut packets = store.pcap(&record.id);
    if arguments.redact {
        record = redact::redact(&record).context("cannot mask the record")?;
        // The packets have the addresses in them.
        packets = None;
    }
    match arguments.output {
        Format::Json => output::json(&record)?,
        Format::Text => output::line(&report::markdown(&record, packets.as_deref()))?,
    };
    Ok(Outcome::Fine)
}
