//! A server fails: most of its queries end in an ICMP error or in nothing.
//!
//! ICMP errors are rate limited by whoever sends them. They are evidence of why, and never a measure of
//! how much: that comes from the queries.

use std::time::Duration;

use sensor_common::class::ErrorKind;

use super::percent;
use crate::detect::history::share;
use crate::detect::{Facts, Level, Reading, Rule, Unit};

/// Errors are looked for at least so far back: a limit of one a second is common.
const ERRORS: Duration = Duration::from_secs(10);

/// So many errors, since the last answer, are about the queries of all: one may be of one client's own network.
/// Two are all that a Linux router sends to a lone client of a `prohibit` or `unreachable` route.
pub const ERRORS_OF_ALL: u64 = 2;

/// Kinds of errors that say that a query was not let through or not taken.
pub const REJECTIONS: [ErrorKind; 4] = [
    ErrorKind::Port,
    ErrorKind::Prohibited,
    ErrorKind::Host,
    ErrorKind::Network,
];

/// Of them, those that one rule asks for.
const PORT: &[ErrorKind] = &[ErrorKind::Port];
const PROHIBITED: &[ErrorKind] = &[ErrorKind::Prohibited];
const HOST: &[ErrorKind] = &[ErrorKind::Host, ErrorKind::Network];

/// ICMP port unreachable (IPv4 3/3, IPv6 1/4).
pub fn port_unreachable(facts: &Facts<'_>) -> Reading {
    with_errors(facts, Rule::PortUnreachable, PORT)
}

/// ICMP administratively prohibited (IPv4 3/9, 3/10, 3/13; IPv6 1/1, 1/5, 1/6).
pub fn prohibited(facts: &Facts<'_>) -> Reading {
    with_errors(facts, Rule::Prohibited, PROHIBITED)
}

/// ICMP host or network unreachable (IPv4 3/0, 3/1, 3/6, 3/7; IPv6 1/0, 1/3).
pub fn host_unreachable(facts: &Facts<'_>) -> Reading {
    with_errors(facts, Rule::HostUnreachable, HOST)
}

/// Neither an answer nor an error.
pub fn silent(facts: &Facts<'_>) -> Reading {
    let wait = facts.timeout.mul_f64(facts.limits.silent_timeout_share);
    let overdue = facts.overdue_since(wait);
    // Where none of the other rules has its errors: few of each would silence all of them.
    let none = |kinds: &&[ErrorKind]| errors(facts, kinds) == 0;
    let is_silent = [PORT, PROHIBITED, HOST].iter().all(none);
    read(facts, Rule::Silent, overdue, is_silent)
}

fn with_errors(facts: &Facts<'_>, rule: Rule, kinds: &[ErrorKind]) -> Reading {
    read(facts, rule, facts.overdue(), errors(facts, kinds) != 0)
}

/// Matched errors as far back as the queries, at least ten seconds; where there are none, those since the last
/// answer. A router may send some at first and then none for as long as it is asked: Linux takes two limits from
/// one budget (`ip_error` and `icmp_send`).
fn errors(facts: &Facts<'_>, kinds: &[ErrorKind]) -> u64 {
    let back = facts.decided.elapsed.max(ERRORS);
    let since_answer = facts.state.errors_that_tell(kinds);
    match facts.state.history.over(back).matched(kinds) {
        0 if since_answer >= ERRORS_OF_ALL => since_answer,
        lately => lately,
    }
}

fn read(facts: &Facts<'_>, rule: Rule, overdue: u64, has_its_errors: bool) -> Reading {
    let limits = facts.limits;
    let transactions = &facts.decided.counters.transactions;
    // Those that are overdue will be unanswered: not both, or the same queries would count twice.
    let failed = transactions.errored + facts.decided.unanswered.max(overdue);
    let decided = failed + transactions.answered;
    let levels = limits.failed_share;
    let part = share(failed, decided);
    let critical = Some(levels.critical);
    let reading = Reading::new(rule, Unit::Share, part, levels.warning, critical);
    if let Some(why) = facts.blind() {
        return reading.unknown(why);
    }
    if decided < limits.failed_queries {
        return reading.unknown("too few queries");
    }
    let most = if lasts(facts) {
        facts.worst_failure()
    } else {
        Level::Warning
    };
    reading
        .graded()
        .at_most(most)
        .only_if(has_its_errors)
        .saying(|| {
            let seconds = facts.decided.elapsed.as_secs_f64();
            format!(
                "{} of the last {decided} queries failed ({failed}, in {seconds:.0} s)",
                percent(part)
            )
        })
}

/// Whether it has gone on for longer than a restart takes.
fn lasts(facts: &Facts<'_>) -> bool {
    let limits = facts.limits;
    let back = facts.decided.elapsed.max(limits.failed_lasting);
    let span = facts.state.history.over(back);
    let mut failing = facts.state.history.spans(back);
    let since = failing.find(|span| span.failed() != 0).map(|span| span.end);
    // The first failure is known up to a time-out after its query was sent.
    let lasting = limits.failed_lasting.saturating_sub(facts.timeout);
    since.is_some_and(|since| facts.now.saturating_sub(since) >= lasting)
        && share(span.failed(), span.decided()) >= limits.failed_share.critical
}
