//! Hardly a query comes any more: so an outage on the way looks from the server.

use super::Reading;
use crate::detect::history::Span;
use crate::detect::{Facts, Level, Rule, State, Unit, Vantage};

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
    } else if rate < warning && !is_sudden(facts) {
        // An office goes home: one that is open already goes on.
        State::Holds
    } else if rate < warning {
        State::Fires(Level::Warning)
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

/// Whether there was about as much as usual a moment before.
fn is_sudden(facts: &Facts<'_>) -> bool {
    let lasting = facts.limits.collapse_lasting;
    let (from, to) = (
        facts.now().saturating_sub(3 * lasting),
        facts.now().saturating_sub(lasting),
    );
    let mut before = Span::empty(to);
    for span in facts.state.history.between(from, to) {
        before.add(span);
    }
    before.elapsed = to.saturating_sub(from);
    before.rate(before.counters.queries) >= facts.state.usual.rate.mean() / 3.0
}
