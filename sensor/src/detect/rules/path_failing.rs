//! Somebody asks many servers, and none of them answers any more: its way to them is gone, and none is down for that.

use sensor_common::server::ServerKey;

use crate::detect::facts::NetworkFacts;
use crate::detect::history::{float, share};
use crate::detect::interval;
use crate::detect::level::Level;
use crate::detect::reading::{Reading, Unit, percent};
use crate::detect::rule::Rule;
use crate::measure::address::ip;
use crate::measure::counted::counted;

/// Servers that were asked lately.
const SERVERS: usize = 8;
/// Queries that it takes.
const QUERIES: u64 = 10;

/// Queries from which on it is known what is usual.
const KNOWN: f64 = 20.0;

/// Somebody whose queries fail at most servers.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Who asks.
    pub asker: ServerKey,
    /// Share of its queries that fail.
    pub share: f64,
    /// What is usual.
    pub usual: Option<f64>,
    /// Servers that it asked lately, and those that answered.
    pub servers: usize,
    /// See `servers`.
    pub answering: usize,
    /// It is surely above what is usual.
    pub fires: bool,
    /// It was never seen to be any better, and others are served: it may live without.
    pub is_all_that_is_known: bool,
}

/// The worst.
#[must_use]
pub fn worst(facts: &NetworkFacts<'_>) -> Option<Cut> {
    let scanners: Vec<_> = facts
        .askers
        .scanners(facts.place, facts.limits)
        .map(|(scanner, _)| *scanner)
        .collect();
    let candidates = facts.askers.by_client.iter().filter(|(client, asker)| {
        asker.lately_servers.len() >= SERVERS
            && asker.lately.answered + asker.lately.failed >= QUERIES
            && !scanners.contains(client)
    });
    let cut = candidates.map(|(client, asker)| {
        let lately = &asker.lately;
        let decided = lately.answered + lately.failed;
        let usual = facts.askers.usual(client);
        let above = facts
            .limits
            .failed_share
            .warning
            .max((facts.limits.usual_rise * usual.upper()).min(0.9));
        // Without history there must be none at all.
        let least = if usual.count() < KNOWN {
            asker.lately_answering.is_empty() && lately.failed >= 2 * QUERIES
        } else {
            interval::lower(float(lately.failed), float(decided)) > above
        };
        Cut {
            asker: *client,
            share: share(lately.failed, decided),
            usual: usual.mean(),
            servers: asker.lately_servers.len(),
            answering: asker.lately_answering.len(),
            fires: least,
            is_all_that_is_known: usual.count() < KNOWN
                && facts.askers.by_client.iter().any(|(other, asker)| {
                    other != client && asker.lately.answered > asker.lately.failed
                }),
        }
    });
    cut.max_by(|a, b| {
        (a.fires, a.share)
            .partial_cmp(&(b.fires, b.share))
            .unwrap_or(std::cmp::Ordering::Equal)
    })
}

/// See the module.
#[must_use]
pub fn read(facts: &NetworkFacts<'_>) -> Reading {
    let limits = facts.limits;
    let cut = worst(facts);
    let part = cut.as_ref().map_or(0.0, |cut| cut.share);
    let reading = Reading::new(
        Rule::PathFailing,
        Unit::Share,
        part,
        limits.failed_share.warning,
        Some(limits.failed_share.critical),
    );
    let Some(cut) = cut else {
        return reading;
    };
    if facts.place.one_direction {
        return reading.unknown("only one direction of the traffic is seen");
    }
    let most = if facts.path_lasts && !cut.is_all_that_is_known {
        Level::Critical
    } else {
        Level::Warning
    };
    reading
        .against(cut.usual)
        .graded()
        .at_most(most)
        .only_if(cut.fires)
        .saying(|| {
            format!(
                "{} of the queries of {} to {} failed; {} of these still answer",
                percent(cut.share),
                ip(&cut.asker),
                counted(cut.servers as u64, "server"),
                cut.answering
            )
        })
}
