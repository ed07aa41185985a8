//! One source asks many servers, each once, and none answers: it looks for servers, and none is down for that.

use crate::detect::facts::NetworkFacts;
use crate::detect::history::float;
use crate::detect::level::Level;
use crate::detect::reading::{Reading, Unit};
use crate::detect::rule::Rule;
use crate::measure::address::ip;
use crate::measure::counted::counted;

/// See the module.
pub fn read(facts: &NetworkFacts<'_>) -> Reading {
    let limits = facts.limits;
    let scanners = facts.askers.scanners(facts.place, limits);
    let widest = scanners.max_by_key(|(_, servers)| *servers);
    let many = widest.map_or(0, |(_, servers)| servers);
    let reading = Reading::new(
        Rule::Scan,
        Unit::Count,
        float(many as u64),
        float(limits.scan_destinations as u64),
        None,
    );
    if facts.place.partly_blind {
        return reading.unknown("part of the traffic is no longer counted, answers may be in it");
    }
    let known_for = facts.now.saturating_sub(facts.network.history.begun());
    if known_for < limits.learning {
        return reading.unknown("a resolver that is cut off begins to ask everybody again as well");
    }
    reading.graded().at_most(Level::Warning).saying(|| {
        let source = widest.map_or_else(String::new, |(source, _)| ip(source).to_string());
        format!(
            "{source} asked {} that never answered",
            counted(many as u64, "address")
        )
    })
}
