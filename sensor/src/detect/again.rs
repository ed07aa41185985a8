//! Queries that are asked again after they were answered: their answers did not arrive.
//!
//! On the server's side of a loss every query is answered. That its client asks again, with the same port and id, is all
//! that shows there of an answer that is lost on its way.

use std::collections::BTreeSet;
use std::time::Duration;

use sensor_common::server::ServerKey;

use super::history::{float, share};
use super::interval;
use super::rcode::{NOERROR, NXDOMAIN};
use super::usual::Share;
use crate::measure::dossier::Dossier;

/// A copy so long after the answer was not on its way already.
const AFTER: Duration = Duration::from_millis(300);
/// A client asks again once or a few times; a program that uses one port and id for everything does not stop.
const COPIES: usize = 8;
/// Clients ask again after one second, after two, or after five.
const AGES: [Duration; 3] = [
    Duration::from_millis(1_500),
    Duration::from_secs(3),
    Duration::from_secs(6),
];
/// So few show that all are lost; a small part shows among all only.
const NEWEST: [usize; 2] = [20, usize::MAX];
/// So many are more than a few stray ones, and of more than one client that is unwell.
const ENOUGH: u64 = 8;
const CLIENTS: usize = 3;
/// More than this share of them.
pub const LOST: f64 = 0.05;

/// A part that may be chance.
const FEW: f64 = 0.1;
/// An answer of so many bytes may be too large for a path.
const LARGE: u32 = 512;

/// Answered queries, and those of them that were asked again.
#[derive(Clone, Debug, Default)]
pub struct Again {
    /// Asked again.
    pub again: u64,
    /// All that were answered.
    pub answered: u64,
    /// Asked again after a small answer, and all with one.
    small: [u64; 2],
    clients: BTreeSet<ServerKey>,
}

impl Again {
    /// The share that was asked again.
    #[must_use]
    pub fn share(&self) -> f64 {
        share(self.again, self.answered)
    }

    /// Only large answers are asked for again, and there are small ones.
    #[must_use]
    pub fn is_of_large(&self) -> bool {
        let [again, answered] = self.small;
        let few = share(again, answered) <= FEW && share(again, self.again) <= FEW;
        answered >= ENOUGH && few
    }

    /// It is above `warning` by more than chance, and not of a client or two.
    #[must_use]
    pub fn is_above(&self, warning: f64) -> bool {
        self.again >= ENOUGH
            && self.clients.len() >= CLIENTS
            && interval::lower(float(self.again), float(self.answered)) > warning
    }
}

/// Whether a dossier was answered in a way that contents its client, if the answer arrives; and if so, whether the client
/// asked again all the same.
#[must_use]
pub fn is_again(dossier: &Dossier) -> Option<bool> {
    dossier.asked()?;
    let answer = dossier.answer()?;
    let contents = matches!(usize::from(answer.rcode), NOERROR | NXDOMAIN) && !answer.truncated;
    let is_later = |copy: &Duration| *copy > answer.at + AFTER;
    (contents && dossier.copies.len() < COPIES).then(|| dossier.copies.iter().any(is_later))
}

/// Whether its answer may be too large for a path.
#[must_use]
pub fn is_large(dossier: &Dossier) -> bool {
    let answers = &dossier.answers;
    answers.iter().any(|a| a.bytes > LARGE || a.fragmented)
}

/// The newest that are old enough to have been asked again, by how soon clients do and how many are looked at.
pub fn looks<'a>(
    recent: &'a [&'a Dossier],
    now: Duration,
    is_of: &'a dyn Fn(&Dossier) -> bool,
) -> impl Iterator<Item = Again> + 'a {
    // Mostly nobody asks twice, and there is nothing to look at.
    let is_any = recent.iter().any(|dossier| dossier.copies.len() > 1);
    let looks = AGES
        .into_iter()
        .filter(move |_| is_any)
        .flat_map(|age| NEWEST.map(|many| (age, many)));
    looks.map(move |(age, many)| {
        let old = now.saturating_sub(age);
        let is_old = |dossier: &&&Dossier| dossier.begun <= old && is_of(dossier);
        let mut sum = Again::default();
        let known = recent.iter().rev().filter(is_old);
        let known = known.filter_map(|dossier| Some((dossier, is_again(dossier)?)));
        for (dossier, again) in known.take(many) {
            sum.answered += 1;
            let small = u64::from(!is_large(dossier));
            sum.small[1] += small;
            if again {
                sum.again += 1;
                sum.small[0] += small;
                sum.clients.insert(dossier.client);
            }
        }
        sum
    })
}

/// Whether the share may be rising: it must not be learnt as usual before it is noticed.
#[must_use]
pub fn may_rise(recent: &[&Dossier], now: Duration, usual: &Share) -> bool {
    let suspicious = (LOST / 2.0).max(usual.upper());
    looks(recent, now, &|_| true)
        .any(|look| interval::lower_likely(look.again, look.answered) > suspicious)
}
