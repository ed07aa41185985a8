//! What is known of an incident beside what the detector knows.

use std::collections::BTreeSet;
use std::time::Duration;

use sensor_common::server::ServerKey;

use super::super::chronology::Came;
use super::super::diagnosis::Contrast;
use super::super::evidence::Evidence;
use crate::detect::{Detector, Facts, Rule, Subject, Vantage};
use crate::host::probe::Verified;
use crate::measure::dossier::Dossier;

/// The contrast is over dossiers of at most so long.
pub const CONTRAST: Duration = Duration::from_mins(1);

/// What is known of an incident beside what the detector knows.
pub struct Case<'a> {
    /// What it is about.
    pub subject: Subject,
    /// Rules that fired and belong to it.
    pub rules: &'a [Rule],
    /// Which came first, the flood or the failure.
    pub flood_came: Option<Came>,
    /// Seen from the server.
    pub vantage: Vantage,
    /// When it began.
    pub onset: Duration,
    /// Now.
    pub now: Duration,
    /// When a rule last fired, and whether all is well again.
    pub last: Duration,
    /// See `last`.
    pub is_over: bool,
    /// Other servers that failed in the same moment.
    pub also: &'a [ServerKey],
    /// What was counted and sampled.
    pub evidence: &'a Evidence,
    /// What its failures were found to have in common.
    pub told: Option<&'a Contrast>,
    /// Addresses of servers that it asks itself and that failed it, since it began.
    pub upstreams: &'a BTreeSet<String>,
    /// What the sensor's own probe said.
    pub verified: Option<&'a Verified>,
}

impl Case<'_> {
    /// Whether a rule is one of them.
    #[must_use]
    pub fn has(&self, rule: Rule) -> bool {
        self.rules.contains(&rule)
    }

    /// Most queries fail.
    #[must_use]
    pub fn most_fail(&self) -> bool {
        [
            Rule::PortUnreachable,
            Rule::Prohibited,
            Rule::HostUnreachable,
            Rule::Silent,
        ]
        .into_iter()
        .any(|rule| self.has(rule))
    }

    /// Some or most do.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.most_fail() || self.has(Rule::PartialFailure) || self.has(Rule::PartialRejection)
    }
}

/// Its dossiers since the onset, of a minute at most, up to the last symptom.
#[must_use]
pub fn since_onset<'a>(
    case: &Case<'_>,
    facts: &Facts<'_>,
    detector: &'a Detector,
) -> Vec<&'a Dossier> {
    let since = case.onset.max(case.now.saturating_sub(CONTRAST));
    let dossiers = detector.dossiers().since(since);
    dossiers
        .filter(|dossier| dossier.server == facts.server && !dossier.copies.is_empty())
        .filter(|dossier| dossier.begun <= case.last)
        .collect()
}
