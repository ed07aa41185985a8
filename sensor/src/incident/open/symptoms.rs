//! The symptoms of an incident: which are on, and which are of what it is about.

use std::time::Duration;

use super::super::change::Change;
use super::super::chronology::Span;
use super::super::symptom::Symptom;
use crate::detect::{Level, Reading, Rule};

/// A failure that is over for so long, and for as long as it lasted, is.
const PAST: Duration = Duration::from_secs(5);
/// Times that a symptom may come, of which each is told; further ones go on with the last.
const SPELLS: usize = 8;

/// See the module.
#[derive(Default)]
pub struct Symptoms {
    all: Vec<Symptom>,
}

impl Symptoms {
    /// Takes the readings; gives what has changed.
    pub fn apply(
        &mut self,
        readings: &[Reading],
        recovered: bool,
        adapts: bool,
        now: Duration,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for reading in readings {
            let spells = self
                .all
                .iter()
                .filter(|symptom| symptom.rule == reading.rule)
                .count();
            let known = self
                .all
                .iter_mut()
                .rfind(|symptom| symptom.rule == reading.rule);
            let known = known.and_then(|symptom| {
                let again = spells < SPELLS && symptom.comes_again(reading, now);
                (!again).then_some(symptom)
            });
            match (known, reading.level()) {
                (Some(symptom), _) => symptom.apply(reading, recovered, adapts, now),
                (None, Some(level)) => {
                    self.all.push(Symptom::new(reading, level, now));
                    changes.push(Change::Symptom);
                }
                (None, None) => {}
            }
        }
        changes
    }

    /// All that there were, in the order of their coming.
    pub fn iter(&self) -> impl Iterator<Item = &Symptom> {
        self.all.iter()
    }

    fn on(&self) -> impl Iterator<Item = &Symptom> {
        self.all.iter().filter(|symptom| symptom.is_on())
    }

    /// Whether its server gets far too much now.
    #[must_use]
    pub fn is_flooded(&self) -> bool {
        let mut on = self.on();
        on.any(|symptom| symptom.rule.is_flood())
    }

    /// Whether its queries fail now.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.all
            .iter()
            .any(|symptom| symptom.is_on() && symptom.rule.is_failure())
    }

    /// It fails by itself: its program is down, which says nothing of others.
    #[must_use]
    pub fn is_of_its_own(&self) -> bool {
        self.all
            .iter()
            .any(|symptom| symptom.is_on() && symptom.rule == Rule::PortUnreachable)
    }

    /// The worst of the symptoms that are on.
    pub fn level(&self) -> Option<Level> {
        self.on().filter_map(|symptom| symptom.now).max()
    }

    /// Whether a symptom is of what the incident is about. Where there was a failure, what is wrong with answers
    /// after it is of the recovery, and what was wrong with them before it is of something else, until it
    /// has lasted longer than the failure.
    pub fn is_of_it(&self, rule: Rule, failure: Option<Span>) -> bool {
        let symptom = self.all.iter().rfind(|symptom| symptom.rule == rule);
        let (Some(symptom), Some(failure)) = (symptom, failure) else {
            return true;
        };
        let failed = failure.until.saturating_sub(failure.since);
        // A server that waits for its upstream is silent before it says so.
        let errors = [
            Rule::PortUnreachable,
            Rule::Prohibited,
            Rule::HostUnreachable,
        ];
        let says_why = rule == Rule::RcodeShift
            && !self
                .all
                .iter()
                .any(|symptom| errors.contains(&symptom.rule));
        if !rule.is_about_answers() || says_why {
            return true;
        }
        let lasted = symptom.last.saturating_sub(symptom.since);
        let together = symptom
            .last
            .min(failure.until)
            .saturating_sub(symptom.since.max(failure.since));
        lasted >= failed || together * 2 > lasted
    }

    /// Whether a failure is long over while answers go on to say no: what it was is not why they do.
    #[must_use]
    pub fn is_past(&self, rule: Rule, failure: Option<Span>) -> bool {
        let Some(failure) = failure.filter(|_| rule.is_failure()) else {
            return false;
        };
        let shift = self
            .all
            .iter()
            .rfind(|symptom| symptom.rule == Rule::RcodeShift);
        shift.is_some_and(|shift| {
            let failed = failure.until.saturating_sub(failure.since).max(PAST);
            shift.last >= failure.until + failed
        })
    }

    /// Whether there is one, since that time at the latest, of a flood that is made up. Random names came when
    /// they began, where that is known.
    #[must_use]
    pub fn are_made_up(&self, by: Duration, names_since: Option<Duration>) -> bool {
        self.all.iter().any(|symptom| {
            let since = match names_since {
                Some(since) if symptom.rule == Rule::RandomNames => since,
                _ => symptom.since,
            };
            let together = since <= by;
            together
                && matches!(
                    symptom.rule,
                    Rule::Spoofed | Rule::RandomNames | Rule::Amplification
                )
        })
    }
}
