//! `sensor report`: an incident that was kept.

use anyhow::{Context, Result};

use super::Outcome;
use crate::cli::ReportArguments;
use crate::incident::Record;
use crate::incident::store::{Store, StoreError};
use crate::present::incident::IncidentObject;
use crate::present::output::{self, Format};
use crate::present::{redact, report, words};

/// Runs the command.
///
/// # Errors
/// There is no such incident.
pub fn run(arguments: &ReportArguments) -> Result<Outcome> {
    let store = Store::new(arguments.state.as_deref());
    if arguments.list {
        let ids = store.ids()?;
        if ids.is_empty() {
            eprintln!("{}", store.is_empty_in_words());
        }
        for id in ids {
            // One that cannot be read hides no other.
            let record = match store.read(&id) {
                Ok(record) => masked(record, arguments)?,
                Err(error) => {
                    tell(error);
                    continue;
                }
            };
            match arguments.output {
                Format::Json => output::json(&IncidentObject::new(&record, None))?,
                Format::Text => output::line(&format!(
                    "{}  {}  {}  {}  {}",
                    record.id,
                    report::time(record.detected_ms),
                    record.level.name(),
                    record.stage.name(),
                    words::first_cause(&record)
                ))?,
            };
        }
        return Ok(Outcome::Fine);
    }
    let record = if let Some(id) = &arguments.id {
        store.read(id)?
    } else {
        let (record, broken) = store.newest()?;
        broken.into_iter().for_each(tell);
        record
    };
    // The packets have the addresses in them.
    let packets = store.pcap(&record.id).filter(|_| !arguments.redact);
    let record = masked(record, arguments)?;
    match arguments.output {
        Format::Json => output::json(&record)?,
        Format::Text => output::line(&report::markdown(&record, packets.as_deref()))?,
    };
    Ok(Outcome::Fine)
}

/// What does not stop the command.
fn tell(error: StoreError) {
    eprintln!("warning: {:#}", anyhow::Error::from(error));
}

fn masked(record: Record, arguments: &ReportArguments) -> Result<Record> {
    if arguments.redact {
        redact::redact(&record).context("cannot mask the record")
    } else {
        Ok(record)
    }
}
