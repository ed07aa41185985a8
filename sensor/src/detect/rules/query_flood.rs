//! Far more queries than usual.

use std::time::Duration;

use crate::detect::history::share;
use crate::detect::{Facts, Level, Reading, Rule, State, Unit};

/// The rate is that of the last ticks.
const LATELY: Duration = Duration::from_millis(500);
/// Ticks of the last three in which the CUSUM is above its alarm.
const ALARMS: u32 = 2;

/// See the module.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let usual = facts.usual_rate();
    let span = facts.state.history.over(LATELY);
    let rate = span.rate(span.counters.queries);
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
    let mut reading = reading.graded();
    if is_crowd(facts, rate) {
        reading.state = State::Quiet;
    }
    let sudden = facts.state.alarms.count_ones() >= ALARMS || rate >= ceiling;
    reading.only_if(sudden).saying(|| {
        let usual = usual.map_or_else(String::new, |usual| format!(", usually {usual:.0}"));
        format!("{rate:.0} queries/s{usual}")
    })
}

/// Whether it is only that more people than usual ask, and all are answered.
fn is_crowd(facts: &Facts<'_>, rate: f64) -> bool {
    let limits = facts.limits;
    let Some(usual) = facts.usual_rate() else {
        return false;
    };
    let network = facts.network;
    let answered = facts.short.counters.transactions.answered;
    let failed = facts.short.failed() + facts.overdue();
    let rise = rate / usual.max(1.0);
    // Each of them asks no more than people usually do, and a little.
    let sources_rise = network
        .usual_sources
        .after(limits.learning)
        .map_or(0.0, |usual| network.distinct_sources / usual.max(1.0));
    let dominated = network
        .heaviest(facts.place)
        .is_some_and(|(_, _, share)| share > limits.source_share / 2.0);
    rise <= limits.crowd_rise
        && facts.whole
        && share(answered, answered + failed) >= limits.crowd_answered
        && sources_rise >= rise / 2.0
        && !dominated
}

/// Whether it fires, for the rules that look at floods only.
pub fn is_on(facts: &Facts<'_>) -> bool {
    matches!(
        read(facts).state,
        State::Fires(Level::Warning | Level::Critical)
    )
}
