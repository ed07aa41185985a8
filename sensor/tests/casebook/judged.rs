//! What a record of today says, in the codes of the casebook. The only file that knows the record.

use std::time::Duration;

use sensor::incident::Record;
use sensor::incident::record::Stage;

/// An incident at one moment.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// When it was said, by the time of the packets.
    pub at: Duration,
    pub id: String,
    /// None: the whole network.
    pub server: Option<String>,
    pub is_critical: bool,
    pub is_closed: bool,
    pub detected: Duration,
    /// Codes, and since when.
    pub symptoms: Vec<(String, Duration)>,
    /// Codes: one is likely, two are tied, none is unknown.
    pub first_cause: Vec<String>,
}

/// From a record. Times count from `origin`.
pub fn said(at: Duration, origin: Duration, record: &Record) -> Said {
    let since = |ms: u64| Duration::from_millis(ms).saturating_sub(origin);
    Said {
        at: at.saturating_sub(origin),
        id: record.id.clone(),
        server: record.server.clone(),
        is_critical: record.level == "critical",
        is_closed: record.stage == Stage::Closed,
        detected: since(record.detected_ms),
        symptoms: record
            .signs
            .iter()
            .map(|sign| (symptom(&sign.rule), since(sign.since_ms)))
            .collect(),
        first_cause: causes(&record.first_cause),
    }
}

/// Of the rules of today.
fn symptom(rule: &str) -> String {
    match rule {
        "servfail" | "refused" => "rcode_shift",
        other => other,
    }
    .into()
}

/// Of the words of today.
fn causes(text: &str) -> Vec<String> {
    if let Some(two) = text.strip_prefix("cannot tell ") {
        return two.split(" from ").map(code).collect();
    }
    if text.starts_with("unknown") || text.is_empty() {
        return Vec::new();
    }
    vec![code(text)]
}

fn code(name: &str) -> String {
    name.replace(": ", "_").replace(' ', "_").to_lowercase()
}
