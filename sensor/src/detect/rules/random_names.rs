//! Far more names that do not exist than usual, and far more different ones.

use super::percent;
use crate::detect::history::share;
use crate::detect::server::NXDOMAIN;
use crate::detect::{Facts, Reading, Rule, Unit};

/// A share that is high whatever is usual.
const HIGHEST: f64 = 0.9;

/// See the module. The number of different names is of the whole network.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let usual = facts.state.usual.nxdomain.after(limits.learning);
    let counters = &facts.short.counters;
    let part = share(counters.rcode[NXDOMAIN], counters.responses);
    let rise = limits.nxdomain_rise * usual.unwrap_or(0.0);
    // Where much is NXDOMAIN on any day, three times as much cannot be.
    let rise = rise.min(HIGHEST);
    let warning = limits.nxdomain_share.max(rise);
    let reading = Reading::new(Rule::RandomNames, Unit::Share, part, warning, None).against(usual);
    let (Some(usual), Some(names)) = (usual, facts.network.usual_names.after(limits.learning))
    else {
        return reading.unknown("what is usual is not known yet");
    };
    let rate = facts.short.rate(counters.rcode[NXDOMAIN]);
    let distinct = facts.network.distinct_names;
    let many = rate >= limits.nxdomain_rate && distinct >= limits.nxdomain_rise * names;
    reading.graded().only_if(many && part >= rise).saying(|| {
        format!(
            "{} of its responses are NXDOMAIN ({rate:.0}/s), usually {}; {distinct:.0} different \
                 names a second, usually {names:.0}",
            percent(part),
            percent(usual)
        )
    })
}
