//! Small queries, large answers, one client network: its address is probably forged, and we help to flood it.

use std::collections::BTreeMap;

use crate::detect::facts::{Facts, LONG};
use crate::detect::history::{float, share};
use crate::detect::level::Level;
use crate::detect::reading::{Reading, State, Unit, percent};
use crate::detect::rule::Rule;
use crate::detect::spoof;
use crate::measure::address::prefix;
use crate::measure::dossier::Dossier;
use crate::measure::sketch::Prefix;

/// QTYPE of questions for everything (RFC 8482).
const ANY: u16 = 255;
/// At ten times the threshold it is critical.
const CRITICAL: f64 = 10.0;
/// Share of the most frequent question, or of type ANY, of what such a network asks.
const SAME: f64 = 0.5;
/// Dossiers that it takes.
const ENOUGH: u64 = 20;

/// A network that gets far more than it asks with.
#[derive(Clone, Debug)]
pub struct Victim {
    /// Which.
    pub network: Prefix,
    /// Bytes of answers a second.
    pub rate: f64,
    /// What is usual; `None` where that is not known.
    pub usual: Option<f64>,
    /// Bytes of answers for each byte of queries.
    pub factor: f64,
    /// Share of type ANY, or of one question.
    pub same: f64,
    /// Something shows that it does not ask itself.
    pub spoofed: bool,
}

#[derive(Default)]
struct Tally<'a> {
    dossiers: u64,
    asked: u64,
    got: u64,
    any: u64,
    unwanted: u64,
    followed_up: bool,
    ids: BTreeMap<u16, u64>,
    ports: BTreeMap<u16, u64>,
    questions: BTreeMap<&'a str, u64>,
}

/// The one that gets most, for what it asks with.
#[must_use]
pub fn worst(facts: &Facts<'_>) -> Option<Victim> {
    let limits = facts.limits;
    let mut tallies: BTreeMap<Prefix, Tally<'_>> = BTreeMap::new();
    for dossier in facts.asked_in(LONG) {
        let tally = tallies.entry(Prefix::network(dossier.client)).or_default();
        add(tally, dossier);
    }
    let seconds = LONG
        .min(facts.now().saturating_sub(facts.state.begun))
        .as_secs_f64()
        .max(1.0);
    let known = facts.state.usual.learnt >= limits.learning;
    let victims = tallies.into_iter().filter_map(|(network, tally)| {
        let factor = share(tally.got, tally.asked);
        if tally.dossiers < ENOUGH || factor < limits.amplification_factor {
            return None;
        }
        let most = |counts: &BTreeMap<u16, u64>| {
            share(counts.values().max().copied().unwrap_or(0), tally.dossiers)
        };
        let question = tally.questions.values().max().copied().unwrap_or(0);
        let usual = facts.state.usual.bytes.get(&network);
        Some(Victim {
            network,
            rate: float(tally.got) / seconds,
            usual: known.then(|| usual.map_or(0.0, super::super::baseline::Baseline::mean)),
            factor,
            same: share(tally.any.max(question), tally.dossiers),
            spoofed: !tally.followed_up
                && (most(&tally.ids) >= SAME
                    || most(&tally.ports) >= SAME
                    || share(tally.unwanted, tally.dossiers) >= 0.1),
        })
    });
    victims.max_by(|a, b| a.rate.total_cmp(&b.rate))
}

fn add<'a>(tally: &mut Tally<'a>, dossier: &'a Dossier) {
    let weight = u64::from(dossier.weight);
    tally.dossiers += 1;
    tally.asked += weight * u64::from(dossier.query_bytes);
    let got: u64 = dossier.answers.iter().map(|a| u64::from(a.bytes)).sum();
    tally.got += weight * got;
    tally.followed_up |= dossier.copies.len() > 1;
    tally.unwanted += u64::from(dossier.errors.iter().any(|error| error.about_answer));
    *tally.ids.entry(dossier.id).or_default() += 1;
    *tally.ports.entry(dossier.port).or_default() += 1;
    if let Some(question) = &dossier.question {
        tally.any += u64::from(question.qtype == ANY);
        *tally.questions.entry(&question.name).or_default() += 1;
    }
}

/// See the module. Bytes are from dossiers.
#[must_use]
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let victim = worst(facts);
    let usual = victim.as_ref().and_then(|victim| victim.usual);
    let warning = limits
        .amplification_rate
        .max(limits.usual_rise * usual.unwrap_or(0.0));
    let rate = victim.as_ref().map_or(0.0, |victim| victim.rate);
    let reading = Reading::new(
        Rule::Amplification,
        Unit::PerSecond,
        rate,
        warning,
        Some(CRITICAL * warning),
    )
    .against(usual);
    let Some(victim) = victim else {
        return reading;
    };
    let spoofed = victim.spoofed || spoof::read(facts).unwanted > 0.0;
    let corroborated = victim.same >= SAME && (usual.is_some() || spoofed);
    let mut reading = reading.graded().only_if(corroborated);
    if facts.short.counters.responses == 0 {
        reading.state = State::Quiet;
    }
    reading.at_most(Level::Critical).saying(|| {
        format!(
            "{} gets about {:.0} kB/s, {:.0} times what its queries have; {} of them ask the same",
            prefix(&victim.network),
            rate / 1e3,
            victim.factor,
            percent(victim.same)
        )
    })
}
