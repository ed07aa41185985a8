//! Hardly a query comes any more: so an outage on the way looks from the server.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::detect::facts::{Facts, LONG};
use crate::detect::history::{Span, share};
use crate::detect::interval;
use crate::detect::level::Level;
use crate::detect::place::Vantage;
use crate::detect::reading::{Reading, State, Unit};
use crate::detect::rule::Rule;

/// One client that asks more than this share of all may have stopped, and nothing has collapsed.
const HEAVY: f64 = 0.5;

/// Moments at which it may have fallen.
const STEP: Duration = Duration::from_millis(250);
const STEPS: u32 = 20;

/// See the module.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let usual = &facts.state.usual;
    // After a burst the fast baseline is high, and what follows is no collapse.
    let reference = facts
        .usual_rate()
        .map(|slow| slow.min(usual.rate_fast.mean()));
    let span = facts.state.history.over(limits.collapse_lasting);
    let rate = span.rate(span.counters.queries);
    let is_low = |usual: &f64| rate < limits.collapse_share * usual;
    let reference = match reference.filter(is_low) {
        Some(usual) => Some(usual * (1.0 - heaviest(facts))),
        None => reference,
    };
    let warning = limits.collapse_share * reference.unwrap_or(0.0);
    let critical = warning / 10.0;
    let mut reading = Reading::new(
        Rule::Collapse,
        Unit::PerSecond,
        rate,
        warning,
        Some(critical),
    )
    .against(reference);
    if facts.vantage != Vantage::Server {
        return reading.unknown("only the server's own host can tell");
    }
    if facts.place.partly_blind {
        return reading.unknown("part of its traffic is no longer counted");
    }
    let Some(reference) = reference else {
        return reading.unknown("what is usual is not known yet");
    };
    let clients = usual.clients.mean();
    reading.state = if reference < limits.collapse_rate || clients < limits.collapse_clients {
        State::Unknown("too little traffic, or too few clients, to miss it")
    } else if rate < warning && !(is_sudden(facts, warning) && is_quieter(facts)) {
        // An office goes home, or a test has ended: one that is open already goes on.
        State::Holds
    } else if rate < warning {
        // Ten seconds of nearly nothing are no pause.
        let long = facts.long.rate(facts.long.counters.queries);
        State::Fires(if long < critical {
            Level::Critical
        } else {
            Level::Warning
        })
    } else if rate < 2.0 * warning {
        State::Holds
    } else {
        State::Quiet
    };
    reading.saying(|| {
        format!(
            "{rate:.1} queries/s in the last {:.0} s, usually {reference:.0}",
            limits.collapse_lasting.as_secs_f64()
        )
    })
}

/// Whether there was about as much as usual a moment before, and hardly anything from then on: an office goes home less
/// suddenly.
fn is_sudden(facts: &Facts<'_>, warning: f64) -> bool {
    let lasting = facts.limits.collapse_lasting;
    let rate = |from: Duration, to: Duration| {
        let mut sum = Span::empty(to);
        for span in facts.state.history.between(from, to) {
            sum.add(&span);
        }
        sum.elapsed = to.saturating_sub(from);
        sum.rate(sum.counters.queries)
    };
    let usual = facts.state.usual.rate.mean();
    // The moment at which it fell: as long ago as it takes to notice it, or a little more.
    let mut steps = (0..=STEPS).map(|n| facts.now().saturating_sub(lasting + n * STEP));
    steps.any(|then| {
        rate(then.saturating_sub(lasting), then) >= usual / 2.0
            && rate(then.saturating_sub(lasting / 2), then) >= usual / 3.0
            && rate(then, then + lasting) < warning
    })
}

/// Whether it was never so quiet before, and chance alone does not explain it.
fn is_quieter(facts: &Facts<'_>) -> bool {
    let Some(quietest) = facts.state.usual.quietest.rate() else {
        return true;
    };
    let spans = [facts.limits.collapse_lasting, LONG];
    let mut spans = spans
        .map(|length| facts.state.history.over(length))
        .into_iter();
    spans.any(|span| {
        let seconds = span.elapsed.as_secs_f64().max(0.001);
        interval::upper_count(span.counters.queries) < quietest * seconds
    })
}

/// The share of the client that asked most a moment before, if it is most of all.
fn heaviest(facts: &Facts<'_>) -> f64 {
    let to = facts.now().saturating_sub(facts.limits.collapse_lasting);
    let (mut clients, mut all) = (BTreeMap::new(), 0);
    for dossier in facts.recent {
        if dossier.asked().is_some_and(|asked| asked < to) {
            *clients.entry(dossier.client).or_insert(0) += u64::from(dossier.weight);
            all += u64::from(dossier.weight);
        }
    }
    let most = share(clients.into_values().max().unwrap_or(0), all);
    if most > HEAVY { most } else { 0.0 }
}
