//! Whom it hits.

use super::super::number::{count, counted};
use super::super::words::{contrast, finding};
use super::impact::percent_about;
use super::useful::useful;
use crate::incident::diagnosis::Finding;
use crate::incident::record::Record;

/// A part of the queries that is hardly any.
const HARDLY: f64 = 0.01;
/// A question that stands for what fails.
const MUCH: f64 = 0.5;

/// Whom it hits.
#[must_use]
pub fn affects(record: &Record) -> String {
    // Own clients are served: what strangers have in common is not whom it hits.
    let whom = strangers(record).unwrap_or_else(|| match &record.affects {
        Some(common) => format!("{}.", contrast::short(common, record)),
        None => of_a_finding(record).unwrap_or_else(|| in_general(record)),
    });
    let whom = format!("{whom}{}", question(record));
    if record.clients.addresses == 0 || record.server.is_none() {
        return whom;
    }
    format!(
        "{whom} Sampled clients: {}, in {}.",
        count(record.clients.addresses as u64),
        counted(record.clients.networks as u64, "network")
    )
}

fn strangers(record: &Record) -> Option<String> {
    record.findings.iter().find_map(|found| match found {
        Finding::StrangersRefused { strangers, served } => {
            let common = record.affects.as_ref().map_or_else(String::new, |common| {
                format!(" ({})", contrast::short(common, record))
            });
            Some(format!(
                "{} that the server had not answered before{common}; {}.",
                counted(*strangers, "source"),
                finding::known_clients(*served)
            ))
        }
        _ => None,
    })
}

/// What most of the failing queries ask for.
fn question(record: &Record) -> String {
    let failing = &record.failing;
    let most = failing
        .questions
        .first()
        .filter(|most| crate::detect::history::share(most.count, failing.failed) >= MUCH);
    most.map_or_else(String::new, |most| {
        format!(
            " {} of {} ask for {}.",
            count(most.count),
            counted(failing.failed, "sampled failed query"),
            contrast::question(most)
        )
    })
}

fn of_a_finding(record: &Record) -> Option<String> {
    record.findings.iter().find_map(|found| match found {
        Finding::UnaskedAnswers { victim, .. } => Some(format!("{victim} and its link.")),
        Finding::LargeAnswers { network, others: 0 } => {
            Some(format!("{network}, which receives the answers."))
        }
        Finding::LargeAnswers { network, others } => Some(format!(
            "{network} and {}, which receive the answers.",
            counted(*others, "other network")
        )),
        Finding::NoServerAnswers { resolver, .. } => {
            Some(format!("{resolver} and all clients that use it."))
        }
        Finding::TcpNotAccepted { .. } => {
            Some("clients that need TCP (truncated answers, zone transfers).".into())
        }
        Finding::AnswersTooBig { .. }
        | Finding::FragmentsMissing { .. }
        | Finding::LargeAskedAgain { .. } => {
            Some("queries with large answers, of clients behind the narrow link.".into())
        }
        Finding::AnswersLimited { network, .. } => {
            Some(format!("{network}; other networks are served."))
        }
        Finding::RandomNames { zone, .. } => Some(format!("names below {}.", contrast::zone(zone))),
        Finding::LooksAround => Some("no client: the scanned addresses do not answer.".into()),
        _ => None,
    })
}

/// Queries do not come any more.
fn stays_away(record: &Record) -> bool {
    record
        .findings
        .iter()
        .any(|found| matches!(found, Finding::QueriesStayAway))
}

/// Nothing sets those that fail apart.
fn in_general(record: &Record) -> String {
    let during = &record.during;
    let served = useful(record).map_or_else(
        || crate::detect::history::share(during.answered, during.decided()),
        |useful| useful.during,
    );
    let only = record
        .clients
        .heaviest
        .first()
        .filter(|_| record.clients.addresses == 1);
    if record.server.is_none() {
        "the watched network.".into()
    } else if stays_away(record) {
        "clients whose queries do not reach this point any more: they cannot be counted.".into()
    } else if 1.0 - served <= HARDLY {
        "hardly any client so far: queries are answered.".into()
    } else if let Some(only) = only {
        format!("{}, the only client seen.", only.who)
    } else if served <= HARDLY {
        "all clients alike.".into()
    } else {
        format!(
            "clients and names alike: {} of the queries get no useful answer, and nothing sets them apart.",
            percent_about(1.0 - served)
        )
    }
}
