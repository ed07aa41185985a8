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
    let mut clients = facts.recent.iter().map(|dossier| dossier.client);
    let first = clients.next();
    let one_asks = clients.all(|client| Some(client) == first);
    let is_no_server = facts.state.known.is_empty() && one_asks;
    if facts.vantage != Vantage::Server && is_no_server {
        return reading
            .unknown("it is no name server: one host sends to it, and it has answered nobody");
    }
    reading
        .graded()
        .saying(|| format!("{rate:.0} messages a second that are no DNS"))
}
