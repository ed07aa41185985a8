//! Queries that got an answer that is of use: it arrived, and is not the error that the incident is about.

use crate::detect::Rule;
use crate::detect::history::share;
use crate::incident::diagnosis::Finding;
use crate::incident::record::{Record, Summary};

/// Shares of the completed queries that got a useful answer.
pub struct Useful {
    /// In the incident.
    pub during: f64,
    /// Before it, where anything was asked.
    pub before: Option<f64>,
}

/// `None` where the incident is not about answers: then each answer is useful.
#[must_use]
pub fn useful(record: &Record) -> Option<Useful> {
    let (before, during) = (&record.before, &record.during);
    let has = |rules: &[Rule]| rules.iter().any(|rule| has(record, *rule));
    let says_no = has(&[Rule::RcodeShift, Rule::RandomNames]);
    let lost = has(&[Rule::AnswersLost, Rule::Fragments]).then(|| lost(record));
    let cut = has(&[Rule::TcpFails, Rule::Truncation]).then(|| cut(during));
    if record.server.is_none()
        || during.decided() == 0
        || (!says_no && lost.is_none() && cut.is_none())
    {
        return None;
    }
    let part = |summary: &Summary| {
        let errors = if says_no {
            errors(record, summary)
        } else {
            0.0
        };
        share(summary.answered, summary.decided()) * (1.0 - errors)
    };
    Some(Useful {
        during: part(during) * (1.0 - lost.unwrap_or(0.0)) * (1.0 - cut.unwrap_or(0.0)),
        before: (before.decided() != 0).then(|| part(before)),
    })
}

/// Whether a rule fired.
pub fn has(record: &Record, rule: Rule) -> bool {
    let mut symptoms = record.symptoms.iter();
    symptoms.any(|symptom| symptom.rule == rule.name())
}

/// Whether an rcode is a failure in this incident: one that says that something went wrong, or that it is about.
#[must_use]
pub fn is_error(record: &Record, rcode: &str) -> bool {
    match rcode {
        "NOERROR" => false,
        "NXDOMAIN" => record
            .findings
            .iter()
            .any(|found| matches!(found, Finding::NameError { .. })),
        _ => true,
    }
}

/// Share of the answers.
fn errors(record: &Record, summary: &Summary) -> f64 {
    let errors = summary.rcodes.iter();
    let errors = errors.filter(|(rcode, _)| is_error(record, rcode));
    share(
        errors.map(|(_, many)| many).sum(),
        summary.rcodes.values().sum(),
    )
}

/// Share of the answers that did not arrive: they were asked for again, or ICMP errors say so.
fn lost(record: &Record) -> f64 {
    let again = asked_again(record).map_or(0.0, |(again, answered)| share(again, answered));
    again.max(share(too_big(&record.during), record.during.responses))
}

/// ICMP errors that say that an answer was too large.
#[must_use]
pub fn too_big(summary: &Summary) -> u64 {
    ["too_big", "time_exceeded"]
        .iter()
        .filter_map(|kind| summary.icmp_about_responses.get(*kind))
        .sum()
}

/// Queries that were asked again after the answer, and all that were answered.
#[must_use]
pub fn asked_again(record: &Record) -> Option<(u64, u64)> {
    let sent = &record.sent_again;
    if sent.after_answer != 0 {
        return Some((sent.after_answer, sent.answered));
    }
    record.findings.iter().find_map(|found| match found {
        Finding::AskedAgain { again, answered }
        | Finding::AskedAgainInPart { again, answered }
        | Finding::LargeAskedAgain { again, answered } => Some((*again, *answered)),
        _ => None,
    })
}

/// Share of the answers that were truncated and that nobody fetched over TCP.
fn cut(during: &Summary) -> f64 {
    let fetched = during.tcp[1].min(during.truncated);
    share(during.truncated - fetched, during.responses).min(1.0)
}
