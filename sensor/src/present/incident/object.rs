//! The one form in which an incident goes to programs: alerts, commands, webhooks, reports and lists.

use std::net::IpAddr;

use serde::Serialize;

use super::super::report;
use super::super::schema::SCHEMA;
use crate::detect::{Level, Subject};
use crate::incident::tracker::Shadow;
use crate::incident::{Change, Record};
use crate::measure::address::ip;

/// The record, and beside it what has changed and the whole in two sentences.
#[derive(Debug, Serialize)]
pub struct IncidentObject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'static str>,
    summary: String,
    #[serde(flatten)]
    record: &'a Record,
}

impl<'a> IncidentObject<'a> {
    /// Of a record; `change` where one is the occasion.
    #[must_use]
    pub fn new(record: &'a Record, change: Option<Change>) -> Self {
        Self {
            change: change.map(Change::name),
            summary: report::summary(record),
            record,
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
            schema: SCHEMA,
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
