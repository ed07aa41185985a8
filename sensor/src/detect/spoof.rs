//! Whether the sources of a flood are made up.
//!
//! Whoever makes up sources never sees an answer. So made-up sources never send a second copy and never come again;
//! their owners reject answers that they did not ask for; and a generator that does not keep state often sends one
//! port or one id over and over. Real clients do close sockets too: 2.5 % of answers are rejected in a crowd.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sensor_common::class::ErrorKind;

use super::facts::Facts;
use super::history::{float, share};
use super::interval;
use crate::measure::dossier::{Dossier, End};

/// Dossiers that are looked at, of the last so long.
const SPAN: Duration = Duration::from_secs(3);
/// And how many it takes.
const ENOUGH: usize = 100;
/// Sources for each query, where none comes again.
const ONCE: f64 = 0.9;
/// The same, where nothing else speaks for it: people ask for more than one name, or ask again.
const SURELY_ONCE: f64 = 0.97;
/// Dossiers that this takes.
const MANY: usize = 200;
/// Share of the queries that come of networks that were never answered before.
const NEW: f64 = 0.7;
/// Share of one port, or of one id.
const SAME: f64 = 0.5;
/// Share of answers that are rejected by those who get them, beyond what real clients do.
const UNWANTED: f64 = 0.05;
/// Those who reject answers, at least.
const HOSTS: usize = 5;

/// What speaks for made-up sources.
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spoof {
    /// ICMP port unreachable about answers, as a share of the answers; 0 where it is as usual.
    pub unwanted: f64,
    /// Nearly every query comes from another source, most of which were never seen before.
    pub ask_once: bool,
    /// The same of so many queries that real clients would have asked again.
    pub surely_once: bool,
    /// One port or one id over and over.
    pub same: bool,
    /// None of the queries that got no answer was sent again.
    pub no_copies: bool,
}

impl Spoof {
    /// Whether that is enough where nothing is known of how many usually ask, and how often.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.unwanted > 0.0 && (self.ask_once || self.surely_once || self.same)
            || self.ask_once && self.same
    }

    /// Whether that is enough to say so.
    #[must_use]
    pub fn is_likely(&self) -> bool {
        self.is_certain() || self.ask_once && self.no_copies || self.surely_once
    }
}

/// See the module.
#[must_use]
pub fn read(facts: &Facts<'_>) -> Spoof {
    let asked: Vec<&Dossier> = facts.asked_in(SPAN + facts.clock.timeout).collect();
    let mut spoof = Spoof {
        unwanted: unwanted(facts),
        ..Spoof::default()
    };
    if asked.len() < ENOUGH {
        return spoof;
    }
    let sources: BTreeSet<_> = asked.iter().map(|dossier| dossier.client).collect();
    let known = &facts.state.known;
    let before = facts.now().saturating_sub(2 * SPAN);
    let is_new = |dossier: &&&Dossier| {
        known
            .get(&dossier.client)
            .is_none_or(|since| *since > before)
    };
    let many = asked.len() as u64;
    let new = asked.iter().filter(is_new).count() as u64;
    let once = share(sources.len() as u64, many);
    let are_new = share(new, many) >= NEW;
    spoof.ask_once = once >= ONCE && are_new;
    let strangers: Vec<_> = asked
        .iter()
        .filter(is_new)
        .map(|dossier| dossier.client)
        .collect();
    let different: BTreeSet<_> = strangers.iter().collect();
    spoof.surely_once = strangers.len() >= MANY
        && share(different.len() as u64, strangers.len() as u64) >= SURELY_ONCE
        && weight_of(&asked, &is_new) >= NEW;
    let most = |of: fn(&Dossier) -> u16| {
        let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
        for dossier in &asked {
            *counts.entry(of(dossier)).or_default() += 1;
        }
        share(counts.values().max().copied().unwrap_or(0), many)
    };
    spoof.same = most(|dossier| dossier.port) >= SAME || most(|dossier| dossier.id) >= SAME;
    let unanswered: Vec<_> = asked
        .iter()
        .filter(|dossier| facts.end(dossier) == End::Unanswered)
        .collect();
    spoof.no_copies =
        unanswered.len() >= ENOUGH && unanswered.iter().all(|dossier| dossier.copies.len() == 1);
    spoof
}

/// Share of the queries, by what each dossier stands for.
fn weight_of(asked: &[&Dossier], is: &dyn Fn(&&&Dossier) -> bool) -> f64 {
    let sum = |dossiers: &mut dyn Iterator<Item = &&Dossier>| -> u64 {
        dossiers.map(|dossier| u64::from(dossier.weight)).sum()
    };
    share(sum(&mut asked.iter().filter(is)), sum(&mut asked.iter()))
}

/// Share of the answers that are rejected with ICMP port unreachable, by several hosts; 0 where it is as usual.
#[must_use]
pub fn unwanted(facts: &Facts<'_>) -> f64 {
    let counters = &facts.long.counters;
    let rejected = counters.backscatter[ErrorKind::Port.index()];
    let answers = counters.responses;
    let hosts: BTreeSet<_> = facts
        .recent
        .iter()
        .flat_map(|dossier| &dossier.errors)
        .filter(|error| error.about_answer && error.kind == ErrorKind::Port)
        .map(|error| error.sender)
        .collect();
    // Two samples are compared, as of failures: a small server gives few answers to know what is usual by.
    let usual = &facts.state.usual.answers_unwanted;
    let above = UNWANTED.max(usual.upper()).min(0.5);
    let is_above = interval::lower(float(rejected), float(answers)) > above
        && share(rejected, answers) >= facts.limits.risen(usual.mean().unwrap_or(0.0));
    if is_above && hosts.len() >= HOSTS {
        share(rejected, answers)
    } else {
        0.0
    }
}
