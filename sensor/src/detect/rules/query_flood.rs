//! Far more queries than usual.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::detect::facts::{Facts, SHORT};
use crate::detect::history::{float, share};
use crate::detect::level::Level;
use crate::detect::rcode::NXDOMAIN;
use crate::detect::reading::{Reading, State, Unit};
use crate::detect::rule::Rule;
use crate::detect::{crowd, spoof};

/// The rate is that of the last ticks.
const LATELY: Duration = Duration::from_millis(500);
/// Ticks of the last three in which the CUSUM is above its alarm.
const ALARMS: u32 = 2;
/// Ticks of the last eight, where it may be a crowd: how many sources ask is known once a second.
const LASTING: u32 = 7;

/// Times the usual number of queries of a client that is more than people ask.
const MORE: f64 = 2.0;
/// Share of the newest queries that repeat one without an answer.
const AGAIN: f64 = 0.5;
/// Share of the queries that come from clients of before.
const NEARLY_ALL: f64 = 0.95;
/// Share of the queries that are of search lists.
const LISTS: f64 = 0.5;
/// Times a second that a client repeats a question at most: systemd-resolved and musl ask several times a second.
const IMPATIENT: f64 = 10.0;

/// See the module.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let usual = facts.usual_rate();
    let rate = facts
        .state
        .history
        .rate(LATELY, |counters| counters.queries);
    let ceiling = limits.flood_ceiling.unwrap_or(f64::INFINITY);
    let relative = |rise: f64, least: f64| usual.map_or(f64::INFINITY, |u| (rise * u).max(least));
    let warning = relative(limits.flood_rise.warning, limits.flood_rate.warning).min(ceiling);
    let critical = relative(limits.flood_rise.critical, limits.flood_rate.critical);
    let reading = Reading::new(
        Rule::QueryFlood,
        Unit::PerSecond,
        rate,
        warning,
        Some(critical),
    )
    .against(usual);
    if warning.is_infinite() {
        return reading.unknown("what is usual is not known yet");
    }
    let alarms = facts.state.alarms;
    let mut sudden = (alarms & 7).count_ones() >= ALARMS || rate >= ceiling;
    let mut reading = reading.graded();
    // What follows looks at every dossier.
    if reading.level().is_none() {
        return reading;
    }
    let is_warning = reading.level() == Some(Level::Warning);
    if are_impatient(facts)
        || is_warning && (are_search_lists(facts) || are_old_clients(facts) && may_be_crowd(facts))
    {
        return reading.quiet();
    }
    if may_be_crowd(facts) && !each_asks_more(facts) {
        sudden &= alarms.count_ones() >= LASTING;
        if sources_rise(facts, rate) {
            reading = reading.quiet();
        }
    }
    reading.only_if(sudden).saying(|| {
        let usual = usual.map_or_else(String::new, |usual| format!(", usually {usual:.0}"));
        format!("{rate:.0} queries/s{usual}")
    })
}

/// Whether most of the newest queries ask again what was asked a moment ago and not answered: clients of a server that
/// fails do, a few times a second at most.
fn are_impatient(facts: &Facts<'_>) -> bool {
    let lately = facts.now().saturating_sub(LATELY);
    let mut asked: BTreeMap<_, (bool, u64)> = BTreeMap::new();
    let (mut again, mut all) = (0, 0);
    for dossier in facts.recent {
        let Some(question) = &dossier.question else {
            continue;
        };
        let (waits, newest) = asked
            .entry((dossier.client, &question.name, question.qtype))
            .or_default();
        if dossier.begun >= lately {
            all += 1;
            again += u64::from(*waits);
            *newest += 1;
        }
        *waits = dossier.answer().is_none();
    }
    let often = float(all) / float(asked.values().filter(|(_, n)| *n != 0).count() as u64).max(1.0);
    share(again, all) >= AGAIN && often <= IMPATIENT * LATELY.as_secs_f64()
}

/// Whether most of what is asked now is search lists: a client asks for one name with one suffix after the other, and
/// most of these are denied. Programs that start together do so for a moment.
fn are_search_lists(facts: &Facts<'_>) -> bool {
    let mut lists: BTreeMap<_, (BTreeSet<&str>, [u64; 2])> = BTreeMap::new();
    let mut all = 0;
    for dossier in facts.asked_in(SHORT) {
        let Some(question) = &dossier.question else {
            continue;
        };
        let Some((stem, suffix)) = question.name.split_once('.') else {
            continue;
        };
        let (suffixes, asked) = lists.entry((dossier.client, stem)).or_default();
        suffixes.insert(suffix);
        let answer = dossier.answer();
        let denied = answer.is_some_and(|answer| usize::from(answer.rcode) == NXDOMAIN);
        asked[0] += 1;
        asked[1] += u64::from(denied);
        all += 1;
    }
    let lists = lists
        .values()
        .filter(|(suffixes, [asked, denied])| suffixes.len() > 1 && denied * 2 >= *asked);
    let in_lists = lists.map(|(_, [asked, _])| asked).sum();
    !facts.failing.is_unusual && share(in_lists, all) >= LISTS
}

/// Whether nearly all is asked by the few that have long been clients: a load test, or a batch of jobs.
fn are_old_clients(facts: &Facts<'_>) -> bool {
    let old = facts.now().saturating_sub(facts.limits.learning);
    let (mut known, mut all) = (0, 0);
    for dossier in facts.asked_in(SHORT) {
        let first = facts.state.known.get(&dossier.client);
        all += u64::from(dossier.weight);
        known += u64::from(dossier.weight) * u64::from(first.is_some_and(|first| *first <= old));
    }
    share(known, all) >= NEARLY_ALL
}

/// Whether each client asks far more than usual.
fn each_asks_more(facts: &Facts<'_>) -> bool {
    let usual = facts.state.usual.each.after(facts.limits.learning);
    let now = crowd::each(facts.recent, facts.now());
    matches!((usual, now), (Some(usual), Some(now)) if now >= MORE * usual.max(1.0))
}

/// Whether it may be only that more people than usual ask: all are answered, nobody dominates, and nothing says that
/// sources are made up.
fn may_be_crowd(facts: &Facts<'_>) -> bool {
    let limits = facts.limits;
    let answered = facts.short.counters.transactions.answered;
    let failed = facts.failing.asked.failed();
    let is_answered =
        !facts.failing.is_unusual && share(answered, answered + failed) >= limits.crowd_answered;
    let dominated = facts
        .network
        .heaviest()
        .is_some_and(|(_, _, share)| share > limits.source_share / 2.0);
    is_answered && !dominated && !spoof::read(facts).is_likely()
}

/// Whether there are as many more sources as queries, or half of that: each of them asks as people do.
fn sources_rise(facts: &Facts<'_>, rate: f64) -> bool {
    let usual = facts.network.usual_sources.after(facts.limits.learning);
    let rise = facts
        .usual_rate()
        .map_or(f64::INFINITY, |usual| rate / usual.max(1.0));
    usual.is_some_and(|usual| facts.network.distinct_sources / usual.max(1.0) >= rise / 2.0)
}

/// Whether it fires, for the rules that look at floods only.
pub fn is_on(facts: &Facts<'_>) -> bool {
    matches!(
        read(facts).state,
        State::Fires(Level::Warning | Level::Critical)
    )
}
