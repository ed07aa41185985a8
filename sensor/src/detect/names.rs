//! Names that a server has answered: what it denies later used to exist, and large answers are known beforehand.
//!
//! A zone that is wiped turns a fifth of the answers to NXDOMAIN, which is an everyday share of them. That names are
//! denied which were answered a moment ago is no everyday thing, and made-up names are never among them.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::baseline::ADAPTS;
use super::rcode::{NOERROR, NXDOMAIN};
use crate::measure::dossier::Dossier;
use crate::measure::question::Question;

/// Questions that are remembered for a server.
const KNOWN: usize = 4_096;
/// Zones that are.
const ZONES: usize = 1_024;
/// Labels of one.
const ZONE: usize = 2;
/// A zone is new for so long, from its first answer on, where the server has been watched for twice as long before.
const NEW: Duration = Duration::from_secs(10);
/// Where there are too many, those that were not answered for so long are forgotten.
const OLD: Duration = Duration::from_mins(10);
/// An answer of so many bytes does not fit into the smallest packet that every path carries (RFC 9715).
const LARGE: u32 = 1_232;

#[derive(Clone, Copy, Debug, Default)]
struct Answered {
    first: Duration,
    last: Duration,
    is_large: bool,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Names {
    answered: BTreeMap<u64, Answered>,
    /// When the first name below each zone was answered.
    zones: BTreeMap<u64, Duration>,
}

fn key<T: Hash>(of: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

impl Names {
    /// Adds a dossier whose time-out has passed.
    pub fn look(&mut self, dossier: &Dossier, now: Duration) {
        let (Some(question), Some(answer)) = (&dossier.question, dossier.answer()) else {
            return;
        };
        if let Some(zone) = question.zone(ZONE)
            && self.zones.len() < ZONES
        {
            self.zones.entry(key(&zone)).or_insert(answer.at);
        }
        let key = key(question);
        match usize::from(answer.rcode) {
            NOERROR => {
                if self.answered.len() >= KNOWN && !self.answered.contains_key(&key) {
                    let old = now.saturating_sub(OLD);
                    self.answered.retain(|_, answered| answered.last >= old);
                    if self.answered.len() >= KNOWN {
                        return;
                    }
                }
                let new = Answered {
                    first: answer.at,
                    ..Answered::default()
                };
                let known = self.answered.entry(key).or_insert(new);
                known.last = now;
                // A truncated answer is as large as fits.
                known.is_large |= answer.bytes > LARGE || answer.fragmented || answer.truncated;
            }
            // It has been so for long, and is usual now.
            NXDOMAIN => {
                if let Some(known) = self.answered.get(&key)
                    && now.saturating_sub(known.last) >= ADAPTS
                {
                    self.answered.remove(&key);
                }
            }
            _ => {}
        }
    }

    /// Whether a question is denied that was answered before.
    #[must_use]
    pub fn is_denied(&self, dossier: &Dossier) -> bool {
        let denied = |answer: &crate::measure::dossier::Answer| {
            usize::from(answer.rcode) == NXDOMAIN && dossier.begun <= answer.at
        };
        dossier.answer().is_some_and(denied) && self.used_to_be_answered(dossier)
    }

    /// Whether its question was answered before it was asked here. What is denied and then answered is a name that has
    /// come, and none that has gone.
    #[must_use]
    pub fn used_to_be_answered(&self, dossier: &Dossier) -> bool {
        let question = dossier.question.as_ref();
        let known = question.and_then(|question| self.answered.get(&key(question)));
        known.is_some_and(|known| known.first <= dossier.begun)
    }

    /// The zone of a question, where nobody asked for names below it before, of a server watched since `begun`: of it
    /// nothing is usual.
    #[must_use]
    pub fn new_zone<'q>(
        &self,
        question: &'q Question,
        begun: Duration,
        now: Duration,
    ) -> Option<&'q str> {
        let zone = question.zone(ZONE)?;
        let is_new = match self.zones.get(&key(&zone)) {
            Some(first) => now < *first + NEW && *first > begun + 2 * NEW,
            None => self.zones.len() < ZONES && now > begun + 2 * NEW,
        };
        is_new.then_some(zone)
    }

    /// Whether a question was answered before.
    #[must_use]
    pub fn is_known(&self, question: &Question) -> bool {
        self.answered.contains_key(&key(question))
    }

    /// Whether the answer to a question is known to be large.
    #[must_use]
    pub fn is_large(&self, question: &Question) -> bool {
        let known = self.answered.get(&key(question));
        known.is_some_and(|known| known.is_large)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::dossier::Dossiers;
    use crate::measure::made::{answer, query};
    use crate::measure::sampled::Kind;

    const SECOND: Duration = Duration::from_secs(1);

    fn answered(at: Duration, name: &str) -> Dossiers {
        let mut dossiers = Dossiers::default();
        let mut asked = query(at, 7, 53, 1);
        if let Kind::Query { question, .. } = &mut asked.kind {
            let name = name.into();
            *question = Some(Question { name, qtype: 12 });
        }
        dossiers.add(&asked);
        dossiers.add(&answer(&asked, Duration::ZERO, 0));
        dossiers
    }

    #[test]
    fn a_zone_is_new_until_it_has_been_asked_for_a_while() {
        let mut names = Names::default();
        let mut new = |at: u32, name: &str| {
            let at = at * SECOND;
            let dossiers = answered(at, name);
            let dossier = dossiers.since(Duration::ZERO).next().expect("one");
            let question = dossier.question.as_ref().expect("a question");
            let new = names.new_zone(question, Duration::ZERO, at).is_some();
            names.look(dossier, at);
            new
        };
        // What is asked first of all is what is asked.
        assert!(!new(1, "www.example.org"));
        assert!(!new(25, "mail.example.org"));
        assert!(new(30, "4.3.in-addr.arpa"));
        assert!(new(39, "5.3.in-addr.arpa"));
        assert!(!new(41, "6.3.in-addr.arpa"));
    }
}
