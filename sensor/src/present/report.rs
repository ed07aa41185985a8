//! The report of an incident.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::words;
use crate::incident::record::Record;

/// A time of the calendar, in UTC.
#[must_use]
pub fn time(ms: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(ms);
    humantime::format_rfc3339_millis(time).to_string()
}

/// The server, or the network.
#[must_use]
pub fn subject(record: &Record) -> String {
    let server = record.server.clone();
    server.unwrap_or_else(|| "the watched network".into())
}

/// In a sentence or two.
#[must_use]
pub fn summary(record: &Record) -> String {
    let during = &record.during;
    format!(
        "{}: {} of {} queries answered. Likely cause: {}.",
        subject(record),
        during.answered,
        during.asked,
        words::first_cause(record)
    )
}

/// In Markdown.
#[must_use]
pub fn markdown(record: &Record, _packets: Option<&Path>) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "# DNS incident: {}", summary(record));
    for ranked in &record.causes {
        let _ = writeln!(text, "- {} {}", words::cause(ranked.cause), ranked.weight);
        for at in &ranked.reasons {
            let _ = writeln!(text, "  - for: {:?}", record.findings.get(*at));
        }
        for at in &ranked.against {
            let _ = writeln!(text, "  - against: {:?}", record.findings.get(*at));
        }
    }
    let _ = writeln!(
        text,
        "before {:?}\nduring {:?}",
        record.before, record.during
    );
    text
}
