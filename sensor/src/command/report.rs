//! `sensor report`: an incident that was kept.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::Result;

use super::Outcome;
use crate::cli::{Moment, ReportArguments, ReportFormat, SortBy, UNKNOWN_CAUSE};
use crate::incident::Record;
use crate::incident::store::{Store, StoreError};
use crate::measure::counted::part_of;
use crate::notify::keep::now_ms;
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
    // The packets have the addresses in them, and so has the id.
    let kept = store.kept(&record.id).filter(|_| !arguments.redact);
    let record = masked(record, arguments);
    match arguments.output {
        ReportFormat::Json => output::json(&IncidentObject::new(&record, None))?,
        ReportFormat::Md => output::line(&report::markdown(&record, kept.as_ref()))?,
        ReportFormat::Html => output::line(&report::html(&record, kept.as_ref()))?,
    };
    Ok(Outcome::Fine)
}

/// A line, or an object, for each.
fn list(store: &Store, arguments: &ReportArguments) -> Result<Outcome> {
    let ids = store.ids()?;
    if ids.is_empty() {
        output::note(format_args!("{}", store.is_empty_in_words()));
    }
    let mut records = Vec::new();
    for id in &ids {
        // One that cannot be read hides no other.
        match store.read(id) {
            Ok(record) => records.push(record),
            Err(error) => warn(error),
        }
    }
    let all = records.len();
    let since = arguments.since.map(since_ms);
    records.retain(|record| is_asked_for(record, arguments, since));
    if records.is_empty() && all != 0 {
        output::note(format_args!(
            "{} matches",
            part_of(0, all as u64, "incident")
        ));
    }
    sort(&mut records, arguments.sort);
    for record in records {
        let record = masked(record, arguments);
        match arguments.output {
            ReportFormat::Json => output::json(&IncidentObject::new(&record, None))?,
            ReportFormat::Md | ReportFormat::Html => output::line(&incident::listed(&record))?,
        };
    }
    Ok(Outcome::Fine)
}

/// Milliseconds since 1970.
fn since_ms(moment: Moment) -> u64 {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match moment {
        Moment::At(at) => ms(at),
        Moment::After(ago) => now_ms().saturating_sub(ms(ago)),
    }
}

fn is_asked_for(record: &Record, arguments: &ReportArguments, since_ms: Option<u64>) -> bool {
    let of_server = |server: IpAddr| {
        let names = record.server.iter().chain(&record.also);
        names.into_iter().any(|name| name.parse() == Ok(server))
    };
    let of_cause = |code: &String| match record.first_cause.as_slice() {
        [] => code == UNKNOWN_CAUSE,
        causes => causes.iter().any(|cause| cause.code() == code),
    };
    since_ms.is_none_or(|since| record.last_symptom_ms >= since)
        && arguments.server.is_none_or(of_server)
        && arguments.cause.as_ref().is_none_or(of_cause)
}

/// Records come in the order of time, which stays among equals.
fn sort(records: &mut [Record], by: SortBy) {
    match by {
        SortBy::Time => {}
        SortBy::Level => records.sort_by_key(|record| Reverse(record.level)),
        SortBy::Length => records
            .sort_by_key(|record| Reverse(record.last_symptom_ms.saturating_sub(record.onset_ms))),
    }
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
    output::note(format_args!("warning: {:#}", anyhow::Error::from(error)));
}

fn masked(record: Record, arguments: &ReportArguments) -> Record {
    if arguments.redact {
        redact::redact(&record)
    } else {
        record
    }
}
