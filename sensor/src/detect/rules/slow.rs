//! The server takes far longer than usual for an answer, from the copy of the query that it answered.

use std::collections::BTreeMap;
use std::time::Duration;

use sensor_common::server::ServerCounters;

use crate::detect::facts::{Facts, LONG};
use crate::detect::history::float;
use crate::detect::interval;
use crate::detect::level::Level;
use crate::detect::reading::{Reading, Unit, percent};
use crate::detect::rule::Rule;
use crate::detect::server::Errors;
use crate::detect::told::What;
use crate::measure::counted::counted;
use crate::measure::dossier::Dossier;
use crate::measure::latency::Latency;

/// Latency is looked at over this long, or where few are answered over the longer one.
const SPANS: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];
/// So many of the answers have to be far slower than the slowest twentieth usually is.
const SLOW: f64 = 0.06;
/// Of the newest few so many at least, and half of all.
const FEW: u64 = 3;
/// From the first slow answer to the last.
const LASTS: Duration = Duration::from_millis(1_600);
/// Behind a failure: as long as slow answers of its end are among those that are looked at, and as long again.
const RECOVERY: Duration = Duration::from_secs(20);
/// And where that is critical.
const MOST: f64 = 0.5;

/// See the module.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let usual = facts.state.usual.latency.quantile(0.95);
    let warning = limits.slow_from(usual);
    let mut answers: Vec<(f64, &Dossier)> = Vec::new();
    for length in SPANS {
        let newest = facts.asked_in(length + facts.clock.timeout);
        let newest = newest.filter(|dossier| {
            let at = dossier.answer().map(|answer| answer.at);
            at.is_some_and(|at| at + length >= facts.now())
        });
        answers = newest
            .filter_map(|dossier| Some((dossier.latency()?.as_secs_f64(), dossier)))
            .collect();
        if answers.len() as u64 >= limits.slow_answers {
            break;
        }
    }
    let is_slow = |answer: &&(f64, &Dossier)| answer.0 > warning;
    if let Some(zone) = new_zone(facts, answers.iter().filter(is_slow)) {
        answers.retain(|(_, dossier)| !is_below(dossier, &zone));
    }
    let mut times: Vec<f64> = answers.into_iter().map(|(time, _)| time).collect();
    times.sort_by(f64::total_cmp);
    let slow = times.iter().filter(|time| **time > warning).count() as u64;
    let p95 = times.get(times.len() * 95 / 100).copied().unwrap_or(0.0);
    let all = times.len() as u64;
    // The counters take the time of a copy that was lost for that of its answer: dossiers know better.
    let (slow, all, p95) = if all < limits.slow_answers && slow >= FEW && slow * 2 >= all {
        of_a_minute(facts, warning)
    } else {
        (slow, all, p95)
    };
    let reading = Reading::new(
        Rule::Slow,
        Unit::Seconds,
        p95,
        warning,
        Some(limits.slow.critical.max(warning)),
    )
    .against(usual);
    if all < limits.slow_answers {
        return reading.unknown("too few answers");
    }
    // What takes a second or more waits for nothing, nor does what comes with a failure or a flood.
    let at_once = p95 >= limits.slow.critical || facts.failing.is_unusual || facts.state.rises();
    let lasts = || !recovers(facts) && (at_once || lasts(facts, warning));
    let (slow, answers) = (float(slow), counted(all, "answer"));
    let all = float(all);
    let most = if slow / all >= MOST {
        Level::Critical
    } else {
        Level::Warning
    };
    reading
        .graded()
        .at_most(most)
        .only_if(interval::lower(slow, all) > SLOW && lasts() && !is_as_ever(facts, warning))
        .saying(|| {
            let usual = usual.map_or_else(String::new, |usual| {
                format!("; usually 95 % take at most {:.0} ms", usual * 1e3)
            });
            format!(
                "{} of {} took more than {:.0} ms, the slowest twentieth {:.0} ms{usual}",
                percent(slow / all),
                answers,
                warning * 1e3,
                p95 * 1e3
            )
        })
}

