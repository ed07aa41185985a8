//! What speaks against the likely cause, and what other causes have.

use super::super::words::{self, finding};
use super::head::named;
use crate::incident::Cause;
use crate::incident::diagnosis::{Ranked, weights};
use crate::incident::record::Record;

/// Findings against the likely cause.
const AGAINST: usize = 2;
/// Other causes.
const OTHERS: usize = 2;

/// Each a bullet.
#[must_use]
pub fn lines(record: &Record) -> Vec<String> {
    let is_first = |ranked: &&Ranked| record.first_cause.contains(&ranked.cause);
    let mut lines = Vec::new();
    for ranked in record.causes.iter().filter(is_first) {
        lines.extend(against(record, ranked));
    }
    if lines.is_empty() && !record.first_cause.is_empty() {
        lines.push("Nothing speaks against it.".into());
    }
    lines.truncate(AGAINST);
    let others: Vec<&Ranked> = record
        .causes
        .iter()
        .filter(|ranked| !is_first(ranked))
        .collect();
    let (likely, unlikely): (Vec<&Ranked>, Vec<&Ranked>) =
        others.iter().partition(|ranked| ranked.weight > 0);
    lines.extend(
        likely
            .iter()
            .take(OTHERS)
            .map(|ranked| other(record, ranked)),
    );
    let rest = likely.len().saturating_sub(OTHERS) + unlikely.len();
    if rest != 0 {
        lines.push(format!(
            "{rest} more with some evidence, outweighed or weaker: `sensor causes {}`.",
            record.id
        ));
    } else if likely.is_empty() {
        lines.push("No other cause has evidence for it.".into());
    }
    lines
}

fn against(record: &Record, ranked: &Ranked) -> Vec<String> {
    let findings = ranked
        .against
        .iter()
        .filter_map(|at| record.findings.get(*at));
    findings
        .map(|found| {
            format!(
                "Against {} ({} dB): {}",
                words::cause::name(ranked.cause),
                term(found, ranked.cause),
                finding::sentence(found, record)
            )
        })
        .collect()
}

fn other(record: &Record, ranked: &Ranked) -> String {
    let strongest = |side: &[usize]| {
        let found = record.findings.get(*side.first()?)?;
        Some(finding::sentence(found, record))
    };
    let reason = strongest(&ranked.reasons).unwrap_or_default();
    let against =
        strongest(&ranked.against).map_or_else(String::new, |against| format!(" But: {against}"));
    format!("{}: {reason}{against}", named(record, ranked.cause))
}

/// What a finding weighs for a cause, in decibans.
#[must_use]
pub fn term(found: &crate::incident::diagnosis::Finding, cause: Cause) -> i32 {
    let row = weights::of(found.kind()).iter();
    row.filter(|(of, _)| *of == cause)
        .map(|(_, weight)| *weight)
        .sum()
}
