//! A server fails: most of its queries end in an ICMP error or in nothing.
//!
//! ICMP errors are rate limited by whoever sends them. They are evidence of why, and never a measure of
//! how much: that comes from the queries.

use sensor_common::class::ErrorKind;

use crate::detect::facts::Facts;
use crate::detect::level::Level;
use crate::detect::reading::{Reading, Unit, percent};
use crate::detect::rule::Rule;
use crate::measure::counted::counted;

/// Of them, those that one rule asks for.
const PORT: &[ErrorKind] = &[ErrorKind::Port];
const PROHIBITED: &[ErrorKind] = &[ErrorKind::Prohibited];
const UNREACHABLE: &[ErrorKind] = &[
    ErrorKind::Host,
    ErrorKind::Network,
    ErrorKind::TimeExceeded,
    ErrorKind::Protocol,
    ErrorKind::Other,
];
const ALL: [&[ErrorKind]; 3] = [PORT, PROHIBITED, UNREACHABLE];

/// Queries a second, fewer of which are no reason to wake somebody.
const RARELY: f64 = 0.2;
/// Errors that come so early tell, however few.
const EARLY: std::time::Duration = std::time::Duration::from_secs(3);
/// So many errors are of all queries, and not of one client's own network.
const OF_ALL: u64 = 2;
/// More than this share of the failures was answered in the end: it is slow.
const LATE: f64 = 0.5;

/// ICMP port unreachable (IPv4 3/3, IPv6 1/4).
#[must_use]
pub fn port_unreachable(facts: &Facts<'_>) -> Reading {
    read(facts, Rule::PortUnreachable, Some(PORT))
}

/// ICMP administratively prohibited (IPv4 3/9, 3/10, 3/13; IPv6 1/1, 1/5, 1/6).
#[must_use]
pub fn prohibited(facts: &Facts<'_>) -> Reading {
    read(facts, Rule::Prohibited, Some(PROHIBITED))
}

/// Any other ICMP error but "too big": unreachable (IPv4 3, IPv6 1), time exceeded (11, 3), parameter
/// problem (12, 4).
#[must_use]
pub fn host_unreachable(facts: &Facts<'_>) -> Reading {
    read(facts, Rule::HostUnreachable, Some(UNREACHABLE))
}

/// Neither an answer nor an error.
#[must_use]
pub fn silent(facts: &Facts<'_>) -> Reading {
    read(facts, Rule::Silent, None)
}

/// The kinds of ICMP errors that say why queries fail.
#[must_use]
pub fn told_by(facts: &Facts<'_>) -> Option<&'static [ErrorKind]> {
    let errors = &facts.state.errors;
    let kinds = ALL.into_iter().max_by_key(|kinds| errors.sum(kinds))?;
    let many = errors.sum(kinds);
    // Of few queries few errors come.
    let few =
        many != 0 && (facts.failing.asked.failed() <= 2 * OF_ALL || facts.failing.lasted <= EARLY);
    (many >= OF_ALL || few).then_some(kinds)
}

fn read(facts: &Facts<'_>, rule: Rule, kinds: Option<&'static [ErrorKind]>) -> Reading {
    let limits = facts.limits;
    let failing = &facts.failing;
    let levels = limits.failed_share;
    let usual = facts.state.usual.failed.mean();
    let reading = Reading::new(
        rule,
        Unit::Share,
        failing.share,
        levels.warning,
        Some(levels.critical),
    )
    .against(usual);
    if let Some(why) = facts.blind() {
        return reading.unknown(why);
    }
    if failing.asked.decided() < limits.failed_queries {
        return reading.unknown("too few queries");
    }
    // What hardly anybody asks is not worth waking somebody.
    let span = failing.asked.to.saturating_sub(failing.asked.from);
    let is_asked =
        crate::detect::history::float(failing.asked.decided()) >= RARELY * span.as_secs_f64();
    let lasts = failing.lasted >= limits.failed_lasting && is_asked;
    let most = if lasts {
        facts.worst_failure()
    } else {
        Level::Warning
    };
    let is_slow = kinds.is_none() && failing.late > LATE;
    if is_slow {
        return reading.quiet();
    }
    let asked = &failing.asked;
    reading
        .graded()
        .at_most(most)
        .only_if(failing.is_most && told_by(facts) == kinds)
        .saying(|| {
            let seconds = asked.to.saturating_sub(asked.from).as_secs_f64();
            format!(
                "{} of the last {} failed ({} within {seconds:.1} s)",
                percent(failing.share),
                counted(asked.decided(), "query"),
                asked.failed(),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_tells_why_queries_fail_but_for_too_big() {
        for kind in ErrorKind::ALL {
            let rules = ALL.iter().filter(|kinds| kinds.contains(kind)).count();
            let expected = usize::from(*kind != ErrorKind::TooBig);
            assert_eq!(rules, expected, "{kind:?}");
        }
    }
}
