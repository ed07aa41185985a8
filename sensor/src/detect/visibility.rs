//! Which directions of a server's traffic pass here, for each network of clients.
//!
//! Where traffic takes several ways only queries, or only answers, may pass the sensor. Then nothing can be said of
//! what was answered: such traffic is `one_way`, and nothing alarms on it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sensor_common::server::ServerKey;
use serde::Serialize;

use crate::measure::dossier::{Dossier, End};
use crate::measure::sketch::Prefix;

/// Client networks of which the directions are known.
const NETWORKS: usize = 512;
/// A network that was not seen for so long is forgotten where there are too many.
const OLD: Duration = Duration::from_mins(10);
/// Stubs that miss an answer ask again within so long.
const PATIENCE: Duration = Duration::from_secs(7);
/// Questions that tell whether clients ask again.
const FEW: usize = 5;
/// Share of unanswered queries that are sent again where their clients miss the answers: stubs send two copies
/// or more, within 2 to 10 s.
const AGAIN: f64 = 0.2;
/// Errors about queries to a server that are no stray ones.
const ERRORS: usize = 3;
/// A server that answers nobody for so long is down.
const LATELY: Duration = Duration::from_secs(4);
/// So many queries whose clients have waited that long tell something, where others before them were no different.
const PATIENT: u64 = 2;
/// And where they do not miss them: hardly one in so many.
const SELDOM: u64 = 50;

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
    /// Both of one transaction: else some clients' queries pass, and the answers to others.
    both: bool,
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
        let asked = !dossier.copies.is_empty();
        // ICMP errors come back the way that answers take.
        let answered = !dossier.answers.is_empty() || !dossier.errors.is_empty();
        known.queries |= asked;
        known.answers |= answered;
        known.both |= asked && answered;
        known.last = now;
    }

    /// Whether a query of this network was ever seen to be answered.
    #[must_use]
    pub fn is_answered(&self, network: &Prefix) -> bool {
        self.networks.get(network).is_some_and(|known| known.both)
    }

    /// Of the server as a whole.
    #[must_use]
    pub fn of_server(&self) -> Visibility {
        let any = |is: fn(&Directions) -> bool| self.networks.values().any(is);
        if any(|known| known.both) {
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

/// Whether some of the first queries to a server, which is known since `begun`, brought errors: they come back the way that
/// its answers would take. Later ones anybody may have made up who has seen that its answers are not missed.
#[must_use]
pub fn is_rejected(recent: &[&Dossier], begun: Duration) -> bool {
    let errors = recent.iter().flat_map(|dossier| &dossier.errors);
    let first = errors.filter(|error| !error.about_answer && error.at <= begun + PATIENCE);
    first.count() >= ERRORS
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

/// What tells whether the answers to a client would pass here.
pub struct Seen<'a> {
    /// Networks that the server was seen to answer.
    pub networks: &'a ByNetwork,
    /// Clients that it was seen to answer.
    pub clients: &'a BTreeMap<ServerKey, Duration>,
    /// Since when it is known.
    pub begun: Duration,
    /// It was once well: nearly all that was asked of it was seen to be answered.
    pub was_well: bool,
    /// See [`is_rejected`].
    pub was_rejected: bool,
    /// Whether anybody was seen to answer a client's network.
    pub elsewhere: &'a dyn Fn(&Dossier) -> bool,
    /// Now, and the time for an answer.
    pub now: Duration,
    /// See `now`.
    pub timeout: Duration,
}

impl Seen<'_> {
    /// Clients of one network may take different ways: one that has asked for longer than any stub waits, and neither
    /// asks again nor was ever answered, gets its answers on another one. Until that is known of anybody, its network
    /// tells nothing.
    fn passes(&self, dossier: &Dossier, first: Duration) -> bool {
        if self.clients.contains_key(&dossier.client) {
            return true;
        }
        let network = Prefix::network(dossier.client);
        if !self.networks.is_answered(&network) {
            return (self.elsewhere)(dossier);
        }
        first + PATIENCE > self.now && self.begun + PATIENCE <= self.now
    }

    /// Whether its flows take several ways, and the answers of some of them another one than this: it answers some, of
    /// the others none that is old enough was asked again, and so it has been since it is known.
    fn is_by_socket(&self, recent: &[&Dossier]) -> bool {
        if self.was_well || self.clients.is_empty() {
            return false;
        }
        if ask_again(recent, self.now, self.timeout) {
            return false;
        }
        let patient = |dossier: &&&Dossier| {
            dossier.begun + PATIENCE <= self.now
                && dossier.end(self.now, self.timeout) == End::Unanswered
        };
        let lately = self.now.saturating_sub(LATELY);
        let is_answered = |dossier: &&&Dossier| {
            dossier.begun >= lately && !dossier.copies.is_empty() && !dossier.answers.is_empty()
        };
        if !recent.iter().any(|dossier| is_answered(&dossier)) {
            return false;
        }
        let (mut all, mut again) = (0_u64, 0);
        for dossier in recent.iter().filter(patient) {
            all += 1;
            again += u64::from(dossier.copies.len() > 1);
        }
        // Before any stub would have asked again nothing is known.
        let is_young = self.begun + PATIENCE > self.now;
        is_young || all >= PATIENT && again * SELDOM <= all
    }

    /// Share, by weight, of the unanswered queries whose answers would not pass here.
    #[must_use]
    pub fn one_way_share(&self, recent: &[&Dossier]) -> f64 {
        if self.is_by_socket(recent) {
            return 1.0;
        }
        if self.clients.is_empty() && self.was_rejected {
            return 0.0;
        }
        let is_open = |dossier: &&&Dossier| {
            let end = dossier.end(self.now, self.timeout);
            matches!(end, End::Unanswered | End::Waiting)
        };
        let open: Vec<&&Dossier> = recent.iter().filter(is_open).collect();
        let clients: BTreeSet<ServerKey> = open.iter().map(|dossier| dossier.client).collect();
        let mut first: BTreeMap<ServerKey, Duration> = BTreeMap::new();
        for dossier in recent.iter().filter(|d| clients.contains(&d.client)) {
            first.entry(dossier.client).or_insert(dossier.begun);
        }
        let mut unseen: BTreeMap<Prefix, Vec<&Dossier>> = BTreeMap::new();
        let mut all = 0;
        for dossier in open {
            all += dossier.weight;
            let begun = first.get(&dossier.client).copied().unwrap_or_default();
            if !self.passes(dossier, begun) {
                let network = Prefix::network(dossier.client);
                unseen.entry(network).or_default().push(dossier);
            }
        }
        let one_way: u32 = unseen
            .into_values()
            .filter(|dossiers| !ask_again(dossiers, self.now, self.timeout))
            .flatten()
            .map(|dossier| dossier.weight)
            .sum();
        f64::from(one_way) / f64::from(all.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::dossier::Dossiers;
    use crate::measure::made::{address, answer, query, rejection};

    const SECOND: Duration = Duration::from_secs(1);
    const NOW: Duration = Duration::from_secs(20);

    /// A server of which two clients' queries are seen, each in a flow of its own.
    struct Flows {
        dossiers: Dossiers,
        port: u16,
        begun: Duration,
        was_well: bool,
        known: bool,
    }

    impl Flows {
        /// One was answered at that second.
        fn answered_at(second: u32) -> Self {
            let mut flows = Self {
                dossiers: Dossiers::default(),
                port: 1_000,
                begun: Duration::ZERO,
                was_well: false,
                known: true,
            };
            flows.add(1, &[SECOND * second], true);
            flows
        }

        /// So many of ten seconds ago were not, and were sent so many times.
        fn with_unanswered(mut self, many: usize, copies: u32) -> Self {
            for _ in 0..many {
                let times: Vec<Duration> = (0..copies).map(|n| SECOND * (10 + n)).collect();
                self.add(2, &times, false);
            }
            self
        }

        fn add(&mut self, client: u8, times: &[Duration], answered: bool) {
            self.port += 1;
            for at in times {
                let asked = query(*at, client, 53, self.port);
                self.dossiers.add(&asked);
                if answered {
                    self.dossiers
                        .add(&answer(&asked, Duration::from_millis(3), 0));
                }
            }
        }

        fn are_one_way(&self) -> bool {
            let recent: Vec<&Dossier> = self.dossiers.since(Duration::ZERO).collect();
            let known = self.known.then(|| (address(1), Duration::ZERO));
            let seen = Seen {
                networks: &ByNetwork::default(),
                clients: &known.into_iter().collect(),
                begun: self.begun,
                was_well: self.was_well,
                was_rejected: false,
                elsewhere: &|_| true,
                now: NOW,
                timeout: SECOND * 2,
            };
            let share = seen.one_way_share(&recent);
            assert!(share == 0.0 || share > 0.99, "{share}");
            share > 0.99
        }
    }

    #[test]
    fn flows_whose_answers_are_not_missed_take_another_way_than_those_that_are_answered() {
        let flows = || Flows::answered_at(19).with_unanswered(10, 1);
        assert!(flows().are_one_way());
        let was_well = Flows {
            was_well: true,
            ..flows()
        };
        assert!(!was_well.are_one_way(), "its answers were all seen once");
        let unknown = Flows {
            known: false,
            ..flows()
        };
        assert!(!unknown.are_one_way(), "no client is known to be answered");
    }

    #[test]
    fn the_first_queries_are_rejected_and_not_later_ones() {
        let mut dossiers = Dossiers::default();
        for port in 0..6 {
            let asked = query(if port < 3 { SECOND } else { NOW }, 1, 53, port);
            dossiers.add(&asked);
            dossiers.add(&rejection(&asked, SECOND * 3));
        }
        let recent: Vec<&Dossier> = dossiers.since(Duration::ZERO).collect();
        assert!(is_rejected(&recent, Duration::ZERO));
        assert!(!is_rejected(&recent[1..], Duration::ZERO), "two are few");
        assert!(!is_rejected(&recent[3..], Duration::ZERO), "known for long");
    }

    #[test]
    fn a_server_that_answers_nobody_lately_is_down_and_not_one_way_by_socket() {
        assert!(!Flows::answered_at(12).with_unanswered(10, 1).are_one_way());
    }

    #[test]
    fn clients_that_ask_again_miss_their_answers() {
        let some = Flows::answered_at(19)
            .with_unanswered(9, 1)
            .with_unanswered(1, 2);
        assert!(!some.are_one_way());
        assert!(!Flows::answered_at(19).with_unanswered(10, 2).are_one_way());
    }

    #[test]
    fn one_query_without_an_answer_tells_nothing_unless_no_stub_could_have_asked_again_yet() {
        let flows = || Flows::answered_at(19).with_unanswered(1, 1);
        assert!(!flows().are_one_way());
        let young = Flows {
            begun: SECOND * 14,
            ..flows()
        };
        assert!(young.are_one_way());
    }
}
