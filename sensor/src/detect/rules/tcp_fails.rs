//! Clients ask over TCP and are not let in.

use std::time::Duration;

use sensor_common::class::TcpEvent;

use crate::detect::facts::{Facts, LONG};
use crate::detect::history::{Span, float, share};
use crate::detect::interval;
use crate::detect::reading::{Reading, Unit, percent};
use crate::detect::rule::Rule;
use crate::detect::visibility::Visibility;

/// SYNs that it takes.
const SYNS: u64 = 5;
/// Where nothing is known of before.
const MANY: u64 = 10;
/// More than this share of them fails.
const FAILS: f64 = 0.3;

/// See the module.
pub fn read(facts: &Facts<'_>) -> Reading {
    // A SYN of the last second may be accepted yet.
    let (from, to) = (
        facts.now().saturating_sub(LONG),
        facts.now().saturating_sub(Duration::from_secs(1)),
    );
    let mut span = Span::empty(to);
    for past in facts.state.history.between(from, to) {
        span.add(past);
    }
    let tcp = |event: TcpEvent| span.counters.tcp[event.index()];
    let (syns, accepted) = (tcp(TcpEvent::Syn), tcp(TcpEvent::SynAck));
    let failed = syns.saturating_sub(accepted);
    let usual = &facts.state.usual.syns_failed;
    let warning = facts.alarm_share(FAILS, usual);
    let part = share(failed, syns);
    let reading =
        Reading::new(Rule::TcpFails, Unit::Share, part, warning, None).against(usual.mean());
    if facts.visibility != Visibility::Both {
        return reading.unknown("only one direction of its traffic is seen");
    }
    if syns < SYNS {
        return reading.unknown("too few connections");
    }
    let is_above = interval::lower(float(failed), float(syns)) > warning;
    // None of all is more than chance, where truncated answers send clients to TCP.
    let sent_there =
        span.counters.answers_truncated * 2 >= syns || span.counters.truncated * 2 >= syns;
    let none = accepted == 0 && syns >= MANY && sent_there && usual.count() < 5.0;
    let flood = super::syn_flood::is_on(facts);
    reading
        .graded()
        .only_if((is_above || none) && !flood)
        .saying(|| {
            let refused = tcp(TcpEvent::Refused);
            let truncated = span.counters.truncated;
            format!(
                "{failed} of {syns} SYNs ({}) were not accepted, {refused} were refused with RST; \
                 {truncated} answers were truncated",
                percent(part)
            )
        })
}
