//! How bad it is.

use super::super::number::{
    self, count, counted, milliseconds, part_of, percent, rate, share, span, were,
};
use super::super::words::{self, finding};
use super::useful::{asked_again, is_error, too_big, useful};
use crate::detect::RULES;
use crate::detect::Rule;
use crate::incident::diagnosis::Finding;
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
    let during = &record.during;
    let detail = || Some(format!("{}.", sentence(&symptom.detail)));
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
            let p95 = during.p95_ms?;
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
        Rule::AnswersLost => asked_again(record).map_or_else(detail, |(again, answered)| {
            Some(format!(
                "{} of {} ({}) were asked again.",
                count(again),
                counted(answered, "answered query"),
                share(again, answered)
            ))
        }),
        Rule::Fragments => match too_big(during) {
            0 => detail(),
            errors => Some(format!(
                "{} about {}: answers are too large.",
                counted(errors, "ICMP error"),
                counted(during.responses, "response")
            )),
        },
        Rule::TcpFails => match during.tcp {
            [0, ..] => detail(),
            [syns, accepted, _] => Some(format!(
                "{} accepted; {} truncated.",
                part_of(accepted, syns, "SYN"),
                were(during.truncated, "answer")
            )),
        },
        Rule::Collapse
        | Rule::Truncation
        | Rule::Garbage
        | Rule::FragmentFlood
        | Rule::SynFlood
        | Rule::Reflection
        | Rule::Scan => detail(),
    }
}

/// The most frequent rcode that is a failure.
fn error_answers(record: &Record) -> Option<String> {
    let rcodes = &record.during.rcodes;
    let all: u64 = rcodes.values().sum();
    let errors = rcodes.iter().filter(|(rcode, _)| is_error(record, rcode));
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

/// How many queries got an answer, or one that is of use.
fn answered(record: &Record) -> String {
    let (before, during) = (&record.before, &record.during);
    let decided = during.decided();
    if decided == 0 {
        return format!(
            "{} received; no query has been answered or has timed out yet.",
            counted(during.queries, "query packet")
        );
    }
    if let Some(text) = strangers(record) {
        return text;
    }
    let pending = match during.waiting {
        0 => String::new(),
        waiting => format!(", {} more pending", count(waiting)),
    };
    let usually = |share: Option<String>| {
        let share = share.filter(|_| !words::may_be_older(record));
        share.map_or_else(String::new, |share| {
            format!(
                "; in the {} s before, {share}",
                number::plain(before.seconds)
            )
        })
    };
    let Some(useful) = useful(record) else {
        let all = before.decided();
        let usually = usually((all != 0).then(|| share(before.answered, all)));
        return format!("{}{pending}{usually}.", of_all(record));
    };
    let usually = usually(useful.before.map(percent));
    let part = about(useful.during).unwrap_or_else(|| "None".into());
    let any = match during.answered {
        some if some == decided => String::new(),
        some => format!(" {} answered at all.", were(some, "query")),
    };
    format!(
        "{part} of {} got a useful answer{pending}{usually}.{any}",
        counted(decided, "query")
    )
}

/// "2,118 of 2,489 queries answered (85.1 %)"; an estimate says that it is one.
fn of_all(record: &Record) -> String {
    let during = &record.during;
    let (answered, decided) = (during.answered, during.decided());
    match (answered, record.sampling.shift) {
        (0, _) => format!("{} answered", part_of(0, decided, "query")),
        (_, 0) => format!(
            "{} answered ({})",
            part_of(answered, decided, "query"),
            share(answered, decided)
        ),
        (_, shift) => format!(
            "About {} of {} answered (estimated from 1 in {})",
            share(answered, decided),
            counted(decided, "query"),
            count(1 << shift.min(31))
        ),
    }
}

/// "About 12 %"; nothing where it is none.
fn about(share: f64) -> Option<String> {
    (share > 0.0).then(|| sentence(&percent_about(share)))
}

/// "about 12 %", and neither all nor nothing where it is not.
pub(super) fn percent_about(share: f64) -> String {
    let round = ((share * 100.0).round() / 100.0).clamp(0.01, 0.99);
    format!("about {}", percent(round))
}

/// Own clients are served: what is refused is of no use to strangers alone.
fn strangers(record: &Record) -> Option<String> {
    record.findings.iter().find_map(|found| match found {
        Finding::StrangersRefused { strangers, served } => Some(format!(
            "{}; {} refused that the server had not answered before.",
            sentence(&finding::known_clients(*served)),
            were(*strangers, "source")
        )),
        _ => None,
    })
}

/// Seconds of a summary.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    #[expect(clippy::cast_sign_loss, reason = "a length of time")]
    span((seconds * 1e3) as u64)
}
