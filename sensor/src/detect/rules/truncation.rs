//! Answers are cut, or packets are too big for the path.

use sensor_common::class::ErrorKind;

use super::percent;
use crate::detect::history::{float, share};
use crate::detect::{Facts, Level, Reading, Rule, State, Unit};

/// See the module.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let counters = &facts.long.counters;
    let too_big = facts.long.matched(&[ErrorKind::TooBig]);
    let least = float(limits.too_big);
    let size = Reading::new(Rule::Truncation, Unit::Count, float(too_big), least, None)
        .graded()
        .at_most(Level::Warning)
        .saying(|| format!("{too_big} ICMP errors say that a packet was too big for the path"));
    if size.level().is_some() {
        return size;
    }
    let part = share(counters.truncated, counters.responses);
    let cut = Reading::new(
        Rule::Truncation,
        Unit::Share,
        part,
        limits.truncated_share,
        None,
    );
    if counters.responses < limits.truncated_responses {
        return if too_big == 0 {
            cut.unknown("too few responses")
        } else {
            size
        };
    }
    let cut = cut.graded().saying(|| {
        format!(
            "{} of {} responses are truncated",
            percent(part),
            counters.responses
        )
    });
    // A few errors hide no share that is a sign.
    if too_big != 0 && cut.state == State::Quiet {
        size
    } else {
        cut
    }
}
