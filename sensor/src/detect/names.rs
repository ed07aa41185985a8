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
}

fn key(question: &Question) -> u64 {
    let mut hasher = DefaultHasher::new();
    question.hash(&mut hasher);
    hasher.finish()
}

impl Names {
    /// Adds a dossier whose time-out has passed.
    pub fn look(&mut self, dossier: &Dossier, now: Duration) {
        let (Some(question), Some(answer)) = (&dossier.question, dossier.answer()) else {
            return;
        };
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
        // What is denied and then answered is a name that has come, and none that has gone.
        let before = |question| {
            let known = self.answered.get(&key(question));
            known.is_some_and(|known| known.first <= dossier.begun)
        };
        dossier.answer().is_some_and(denied) && dossier.question.as_ref().is_some_and(before)
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
