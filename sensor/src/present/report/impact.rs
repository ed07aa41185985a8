//! How bad it is.

use super::super::number::{self, count, counted, milliseconds, part_of, rate, share, span};
use crate::detect::RULES;
use crate::detect::Rule;
use crate::incident::record::{Record, SymptomRecord};

/// How bad it is, in a few sentences.
#[must_use]
pub fn impact(record: &Record) -> String {
    if record.server.is_none() {
        let worst = record.symptoms.iter().max_by_key(|symptom| symptom.level);
        return worst.map_or_else(String::new, |symptom| {
            format!("{}.", sentence(&symptom.detail))
        });
    }
    let mut parts = vec![answered(record)];
    for spec in &RULES {
        let fired = record
            .symptoms
            .iter()
            .find(|symptom| symptom.rule == spec.name);
        if let Some(text) = fired.and_then(|symptom| beside(spec.rule, symptom, record))
            && !parts.contains(&text)
        {
            parts.push(text);
        }
    }
    parts.join(" ")
}

/// What a symptom adds to how many queries were answered.
fn beside(rule: Rule, symptom: &SymptomRecord, record: &Record) -> Option<String> {
    match rule {
        Rule::PortUnreachable
        | Rule::Prohibited
        | Rule::HostUnreachable
        | Rule::Silent
        | Rule::PartialFailure
        | Rule::PartialRejection
        | Rule::PathFailing => None,
        Rule::RcodeShift => error_answers(record),
        Rule::Slow => {
            let p95 = record.during.p95_ms?;
            Some(format!(
                "95th percentile latency up to {}.",
                milliseconds(p95)
            ))
        }
        Rule::QueryFlood
        | Rule::OneSource
        | Rule::RandomNames
        | Rule::Amplification
        | Rule::Spoofed => {
            let range = &record.clients.rate;
            let usual = range.usual.map_or_else(
                || "no baseline yet".into(),
                |usual| format!("usually {}", rate(usual)),
            );
            Some(format!(
                "Peak {} queries/s ({usual}).",
                number::plain(range.worst)
            ))
        }
        Rule::Collapse
        | Rule::Truncation
        | Rule::TcpFails
        | Rule::Fragments
        | Rule::AnswersLost
        | Rule::Garbage
        | Rule::FragmentFlood
        | Rule::SynFlood
        | Rule::Reflection
        | Rule::Scan => Some(format!("{}.", sentence(&symptom.detail))),
    }
}

/// The most frequent rcode but NOERROR.
fn error_answers(record: &Record) -> Option<String> {
    let rcodes = &record.during.rcodes;
    let all: u64 = rcodes.values().sum();
    let errors = rcodes
        .iter()
        .filter(|(rcode, _)| rcode.as_str() != "NOERROR");
    let (rcode, many) = errors.max_by_key(|(_, many)| **many)?;
    Some(format!(
        "{rcode} in {} of {} ({}).",
        count(*many),
        counted(all, "answer"),
        share(*many, all)
    ))
}

/// With a capital letter.
#[must_use]
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn answered(record: &Record) -> String {
    let (before, during) = (&record.before, &record.during);
    let decided = during.decided();
    if decided == 0 {
        return format!(
            "{} received, none completed yet.",
            counted(during.queries, "query packet")
        );
    }
    let pending = match during.waiting {
        0 => String::new(),
        waiting => format!(", {} pending", count(waiting)),
    };
    let usually = match before.decided() {
        0 => String::new(),
        all => format!(
            "; in the {} s before, {}",
            number::plain(before.seconds),
            share(before.answered, all)
        ),
    };
    let in_percent = match during.answered {
        0 => String::new(),
        answered => format!(" ({})", share(answered, decided)),
    };
    format!(
        "{} answered{in_percent}{pending}{usually}.",
        part_of(during.answered, decided, "completed query")
    )
}

/// Seconds of a summary.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    #[expect(clippy::cast_sign_loss, reason = "a length of time")]
    span((seconds * 1e3) as u64)
}