/// Slow answers of the newest, all of these, and their 95th percentile in seconds, where few are asked for: by the counters of
/// a minute at most. Their buckets are wide: those that the warning divides are taken to be fast.
fn of_a_minute(facts: &Facts<'_>, warning: f64) -> (u64, u64, f64) {
    const BUCKET: f64 = 4.0;
    let count = |counters: &ServerCounters| counters.latency.iter().sum::<u64>();
    let spans = [SPANS[1], Duration::from_mins(1)];
    let enough = facts.limits.slow_answers;
    let history = &facts.state.history;
    let span = history.newest(facts.now(), spans, enough, count);
    let latency = Latency::coarse(&span.counters.latency);
    let edge = Duration::try_from_secs_f64(BUCKET * warning).unwrap_or(Duration::MAX);
    let p95 = latency.quantile(0.95).unwrap_or_default().as_secs_f64();
    (latency.count() - latency.below(edge), latency.count(), p95)
}

/// The zone that nobody asked for before and in which most of the slow answers are, where it is the zone that may be
/// slow. What takes a second makes clients wait, whatever they ask for.
fn new_zone<'f>(
    facts: &Facts<'_>,
    slow: impl Iterator<Item = &'f (f64, &'f Dossier)>,
) -> Option<String> {
    let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
    let mut all = 0;
    let state = facts.state;
    for (time, dossier) in slow {
        all += 1;
        let question = dossier.question.as_ref();
        let zone = question.and_then(|it| state.names.new_zone(it, state.begun, facts.now()));
        if let Some(zone) = zone.filter(|_| *time < facts.limits.slow.critical) {
            *zones.entry(zone).or_default() += 1;
        }
    }
    let (zone, many) = zones.into_iter().max_by_key(|(_, many)| *many)?;
    (2 * many > all).then(|| zone.into())
}

fn is_below(dossier: &Dossier, zone: &str) -> bool {
    let labels = 1 + zone.matches('.').count();
    let question = dossier.question.as_ref();
    question.is_some_and(|question| question.zone(labels) == Some(zone))
}

/// Whether answers have been slow for a while, or are again: popular names that expire together, or a page of a cache
/// that is read in, are over in a second.
fn lasts(facts: &Facts<'_>, warning: f64) -> bool {
    // Of each second of the last ten: its slow answers and all of them, the first slow one and the last.
    let mut seconds = [(0_u64, 0_u64, Duration::MAX, Duration::ZERO); 10];
    for dossier in facts.recent {
        let Some(answer) = dossier.answer() else {
            continue;
        };
        let age = facts.now().saturating_sub(answer.at).as_secs();
        let second = usize::try_from(age)
            .ok()
            .and_then(|age| seconds.get_mut(age));
        let Some((slow, all, first, last)) = second else {
            continue;
        };
        *all += 1;
        if dossier.latency().unwrap_or_default().as_secs_f64() > warning {
            *slow += 1;
            *first = answer.at.min(*first);
            *last = answer.at.max(*last);
        }
    }
    let (mut begun, mut until) = (Duration::MAX, Duration::ZERO);
    for (slow, all, first, last) in seconds {
        if slow != 0 && float(slow) >= SLOW * float(all) {
            begun = begun.min(first);
            until = until.max(last);
        }
    }
    until.saturating_sub(begun) >= LASTS
}

/// Whether those who wait are those who always do: the others have gone.
fn is_as_ever(facts: &Facts<'_>, warning: f64) -> bool {
    let latency = |dossier: &Dossier| Some(dossier.latency()?.as_secs_f64());
    let answered = facts.asked_in(LONG + facts.clock.timeout);
    let answered = answered.filter(|dossier| latency(dossier).is_some());
    let is = |dossier: &Dossier| latency(dossier).is_some_and(|time| time > warning);
    let state = facts.state;
    state.told.explains(answered, What::Slow, &state.usual, &is)
}

/// Whether it may be a cache that fills again behind a failure that is over.
fn recovers(facts: &Facts<'_>) -> bool {
    let failed_to = facts.state.mostly_failed_to;
    // While nothing comes back, it may be slowness that has become worse.
    let silent = facts.failing.is_most && facts.state.errors == Errors::default();
    failed_to != Duration::ZERO && !silent && facts.now().saturating_sub(failed_to) < RECOVERY
}

/// Queries fail, or are slow: the server does not do what it usually does.
pub fn is_harmed(facts: &Facts<'_>) -> bool {
    facts.failing.is_unusual || read(facts).level().is_some()
}
