//! What is read first: how far it is, and the likely cause.

use super::super::calendar;
use super::super::number::span;
use super::super::words::{self, finding};
use super::document::{Status, Verdict};
use super::impact::{impact, sentence};
use crate::detect::Level;
use crate::incident::Cause;
use crate::incident::diagnosis::rank::LEAST;
use crate::incident::record::{Placed, Record, Stage};

/// Reasons for one cause.
const REASONS: usize = 3;
/// Reasons for each of two.
const REASONS_OF_TWO: usize = 2;
/// What weights mean.
const ODDS: &str = "10 dB are odds of 10 to 1";
/// From here on an open incident is said to be quiet.
const QUIET_MS: u64 = 2_000;

/// How far it is, since when, and how bad.
#[must_use]
pub fn status(record: &Record) -> Status {
    let level = record.level.name();
    let from = calendar::date(record.onset_ms);
    let older = older(record);
    let so_far = span(record.updated_ms.saturating_sub(record.onset_ms));
    let lasted = span(record.last_symptom_ms.saturating_sub(record.onset_ms));
    let last = calendar::until(record.onset_ms, record.last_symptom_ms);
    let (word, is_ongoing, time) = match record.stage {
        Stage::Open => (
            format!("ONGOING, {level}"),
            true,
            format!(
                "since {from} UTC{older} ({so_far} so far{}).",
                quiet(record)
            ),
        ),
        Stage::Eased => (
            format!(
                "ONGOING, eased from {} to {}",
                Level::Critical.name(),
                Level::Warning.name()
            ),
            true,
            format!(
                "since {from} UTC{older} ({so_far} so far{}).",
                quiet(record)
            ),
        ),
        Stage::Closed => (
            format!("OVER, was {level}"),
            false,
            format!("from {from}{older} to {last} UTC ({lasted})."),
        ),
        Stage::Stale => (
            format!("STALE, was {level}"),
            true,
            format!(
                "since {from} UTC{older}; last symptom at {last}. Without traffic it is unknown whether it goes on."
            ),
        ),
        Stage::Unfinished => (
            format!("ONGOING when {} ended, {level}", words::observation(record)),
            true,
            format!(
                "since {from} UTC{older} ({so_far} until then{}).",
                quiet(record)
            ),
        ),
        Stage::EndNotSeen => (
            format!("OVER, end not seen, was {level}"),
            false,
            format!(
                "from {from} UTC{older}; last symptom at {last}. {} ended {so_far} after the onset, while the incident was \
                 open; when it went on there was no symptom.",
                sentence(words::observation(record))
            ),
        ),
    };
    Status {
        word,
        is_ongoing,
        level: record.level,
        text: format!("{time} {}", impact(record)),
    }
}

/// That it may be older than what was seen of it.
fn older(record: &Record) -> &'static str {
    match (words::may_be_older(record), record.placed) {
        (false, _) => "",
        (true, Placed::Live) => " or before, as the observation began then",
        (true, Placed::Given | Placed::Assumed) => " or before, as the capture begins there",
    }
}

fn quiet(record: &Record) -> String {
    match record.updated_ms.saturating_sub(record.last_symptom_ms) {
        0..QUIET_MS => String::new(),
        quiet => format!(", quiet for {}", span(quiet)),
    }
}

/// The whole incident in two sentences.
#[must_use]
pub fn summary(record: &Record) -> String {
    format!(
        "{}: {} {}",
        words::subject(record),
        impact(record),
        in_a_sentence(record)
    )
}

/// The likely cause as a sentence.
#[must_use]
pub fn in_a_sentence(record: &Record) -> String {
    match record.first_cause.as_slice() {
        [] => "Cause unknown: no known cause matches the evidence.".into(),
        [one] => format!("Likely cause: {}.", named(record, *one)),
        [one, other, ..] => format!(
            "Likely cause: {} or {}; the evidence does not separate them.",
            named(record, *one),
            named(record, *other)
        ),
    }
}

/// A cause with its weight.
#[must_use]
pub fn named(record: &Record, cause: Cause) -> String {
    let name = words::cause::name(cause);
    words::cause::weight(record, cause)
        .map_or_else(|| name.into(), |weight| format!("{name} ({weight} dB)"))
}

/// The likely cause and its strongest reasons.
#[must_use]
pub fn verdict(record: &Record) -> Verdict {
    let reasons = |cause: Cause, most: usize| -> Vec<String> {
        let ranked = record.causes.iter().find(|ranked| ranked.cause == cause);
        let reasons = ranked.into_iter().flat_map(|ranked| &ranked.reasons);
        reasons
            .filter_map(|at| record.findings.get(*at))
            .map(|found| finding::sentence(found, record))
            .take(most)
            .collect()
    };
    match record.first_cause.as_slice() {
        [] => Verdict {
            name: "Cause unknown:".into(),
            text: unknown(record),
            reasons: record
                .findings
                .iter()
                .map(|found| finding::sentence(found, record))
                .take(REASONS)
                .collect(),
        },
        [one] => Verdict {
            name: format!("Likely cause: {}", words::cause::name(*one)),
            text: format!(
                "{}{}",
                weight(record, *one),
                words::cause::meaning_in(record, *one)
            ),
            reasons: reasons(*one, REASONS),
        },
        [one, other, ..] => {
            let mut both: Vec<String> = Vec::new();
            for cause in [*one, *other] {
                for reason in reasons(cause, REASONS_OF_TWO) {
                    if !both.contains(&reason) {
                        both.push(reason);
                    }
                }
            }
            both.truncate(REASONS);
            let weights = [*one, *other].map(|cause| words::cause::weight(record, cause));
            let weights: Vec<String> = weights
                .iter()
                .flatten()
                .map(|weight| format!("{weight} dB"))
                .collect();
            Verdict {
                name: format!(
                    "Likely cause: {} or {}",
                    words::cause::name(*one),
                    words::cause::name(*other)
                ),
                text: format!(
                    "({}; {ODDS}). The evidence does not separate them.",
                    words::list(&weights)
                ),
                reasons: both,
            }
        }
    }
}

fn weight(record: &Record, cause: Cause) -> String {
    words::cause::weight(record, cause)
        .map_or_else(String::new, |weight| format!("({weight} dB; {ODDS}). "))
}

fn unknown(record: &Record) -> String {
    let best = record.causes.first().filter(|best| best.weight > 0);
    best.map_or_else(
        || "no known cause matches the evidence.".into(),
        |best| {
            format!(
                "the best match, {}, is below the {LEAST} dB that it takes.",
                named(record, best.cause)
            )
        },
    )
}
