//! The table of weights, and how the causes of one incident were weighed.

use std::fmt::Write;

use serde::Serialize;

use super::report::term;
use super::schema::SCHEMA;
use super::words::{self, finding, subject};
use crate::incident::Cause;
use crate::incident::diagnosis::kind::Kind;
use crate::incident::diagnosis::rank::{LEAST, MARGIN};
use crate::incident::diagnosis::{Finding, weights};
use crate::incident::record::Record;

/// What a kind of finding says of a cause, in decibans.
#[derive(Debug, Serialize)]
pub struct WeightObject {
    schema: u32,
    kind: &'static str,
    /// The kind of finding.
    finding: String,
    cause: Cause,
    decibans: i32,
}

/// A finding of an incident and what it adds to a cause.
#[derive(Debug, Serialize)]
pub struct TermObject<'a> {
    schema: u32,
    kind: &'static str,
    /// The incident.
    id: &'a str,
    cause: Cause,
    /// The sum of this cause.
    weight: i32,
    decibans: i32,
    finding: &'a Finding,
    /// In words.
    text: String,
}

/// The code of a kind of finding: its name in snake case.
fn code(kind: Kind) -> String {
    let mut code = String::new();
    for letter in format!("{kind:?}").chars() {
        if letter.is_ascii_uppercase() && !code.is_empty() {
            code.push('_');
        }
        code.push(letter.to_ascii_lowercase());
    }
    code
}

/// The whole table.
#[must_use]
pub fn table() -> String {
    let mut text = format!(
        "Decibans that each kind of finding adds to each cause; 10 are odds of 10 to 1. A cause is likely from {LEAST} on, \
         alone if the next is {MARGIN} behind.\n"
    );
    for (kind, row) in weights::WEIGHTS {
        let mut row = row.to_vec();
        row.sort_by_key(|(cause, weight)| (-weight, *cause));
        let terms: Vec<String> = row
            .iter()
            .map(|(cause, weight)| format!("{} {weight:+}", cause.code()))
            .collect();
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{:<27}{}", code(*kind), terms.join(", "));
    }
    text
}

/// The whole table, an object for each weight.
#[must_use]
pub fn table_objects() -> Vec<WeightObject> {
    let rows = weights::WEIGHTS.iter();
    rows.flat_map(|(kind, row)| {
        row.iter().map(|(cause, decibans)| WeightObject {
            schema: SCHEMA,
            kind: "weight",
            finding: code(*kind),
            cause: *cause,
            decibans: *decibans,
        })
    })
    .collect()
}

/// The sums of an incident, with their terms.
#[must_use]
pub fn arithmetic(record: &Record) -> String {
    let mut text = format!(
        "{}: {} ({})",
        subject(record),
        words::cause::first(record),
        record.id
    );
    if record.causes.is_empty() {
        text.push_str("\n\nNo finding speaks for any cause.");
    }
    for ranked in &record.causes {
        let _ = write!(
            text,
            "\n\n{} {} dB",
            words::cause::name(ranked.cause),
            ranked.weight
        );
        for at in ranked.reasons.iter().chain(&ranked.against) {
            if let Some(found) = record.findings.get(*at) {
                let decibans = term(found, ranked.cause);
                let _ = write!(
                    text,
                    "\n  {decibans:+4}  {}",
                    finding::sentence(found, record)
                );
            }
        }
    }
    text
}

/// The sums of an incident, an object for each term.
#[must_use]
pub fn arithmetic_objects(record: &Record) -> Vec<TermObject<'_>> {
    let mut objects = Vec::new();
    for ranked in &record.causes {
        for at in ranked.reasons.iter().chain(&ranked.against) {
            let Some(found) = record.findings.get(*at) else {
                continue;
            };
            objects.push(TermObject {
                schema: SCHEMA,
                kind: "term",
                id: &record.id,
                cause: ranked.cause,
                weight: ranked.weight,
                decibans: term(found, ranked.cause),
                finding: found,
                text: finding::sentence(found, record),
            });
        }
    }
    objects
}
