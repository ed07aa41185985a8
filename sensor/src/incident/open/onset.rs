//! When a failure or a flood began, which is before it was noticed.

use std::time::Duration;

use super::super::chronology::MOMENT;
use crate::detect::history::Span;
use crate::detect::rules::path_failing;
use crate::detect::{Detector, Reading, Rule, Subject};

/// How far back a flood's beginning is looked for.
const LOOK_BACK: Duration = Duration::from_secs(10);
/// How far back the last answer to a resolver is looked for.
const CUT_OFF: Duration = Duration::from_secs(30);
/// Times the usual rate that a flood has at least.
pub const RISE: f64 = 2.0;

/// When it began, as far as is known: with the first failed query of those that made the rule fire, with the rise of the
/// rate where that is all, or with the readings themselves.
pub fn onset(
    subject: Subject,
    readings: &[Reading],
    detector: &Detector,
    now: Duration,
) -> Duration {
    let fire = |reading: &&Reading| reading.level().is_some();
    let failure = readings
        .iter()
        .filter(fire)
        .any(|reading| reading.rule.is_failure());
    let flood = |reading: &&Reading| reading.rule == Rule::QueryFlood;
    if let Some(flood) = readings.iter().filter(fire).find(flood)
        && !failure
    {
        return risen_since(subject, Some(flood.warning), detector, now);
    }
    let sudden = now.saturating_sub(2 * MOMENT);
    let Subject::Server(key) = subject else {
        let cut_off = readings
            .iter()
            .any(|reading| reading.level().is_some() && reading.rule == Rule::PathFailing);
        let since = cut_off.then(|| cut_off_since(detector, now)).flatten();
        return since.map_or(sudden, |since| since.min(sudden));
    };
    let since = detector.server(&key).and_then(|state| state.failing_since);
    since.filter(|_| failure).unwrap_or(sudden).min(now)
}

/// When a resolver that reaches no server sent the first query behind the last one that was answered.
fn cut_off_since(detector: &Detector, now: Duration) -> Option<Duration> {
    let asker = detector
        .with_network_facts(now, |facts| path_failing::worst(facts).map(|cut| cut.asker))?;
    let sent = || {
        let dossiers = detector.dossiers().since(now.saturating_sub(CUT_OFF));
        dossiers.filter(|dossier| dossier.client == asker && dossier.asked().is_some())
    };
    let answered = sent().filter(|dossier| dossier.answer().is_some());
    let last = answered.map(|dossier| dossier.begun).max()?;
    sent()
        .map(|dossier| dossier.begun)
        .filter(|begun| *begun > last)
        .min()
}

/// When a flood began, as far as its server's rate tells: from then on it was at least this one, or twice
/// the usual one.
pub fn risen_since(
    subject: Subject,
    least: Option<f64>,
    detector: &Detector,
    now: Duration,
) -> Duration {
    let sudden = now.saturating_sub(2 * MOMENT);
    let Subject::Server(key) = subject else {
        return sudden;
    };
    let Some(state) = detector.server(&key) else {
        return sudden;
    };
    let least = least.unwrap_or(RISE * state.usual.rate.mean());
    let spans: Vec<Span> = state.history.spans(LOOK_BACK).collect();
    let risen = spans
        .iter()
        .rev()
        .take_while(|span| span.rate(span.counters.queries) >= least);
    risen
        .last()
        .map_or(sudden, |span| span.end.saturating_sub(span.elapsed))
}
