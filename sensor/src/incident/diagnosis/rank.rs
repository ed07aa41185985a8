//! Sums up what speaks for each cause, and sorts. A sum does not depend on the order of its terms.

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::finding::Finding;
use super::weights;

/// A cause with less speaks for nothing.
pub const LEAST: i32 = 10;
/// Causes that are nearer to each other cannot be told apart.
pub const MARGIN: i32 = 10;

/// A cause, and what speaks for and against it, as indexes into the findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranked {
    /// Which.
    pub cause: Cause,
    /// Decibans.
    pub weight: i32,
    /// What speaks for it, the strongest first.
    #[serde(rename = "for")]
    pub reasons: Vec<usize>,
    /// What speaks against it, the strongest first.
    pub against: Vec<usize>,
}

/// All causes for which something speaks, the likeliest first.
#[must_use]
pub fn rank(findings: &[Finding]) -> Vec<Ranked> {
    let mut ranked: Vec<Ranked> = Cause::ALL
        .iter()
        .map(|cause| of(*cause, findings))
        .filter(|ranked| !ranked.reasons.is_empty())
        .collect();
    ranked.sort_by_key(|ranked| (std::cmp::Reverse(ranked.weight), ranked.cause));
    ranked
}

fn of(cause: Cause, findings: &[Finding]) -> Ranked {
    let mut terms: Vec<(i32, usize)> = Vec::new();
    for (at, finding) in findings.iter().enumerate() {
        let row = weights::of(finding.kind());
        let weight = row.iter().find(|(of, _)| *of == cause);
        terms.extend(weight.map(|(_, weight)| (*weight, at)));
    }
    terms.sort_by_key(|(weight, at)| (std::cmp::Reverse(weight.abs()), *at));
    let side = |is: fn(i32) -> bool| {
        let terms = terms.iter().filter(|(weight, _)| is(*weight));
        terms.map(|(_, at)| *at).collect()
    };
    Ranked {
        cause,
        weight: terms.iter().map(|(weight, _)| weight).sum(),
        reasons: side(|weight| weight > 0),
        against: side(|weight| weight < 0),
    }
}

/// The first cause: one is likely, of two it cannot be told which, none is unknown.
#[must_use]
pub fn first(ranked: &[Ranked]) -> Vec<Cause> {
    let likely = ranked.iter().filter(|ranked| ranked.weight >= LEAST);
    let mut likely = likely.take(2);
    let Some(first) = likely.next() else {
        return Vec::new();
    };
    let tied = likely.filter(|second| first.weight - second.weight < MARGIN);
    std::iter::once(first.cause)
        .chain(tied.map(|second| second.cause))
        .collect()
}
