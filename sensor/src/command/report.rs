//! `sensor report`: an incident that was kept.

use anyhow::Result;

use super::Outcome;
use crate::cli::{ReportArguments, ReportFormat};
use crate::incident::Record;
use crate::incident::store::{Store, StoreError};
use crate::present::incident::{self, IncidentObject};
use crate::present::{output, redact, report};

/// Runs the command.
///
/// # Errors
/// There is no such incident.
pub fn run(arguments: &ReportArguments) -> Result<Outcome> {
    let store = Store::new(arguments.state.as_deref());
    if arguments.list {
        return list(&store, arguments);
    }
    let record = find(&store, arguments.id.as_deref())?;
    // The packets have the addresses in them.
    let packets = store.pcap(&record.id).filter(|_| !arguments.redact);
    let record = masked(record, arguments);
    match arguments.output {
        ReportFormat::Json => output::json(&IncidentObject::new(&record, None))?,
        ReportFormat::Md => output::line(&report::markdown(&record, packets.as_deref()))?,
        ReportFormat::Html => output::line(&report::html(&record, packets.as_deref()))?,
    };
    Ok(Outcome::Fine)
}

/// A line, or an object, for each.
fn list(store: &Store, arguments: &ReportArguments) -> Result<Outcome> {
    let ids = store.ids()?;
    if ids.is_empty() {
        eprintln!("{}", store.is_empty_in_words());
    }
    for id in ids {
        // One that cannot be read hides no other.
        let record = match store.read(&id) {
            Ok(record) => masked(record, arguments),
            Err(error) => {
                warn(error);
                continue;
            }
        };
        match arguments.output {
            ReportFormat::Json => output::json(&IncidentObject::new(&record, None))?,
            ReportFormat::Md | ReportFormat::Html => output::line(&incident::listed(&record))?,
        };
    }
    Ok(Outcome::Fine)
}

/// The record of an incident; of the newest that can be read, where none is named.
///
/// # Errors
/// There is none.
pub(super) fn find(store: &Store, id: Option<&str>) -> Result<Record, StoreError> {
    if let Some(id) = id {
        return store.read(id);
    }
    let (record, broken) = store.newest()?;
    broken.into_iter().for_each(warn);
    Ok(record)
}

/// What does not stop the command.
fn warn(error: StoreError) {
    eprintln!("warning: {:#}", anyhow::Error::from(error));
}

fn masked(record: Record, arguments: &ReportArguments) -> Record {
    if arguments.redact {
        redact::redact(&record)
    } else {
        record
    }
}
