//! Names below one zone that do not repeat, and that nobody can answer: to get past caches (Afek et al. 2016).

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use crate::detect::facts::{Facts, LONG, SHORT};
use crate::detect::history::{float, share};
use crate::detect::interval;
use crate::detect::rcode::{NOERROR, NXDOMAIN};
use crate::detect::reading::{Reading, Unit, percent};
use crate::detect::rule::Rule;
use crate::detect::server::ZONE_DEPTH;
use crate::measure::counted::counted;
use crate::measure::dossier::{Dossier, End};
use foldhash::fast::RandomState;

/// What is asked below a zone is steady enough to be known after so long.
const KNOWN: Duration = Duration::from_secs(5);
/// Such names come without a pause as long as this.
const PAUSE: Duration = Duration::from_secs(1);
/// Programs try a few made-up names when they start, to find out whether a network answers what does not exist. So many
/// names of a client in ten seconds harm nobody who denies them at once, while more is asked for beside them.
const TRIES: f64 = 4.0;
const MOSTLY: f64 = 0.5;
const A_PART: f64 = 0.25;
const NEARLY_NONE: f64 = 0.05;
/// Names of which so large a part is new do not repeat.
const DIFFERENT: f64 = 0.8;
/// So large a part of what is asked below the zone is not answered, or denied.
const FAILS: f64 = 0.7;
/// Dossiers that it takes.
const LEAST: usize = 8;
const ENOUGH: u64 = LEAST as u64;
/// Clients that ask, unless one asks as much as no client should.
const CLIENTS: usize = 3;
/// And where nothing is known of before, which takes more of everything.
const MANY: u64 = 200;
const SURELY_DIFFERENT: f64 = 0.95;
/// Times what is usually asked below the zone, and queries a second more.
const RISE: f64 = 1.5;
const MORE: f64 = 20.0;
/// Share of what is more that has failed so far: the newest queries wait.
const ANSWERED_SO_FAR: f64 = 0.4;

/// A zone below which names do not repeat.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// Queries a second for different names below it, by weight.
    pub rate: f64,
    /// Those that failed or were denied.
    pub failing: f64,
    /// Their share.
    pub fails: f64,
    /// Share of different names among them.
    pub different: f64,
    /// What is usual of those; `None` where that is not known.
    pub usual: Option<f64>,
    /// The share that usually fails, or is denied.
    pub usually_fails: f64,
    /// The lower end of the share that does.
    pub surely_fails: f64,
    /// Its share of the server's queries.
    pub share: f64,
    /// Different clients that asked.
    pub clients: usize,
    /// Most of what fails is denied: names that do not exist are asked for every day.
    pub is_denied: bool,
    /// Programs that try a few names each, which are denied at once.
    pub is_tried: bool,
    /// Dossiers that all this is of.
    pub dossiers: u64,
}

impl Zone {
    /// It is asked for more than usual, and most of what is more fails. Where nothing is known of before: nearly all
    /// that is asked below it fails, of many clients, and it is most of what is asked.
    #[must_use]
    pub fn is_unusual(&self) -> bool {
        !self.is_tried && self.is_more()
    }

    fn is_more(&self) -> bool {
        match self.usual {
            Some(usual) => {
                // More that is asked as ever, and denied as ever, is no attack.
                let more = (1.0 - self.usually_fails) * (self.rate - usual);
                let failing = self.failing - self.usually_fails * self.rate;
                self.rate >= RISE * usual + MORE.min(usual.max(1.0))
                    && failing >= ANSWERED_SO_FAR * more
                    && self.surely_fails > self.usually_fails
            }
            None => {
                self.share > if self.is_denied { MOSTLY } else { A_PART }
                    && self.clients >= 10
                    && self.dossiers >= MANY
                    && self.fails >= FAILS
                    && self.different >= SURELY_DIFFERENT
            }
        }
    }
}

/// Different ones, of which only the number matters.
type Different<T> = HashSet<T, RandomState>;

