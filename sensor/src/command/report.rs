//! `sensor report`: an incident that was kept.

use anyhow::{Context, Result};

use super::Outcome;
use crate::cli::ReportArguments;
use crate::incident::Record;
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
            // One that cannot be read hides no other.
            let record = match store.read(Some(&id)) {
                Ok(record) => masked(record, arguments)?,
                Err(error) => {
                    eprintln!("{:#}", anyhow::Error::from(error));
                    continue;
                }
            };
            match arguments.output {
                Format::Json => output::json(&IncidentObject::new(&record, None))?,
                Format::Text => output::line(&format!(
                    "{}  {}  {}  {}  {}",
                    record.id,
                    report::time(record.detected_ms),
                    record.level,
                    record.stage.name(),
                    record.first_cause
                ))?,
            };
        }
        return Ok(Outcome::Fine);
    }
    let record = store.read(arguments.id.as_deref())?;
    // The packets have the addresses in them.
    let packets = store.pcap(&record.id).filter(|_| !arguments.redact);
    let record = masked(record, arguments)?;
    match arguments.output {
        Format::Json => output::json(&record)?,
        Format::Text => output::line(&report::markdown(&record, packets.as_deref()))?,
    };
    Ok(Outcome::Fine)
}

fn masked(record: Record, arguments: &ReportArguments) -> Result<Record> {
    if arguments.redact {
        redact::redact(&record).context("cannot mask the record")
    } else {
        Ok(record)
    }
}
