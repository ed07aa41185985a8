//! Far more truncated answers than usual, and their clients do not come again over TCP.

use sensor_common::class::TcpEvent;

use crate::detect::facts::Facts;
use crate::detect::history::{float, share};
use crate::detect::interval;
use crate::detect::reading::{Reading, Unit, percent};
use crate::detect::rule::Rule;
use crate::measure::counted::{counted, were};

/// Clients that come over TCP, for each truncated answer, where all is well: resolvers try another server, or with
/// another size, too.
const COME: f64 = 0.3;
/// A few have to be known.
const ANSWERS: u64 = 20;

/// See the module.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let counters = &facts.long.counters;
    let answers: u64 = counters.answers_by_rcode.iter().sum();
    let truncated = counters.answers_truncated;
    let usual = &facts.state.usual.truncated;
    let warning = facts.alarm_share(limits.truncated_share, usual);
    let part = share(truncated, answers);
    let reading =
        Reading::new(Rule::Truncation, Unit::Share, part, warning, None).against(usual.mean());
    if answers < ANSWERS {
        return reading.unknown("too few answers");
    }
    let accepted = counters.tcp[TcpEvent::SynAck.index()];
    let served = share(accepted, truncated) >= COME;
    let is_above = interval::lower(float(truncated), float(answers)) > warning;
    reading.graded().only_if(is_above && !served).saying(|| {
        format!(
            "{} of {} are truncated; {} accepted meanwhile",
            percent(part),
            counted(answers, "answer"),
            were(accepted, "TCP connection")
        )
    })
}
