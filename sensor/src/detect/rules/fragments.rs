//! Answers are too large for the way: ICMP says so about them, or their later fragments do not come.

use std::collections::BTreeSet;

use sensor_common::class::ErrorKind;

use crate::detect::again::{self, Again};
use crate::detect::facts::{Facts, LONG};
use crate::detect::history::{float, share};
use crate::detect::interval;
use crate::detect::reading::{Reading, Unit, percent};
use crate::detect::rule::Rule;
use crate::detect::visibility::Visibility;
use crate::measure::counted::{counted, were};
use crate::measure::dossier::{Dossier, IcmpSeen};
use crate::measure::sketch::Prefix;

/// ICMP errors about answers that it takes.
const ERRORS: u64 = 5;
/// And their share of the answers.
const LEAST: f64 = 0.01;
/// More than this share of the large answers is asked for again.
const MOSTLY: f64 = 0.3;
/// And no more than this one of the small ones.
const FEW: f64 = 0.1;
/// Networks that are looked at one by one.
const NETWORKS: usize = 16;
/// First fragments that it takes.
const FIRST: u64 = 10;
/// Later fragments for each first one, below which they are lost; one is the least that there can be.
const REST: f64 = 0.5;

/// What becomes of large answers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lost {
    /// ICMP "too big" about answers.
    pub too_big: u64,
    /// ICMP "reassembly time exceeded" about answers.
    pub not_reassembled: u64,
    /// First fragments of DNS messages.
    pub first: u64,
    /// Later fragments.
    pub later: u64,
}

/// Of the last ten seconds. Fragments are of the whole network.
#[must_use]
pub fn lost(facts: &Facts<'_>) -> Lost {
    let counters = &facts.long.counters;
    let (first, later, _) = facts.network.fragments.lately();
    let matched = counters.errors_matched[ErrorKind::TooBig.index()];
    let ours = facts
        .asked_in(LONG)
        .any(|dossier| dossier.answers.iter().any(|answer| answer.fragmented));
    Lost {
        too_big: counters.backscatter[ErrorKind::TooBig.index()] + matched,
        not_reassembled: counters.backscatter[ErrorKind::TimeExceeded.index()],
        first: if ours { first } else { 0 },
        later,
    }
}

/// Whether the errors are about answers that were given: anybody can make up others. Those that quote enough to tell
/// are laid beside their transactions; where none does, there must be large answers at all.
fn are_of_answers(facts: &Facts<'_>) -> bool {
    // Reassembly is given up after 30 s and more (RFC 1122, 3.3.2): its transaction is long forgotten.
    let is_at_once = |error: &IcmpSeen| error.about_answer && error.kind == ErrorKind::TooBig;
    let about = |dossier: &&&Dossier| dossier.errors.iter().any(is_at_once);
    let (mut given, mut made_up) = (0, 0);
    for dossier in facts.recent.iter().filter(about) {
        if dossier.answers.is_empty() && dossier.copies.is_empty() {
            made_up += 1;
        } else {
            given += 1;
        }
    }
    match given + made_up {
        0 => facts.asked_in(LONG).any(again::is_large),
        _ => given >= made_up,
    }
}

/// Large answers that are asked for again, while small ones arrive: whatever ICMP says of it, and however rarely.
#[must_use]
pub fn large_lost(facts: &Facts<'_>) -> Option<Again> {
    // A path of its own leads to each network, and may be too small alone.
    let again =
        |dossier: &&&Dossier| again::is_large(dossier) && again::is_again(dossier) == Some(true);
    let networks = facts.recent.iter().filter(again);
    let networks: BTreeSet<_> = networks.map(|lost| Prefix::network(lost.client)).collect();
    let mut networks = networks.iter().take(NETWORKS);
    lost_of(facts, &|_| true).or_else(|| {
        networks.find_map(|network| {
            lost_of(facts, &|dossier| {
                Prefix::network(dossier.client) == *network
            })
        })
    })
}

/// The same of a part of the clients.
fn lost_of(facts: &Facts<'_>, is_of: &dyn Fn(&Dossier) -> bool) -> Option<Again> {
    let warning = facts.failing_share(MOSTLY, &facts.state.usual.large_asked_again);
    let is_small = |dossier: &Dossier| !again::is_large(dossier) && is_of(dossier);
    let is_large = |dossier: &Dossier| again::is_large(dossier) && is_of(dossier);
    let mut large = again::looks(facts.recent, facts.now(), &is_large);
    let mut small = again::looks(facts.recent, facts.now(), &is_small);
    let arrive = small.all(|small| small.answered != 0 && small.share() <= FEW);
    large.find(|large| arrive && large.is_above(warning))
}

/// See the module.
#[must_use]
pub fn read(facts: &Facts<'_>) -> Reading {
    let lost = lost(facts);
    let errors = lost.too_big + lost.not_reassembled;
    let answers = facts.long.counters.responses;
    let usual = &facts.state.usual.answers_lost;
    let warning = facts.alarm_share(LEAST, usual);
    let part = share(errors, answers.max(errors));
    let said = Reading::new(Rule::Fragments, Unit::Share, part, warning, None)
        .against(usual.mean())
        .graded()
        .only_if(
            errors >= ERRORS
                && are_of_answers(facts)
                && interval::lower(float(errors), float(answers.max(errors))) > warning,
        )
        .saying(|| {
            format!(
                "{} ICMP \"too big\" and {} \"reassembly time exceeded\" about {} ({})",
                lost.too_big,
                lost.not_reassembled,
                counted(answers, "answer"),
                percent(part)
            )
        });
    if said.level().is_some() {
        return said;
    }
    if facts.visibility == Visibility::Both
        && let Some(lost) = large_lost(facts)
    {
        let usual = &facts.state.usual.large_asked_again;
        let warning = facts.failing_share(MOSTLY, usual);
        return Reading::new(Rule::Fragments, Unit::Share, lost.share(), warning, None)
            .against(usual.mean())
            .graded()
            .saying(|| {
                format!(
                    "{} of {} ({}) were asked for again, and small ones are not",
                    lost.again,
                    counted(lost.answered, "large answer"),
                    percent(lost.share())
                )
            });
    }
    let rest = share(lost.later, lost.first);
    let missing = (1.0 - rest).max(0.0);
    let known = facts
        .network
        .fragments
        .usual_rest
        .after(facts.limits.learning);
    // Where the rest has always taken another way, or was always dropped, that is usual here.
    let unusual = known.is_none_or(|usual| rest < 0.5 * usual);
    if lost.first >= FIRST && rest < REST && unusual {
        return Reading::new(Rule::Fragments, Unit::Share, missing, REST, None)
            .against(known.map(|usual| (1.0 - usual).max(0.0)))
            .graded()
            .saying(|| {
                format!(
                    "{} came in fragments, of which only {} seen",
                    counted(lost.first, "answer"),
                    were(lost.later, "later one")
                )
            });
    }
    said
}
