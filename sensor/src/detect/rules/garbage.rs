//! Far more messages on the DNS port that are no DNS than usual.

use std::time::Duration;

use crate::detect::facts::Facts;
use crate::detect::place::Vantage;
use crate::detect::reading::{Reading, Unit};
use crate::detect::rule::Rule;

/// The rate is that of the last two seconds.
const SPAN: Duration = Duration::from_secs(2);

/// See the module.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let rate = facts.state.history.rate(SPAN, |counters| counters.garbage);
    let usual = facts.state.usual.garbage.after(limits.learning);
    let warning = limits
        .garbage_rate
        .max(limits.garbage_rise * usual.unwrap_or(0.0));
    let reading = Reading::new(
        Rule::Garbage,
        Unit::PerSecond,
        rate,
        warning,
        Some(10.0 * warning),
    )
    .against(usual);
    // Another protocol may use the port. This host is told of whatever comes.
    let nobody_asks = facts.state.known.is_empty();
    if facts.vantage != Vantage::Server && nobody_asks {
        return reading.unknown("it is no name server: it has answered nobody");
    }
    reading
        .graded()
        .saying(|| format!("{rate:.0} messages a second that are no DNS"))
}
