//! Responses that nobody asked for: somebody asks servers in our name.

use std::time::Duration;

use super::percent;
use crate::detect::history::share;
use crate::detect::{Network, Place, Reading, Rule, Thresholds, Unit};

/// Queries that were answered in this time show that both directions are seen.
const WHOLE: Duration = Duration::from_mins(2);
/// At ten times the threshold it is critical.
const CRITICAL: f64 = 10.0;

/// See the module.
pub fn read(network: &Network, place: &Place, limits: &Thresholds) -> Reading {
    let span = network.history.over(Duration::from_secs(2));
    let unmatched = span.counters.transactions.unmatched;
    let rate = span.rate(unmatched);
    let part = share(unmatched, span.counters.responses);
    let warning = limits.unmatched_rate;
    let reading = Reading::new(
        Rule::Reflection,
        Unit::PerSecond,
        rate,
        warning,
        Some(CRITICAL * warning),
    );
    let lately = network.history.over(WHOLE);
    let whole = lately.counters.transactions.answered != 0 || !place.addresses.is_empty();
    if place.one_direction || !whole {
        return reading.unknown("only one direction of the traffic is seen");
    }
    reading
        .graded()
        .only_if(part >= limits.unmatched_share)
        .saying(|| {
            format!(
                "{rate:.0} responses a second to queries that were never sent, {} of all",
                percent(part)
            )
        })
}
