//! Incidents in a line, for people.

use super::super::number::span;
use super::super::words::{self, contrast, finding, subject};
use super::super::{calendar, report};
use crate::detect::{Level, Subject};
use crate::incident::diagnosis::Contrast;
use crate::incident::kept::Kept;
use crate::incident::record::Record;
use crate::incident::tracker::Shadow;
use crate::incident::{Cause, Change};
use crate::measure::address::ip;

/// From here on an open incident is said to be quiet.
const QUIET_MS: u64 = 2_000;

/// A rule in shadow mode.
#[must_use]
pub fn shadow(shadow: &Shadow) -> String {
    let of = match &shadow.subject {
        Subject::Server(key) => ip(key).to_string(),
        Subject::Network => "the watched network".into(),
    };
    let reading = &shadow.reading;
    format!(
        "shadow mode: {of}: {}: {}: {} (no incident: --shadow {})",
        reading.level().map_or("", Level::name),
        reading.rule.title(),
        reading.detail,
        reading.rule.name()
    )
}

/// What has changed.
#[must_use]
pub fn change(change: Change, record: &Record) -> String {
    let (subject, level) = (subject(record), record.level.name());
    match change {
        Change::Opened => format!("INCIDENT {subject} {level}: {}", why(record)),
        Change::Worsened => format!("INCIDENT {subject} now {level}: {}", why(record)),
        Change::Cause => format!(
            "INCIDENT {subject} {level}: new likely cause: {}",
            why(record)
        ),
        Change::Symptom => format!(
            "INCIDENT {subject} {level}: new symptom: {}; {}",
            newest(record),
            cause(record)
        ),
        Change::Eased => format!(
            "incident {subject} eased to {}: {}",
            Level::Warning.name(),
            cause(record)
        ),
        Change::Closed => format!(
            "incident {subject} over after {}: {}",
            span(record.last_symptom_ms.saturating_sub(record.onset_ms)),
            cause(record)
        ),
        Change::Stale => format!(
            "incident {subject} stale (nothing seen since {} UTC): {}",
            calendar::date(record.last_symptom_ms),
            cause(record)
        ),
    }
}

/// The cause, its strongest reason, and whom it hits.
fn why(record: &Record) -> String {
    let reason = reason(record).map(|reason| format!(". {reason}"));
    // Once is enough, where that is the reason.
    let is_new = |common: &&Contrast| {
        let said = format!(". {}", contrast::sentence(common, record));
        reason.as_ref() != Some(&said)
    };
    let affects = record.affects.as_ref().filter(is_new);
    let affects = affects.map(|common| format!(" Affects {}.", contrast::short(common, record)));
    format!(
        "{}{}{}",
        cause(record),
        reason.unwrap_or_default(),
        affects.unwrap_or_default()
    )
}

/// The likely cause with its weight.
fn cause(record: &Record) -> String {
    let named = |cause: Cause| report::named(record, cause);
    match record.first_cause.as_slice() {
        [] => "cause unknown: no known cause matches the evidence".into(),
        [one] => named(*one),
        [one, other, ..] => format!("{} or {}", named(*one), named(*other)),
    }
}

/// The strongest reason for the first cause; of an unknown cause, its newest symptom.
fn reason(record: &Record) -> Option<String> {
    let first = record.first_cause.first().and_then(|first| {
        let ranked = record.causes.iter().find(|ranked| ranked.cause == *first)?;
        let found = record.findings.get(*ranked.reasons.first()?)?;
        Some(finding::sentence(found, record))
    });
    let newest =
        || (!record.symptoms.is_empty()).then(|| format!("{}.", report::sentence(&newest(record))));
    first.or_else(newest)
}

fn newest(record: &Record) -> String {
    record.symptoms.last().map_or_else(String::new, |symptom| {
        format!("{}: {}", symptom.title, symptom.detail)
    })
}

/// An incident that is open when the sensor ends, and where its report is.
#[must_use]
pub fn unfinished(record: &Record, kept: Option<&Kept>) -> String {
    let quiet = match record.updated_ms.saturating_sub(record.last_symptom_ms) {
        0..QUIET_MS => String::new(),
        quiet => format!(" (quiet for {})", span(quiet)),
    };
    let report = kept.map_or_else(
        || "its record could not be kept".into(),
        |kept| format!("report: `sensor report {}{}`", record.id, kept.option()),
    );
    format!(
        "incident {} still open{quiet}, {}: {}; {report}",
        subject(record),
        record.level.name(),
        cause(record)
    )
}

/// An incident of a capture, in a few lines.
#[must_use]
pub fn told(record: &Record) -> String {
    let symptoms: Vec<String> = record
        .symptoms
        .iter()
        .map(|symptom| format!("{} ({})", symptom.title, symptom.detail))
        .collect();
    format!(
        "incident {} {}: {}\n  from {}: {}\n  symptoms: {}",
        subject(record),
        record.level.name(),
        why(record),
        calendar::time(record.onset_ms),
        report::impact(record),
        symptoms.join("; ")
    )
}

/// One line of `sensor report --list`.
#[must_use]
pub fn listed(record: &Record) -> String {
    format!(
        "{}  {}  {}  {}  {}",
        record.id,
        calendar::time(record.detected_ms),
        record.level.name(),
        record.stage.name().replace('_', " "),
        words::cause::first(record)
    )
}
