//! Whom it hits.

use super::super::number::{count, counted};
use super::super::words::contrast;
use crate::incident::diagnosis::Finding;
use crate::incident::record::Record;

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
    let failed = during.errored + during.unanswered;
    if record.server.is_none() {
        "the watched network.".into()
    } else if stays_away(record) {
        "clients whose queries do not reach this point any more: they cannot be counted.".into()
    } else if failed * 100 <= during.decided() {
        "hardly any client so far: queries are answered.".into()
    } else if during.answered * 100 <= during.decided() {
        "all clients alike.".into()
    } else {
        "clients and names alike: nothing sets failed queries apart from answered ones.".into()
    }
}
