//! What is read first: how far it is and how bad, the likely cause, whom it hits.

use super::super::number::{count, counted, milliseconds, rate, share, span};
use super::super::words::{self, contrast, finding};
use super::super::{calendar, number};
use super::document::{Status, Verdict};
use crate::detect::rules::RULES;
use crate::detect::{Level, Rule};
use crate::incident::Cause;
use crate::incident::diagnosis::Finding;
use crate::incident::diagnosis::rank::LEAST;
use crate::incident::record::{Record, Stage, SymptomRecord};

/// Reasons for one cause.
const REASONS: usize = 3;
/// Reasons for each of two.
const REASONS_OF_TWO: usize = 2;
/// From here on an open incident is said to be quiet.
const QUIET_MS: u64 = 2_000;

/// How far it is, since when, and how bad.
#[must_use]
pub fn status(record: &Record) -> Status {
    let level = record.level.name();
    let from = calendar::date(record.onset_ms);
    let so_far = span(record.updated_ms.saturating_sub(record.onset_ms));
    let lasted = span(record.last_symptom_ms.saturating_sub(record.onset_ms));
    let last = calendar::until(record.onset_ms, record.last_symptom_ms);
    let (word, is_ongoing, time) = match record.stage {
        Stage::Open => (
            format!("ONGOING, {level}"),
            true,
            format!("since {from} UTC ({so_far} so far{}).", quiet(record)),
        ),
        Stage::Eased => (
            format!(
                "ONGOING, eased from {} to {}",
                Level::Critical.name(),
                Level::Warning.name()
            ),
            true,
            format!("since {from} UTC ({so_far} so far{}).", quiet(record)),
        ),
        Stage::Closed => (
            format!("OVER, was {level}"),
            false,
            format!("from {from} to {last} UTC ({lasted})."),
        ),
        Stage::Stale => (
            format!("STALE, was {level}"),
            true,
            format!(
                "since {from} UTC; last symptom at {last}. Without traffic it is unknown whether it goes on."
            ),
        ),
        Stage::Unfinished => (
            format!("UNFINISHED, {level}"),
            true,
            format!(
                "since {from} UTC; the observation ended {so_far} later, before the incident did{}.",
                quiet(record)
            ),
        ),
    };
    Status {
        word,
        is_ongoing,
        text: format!("{time} {}", impact(record)),
    }
}

fn quiet(record: &Record) -> String {
    match record.updated_ms.saturating_sub(record.last_symptom_ms) {
        0..QUIET_MS => String::new(),
        quiet => format!(", quiet for {}", span(quiet)),
    }
}

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
    format!(
        "{} of {} completed queries answered ({}){pending}{usually}.",
        count(during.answered),
        count(decided),
        share(during.answered, decided)
    )
}

/// Seconds of a summary.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    #[expect(clippy::cast_sign_loss, reason = "a length of time")]
    span((seconds * 1e3) as u64)
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
            text: format!("{}{}", weight(record, *one), words::cause::meaning(*one)),
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
                    "({}). The evidence does not separate them.",
                    words::list(&weights)
                ),
                reasons: both,
            }
        }
    }
}

fn weight(record: &Record, cause: Cause) -> String {
    words::cause::weight(record, cause)
        .map_or_else(String::new, |weight| format!("({weight} dB). "))
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

/// Whom it hits.
#[must_use]
pub fn affects(record: &Record) -> String {
    let whom = match &record.affects {
        Some(common) => format!("{}.", contrast::short(common)),
        None => of_a_finding(record).unwrap_or_else(|| in_general(record)),
    };
    if record.clients.addresses == 0 || record.server.is_none() {
        return whom;
    }
    format!(
        "{whom} Sampled clients: {}, in {}.",
        count(record.clients.addresses as u64),
        counted(record.clients.networks as u64, "network")
    )
}

fn of_a_finding(record: &Record) -> Option<String> {
    record.findings.iter().find_map(|found| match found {
        Finding::UnaskedAnswers { victim, .. } => Some(format!("{victim} and its link.")),
        Finding::LargeAnswers { network } => {
            Some(format!("{network}, which receives the answers."))
        }
        Finding::NoServerAnswers { resolver, .. } => {
            Some(format!("{resolver} and all clients that use it."))
        }
        Finding::TcpNotAccepted { .. } => {
            Some("clients that need TCP (truncated answers, zone transfers).".into())
        }
        Finding::LooksAround => Some("no client: the scanned addresses do not answer.".into()),
        _ => None,
    })
}

/// Nothing sets those that fail apart.
fn in_general(record: &Record) -> String {
    let during = &record.during;
    let failed = during.errored + during.unanswered;
    if record.server.is_none() {
        "the watched network.".into()
    } else if failed * 100 <= during.decided() {
        "hardly any client so far: queries are answered.".into()
    } else if during.answered * 100 <= during.decided() {
        "all clients alike.".into()
    } else {
        "clients and names alike: nothing sets failed queries apart from answered ones.".into()
    }
}
