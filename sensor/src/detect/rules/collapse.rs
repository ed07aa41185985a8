//! Hardly a query comes any more: so an outage on the way looks from the server.

use crate::detect::{Facts, Level, Reading, Rule, State, Unit, Vantage};

/// See the module.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let usual = &facts.state.usual;
    // After a burst the fast baseline is high, and what follows is no collapse.
    let reference = usual
        .rate
        .after(limits.learning)
        .map(|slow| slow.min(usual.rate_fast.mean()));
    let span = facts.state.history.over(limits.collapse_lasting);
    let rate = span.rate(span.counters.queries);
    let warning = limits.collapse_share * reference.unwrap_or(0.0);
    let reading =
        Reading::new(Rule::Collapse, Unit::PerSecond, rate, warning, None).against(reference);
    if facts.vantage != Vantage::Server {
        return reading.unknown("only the server's own host can tell");
    }
    if facts.place.partly_blind {
        return reading.unknown("part of its traffic is no longer counted");
    }
    let Some(reference) = reference else {
        return reading.unknown("what is usual is not known yet");
    };
    let mut reading = reading;
    let clients = facts.state.clients.most();
    reading.state = if reference < limits.collapse_rate || clients < limits.collapse_clients {
        State::Unknown("too little traffic to miss it")
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
