//! Responses to somebody who did not ask: servers are asked in our name.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sensor_common::server::ServerKey;

use crate::detect::facts::NetworkFacts;
use crate::detect::history::{float, share};
use crate::detect::reading::{Reading, Unit, percent};
use crate::detect::rule::Rule;
use crate::measure::address::prefix;
use crate::measure::counted::counted;
use crate::measure::dossier::Dossier;
use crate::measure::sketch::Prefix;

/// Responses are looked at over so long.
const SPAN: Duration = Duration::from_secs(2);
/// At ten times the threshold it is critical.
const CRITICAL: f64 = 10.0;
/// Share of one receiver.
const MOST: f64 = 0.5;
/// Bytes of an answer that is worth reflecting, in the mean.
const LARGE: f64 = 300.0;

/// Servers that answer several receivers in one network, none of whom any client here was ever answered by: those of a way
/// on which the queries do not pass are few, and answer others.
const STRANGERS: usize = 10;
const NEARLY_ALL: f64 = 0.9;

/// What comes without having been asked for.
#[derive(Clone, Copy, Debug)]
pub struct Unasked {
    /// Who gets most of it: one address, or those of a network.
    pub victim: Prefix,
    /// This host gets it.
    pub is_here: bool,
    /// What it usually gets, in responses a second.
    pub usual: f64,
    /// Responses a second to it.
    pub rate: f64,
    /// Share of all responses.
    pub share: f64,
    /// Bytes of one, in the mean.
    pub bytes: f64,
    /// Servers that send it.
    pub servers: usize,
}

/// See there. Answers of servers that fail, or failed a moment ago, are late ones.
#[must_use]
pub fn worst(facts: &NetworkFacts<'_>) -> Option<Unasked> {
    let from = facts.now.saturating_sub(SPAN);
    let mut receivers: BTreeMap<_, Vec<&Dossier>> = BTreeMap::new();
    let mut all = 0;
    for dossier in facts.recent.iter().filter(|dossier| {
        let last = dossier.answers.last();
        last.is_some_and(|answer| answer.at >= from)
    }) {
        all += u64::from(dossier.weight);
        if dossier.copies.is_empty() && !(facts.is_failing)(&dossier.server) {
            receivers.entry(dossier.client).or_default().push(dossier);
        }
    }
    let unasked: u64 = receivers.values().map(|d| weigh(d)).sum();
    let usual = |client: &ServerKey| (facts.usual_unmatched)(client);
    let (client, dossiers) = receivers.iter().max_by_key(|(_, d)| weigh(d))?;
    let (victim, is_here, usual, dossiers) = if share(weigh(dossiers), unasked) >= MOST {
        let is_here = facts.place.addresses.contains(client);
        let dossiers = dossiers.clone();
        (Prefix::host(*client), is_here, usual(client), dossiers)
    } else {
        let (network, clients) = attacked_network(facts, &receivers)?;
        let of = || clients.iter().filter_map(|client| receivers.get(client));
        let dossiers: Vec<&Dossier> = of().flatten().copied().collect();
        (network, false, clients.iter().map(usual).sum(), dossiers)
    };
    let many = weigh(&dossiers);
    if share(many, unasked) < MOST {
        return None;
    }
    let bytes = dossiers.iter().flat_map(|dossier| &dossier.answers);
    let bytes: u64 = bytes.map(|answer| u64::from(answer.bytes)).sum();
    let servers: BTreeSet<_> = dossiers.iter().map(|dossier| dossier.server).collect();
    Some(Unasked {
        victim,
        is_here,
        usual,
        rate: float(many) / SPAN.as_secs_f64(),
        share: share(many, all),
        bytes: share(bytes, dossiers.len() as u64),
        servers: servers.len(),
    })
}

fn weigh(dossiers: &[&Dossier]) -> u64 {
    let weights = dossiers.iter().map(|dossier| u64::from(dossier.weight));
    weights.sum()
}

/// The network whose addresses together get most, each a little, from many servers that are strangers; and those.
fn attacked_network(
    facts: &NetworkFacts<'_>,
    receivers: &BTreeMap<ServerKey, Vec<&Dossier>>,
) -> Option<(Prefix, Vec<ServerKey>)> {
    let mut networks: BTreeMap<Prefix, (u64, Vec<ServerKey>)> = BTreeMap::new();
    for (client, dossiers) in receivers {
        let (many, clients) = networks.entry(Prefix::network(*client)).or_default();
        *many += weigh(dossiers);
        clients.push(*client);
    }
    let (network, (many, clients)) = networks.into_iter().max_by_key(|(_, (many, _))| *many)?;
    let of_it = clients.iter().filter_map(|client| receivers.get(client));
    let of_strangers: Vec<&Dossier> = of_it
        .flatten()
        .filter(|dossier| (facts.is_stranger)(&dossier.server))
        .copied()
        .collect();
    let servers: BTreeSet<_> = of_strangers.iter().map(|dossier| dossier.server).collect();
    let are_strangers = share(weigh(&of_strangers), many) >= NEARLY_ALL;
    (servers.len() >= STRANGERS && are_strangers).then_some((network, clients))
}

/// See the module.
#[must_use]
pub fn read(facts: &NetworkFacts<'_>) -> Reading {
    let limits = facts.limits;
    let unasked = worst(facts);
    let rate = unasked.map_or(0.0, |unasked| unasked.rate);
    let usual = unasked.map_or(0.0, |unasked| unasked.usual);
    let warning = limits.unmatched_rate.max(limits.usual_rise * usual);
    let reading = Reading::new(
        Rule::Reflection,
        Unit::PerSecond,
        rate,
        warning,
        Some(CRITICAL * warning),
    )
    .against(Some(usual));
    let Some(unasked) = unasked else {
        return reading;
    };
    // What this host asks passes here: what comes to it from several servers nobody asked for.
    let is_sure = unasked.is_here && unasked.servers > 1;
    if facts.place.one_direction {
        return reading.unknown("only one direction of the traffic is seen");
    }
    reading
        .graded()
        .only_if(unasked.share >= limits.unmatched_share && (unasked.bytes >= LARGE || is_sure))
        .saying(|| {
            format!(
                "{} gets {rate:.0} responses a second that it did not ask for, {} of all, {:.0} bytes each, from {}",
                prefix(&unasked.victim),
                percent(unasked.share),
                unasked.bytes,
                counted(unasked.servers as u64, "server")
            )
        })
}
