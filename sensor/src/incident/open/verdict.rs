//! What an incident is found to be: findings, causes by weight, and the likely cause as it was last told.

use std::mem;
use std::time::Duration;

use super::super::diagnosis::{Cause, Contrast, Finding, Ranked, rank};

/// The likely cause is told anew where it has been another for so long.
const SETTLED: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Default)]
pub struct Verdict {
    /// Facts.
    pub findings: Vec<Finding>,
    /// By weight.
    pub causes: Vec<Ranked>,
    /// The likely ones.
    pub first: Vec<Cause>,
    /// What was last told, and since when it is another.
    told: Vec<Cause>,
    other_since: Option<Duration>,
}

impl Verdict {
    /// What its failures have in common.
    pub fn contrast(&self) -> Option<&Contrast> {
        self.findings.iter().find_map(|found| match found {
            Finding::Contrast(contrast) => Some(contrast),
            _ => None,
        })
    }

    /// Weighs the findings of now. What is seen in the newest packets alone is kept where the incident does not go on.
    pub fn weigh(&mut self, mut findings: Vec<Finding>, goes_on: bool) {
        if !goes_on {
            let is_new = |found: &Finding| {
                let same = |new: &Finding| mem::discriminant(new) == mem::discriminant(found);
                !findings.iter().any(same)
            };
            let kept = self.findings.iter().filter(|found| found.is_momentary());
            let kept: Vec<Finding> = kept.filter(|found| is_new(found)).cloned().collect();
            findings.extend(kept);
        }
        self.findings = findings;
        self.causes = rank::rank(&self.findings);
        self.first = rank::first(&self.causes);
    }

    /// What is likely now is told with the incident itself.
    pub fn tell_first(&mut self) {
        self.told.clone_from(&self.first);
    }

    /// Whether the likely cause has become another, and is told now.
    pub fn tell(&mut self, now: Duration) -> bool {
        if self.first == self.told {
            self.other_since = None;
            return false;
        }
        let since = *self.other_since.get_or_insert(now);
        let settled = now.saturating_sub(since) >= SETTLED;
        if settled {
            self.told.clone_from(&self.first);
            self.other_since = None;
        }
        settled
    }
}
