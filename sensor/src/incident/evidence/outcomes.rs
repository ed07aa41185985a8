//! What became of the sampled transactions of an incident, and for whom they failed.
//!
//! Each counts once, when its clients have had the time to ask again; the younger ones are counted anew at each tick.

use std::collections::BTreeMap;
use std::time::Duration;

use sensor_common::server::ServerKey;

use super::super::record::{Counts, Failing, Party, SentAgain};
use super::samples::{count_up_to, top};
use crate::detect::rcode::NXDOMAIN;
use crate::detect::{ServerState, again};
use crate::measure::address::ip;
use crate::measure::dossier::{Dossier, Dossiers, End};
use crate::measure::question::Question;

/// Clients ask again after five seconds at the latest, as a rule.
const AGE: Duration = Duration::from_secs(6);
/// A copy that is answered after an earlier one was not is so much later, at least.
const LATER: Duration = Duration::from_millis(500);
/// Clients and questions that are told apart.
const PARTIES: usize = 512;
/// Labels of a zone, at least.
const LABELS: usize = 2;
/// Steps of the time between copies.
const STEP_MS: u64 = 100;
/// Share of the copies that came after the same time, in percent, and copies that it takes.
const SAME: u64 = 80;
const ENOUGH: u64 = 8;

/// Counts of transactions.
#[derive(Clone, Debug, Default)]
struct Tally {
    queries: u64,
    failed: u64,
    clients: Counts<ServerKey>,
    questions: BTreeMap<(String, u16), u64>,
    /// What all names that fail end with.
    zone: Zone,
    again: SentAgain,
    /// Second copies, by steps since the first.
    intervals: Counts<u64>,
}

/// What names have in common.
#[derive(Clone, Debug, Default)]
enum Zone {
    /// There was no name.
    #[default]
    Open,
    /// All are below it.
    One(String),
    /// Nothing.
    Several,
}

impl Zone {
    fn add(&mut self, question: &Question) {
        let zone = match self {
            Self::Open => zone_of(question),
            Self::One(zone) => common(zone, &question.name),
            Self::Several => None,
        };
        *self = zone.map_or(Self::Several, Self::One);
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Outcomes {
    closed: Tally,
    closed_to: Duration,
    now: Tally,
    /// Names are denied that were answered before: those that never were say nothing.
    are_gone: bool,
}

/// What is known of a server when its transactions are counted.
pub struct Known<'a> {
    /// The server.
    pub server: ServerKey,
    /// What the detector knows of it.
    pub state: &'a ServerState,
    /// The rcode that the incident is about.
    pub rcode: Option<usize>,
    /// From the onset, and up to the last symptom.
    pub span: [Duration; 2],
    /// Now, and how long a query waits.
    pub now: Duration,
    /// See `now`.
    pub timeout: Duration,
}

impl Known<'_> {
    fn is_denied(&self, dossier: &Dossier) -> bool {
        self.rcode == Some(NXDOMAIN) && self.state.names.is_denied(dossier)
    }

    /// Whether it failed; `None` where that is not known yet.
    fn failed(&self, dossier: &Dossier, are_gone: bool) -> Option<bool> {
        match dossier.end(self.now, self.timeout) {
            End::Waiting | End::NoQuery => None,
            End::Answered(answer) => Some(
                self.rcode == Some(usize::from(answer.rcode))
                    && (!are_gone || self.is_denied(dossier)),
            ),
            end => Some(end.is_failure()),
        }
    }
}

impl Outcomes {
    /// Counts the transactions of a server from the onset to the last symptom.
    pub fn count(&mut self, dossiers: &Dossiers, known: &Known<'_>) {
        let [onset, last] = known.span;
        let from = self.closed_to.max(onset);
        let old = known.now.saturating_sub(AGE.max(known.timeout)).min(last);
        let to_close = old.max(from);
        let mut now = self.closed.clone();
        let all = dossiers.since(from).filter(|dossier| {
            dossier.server == known.server && dossier.asked().is_some() && dossier.begun <= last
        });
        for dossier in all {
            self.are_gone |= known.is_denied(dossier);
            let Some(failed) = known.failed(dossier, self.are_gone) else {
                continue;
            };
            now.add(dossier, failed, last);
            if dossier.begun < to_close {
                self.closed.add(dossier, failed, last);
            }
        }
        self.closed_to = to_close;
        self.now = now;
    }

    /// What fails, and for whom.
    #[must_use]
    pub fn failing(&self) -> Failing {
        let tally = &self.now;
        Failing {
            queries: tally.queries,
            failed: tally.failed,
            addresses: tally.clients.len(),
            clients: top(tally.clients.iter().map(|(client, count)| Party {
                who: ip(client).to_string(),
                count: *count,
                what: None,
            })),
            questions: top(tally.questions.iter().map(|((name, qtype), count)| Party {
                who: name.clone(),
                count: *count,
                what: Some(qtype.to_string()),
            })),
            zone: match &tally.zone {
                Zone::One(zone) => Some(zone.clone()),
                Zone::Open | Zone::Several => None,
            },
        }
    }

