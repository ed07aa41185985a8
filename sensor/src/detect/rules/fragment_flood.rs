//! Far more later fragments of IP packets than usual, and than large answers explain.

use crate::detect::facts::NetworkFacts;
use crate::detect::history::{float, share};
use crate::detect::reading::{Reading, Unit};
use crate::detect::rule::Rule;

/// Later fragments that one large answer has, at most, of those that are seen in practice: 16 kB.
const EACH: f64 = 12.0;

/// See the module. Fragments have no ports: which server they are for is not known.
pub fn read(facts: &NetworkFacts<'_>) -> Reading {
    let limits = facts.limits;
    let fragments = &facts.network.fragments;
    let (first, later, elapsed) = fragments.newest();
    let rate = float(later) / elapsed.as_secs_f64().max(0.01);
    let usual = fragments.usual_rate.after(limits.learning);
    let warning = limits
        .fragment_rate
        .max(limits.garbage_rise * usual.unwrap_or(0.0));
    Reading::new(
        Rule::FragmentFlood,
        Unit::PerSecond,
        rate,
        warning,
        Some(10.0 * warning),
    )
    .against(usual)
    .graded()
    .only_if(share(later, first.max(1)) > EACH)
    .saying(|| format!("{rate:.0} later fragments a second"))
}
