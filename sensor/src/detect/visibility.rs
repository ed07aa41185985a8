//! Which directions of a server's traffic pass here, for each network of clients.
//!
//! Where traffic takes several ways only queries, or only answers, may pass the sensor. Then nothing can be said of
//! what was answered: such traffic is `one_way`, and nothing alarms on it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Vantage;
use crate::measure::dossier::{Dossier, End};
use crate::measure::sketch::Prefix;

/// Client networks of which the directions are known.
const NETWORKS: usize = 512;
/// A network that was not seen for so long is forgotten where there are too many.
const OLD: Duration = Duration::from_mins(10);
/// Questions that tell whether clients ask again.
const FEW: usize = 5;
/// Share of unanswered queries that are sent again where their clients miss the answers: stubs send two copies
/// or more, within 2 to 10 s.
const AGAIN: f64 = 0.2;

/// What passes here of a server's traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Queries and answers.
    Both,
    /// Only queries.
    QueriesOnly,
    /// Only answers.
    AnswersOnly,
    /// Too little was seen.
    Unknown,
}

#[derive(Clone, Copy, Debug, Default)]
struct Directions {
    queries: bool,
    answers: bool,
    last: Duration,
}

/// The directions of one server, by client network.
#[derive(Clone, Debug, Default)]
pub struct ByNetwork {
    networks: BTreeMap<Prefix, Directions>,
}

impl ByNetwork {
    /// Adds a dossier whose time-out has passed.
    pub fn add(&mut self, dossier: &Dossier, now: Duration) {
        let network = Prefix::network(dossier.client);
        if self.networks.len() >= NETWORKS && !self.networks.contains_key(&network) {
            let old = now.saturating_sub(OLD);
            self.networks.retain(|_, known| known.last >= old);
            if self.networks.len() >= NETWORKS {
                return;
            }
        }
        let known = self.networks.entry(network).or_default();
        known.queries |= !dossier.copies.is_empty();
        // ICMP errors come back the way that answers take.
        known.answers |= !dossier.answers.is_empty() || !dossier.errors.is_empty();
        known.last = now;
    }

    /// Whether an answer to this network was ever seen.
    #[must_use]
    pub fn is_answered(&self, network: &Prefix) -> bool {
        self.networks
            .get(network)
            .is_some_and(|known| known.answers)
    }

    /// Of the server as a whole.
    #[must_use]
    pub fn of_server(&self) -> Visibility {
        let any = |is: fn(&Directions) -> bool| self.networks.values().any(is);
        if any(|known| known.queries && known.answers) {
            Visibility::Both
        } else if any(|known| known.queries) {
            Visibility::QueriesOnly
        } else if any(|known| known.answers) {
            Visibility::AnswersOnly
        } else {
            Visibility::Unknown
        }
    }

    /// Networks of which only one direction passes here.
    pub fn one_way(&self) -> impl Iterator<Item = (&Prefix, Visibility)> {
        self.networks.iter().filter_map(|(network, known)| {
            let seen = match (known.queries, known.answers) {
                (true, false) => Visibility::QueriesOnly,
                (false, true) => Visibility::AnswersOnly,
                _ => return None,
            };
            Some((network, seen))
        })
    }
}

/// Whether clients miss the answers that are not seen: they send their queries again.
#[must_use]
pub fn ask_again(recent: &[&Dossier], now: Duration, timeout: Duration) -> bool {
    let unanswered: Vec<_> = recent
        .iter()
        .filter(|dossier| dossier.end(now, timeout) == End::Unanswered)
        .collect();
    let copies = unanswered
        .iter()
        .filter(|dossier| dossier.copies.len() > 1)
        .count();
    // A copy from another port has the same id: for another question that would be chance.
    let mut questions = BTreeMap::new();
    for dossier in &unanswered {
        if let Some(question) = &dossier.question {
            let key = (dossier.client, dossier.id, &question.name, question.qtype);
            *questions.entry(key).or_insert(0_usize) += 1;
        }
    }
    let repeated: usize = questions.values().filter(|many| **many > 1).sum();
    let again = copies + repeated;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
    let share = again as f64 / unanswered.len().max(1) as f64;
    unanswered.len() >= FEW && again >= 3 && share >= AGAIN
}

/// Share, by weight, of the unanswered queries whose network is only seen in one direction: no server's answer to it
/// was ever seen.
#[must_use]
pub fn one_way_share(
    known: &ByNetwork,
    recent: &[&Dossier],
    vantage: Vantage,
    is_answered_elsewhere: &dyn Fn(&Dossier) -> bool,
    (now, timeout): (Duration, Duration),
) -> f64 {
    if vantage != Vantage::Path {
        return 0.0;
    }
    let mut by_network: BTreeMap<Prefix, Vec<&Dossier>> = BTreeMap::new();
    let mut all = 0;
    for dossier in recent {
        if matches!(dossier.end(now, timeout), End::Unanswered | End::Waiting) {
            all += dossier.weight;
            let network = Prefix::network(dossier.client);
            by_network.entry(network).or_default().push(dossier);
        }
    }
    let mut one_way = 0;
    for (network, dossiers) in &by_network {
        let is_seen =
            known.is_answered(network) || dossiers.iter().any(|d| is_answered_elsewhere(d));
        if !is_seen && !ask_again(dossiers, now, timeout) {
            one_way += dossiers.iter().map(|dossier| dossier.weight).sum::<u32>();
        }
    }
    f64::from(one_way) / f64::from(all.max(1))
}
