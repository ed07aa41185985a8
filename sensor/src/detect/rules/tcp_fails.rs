//! Clients ask over TCP and are not let in.

use crate::detect::connections::{self, FAILS, SYNS};
use crate::detect::facts::Facts;
use crate::detect::history::{float, share};
use crate::detect::reading::{Reading, Unit, percent};
use crate::detect::rule::Rule;
use crate::detect::visibility::Visibility;

/// So many tell for sure, where all of them fail and chance can be no reason.
const MANY: u64 = 10;
/// Of what goes on for ever this much looks like something else.
const CHANCE: f64 = 0.001;
/// Most are accepted.
const MOSTLY: f64 = 0.5;

/// See the module.
pub fn read(facts: &Facts<'_>) -> Reading {
    let usual = &facts.state.usual.syns_failed;
    let warning = facts.alarm_share(FAILS, usual);
    let newest = |enough| connections::newest(&facts.state.history, enough);
    let spans = SYNS.map(newest);
    let above = spans
        .iter()
        .find(|span| connections::fail_above(span, warning));
    let span = above.unwrap_or(&spans[0]);
    let [syns, accepted, refused] = span.connections();
    let failed = connections::failed(span);
    let part = share(failed, syns);
    let reading =
        Reading::new(Rule::TcpFails, Unit::Share, part, warning, None).against(usual.mean());
    if facts.visibility != Visibility::Both {
        return reading.unknown("only one direction of its traffic is seen");
    }
    if syns < SYNS[0] {
        return reading.unknown("too few connections");
    }
    // Without a failure among the newest it is over.
    let goes_on = connections::failed(&spans[0]) != 0;
    // None of all is more than chance, where truncated answers send clients to TCP.
    let sent_there =
        span.counters.answers_truncated * 2 >= syns || span.counters.truncated * 2 >= syns;
    let none = accepted == 0 && syns >= MANY && sent_there && usual.count() < 5.0;
    // Nor is it chance that each is answered with RST for longer than a restart takes, where most used to be accepted.
    let lately = connections::of_a_restart(&facts.state.history, SYNS[0]);
    let [_, accepted_lately, refused_lately] = lately.connections();
    let closed = accepted_lately == 0
        && refused_lately >= SYNS[0]
        && usual.upper() < MOSTLY
        && usual.upper().powf(float(refused_lately)) < CHANCE;
    let flood = super::syn_flood::is_on(facts);
    reading
        .graded()
        .only_if((above.is_some() && goes_on || none || closed) && !flood)
        .saying(|| {
            let truncated = span.counters.truncated;
            format!(
                "{failed} of {syns} SYNs ({}) were not accepted, {refused} were refused with RST; \
                 {truncated} answers were truncated",
                percent(part)
            )
        })
}
