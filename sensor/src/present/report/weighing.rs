//! What speaks against the likely cause, and what other causes have.

use super::super::number::counted;
use super::super::words::{self, finding};
use super::head::named;
use crate::incident::Cause;
use crate::incident::diagnosis::rank::LEAST;
use crate::incident::diagnosis::{Ranked, weights};
use crate::incident::kept::Kept;
use crate::incident::record::Record;

/// Findings against the likely cause.
const AGAINST: usize = 2;
/// Other causes.
const OTHERS: usize = 2;

/// Each a bullet. Only of a record that is kept there is a command to say more.
#[must_use]
pub fn lines(record: &Record, kept: Option<&Kept>) -> Vec<String> {
    let is_first = |ranked: &&Ranked| record.first_cause.contains(&ranked.cause);
    let mut lines: Vec<String> = record
        .causes
        .iter()
        .filter(is_first)
        .flat_map(|ranked| against(record, ranked))
        .take(AGAINST)
        .collect();
    if lines.is_empty() && !record.first_cause.is_empty() {
        lines.push("Nothing speaks against it.".into());
    }
    let others = record.causes.iter().filter(|ranked| !is_first(ranked));
    let (likely, weaker): (Vec<&Ranked>, Vec<&Ranked>) =
        others.partition(|ranked| ranked.weight >= LEAST);
    lines.extend(
        likely
            .iter()
            .take(OTHERS)
            .map(|ranked| other(record, ranked)),
    );
    let rest = likely.len().saturating_sub(OTHERS) + weaker.len();
    let which = if likely.is_empty() {
        "other cause"
    } else {
        "more cause"
    };
    let command = kept.map(|kept| format!("`sensor causes {}{}`", record.id, kept.option()));
    let more = command
        .as_ref()
        .map_or_else(String::new, |command| format!(": {command}"));
    match (rest, command) {
        (0, _) if likely.is_empty() => lines.push("No other cause has evidence for it.".into()),
        (0, Some(command)) => lines.push(format!("All weights: {command}.")),
        (0, None) => {}
        (rest, _) => lines.push(format!(
            "{} {} weaker{more}.",
            counted(rest as u64, which),
            if rest == 1 { "is" } else { "are" }
        )),
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
    let leading = record
        .causes
        .iter()
        .filter(|first| record.first_cause.contains(&first.cause));
    let is_known = leading
        .into_iter()
        .any(|first| ranked.reasons.iter().all(|at| first.reasons.contains(at)));
    let reason = if is_known {
        "on a part of the same evidence.".into()
    } else {
        strongest(&ranked.reasons).unwrap_or_default()
    };
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
