//! What a record says, in the codes of the casebook. The only file that knows the record.

use std::fmt;
use std::time::Duration;

use sensor::detect::Level;
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
    pub onset: Duration,
    /// Codes, and since when.
    pub symptoms: Vec<(String, Duration)>,
    /// Codes: one is likely, two are tied, none is unknown.
    pub first_cause: Vec<String>,
    /// What speaks for it.
    pub findings: Vec<String>,
}

/// One line, with what speaks for it.
impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.server.as_deref().unwrap_or("network");
        let (at, onset) = (self.at.as_secs_f64(), self.onset.as_secs_f64());
        write!(f, "{at:.2} s {server}, since {onset:.2} s:")?;
        for (symptom, since) in &self.symptoms {
            write!(f, " {symptom}@{:.2}", since.as_secs_f64())?;
        }
        let stage = match (self.is_closed, self.is_critical) {
            (true, _) => " (closed)",
            (false, true) => " (critical)",
            (false, false) => "",
        };
        let causes = self.first_cause.join(" = ");
        write!(f, "{stage}: {causes} <- {}", self.findings.join("; "))
    }
}

/// From a record. Times count from `origin`.
pub fn said(at: Duration, origin: Duration, record: &Record) -> Said {
    let since = |ms: u64| Duration::from_millis(ms).saturating_sub(origin);
    Said {
        at: at.saturating_sub(origin),
        id: record.id.clone(),
        server: record.server.clone(),
        is_critical: record.level == Level::Critical,
        is_closed: record.stage == Stage::Closed,
        detected: since(record.detected_ms),
        onset: since(record.onset_ms),
        symptoms: record
            .symptoms
            .iter()
            .map(|symptom| (symptom.rule.clone(), since(symptom.since_ms)))
            .collect(),
        first_cause: record
            .first_cause
            .iter()
            .map(|cause| cause.code().to_string())
            .collect(),
        findings: record
            .findings
            .iter()
            .map(|finding| format!("{finding:?}"))
            .collect(),
    }
}
