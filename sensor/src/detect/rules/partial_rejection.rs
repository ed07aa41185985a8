//! Some client networks are rejected with ICMP errors while others are served.

use std::collections::{BTreeMap, BTreeSet};

use sensor_common::class::ErrorKind;

use crate::detect::facts::Facts;
use crate::detect::level::Level;
use crate::detect::reading::{Reading, Unit};
use crate::detect::rule::Rule;
use crate::measure::address::prefix;
use crate::measure::counted::counted;
use crate::measure::dossier::End;
use crate::measure::sketch::Prefix;

/// What became of a network's queries.
#[derive(Default)]
struct Fate {
    rejected: u64,
    answered: u64,
    /// Answers to others between its first rejection and its last: without both it would be one network's turn in
    /// an outage that began or ended for all.
    others: u64,
    /// Answers to others since its last rejection.
    behind: u64,
}

/// Networks that were rejected, with nothing answered since, while others were answered; and how many those are.
#[must_use]
pub fn networks(facts: &Facts<'_>) -> (Vec<Prefix>, usize) {
    let mut fates: BTreeMap<Prefix, Fate> = BTreeMap::new();
    for dossier in facts.recent {
        let network = Prefix::network(dossier.client);
        match facts.end(dossier) {
            End::Rejected(error) if error.kind != ErrorKind::TooBig => {
                let fate = fates.entry(network).or_default();
                fate.rejected += 1;
                fate.answered = 0;
                fate.others += std::mem::take(&mut fate.behind);
            }
            End::Answered(_) => {
                for (other, fate) in &mut fates {
                    fate.behind += u64::from(*other != network && fate.rejected != 0);
                }
                fates.entry(network).or_default().answered += 1;
            }
            _ => {}
        }
    }
    let limits = facts.limits;
    // One that was never served is no news: guests are kept out until they log in.
    let known: BTreeSet<Prefix> = facts
        .state
        .known
        .keys()
        .map(|client| Prefix::network(*client))
        .collect();
    let is_rejected = |(network, fate): &(&Prefix, &Fate)| {
        (known.is_empty() || known.contains(network))
            && fate.rejected >= limits.rejected_errors
            && fate.answered == 0
            && fate.others >= limits.served_answers
    };
    let rejected = fates.iter().filter(is_rejected);
    let rejected: Vec<Prefix> = rejected.map(|(network, _)| *network).collect();
    let served = fates.values().filter(|fate| fate.answered != 0).count();
    (rejected, served)
}

/// See the module.
#[must_use]
pub fn read(facts: &Facts<'_>) -> Reading {
    let (rejected, served) = networks(facts);
    #[expect(clippy::cast_precision_loss, reason = "a few hundred at most")]
    let many = rejected.len() as f64;
    let reading = Reading::new(Rule::PartialRejection, Unit::Count, many, 1.0, None);
    if let Some(why) = facts.blind() {
        return reading.unknown(why);
    }
    let matched: u64 = facts.state.errors.matched.iter().sum();
    let lately: u64 = facts.long.counters.errors_matched.iter().sum();
    let mut reading = reading.graded();
    if rejected.is_empty() {
        return reading.quiet();
    }
    reading = reading.at_most(Level::Warning);
    reading
        .only_if(served != 0 && matched.max(lately) >= facts.limits.rejected_errors)
        .saying(|| {
            let names: Vec<String> = rejected.iter().take(3).map(prefix).collect();
            format!(
                "{} of {} {} rejected ({}), the others are served",
                rejected.len(),
                counted((rejected.len() + served) as u64, "client network"),
                if rejected.len() == 1 { "is" } else { "are" },
                names.join(", ")
            )
        })
}
