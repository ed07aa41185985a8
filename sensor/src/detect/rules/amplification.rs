//! Small queries, large answers, one client network: its address is probably forged, and we help to
//! flood it.

use crate::detect::clients::Tally;
use crate::detect::history::share;
use crate::detect::{Facts, Level, Reading, Rule, State, Unit};
use crate::measure::address::prefix;
use crate::measure::sketch::Prefix;

/// At ten times the threshold it is critical.
const CRITICAL: f64 = 10.0;

/// See the module. Bytes of a client network are from samples.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let seconds = facts.state.clients.seconds(facts.now);
    let networks = facts.state.clients.networks();
    let heaviest: Option<(&Prefix, &Tally)> = networks
        .iter()
        .filter(|(_, tally)| is_amplified(tally, facts))
        .max_by(|(_, a), (_, b)| a.response_bytes.total_cmp(&b.response_bytes));
    let rate = heaviest.map_or(0.0, |(_, tally)| tally.response_bytes / seconds);
    let warning = limits.amplification_rate;
    let reading = Reading::new(
        Rule::Amplification,
        Unit::PerSecond,
        rate,
        warning,
        Some(CRITICAL * warning),
    );
    let Some((network, tally)) = heaviest else {
        return reading;
    };
    let mut reading = reading.graded();
    if facts.short.counters.responses == 0 {
        reading.state = State::Quiet;
    }
    reading.at_most(Level::Critical).saying(|| {
        format!(
            "{} gets about {:.0} kB/s, {:.0} times what its queries have; {:.0} % of them ask for ANY",
            prefix(network),
            rate / 1e3,
            tally.response_bytes / tally.query_bytes.max(1.0),
            share(tally.any, tally.queries) * 100.0
        )
    })
}

fn is_amplified(tally: &Tally, facts: &Facts<'_>) -> bool {
    let limits = facts.limits;
    let any = share(tally.any, tally.queries) >= limits.amplification_any;
    // Of the whole network, so a busy one hides few names; ANY is the better mark.
    let rate = facts.long.rate(facts.long.counters.queries);
    // How many there are is known after the first second.
    let names = facts.network.distinct_names;
    let few_names = names > 0.0 && names * 10.0 <= rate;
    tally.query_bytes > 0.0
        && tally.response_bytes >= limits.amplification_factor * tally.query_bytes
        && (any || few_names)
}
