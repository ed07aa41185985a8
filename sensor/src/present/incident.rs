//! Incidents in a line, and as an object of JSON.

use std::net::IpAddr;
use std::path::Path;

use serde::Serialize;

use super::report::{self, subject};
use super::words;
use crate::detect::{Level, Subject, Vantage};
use crate::incident::diagnosis::Contrast;
use crate::incident::record::{Record, SymptomRecord};
use crate::incident::tracker::Shadow;
use crate::incident::{Cause, Change, Record as Incident};
use crate::measure::address::ip;

/// An incident, or what has changed in it.
#[derive(Debug, Serialize)]
pub struct IncidentObject<'a> {
    schema: u32,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'static str>,
    id: &'a str,
    server: Option<&'a str>,
    level: Level,
    stage: &'static str,
    vantage: Vantage,
    onset_ms: u64,
    detected_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_ms: Option<u64>,
    last_symptom_ms: u64,
    updated_ms: u64,
    first_cause: &'a [Cause],
    causes: Vec<Cause>,
    symptoms: &'a [SymptomRecord],
    #[serde(skip_serializing_if = "Option::is_none")]
    affects: Option<&'a Contrast>,
    summary: String,
}

impl<'a> IncidentObject<'a> {
    /// Of a record; `change` if it is told because of one.
    #[must_use]
    pub fn new(record: &'a Incident, change: Option<Change>) -> Self {
        Self {
            schema: super::schema::SCHEMA,
            kind: "incident",
            change: change.map(Change::name),
            id: &record.id,
            server: record.server.as_deref(),
            level: record.level,
            stage: record.stage.name(),
            vantage: record.vantage,
            onset_ms: record.onset_ms,
            detected_ms: record.detected_ms,
            ended_ms: record.ended_ms,
            last_symptom_ms: record.last_symptom_ms,
            updated_ms: record.updated_ms,
            first_cause: &record.first_cause,
            causes: record.causes.iter().map(|ranked| ranked.cause).collect(),
            symptoms: &record.symptoms,
            affects: record.affects.as_ref(),
            summary: report::summary(record),
        }
    }
}

/// A rule that fires and opens no incident (`--shadow`).
#[derive(Debug, Serialize)]
pub struct ShadowObject<'a> {
    schema: u32,
    kind: &'static str,
    at_ms: u64,
    server: Option<IpAddr>,
    rule: &'static str,
    level: Option<Level>,
    detail: &'a str,
}

impl<'a> ShadowObject<'a> {
    /// At a time in milliseconds since 1970.
    #[must_use]
    pub fn new(shadow: &'a Shadow, at_ms: u64) -> Self {
        Self {
            schema: super::schema::SCHEMA,
            kind: "shadow",
            at_ms,
            server: match &shadow.subject {
                Subject::Server(key) => Some(ip(key)),
                Subject::Network => None,
            },
            rule: shadow.reading.rule.name(),
            level: shadow.reading.level(),
            detail: &shadow.reading.detail,
        }
    }
}

/// The same in a line.
#[must_use]
pub fn shadow(shadow: &Shadow) -> String {
    let of = match &shadow.subject {
        Subject::Server(key) => ip(key).to_string(),
        Subject::Network => "the watched network".into(),
    };
    let reading = &shadow.reading;
    format!(
        "in the shadow: {of}, {}: {}: {} (no incident: --shadow {})",
        reading.level().map_or("", Level::name),
        reading.rule.title(),
        reading.detail,
        reading.rule.name()
    )
}

/// What has changed, in a line.
#[must_use]
pub fn change(change: Change, record: &Record) -> String {
    let what = match change {
        Change::Opened => "INCIDENT",
        Change::Worsened => "INCIDENT is critical",
        Change::Symptom => "INCIDENT, new symptom",
        Change::Cause => "INCIDENT has another likely cause",
        Change::Eased => "incident eases",
        Change::Closed => "incident is over",
        Change::Stale => "incident is stale",
    };
    let symptom = record.symptoms.last().filter(|_| change != Change::Closed);
    let detail = symptom.map_or_else(String::new, |symptom| {
        format!("; {}: {}", symptom.title, symptom.detail)
    });
    format!(
        "{what}: {}, {}: {}{detail}",
        subject(record),
        record.level.name(),
        words::first_cause(record)
    )
}

/// An incident that goes on when the sensor ends. `state` is the directory, where it was named.
#[must_use]
pub fn unfinished(record: &Record, state: Option<&Path>) -> String {
    let calm = record.updated_ms.saturating_sub(record.last_symptom_ms);
    let calm = if calm < CALM_MS {
        String::new()
    } else {
        format!(" (quiet for {} s)", calm / 1000)
    };
    let state = state.map_or_else(String::new, |state| format!(" --state {}", state.display()));
    format!(
        "incident goes on{calm}: {}, {}: {}; `sensor report {}{state}` has the report",
        subject(record),
        record.level.name(),
        words::first_cause(record),
        record.id
    )
}

/// From here on an incident that goes on is said to be calm.
const CALM_MS: u64 = 2_000;

/// An incident of a capture, in a few lines.
#[must_use]
pub fn told(record: &Record) -> String {
    let symptoms: Vec<String> = record
        .symptoms
        .iter()
        .map(|symptom| format!("{} ({})", symptom.title, symptom.detail))
        .collect();
    format!(
        "incident: {}, {}: {}\n  from {}: {}",
        subject(record),
        record.level.name(),
        words::first_cause(record),
        report::time(record.onset_ms),
        symptoms.join("; ")
    )
}
