//! A flood whose sources are made up.

use crate::detect::facts::{Facts, LONG};
use crate::detect::reading::{Reading, State, Unit, percent};
use crate::detect::rule::Rule;
use crate::detect::spoof;

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
    let rate = facts.short.rate(facts.short.counters.queries);
    let usual_rate = facts.usual_rate();
    let rises = |least: f64, times: f64| rate >= least.max(times * usual_rate.unwrap_or(0.0));
    let flood = rises(limits.flood_rate.warning, limits.flood_rise.warning);
    // A small server has a flood of its own size, where there is no doubt about the sources.
    let small = usual_rate.is_some() && rises(limits.spoofed_rate, limits.flood_rise.critical);
    if !(flood || small) || network.share(&facts.long, LONG) <= 0.5 {
        return Reading {
            state: State::Quiet,
            ..reading
        };
    }
    let spoof = spoof::read(facts);
    // That nobody asks twice within seconds is usual of a large resolver.
    let likely = if flood && usual.is_some() {
        spoof.is_likely()
    } else {
        spoof.is_certain()
    };
    reading.graded().only_if(likely).saying(|| {
        let each = network.queries_a_source;
        let unwanted = if spoof.unwanted > 0.0 {
            format!(
                "; {} of the answers were rejected by ICMP port unreachable",
                percent(spoof.unwanted)
            )
        } else {
            String::new()
        };
        format!(
            "about {sources:.0} different sources a second with {each:.1} queries each{unwanted}"
        )
    })
}
