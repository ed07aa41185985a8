//! Far more SERVFAIL or REFUSED than usual.

use super::percent;
use crate::detect::history::share;
use crate::detect::server::{REFUSED, SERVFAIL};
use crate::detect::{Facts, Reading, Rule, Unit};

/// The server, or what is behind it, fails.
pub fn servfail(facts: &Facts<'_>) -> Reading {
    let usual = facts.state.usual.servfail.after(facts.limits.learning);
    read(facts, Rule::Servfail, SERVFAIL, usual)
}

/// The server does not want these queries.
pub fn refused(facts: &Facts<'_>) -> Reading {
    let usual = facts.state.usual.refused.after(facts.limits.learning);
    read(facts, Rule::Refused, REFUSED, usual)
}

fn read(facts: &Facts<'_>, rule: Rule, rcode: usize, usual: Option<f64>) -> Reading {
    let limits = facts.limits;
    let of =
        |span: &crate::detect::history::Span| (span.counters.rcode[rcode], span.counters.responses);
    let (many, all) = of(&facts.minute);
    let (many_now, all_now) = of(&facts.short);
    let levels = limits.rcode_share;
    // Where nothing is usual yet, only what is a sign at once.
    let rise = usual.map_or(limits.rcode_at_once, |usual| limits.rcode_rise * usual);
    let at_once = share(many_now, all_now) >= limits.rcode_at_once.max(rise)
        && facts.short.rate(many_now) >= limits.rcode_at_once_rate;
    let part = if at_once {
        share(many_now, all_now)
    } else {
        share(many, all)
    };
    let warning = levels.warning.max(rise);
    let critical = Some(levels.critical.max(rise));
    let reading = Reading::new(rule, Unit::Share, part, warning, critical).against(usual);
    if all < limits.rcode_responses && !at_once {
        return reading.unknown("too few responses");
    }
    reading.graded().saying(|| {
        let name = if rule == Rule::Servfail {
            "SERVFAIL"
        } else {
            "REFUSED"
        };
        let usual = usual.map_or_else(String::new, |usual| format!(", usually {}", percent(usual)));
        format!("{} of its responses are {name}{usual}", percent(part))
    })
}
