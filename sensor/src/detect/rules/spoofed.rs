//! A flood from far more sources than usual, each of which hardly asks: they are made up.

use super::query_flood;
use crate::detect::facts::LONG;
use crate::detect::{Facts, Reading, Rule, State, Unit};

/// See the module. Sources are of the whole network.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let network = facts.network;
    let usual = network.usual_sources.after(limits.learning);
    let warning = usual.map_or(limits.spoofed_sources, |usual| {
        (limits.spoofed_rise * usual).max(limits.spoofed_sources / 10.0)
    });
    let sources = network.distinct_sources;
    let reading =
        Reading::new(Rule::Spoofed, Unit::PerSecond, sources, warning, None).against(usual);
    if !query_flood::is_on(facts) || network.share(&facts.long, LONG) <= 0.5 {
        let mut reading = reading;
        reading.state = State::Quiet;
        return reading;
    }
    let each = network.queries_a_source;
    let backscatter: u64 = facts.long.counters.backscatter.iter().sum();
    let made_up = each <= limits.spoofed_queries_a_source
        || backscatter * 100 > facts.long.counters.responses.max(1);
    reading.graded().only_if(made_up).saying(|| {
        format!(
            "about {sources:.0} different sources a second with {each:.1} queries each{}",
            if backscatter == 0 {
                String::new()
            } else {
                format!("; {backscatter} ICMP errors about answers came back from them")
            }
        )
    })
}
