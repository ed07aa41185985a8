//! Incidents in a line, and as an object of JSON.

use std::net::IpAddr;
use std::path::Path;

use serde::Serialize;

use super::report::{self, subject};
use crate::detect::{Level, Subject};
use crate::incident::record::{Record, Sign};
use crate::incident::tracker::Shadow;
use crate::incident::{Change, Record as Incident};
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
    level: &'a str,
    stage: &'static str,
    vantage: &'a str,
    first_sign_ms: u64,
    detected_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_ms: Option<u64>,
    last_sign_ms: u64,
    updated_ms: u64,
    first_cause: &'a str,
    causes: Vec<&'a str>,
    signs: &'a [Sign],
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
            level: &record.level,
            stage: record.stage.name(),
            vantage: &record.vantage,
            first_sign_ms: record.first_sign_ms,
            detected_ms: record.detected_ms,
            ended_ms: record.ended_ms,
            last_sign_ms: record.last_sign_ms,
            updated_ms: record.updated_ms,
            first_cause: &record.first_cause,
            causes: record
                .causes
                .iter()
                .map(|ranked| ranked.cause.as_str())
                .collect(),
            signs: &record.signs,
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
    said: &'a str,
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
            said: &shadow.reading.said,
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
        reading.said,
        reading.rule.name()
    )
}

/// What has changed, in a line.
#[must_use]
pub fn change(change: Change, record: &Record) -> String {
    let what = match change {
        Change::Opened => "INCIDENT",
        Change::Worsened => "INCIDENT is critical",
        Change::Sign => "INCIDENT has another sign",
        Change::Cause => "INCIDENT has another likely cause",
        Change::Eased => "incident eases",
        Change::Closed => "incident is over",
        Change::Stale => "incident is stale",
    };
    let sign = record.signs.last().filter(|_| change != Change::Closed);
    let said = sign.map_or_else(String::new, |sign| {
        format!("; {}: {}", sign.title, sign.said)
    });
    format!(
        "{what}: {}, {}: {}{said}",
        subject(record),
        record.level,
        record.first_cause
    )
}

/// An incident that goes on when the sensor ends. `state` is the directory, where it was named.
#[must_use]
pub fn unfinished(record: &Record, state: Option<&Path>) -> String {
    let calm = record.updated_ms.saturating_sub(record.last_sign_ms);
    let calm = if calm < CALM_MS {
        String::new()
    } else {
        format!(" (no sign for {} s)", calm / 1000)
    };
    let state = state.map_or_else(String::new, |state| format!(" --state {}", state.display()));
    format!(
        "incident goes on{calm}: {}, {}: {}; `sensor report {}{state}` has the report",
        subject(record),
        record.level,
        record.first_cause,
        record.id
    )
}

/// From here on an incident that goes on is said to be calm.
const CALM_MS: u64 = 2_000;

/// An incident of a capture, in a few lines.
#[must_use]
pub fn told(record: &Record) -> String {
    let signs: Vec<String> = record
        .signs
        .iter()
        .map(|sign| format!("{} ({})", sign.title, sign.said))
        .collect();
    format!(
        "incident: {}, {}: {}\n  from {}: {}",
        subject(record),
        record.level,
        record.first_cause,
        report::time(record.first_sign_ms),
        signs.join("; ")
    )
}
