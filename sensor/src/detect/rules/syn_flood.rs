//! Far more TCP connections are begun than usual, and than truncated answers explain.

use std::time::Duration;

use sensor_common::class::TcpEvent;

use crate::detect::facts::Facts;
use crate::detect::level::Level;
use crate::detect::reading::{Reading, State, Unit};
use crate::detect::rule::Rule;

/// The rate is that of the last two seconds.
const SPAN: Duration = Duration::from_secs(2);

/// What is no more than usual, with what passes by chance.
const MORE: f64 = 1.2;

/// See the module.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let span = facts.state.history.over(SPAN);
    let syns = span.counters.tcp[TcpEvent::Syn.index()];
    let rate = span.rate(syns);
    let usual = facts.state.usual.syns.after(limits.learning);
    let warning = limits.syn_rate.max(limits.syn_rise * usual.unwrap_or(0.0));
    let accepted = span.counters.tcp[TcpEvent::SynAck.index()];
    // Clients that ask over TCP instead: together there is no more than usual, and all of them are served.
    let asked = span.rate(span.counters.queries) + rate;
    let usually = facts.usual_rate().unwrap_or(0.0) + usual.unwrap_or(0.0);
    let instead = accepted * 10 >= syns * 9 && asked <= MORE * usually;
    let explained = span.counters.truncated * 2 >= syns || instead;
    Reading::new(
        Rule::SynFlood,
        Unit::PerSecond,
        rate,
        warning,
        Some(10.0 * warning),
    )
    .against(usual)
    .graded()
    .only_if(!explained)
    .saying(|| {
        let accepted = span.rate(accepted);
        format!("{rate:.0} SYNs a second, {accepted:.0} of them accepted")
    })
}

/// Whether it fires.
pub fn is_on(facts: &Facts<'_>) -> bool {
    matches!(
        read(facts).state,
        State::Fires(Level::Warning | Level::Critical)
    )
}