#[derive(Default)]
struct Below<'a> {
    /// Different names.
    asked: u64,
    total: u64,
    /// Of the latter those whose end is known.
    decided: u64,
    fails: u64,
    dossiers: u64,
    /// Names that failed.
    names: Different<&'a str>,
    failing: u64,
    /// Those of them that were denied, in time.
    denied: u64,
    /// And those that were answered before: nobody has made them up.
    known: u64,
    stems: Different<&'a str>,
    clients: Different<sensor_common::server::ServerKey>,
    listed: u64,
    /// Names, whatever became of them.
    seen: Different<&'a str>,
}

/// The worst one, of the last seconds or of ten.
#[must_use]
pub fn worst(facts: &Facts<'_>) -> Option<Zone> {
    // Where nothing comes back, or late, it is not known yet what becomes of the newest: those before them tell.
    let spans = [
        (SHORT, Duration::ZERO),
        (SHORT, facts.clock.overdue),
        (LONG, Duration::ZERO),
    ];
    let found = spans
        .into_iter()
        .filter_map(|(length, age)| worst_over(facts, length, age));
    // A short time may have too few to tell.
    let key = |zone: &Zone| (zone.is_unusual(), !zone.is_tried, zone.failing);
    found.max_by(|a, b| key(a).partial_cmp(&key(b)).unwrap_or(Ordering::Equal))
}

/// When the names below a zone began to fail, by the time of asking, as far as dossiers reach back.
#[must_use]
pub fn begun(facts: &Facts<'_>, zone: &str) -> Option<Duration> {
    let is_below = |dossier: &&&Dossier| {
        let name = dossier.question.as_ref().map(|question| &*question.name);
        let prefix = name.and_then(|name| name.strip_suffix(zone));
        prefix.is_some_and(|prefix| prefix.ends_with('.'))
    };
    let below = facts.recent.iter().filter(is_below);
    let mut failed: Vec<Duration> = below
        .filter(|dossier| fails(facts, dossier) == Some(true))
        .filter_map(|dossier| dossier.asked())
        .collect();
    failed.sort_unstable();
    let pairs = failed.windows(2).rev();
    let goes_on = pairs.take_while(|pair| pair[1].saturating_sub(pair[0]) <= PAUSE);
    let newest = failed.last().copied();
    goes_on.last().map(|pair| pair[0]).or(newest)
}

/// Over so long, up to queries of this age.
fn worst_over(facts: &Facts<'_>, length: Duration, age: Duration) -> Option<Zone> {
    let newest = facts.now().saturating_sub(age);
    let asked = || {
        facts
            .asked_in(length + age)
            .filter(|dossier| dossier.begun <= newest)
    };
    // Mostly hardly any fails, and there is nothing more to look at.
    let failing = asked().filter(|dossier| fails(facts, dossier) == Some(true));
    if failing.take(LEAST).count() < LEAST {
        return None;
    }
    let mut zones: BTreeMap<&str, Below<'_>> = BTreeMap::new();
    // The same first labels below several zones are a search list, and no attack.
    let mut stems: HashMap<&str, Different<&str>, RandomState> = HashMap::default();
    let mut all = 0;
    for dossier in asked() {
        let weight = u64::from(dossier.weight);
        all += weight;
        let Some(question) = &dossier.question else {
            continue;
        };
        let parent = question.name.split_once('.').map_or("", |(_, rest)| rest);
        stems
            .entry(question.first_label())
            .or_default()
            .insert(parent);
        for labels in 1..=ZONE_DEPTH {
            let Some(zone) = question.zone(labels) else {
                break;
            };
            let below = zones.entry(zone).or_default();
            // A name that is asked for again is no new one: resolvers try and try where nobody answers.
            if below.seen.insert(&question.name) {
                below.asked += weight;
            }
            below.total += weight;
            below.dossiers += 1;
            below.clients.insert(dossier.client);
            if let Some(fails) = fails(facts, dossier) {
                below.decided += weight;
                if fails {
                    below.fails += weight;
                    below.failing += 1;
                    below.listed += u64::from(is_listed(
                        &question.name[..question.name.len() - zone.len()],
                    ));
                    below.denied += u64::from(is_denied(facts, dossier));
                    below.known += u64::from(facts.state.names.is_known(question));
                    below.names.insert(&question.name);
                    below.stems.insert(question.first_label());
                }
            }
        }
    }
    let seconds = length
        .min(newest.saturating_sub(facts.state.begun))
        .as_secs_f64()
        .max(1.0);
    let is_random = |below: &Below<'_>| {
        let repeated = below
            .stems
            .iter()
            .filter(|stem| stems.get(*stem).is_some_and(|parents| parents.len() > 1))
            .count() as u64;
        below.failing >= ENOUGH
            && share(below.names.len() as u64, below.failing) >= DIFFERENT
            && share(repeated, below.stems.len() as u64) < 0.5
            && share(below.known, below.failing) < 0.5
            && share(below.listed, below.failing) < 0.5
    };
    let found = zones.iter().filter(|(_, below)| is_random(below));
    // The deepest of those that hold about as much.
    let (name, below) = found.max_by_key(|(zone, below)| (below.fails / ENOUGH, zone.len()))?;
    let known = facts.state.usual.learnt >= KNOWN;
    let usual = facts
        .state
        .usual
        .zones
        .get(*name)
        .map(super::super::baseline::Baseline::mean);
    Some(Zone {
        name: (*name).into(),
        failing: float(below.fails) / seconds,
        fails: share(below.fails, below.decided),
        different: share(below.names.len() as u64, below.failing),
        rate: float(below.asked) / seconds,
        usual: known.then(|| usual.unwrap_or(0.0)),
        usually_fails: facts.state.usual.fails_below(name),
        surely_fails: interval::lower(float(below.failing), float(below.dossiers)),
        share: share(below.total, all),
        is_denied: share(below.denied, below.failing) > MOSTLY,
        is_tried: share(below.failing - below.denied, below.failing) <= NEARLY_NONE
            && share(below.total, all) < MOSTLY
            && share(below.names.len() as u64, below.clients.len() as u64) <= TRIES,
        clients: below.clients.len(),
        dossiers: below.dossiers,
    })
}

