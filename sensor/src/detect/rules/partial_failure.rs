//! Some queries get no answer, or an ICMP error: loss, a server at its limit, or one of several behind an
//! address.

use std::collections::BTreeSet;

use sensor_common::class::ErrorKind;

use crate::detect::facts::{Facts, LONG};
use crate::detect::history::share;
use crate::detect::level::Level;
use crate::detect::lost::{self, LOST};
use crate::detect::reading::{Reading, Unit, percent};
use crate::detect::rule::Rule;
use crate::measure::counted::counted;
use crate::measure::dossier::End;

/// Routers that tell of one client's queries where it traces the way, and what part of all failures that is.
const HOPS: usize = 3;
const NEARLY_ALL: f64 = 0.9;
/// More than this share of the failures was answered in the end: it is slow.
const LATE: f64 = 0.5;

/// First copies are lost more often than usual, and second ones are answered at once: those who ask again wait.
fn first_copies(facts: &Facts<'_>) -> Option<Reading> {
    let usual = &facts.state.usual.copies_lost;
    let slowest = lost::slowest(&facts.state.usual);
    let lost = lost::look(facts.recent, slowest, facts.now(), facts.clock.timeout);
    let warning = LOST.max(facts.limits.risen(usual.mean().unwrap_or(0.0)));
    let is_unusual = lost.is_unusual(LOST, usual, facts.now()) && lost.share() >= warning;
    is_unusual.then(|| {
        Reading::new(
            Rule::PartialFailure,
            Unit::Share,
            lost.share(),
            warning,
            None,
        )
        .against(usual.mean())
        .graded()
        .saying(|| {
            format!(
                "{} of {} ({}) were answered when they were asked again only",
                lost.lost,
                counted(lost.answered, "answered query"),
                percent(lost.share())
            )
        })
    })
}

/// Whether what fails is one client's, which traces the way: its queries live for fewer hops than it takes, and one router
/// after the other says so. In a loop two do.
fn is_trace(facts: &Facts<'_>) -> bool {
    let (mut traced, mut failed) = (0, 0);
    let (mut clients, mut routers) = (BTreeSet::new(), BTreeSet::new());
    for dossier in facts.asked_in(LONG) {
        let end = facts.end(dossier);
        if let End::Rejected(error) = end
            && error.kind == ErrorKind::TimeExceeded
        {
            traced += 1;
            clients.insert(dossier.client);
            routers.insert(error.sender);
        }
        failed += u64::from(end.is_failure());
    }
    clients.len() == 1 && routers.len() >= HOPS && share(traced, failed) >= NEARLY_ALL
}

/// See the module.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let failing = &facts.failing;
    let levels = limits.partial_share;
    let usual = &facts.state.usual.failed;
    let warning = levels
        .warning
        .max(facts.limits.risen(usual.mean().unwrap_or(0.0)));
    let reading = Reading::new(
        Rule::PartialFailure,
        Unit::Share,
        failing.share,
        warning,
        Some(levels.critical.max(warning)),
    )
    .against(usual.mean());
    if let Some(why) = facts.blind() {
        return reading.unknown(why);
    }
    if failing.asked.decided() < limits.partial_queries {
        return reading.unknown("too few queries");
    }
    if failing.late > LATE || failing.is_unusual && is_trace(facts) {
        return reading.quiet();
    }
    if !failing.is_unusual
        && let Some(reading) = first_copies(facts)
    {
        return reading;
    }
    // Where most fail, the rules about that say more.
    let is_part = failing.is_unusual && !failing.is_most;
    let most = if failing.lasted >= limits.failed_lasting {
        facts.worst_failure()
    } else {
        Level::Warning
    };
    let asked = &failing.asked;
    reading.graded().at_most(most).only_if(is_part).saying(|| {
        let usual = usual.mean().map_or_else(String::new, |usual| {
            format!(", usually {:.1} %", usual * 100.0)
        });
        format!(
            "{} of the last {} failed{usual}",
            percent(failing.share),
            counted(asked.decided(), "query")
        )
    })
}