    /// What was sent more than once.
    #[must_use]
    pub fn sent_again(&self) -> SentAgain {
        let tally = &self.now;
        let copies: u64 = tally.intervals.values().sum();
        let (step, _) = tally
            .intervals
            .iter()
            .max_by_key(|(_, count)| **count)
            .unwrap_or((&0, &0));
        let near = tally.intervals.range(step.saturating_sub(1)..=step + 1);
        let near: u64 = near.map(|(_, count)| count).sum();
        let is_same = copies >= ENOUGH && near * 100 >= copies * SAME;
        SentAgain {
            queries: tally.queries,
            interval_ms: is_same.then_some(step * STEP_MS),
            ..tally.again
        }
    }
}

impl Tally {
    /// Copies that came after the last symptom are not of the incident.
    fn add(&mut self, dossier: &Dossier, failed: bool, last: Duration) {
        let weight = u64::from(dossier.weight);
        self.queries += weight;
        let again = again::is_again(dossier);
        self.again.answered += if again.is_some() { weight } else { 0 };
        let again = again == Some(true);
        if dossier.copies.get(1).is_some_and(|copy| *copy <= last) {
            self.note_copies(dossier, again, weight);
        }
        if !failed && !again {
            return;
        }
        self.failed += weight;
        count_up_to(&mut self.clients, dossier.client, weight, PARTIES);
        if let Some(question) = &dossier.question {
            let key = (question.name.to_string(), question.qtype);
            count_up_to(&mut self.questions, key, weight, PARTIES);
            self.zone.add(question);
        }
    }

    fn note_copies(&mut self, dossier: &Dossier, again: bool, weight: u64) {
        let [first, second, ..] = dossier.copies.as_slice() else {
            return;
        };
        let took = second.saturating_sub(*first);
        if again {
            self.again.after_answer += weight;
        } else if dossier.answer().is_none_or(|answer| answer.at > *second) {
            self.again.unanswered += weight;
            let own = dossier.latency();
            let is_later = |own| dossier.wait().is_some_and(|wait| wait >= own + LATER);
            self.again.copy_answered += if own.is_some_and(is_later) { weight } else { 0 };
        } else {
            // It was on its way when the answer came.
            return;
        }
        let step = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let step = step.saturating_add(STEP_MS / 2) / STEP_MS;
        count_up_to(&mut self.intervals, step, weight, PARTIES);
    }
}

/// All but the first label, where that leaves a zone; else the name itself.
fn zone_of(question: &Question) -> Option<String> {
    let name = &*question.name;
    let parent = name.split_once('.').map(|(_, parent)| parent);
    let zone = parent.filter(|parent| labels(parent) >= LABELS);
    let zone = zone.unwrap_or(name);
    (labels(zone) >= LABELS).then(|| zone.to_string())
}

fn labels(name: &str) -> usize {
    name.split('.').filter(|label| !label.is_empty()).count()
}

/// The longest zone that both are in.
fn common(zone: &str, name: &str) -> Option<String> {
    let same = zone
        .rsplit('.')
        .zip(name.rsplit('.'))
        .take_while(|(a, b)| a == b)
        .count();
    let all: Vec<&str> = zone.split('.').collect();
    (same >= LABELS).then(|| all[all.len() - same..].join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str) -> Question {
        Question {
            name: name.into(),
            qtype: 1,
        }
    }

    #[test]
    fn the_zone_is_what_all_names_end_with() {
        let zone = zone_of(&question("www1.example.net")).expect("a zone");
        assert_eq!(zone, "example.net");
        assert_eq!(
            common(&zone, "a.b.example.net").as_deref(),
            Some("example.net")
        );
        assert_eq!(
            common("b.example.net", "a.b.example.net").as_deref(),
            Some("b.example.net")
        );
        assert_eq!(
            common(&zone, "www.example.org"),
            None,
            "a top-level domain is none"
        );
        assert_eq!(
            zone_of(&question("example.net")).as_deref(),
            Some("example.net")
        );
        assert_eq!(zone_of(&question("localhost")), None);
    }

    #[test]
    fn copies_that_all_come_after_the_same_time_show_the_interval() {
        let mut outcomes = Outcomes::default();
        let tally = &mut outcomes.now;
        tally.again.unanswered = 20;
        tally.intervals = [(49, 2), (50, 17), (10, 1)].into();
        assert_eq!(outcomes.sent_again().interval_ms, Some(5_000));
        outcomes.now.intervals = [(50, 10), (10, 10)].into();
        assert_eq!(outcomes.sent_again().interval_ms, None, "two stubs");
        outcomes.now.intervals = [(50, 7)].into();
        assert_eq!(outcomes.sent_again().interval_ms, None, "too few");
    }
}
