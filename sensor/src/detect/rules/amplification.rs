//! Small queries, large answers: the address that gets them is probably forged, and we help to flood it.
//!
//! One client network shows by what it gets. Spread over many, each gets little: then those are added up that usually
//! get nothing here, where hosts among them reject what comes.

use std::collections::{BTreeMap, BTreeSet};

use sensor_common::class::ErrorKind;

use crate::detect::facts::{Facts, LONG};
use crate::detect::history::{float, share};
use crate::detect::level::Level;
use crate::detect::reading::{Reading, State, Unit, percent};
use crate::detect::rule::Rule;
use crate::detect::spoof;
use crate::detect::thresholds::Thresholds;
use crate::measure::address::prefix;
use crate::measure::counted::counted;
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

/// Share of the answers that are rejected where nobody asked for them: of one network, and of many together. Linux sends
/// one ICMP error a second to each destination.
const UNWANTED: f64 = 0.1;
const UNWANTED_BY_MANY: f64 = 0.05;
/// Hosts of many networks that reject them, at least.
const HOSTS: usize = 5;

/// A network, or several, that get far more than they ask with.
#[derive(Clone, Debug)]
pub struct Victim {
    /// Which; of several the one that gets most.
    pub network: Prefix,
    /// How many others.
    pub others: u64,
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
    any: u64,
    unwanted: u64,
    followed_up: bool,
    ids: BTreeMap<u16, u64>,
    ports: BTreeMap<u16, u64>,
    questions: BTreeMap<&'a str, u64>,
}

/// Bytes that a network asks with, and gets.
#[derive(Clone, Copy, Default)]
struct Gain {
    dossiers: u64,
    asked: u64,
    got: u64,
}

impl Gain {
    fn add(&mut self, dossier: &Dossier) {
        let weight = u64::from(dossier.weight);
        let got: u64 = dossier.answers.iter().map(|a| u64::from(a.bytes)).sum();
        self.dossiers += 1;
        self.asked += weight * u64::from(dossier.query_bytes);
        self.got += weight * got;
    }

    fn factor(&self) -> f64 {
        share(self.got, self.asked)
    }

    fn merge(&mut self, other: &Self) {
        self.dossiers += other.dossiers;
        self.asked += other.asked;
        self.got += other.got;
    }
}

/// The one that gets most, for what it asks with, or all that get it without having asked.
#[must_use]
pub fn worst(facts: &Facts<'_>) -> Option<Victim> {
    let limits = facts.limits;
    let mut gains: BTreeMap<Prefix, Gain> = BTreeMap::new();
    for dossier in facts.asked_in(LONG) {
        let gain = gains.entry(Prefix::network(dossier.client)).or_default();
        gain.add(dossier);
    }
    let many = many_victims(facts, &gains);
    gains.retain(|_, gain| is_large(gain, limits));
    // Mostly none is left, and there is nothing more to look at.
    let mut tallies: BTreeMap<Prefix, Tally<'_>> = BTreeMap::new();
    for dossier in facts.asked_in(LONG).filter(|_| !gains.is_empty()) {
        let network = Prefix::network(dossier.client);
        if gains.contains_key(&network) {
            add(tallies.entry(network).or_default(), dossier);
        }
    }
    let seconds = seconds(facts);
    let known = facts.state.usual.learnt >= limits.learning;
    let victims = tallies.into_iter().filter_map(|(network, tally)| {
        let gain = gains.get(&network)?;
        let most = |counts: &BTreeMap<u16, u64>| {
            share(counts.values().max().copied().unwrap_or(0), gain.dossiers)
        };
        let question = tally.questions.values().max().copied().unwrap_or(0);
        let usual = facts.state.usual.bytes.get(&network);
        Some(Victim {
            network,
            others: 0,
            rate: float(gain.got) / seconds,
            usual: known.then(|| usual.map_or(0.0, super::super::baseline::Baseline::mean)),
            factor: gain.factor(),
            same: share(tally.any.max(question), gain.dossiers),
            spoofed: !tally.followed_up
                && (most(&tally.ids) >= SAME
                    || most(&tally.ports) >= SAME
                    || share(tally.unwanted, gain.dossiers) >= UNWANTED),
        })
    });
    victims.chain(many).max_by(|a, b| a.rate.total_cmp(&b.rate))
}

fn is_large(gain: &Gain, limits: &Thresholds) -> bool {
    gain.dossiers >= ENOUGH && gain.factor() >= limits.amplification_factor
}

/// Networks that usually get nothing here, where so many of their hosts reject the answers that they did not ask.
fn many_victims(facts: &Facts<'_>, gains: &BTreeMap<Prefix, Gain>) -> Option<Victim> {
    let usual = &facts.state.usual.bytes;
    let strange = || gains.iter().filter(|(key, _)| !usual.contains_key(key));
    let mut sum = Gain::default();
    strange().for_each(|(_, gain)| sum.merge(gain));
    let others = strange().count().checked_sub(1)? as u64;
    if others == 0 || !is_large(&sum, facts.limits) || spoof::unwanted(facts) == 0.0 {
        return None;
    }
    let (network, _) = strange().max_by_key(|(_, gain)| gain.got)?;
    let (mut rejecting, mut tally) = (BTreeSet::new(), Tally::default());
    for dossier in facts.asked_in(LONG) {
        if usual.contains_key(&Prefix::network(dossier.client)) {
            continue;
        }
        add(&mut tally, dossier);
        let errors = dossier.errors.iter();
        let rejects = errors.filter(|error| error.about_answer && error.kind == ErrorKind::Port);
        rejecting.extend(rejects.map(|error| error.sender));
    }
    let question = tally.questions.values().max().copied().unwrap_or(0);
    let are_victims =
        rejecting.len() >= HOSTS && share(tally.unwanted, sum.dossiers) >= UNWANTED_BY_MANY;
    are_victims.then(|| Victim {
        network: *network,
        others,
        rate: float(sum.got) / seconds(facts),
        usual: Some(0.0),
        factor: sum.factor(),
        same: share(tally.any.max(question), sum.dossiers),
        spoofed: true,
    })
}

/// How long dossiers are looked at.
fn seconds(facts: &Facts<'_>) -> f64 {
    let known = facts.now().saturating_sub(facts.state.begun);
    LONG.min(known).as_secs_f64().max(1.0)
}

fn add<'a>(tally: &mut Tally<'a>, dossier: &'a Dossier) {
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
        let who = match victim.others {
            0 => format!("{} gets", prefix(&victim.network)),
            others => format!(
                "{} and {} get",
                prefix(&victim.network),
                counted(others, "other network")
            ),
        };
        format!(
            "{who} about {:.0} kB/s, {:.0} times what the queries have; {} of them ask the same",
            rate / 1e3,
            victim.factor,
            percent(victim.same)
        )
    })
}
