//! Clients ask again what was answered: their answers are lost on the way.

use std::time::Duration;

use crate::detect::again::{self, Again, LOST};
use crate::detect::facts::Facts;
use crate::detect::level::Level;
use crate::detect::reading::{Reading, Unit, percent};
use crate::detect::rule::Rule;
use crate::detect::visibility::Visibility;
use crate::measure::counted::counted;

/// Seconds of which dossiers are looked at here: nothing is known to last longer.
const KNOWN: Duration = Duration::from_secs(10);

/// What is asked again more often than usual; else what is known of it, and that it is not.
fn worst(facts: &Facts<'_>, warning: f64) -> (Again, bool) {
    let mut known = Again::default();
    for look in again::looks(facts.recent, facts.now(), &|_| true) {
        if look.is_above(warning) {
            return (look, true);
        }
        if look.answered > known.answered {
            known = look;
        }
    }
    (known, false)
}

/// Answers that are lost now, if they are, whatever their size.
#[must_use]
pub fn lost(facts: &Facts<'_>) -> Option<Again> {
    let (lost, is_above) = worst(
        facts,
        facts.failing_share(LOST, &facts.state.usual.asked_again),
    );
    is_above.then_some(lost)
}

/// Whether so many are lost as are critical of failures, by the newest and by all, for as long: for a client, an answer that
/// does not come is a query that failed.
fn is_critical(facts: &Facts<'_>, critical: f64) -> bool {
    let lasting = facts.limits.failed_lasting.min(KNOWN);
    let then = facts.now().saturating_sub(lasting);
    let looks: Vec<_> = again::looks(facts.recent, facts.now(), &|_| true).collect();
    looks.chunks(again::NEWEST.len()).any(|of_age| {
        let is_now = of_age.iter().all(|look| look.share() >= critical);
        let lasts = |look: &Again| look.is_above(critical) && look.is_since(then);
        is_now && of_age.iter().any(lasts)
    })
}

/// See the module.
#[must_use]
pub fn read(facts: &Facts<'_>) -> Reading {
    let usual = &facts.state.usual.asked_again;
    let warning = facts.failing_share(LOST, usual);
    let (lost, is_above) = worst(facts, warning);
    let part = lost.share();
    let critical = facts.limits.partial_share.critical.max(warning);
    let reading = Reading::new(
        Rule::AnswersLost,
        Unit::Share,
        part,
        warning,
        Some(critical),
    )
    .against(usual.mean());
    if facts.visibility != Visibility::Both {
        return reading.unknown("only one direction of its traffic is seen");
    }
    let most = if is_above && is_critical(facts, critical) {
        facts.worst_failure()
    } else {
        Level::Warning
    };
    // Where only the large ones are, the rule about those says more.
    reading
        .graded()
        .at_most(most)
        .only_if(is_above && !lost.is_of_large())
        .saying(|| {
            format!(
                "{} of {} ({}) were asked again",
                lost.again,
                counted(lost.answered, "answered query"),
                percent(part)
            )
        })
}
