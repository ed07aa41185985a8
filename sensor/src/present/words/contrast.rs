//! Whom an incident affects.

use sensor_common::totals::QTYPES;

use super::super::{names, number};
use super::this_host;
use crate::detect::{RULES, Rule};
use crate::incident::diagnosis::Contrast;
use crate::incident::diagnosis::contrast::Property;
use crate::incident::record::{Party, Record};

/// What the failures have in common, and how the rest fares, in one sentence.
#[must_use]
pub fn sentence(contrast: &Contrast, record: &Record) -> String {
    let value = &contrast.value;
    let (are, others) = match contrast.property {
        Property::ClientNetwork => (format!("come from {value}"), "queries from other networks"),
        Property::ThisHost => (
            format!("come from {} itself", this_host(record)),
            "queries from others",
        ),
        Property::Unit => (format!("are asked by {value}"), "queries from others"),
        Property::NameBelow => (
            format!("are for names below {}", zone(value)),
            "queries for other names",
        ),
        Property::QuestionType => (
            format!("are queries of type {}", qtype(value)),
            "queries of other types",
        ),
        Property::Edns => (format!("are queries {value} EDNS"), "other queries"),
        Property::LargeAnswer => (
            "are queries with large answers".into(),
            "queries with small answers",
        ),
    };
    // Where nothing fails, what is wrong is in the answers.
    let (failures, fine) = if contrast.denied {
        ("the queries that got an error answer", "got a normal one")
    } else if contrast.slow {
        ("the slow answers", "were answered as fast as ever")
    } else if is_asked_again(record) {
        (
            "the queries that were sent again after the answer",
            "were not sent again",
        )
    } else {
        ("the failed queries", "were answered")
    };
    format!(
        "{} of {failures} {are}; of the {others}, {} {fine}.",
        sentence_case(contrast.of_failures),
        number::percent(contrast.rest_ok)
    )
}

/// What sets them apart is told of the answers that do not arrive: of the queries none fails.
fn is_asked_again(record: &Record) -> bool {
    let has = |rule: Rule| {
        let mut symptoms = record.symptoms.iter();
        symptoms.any(|symptom| symptom.rule == rule.name())
    };
    let fails = RULES
        .iter()
        .any(|spec| spec.rule.is_failure() && spec.rule != Rule::AnswersLost && has(spec.rule));
    has(Rule::AnswersLost) && !fails
}

/// The same in a few words, for one line.
#[must_use]
pub fn short(contrast: &Contrast, record: &Record) -> String {
    let value = &contrast.value;
    match contrast.property {
        Property::ClientNetwork => format!("clients in {value}"),
        Property::ThisHost => format!("{} only", this_host(record)),
        Property::Unit => format!("{value} of {}", this_host(record)),
        Property::NameBelow => format!("names below {}", zone(value)),
        Property::QuestionType => format!("type {} queries", qtype(value)),
        Property::Edns => format!("queries {value} EDNS"),
        Property::LargeAnswer => "queries with large answers".into(),
    }
}

fn sentence_case(share: f64) -> String {
    if share >= 1.0 {
        "All".into()
    } else {
        number::percent(share)
    }
}

/// A zone; the root has no letters of its own.
#[must_use]
pub fn zone(zone: &str) -> &str {
    if zone.is_empty() || zone == "." {
        "the root"
    } else {
        zone
    }
}

/// A question that fails: its name and its type.
#[must_use]
pub fn question(party: &Party) -> String {
    let of_type = party.what.as_deref().map(qtype);
    format!("{} {}", zone(&party.who), of_type.unwrap_or_default())
}

/// A question type by its mnemonic.
#[must_use]
pub fn qtype(value: &str) -> String {
    match value.parse::<usize>() {
        Ok(number) if number < QTYPES - 1 => names::qtype(number),
        Ok(number) => format!("TYPE{number}"),
        Err(_) => value.into(),
    }
}
