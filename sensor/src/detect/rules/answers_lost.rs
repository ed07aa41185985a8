//! Clients ask again what was answered: their answers are lost on the way.

use crate::detect::again::{self, Again, LOST};
use crate::detect::facts::Facts;
use crate::detect::reading::{Reading, Unit, percent};
use crate::detect::rule::Rule;
use crate::detect::visibility::Visibility;
use crate::measure::counted::counted;

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

/// See the module.
#[must_use]
pub fn read(facts: &Facts<'_>) -> Reading {
    let usual = &facts.state.usual.asked_again;
    let warning = facts.failing_share(LOST, usual);
    let (lost, is_above) = worst(facts, warning);
    let part = lost.share();
    let reading =
        Reading::new(Rule::AnswersLost, Unit::Share, part, warning, None).against(usual.mean());
    if facts.visibility != Visibility::Both {
        return reading.unknown("only one direction of its traffic is seen");
    }
    // Where only the large ones are, the rule about those says more.
    reading
        .graded()
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
