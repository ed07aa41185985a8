//! One source asks far more than the others, and than it usually does.

use std::collections::BTreeMap;
use std::time::Duration;

use sensor_common::server::ServerKey;

use super::{query_flood, slow};
use crate::detect::facts::Facts;
use crate::detect::history::share;
use crate::detect::rcode::NOERROR;
use crate::detect::reading::{Reading, Unit, percent};
use crate::detect::rule::Rule;
use crate::measure::address::ip;
use crate::measure::dossier::End;

/// The source's share is of the dossiers of so long.
const SPAN: Duration = Duration::from_secs(3);
/// And of so many at least.
const ENOUGH: u64 = 20;
/// Of what a secondary asks, the serials of its zones.
const NEARLY_ALL: f64 = 0.9;
/// The type of those (RFC 1035, 3.2.2).
const SOA: u16 = 6;
/// Queries that a resolver sends one server for each that it answers, at worst.
const EACH: f64 = 3.0;
/// The same where that server does not answer, or slowly.
const AGAIN: f64 = 10.0;

/// The source that asks a server most, its share, and its queries a second.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// Who.
    pub address: ServerKey,
    /// Its share of the queries.
    pub share: f64,
    /// Queries a second.
    pub rate: f64,
    /// Queries a second of another source, in the mean.
    pub others: f64,
}

/// See there.
#[must_use]
pub fn heaviest(facts: &Facts<'_>) -> Option<Source> {
    let mut counts: BTreeMap<ServerKey, u64> = BTreeMap::new();
    let mut all = 0;
    for dossier in facts.asked_in(SPAN) {
        // Copies are queries as well.
        let many = u64::from(dossier.weight) * dossier.copies.len() as u64;
        *counts.entry(dossier.client).or_default() += many;
        all += many;
    }
    let (address, many) = counts.iter().max_by_key(|(_, many)| **many)?;
    if all < ENOUGH {
        return None;
    }
    let whole = facts.state.history.over(SPAN);
    let rate = whole.rate(whole.counters.queries);
    let part = share(*many, all);
    #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
    let others = (counts.len() - 1).max(1) as f64;
    Some(Source {
        address: *address,
        share: part,
        rate: rate * part,
        others: rate * (1.0 - part) / others,
    })
}

/// Whether a source is a secondary that asks for the serials of its zones, and is told (RFC 1996, RFC 1034 4.3.5): after a
/// restart for all of them at once.
fn keeps_zones(facts: &Facts<'_>, source: &ServerKey) -> bool {
    let (mut soa, mut all) = (0, 0);
    let asked = facts
        .asked_in(SPAN)
        .filter(|dossier| dossier.client == *source);
    for dossier in asked {
        let is_soa = dossier
            .question
            .as_ref()
            .is_some_and(|question| question.qtype == SOA);
        let end = dossier.end(facts.now(), facts.clock.timeout);
        let is_told = match end {
            End::Answered(answer) => usize::from(answer.rcode) == NOERROR,
            End::Waiting => true,
            _ => false,
        };
        soa += u64::from(is_soa && is_told);
        all += 1;
    }
    share(soa, all) >= NEARLY_ALL
}

/// See the module.
#[must_use]
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let (warning, critical) = (limits.source_rate.warning, limits.source_rate.critical);
    let reading = |rate| {
        Reading::new(
            Rule::OneSource,
            Unit::PerSecond,
            rate,
            warning,
            Some(critical),
        )
    };
    let Some(source) = heaviest(facts) else {
        return reading(0.0).unknown("too few queries");
    };
    let reading = reading(source.rate);
    if facts
        .place
        .trusted
        .iter()
        .any(|trusted| trusted.contains(&source.address))
    {
        return reading.unknown("the heaviest source is trusted");
    }
    let harmed = slow::is_harmed(facts);
    // A resolver asks a server all that it is asked, and asks it again where it does not answer. What counts is
    // what it answers: queries to it can be sent by anyone.
    let most = if harmed { AGAIN } else { EACH };
    if source.rate <= most * facts.network.answers_of(&source.address) {
        return reading.unknown("the heaviest source is a server that answers as much");
    }
    // So fast that it harms, or may, it is a flood whatever it asks.
    let is_much = harmed || source.rate >= limits.flood_rate.critical;
    if !is_much && keeps_zones(facts, &source.address) {
        return reading.unknown("the heaviest source asks whether its zones are current");
    }
    let known = facts.network.usual_of(&source.address, limits);
    let usual = known.unwrap_or(0.0);
    let rises = source.rate > limits.flood_rise.warning * usual;
    let stands_out = source.rate > limits.source_rise * source.others;
    let has_most = source.share > limits.source_share;
    // A client that asks much, and all are answered as ever, is no news at that rate; and who has always asked
    // so much is known only after a while.
    let matters = match known {
        Some(_) => source.rate >= critical || (has_most && query_flood::is_on(facts)) || harmed,
        None => harmed && has_most && source.rate >= critical,
    };
    reading
        .against(known)
        .graded()
        .only_if(rises && matters && (stands_out || has_most))
        .saying(|| {
            let usual = known.map_or_else(String::new, |usual| format!(", usually {usual:.0}"));
            format!(
                "{} asks {:.0} times a second, {} of all queries{usual}",
                ip(&source.address),
                source.rate,
                percent(source.share)
            )
        })
}