/// A name that holds an address in reverse, as block lists are asked (RFC 5782): four numbers, or 32 hexadecimal
/// digits, one a label.
fn is_listed(prefix: &str) -> bool {
    let labels = prefix.trim_end_matches('.').split('.');
    let bytes = labels.clone().filter(|label| label.parse::<u8>().is_ok());
    let is_digit = |label: &&str| label.len() == 1 && label.bytes().all(|b| b.is_ascii_hexdigit());
    let digits = labels.clone().filter(is_digit);
    bytes.count() >= 4 || digits.count() >= 16
}

fn is_denied(facts: &Facts<'_>, dossier: &Dossier) -> bool {
    matches!(facts.end(dossier), End::Answered(answer) if usize::from(answer.rcode) == NXDOMAIN)
}

/// `None` where that is not known yet.
fn fails(facts: &Facts<'_>, dossier: &Dossier) -> Option<bool> {
    match facts.end(dossier) {
        End::Answered(answer) | End::Late(answer) => Some(usize::from(answer.rcode) != NOERROR),
        End::Waiting => {
            let waits = facts.now().saturating_sub(dossier.begun);
            (waits > facts.clock.overdue).then_some(true)
        }
        _ => Some(true),
    }
}

/// See the module.
#[must_use]
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let zone = worst(facts);
    let usual = zone.as_ref().and_then(|zone| zone.usual);
    let warning = limits.random_names_rate;
    let rate = zone.as_ref().map_or(0.0, |zone| zone.failing);
    let reading =
        Reading::new(Rule::RandomNames, Unit::PerSecond, rate, warning, None).against(usual);
    let Some(zone) = zone else {
        return reading;
    };
    // One client that asks no more than one may is no attack.
    let are_many = zone.clients >= CLIENTS || zone.rate >= limits.source_rate.warning;
    let corroborated = are_many && zone.is_unusual() && !(usual.is_none() && facts.failing.is_most);
    reading.graded().only_if(corroborated).saying(|| {
        format!(
            "{:.0} names a second below {} do not repeat, and most of them fail; {} of all queries, from {}{}",
            zone.failing,
            zone.name,
            percent(zone.share),
            counted(zone.clients as u64, "client"),
            usual.map_or_else(String::new, |usual| format!("; usually {usual:.0}"))
        )
    })
}
