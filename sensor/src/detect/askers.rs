//! Who asks which servers: what the clients of a server have in common tells what its failure means.
//!
//! A recursive resolver asks hundreds of servers, and some of them are always dead: that is no incident. When none
//! answers it any more, its way to them is gone: that is one incident, and not hundreds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::fast::RandomState;
use sensor_common::server::ServerKey;

use super::place::Place;
use super::thresholds::Thresholds;
use super::usual::Share;
use crate::measure::dossier::{Dossier, Dossiers, End};
use crate::measure::sketch::Prefix;

/// Whom somebody asks is looked up over so long.
const LONG: Duration = Duration::from_mins(1);
/// Whether all fail is looked up over so long.
const SHORT: Duration = Duration::from_secs(5);
/// Clients that are served, beside which one that is not matters little.
const STRAY: usize = 10;
/// Whoever asks fewer servers is not told apart.
const FEW: usize = 8;
/// Askers whose usual share of failures is known.
const KNOWN: usize = 64;
/// A query counts as failing when it has waited for so long.
const OVERDUE: Duration = Duration::from_secs(1);
/// Questions of a scan are the same, or each is of another server.
const SAME: f64 = 0.8;

/// What one server was asked by one client, in dossiers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Queries.
    pub asked: u64,
    /// Answered by it, late answers included.
    pub answered: u64,
    /// Failed.
    pub failed: u64,
}

/// One client of several servers.
#[derive(Clone, Debug, Default)]
pub struct Asker {
    /// What it asked of whom.
    pub servers: BTreeMap<ServerKey, Tally>,
    /// The same of the last seconds.
    pub lately: Tally,
    /// Servers in it, and those of them that answered.
    pub lately_servers: BTreeSet<ServerKey>,
    /// See `lately_servers`.
    pub lately_answering: BTreeSet<ServerKey>,
    /// By a hash of their names: only how many there are, and how often the most frequent one, is asked.
    questions: HashMap<u64, u64, RandomState>,
}

impl Asker {
    /// Queries of all servers.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.servers.values().map(|tally| tally.asked).sum()
    }

    /// Servers that answered it.
    #[must_use]
    pub fn answering(&self) -> usize {
        let answers = |tally: &&Tally| tally.answered != 0;
        self.servers.values().filter(answers).count()
    }

    /// Servers that it asked, and that never answered it, in time or late.
    pub fn in_vain(&self) -> impl Iterator<Item = &ServerKey> {
        let vain = |(_, tally): &(&ServerKey, &Tally)| tally.answered == 0 && tally.failed != 0;
        self.servers.iter().filter(vain).map(|(server, _)| server)
    }

    /// It asks most of them the same, or each once or twice something of its own: it looks for servers.
    #[must_use]
    pub fn looks_around(&self) -> bool {
        let servers = self.servers.len() as u64;
        let most = self.questions.values().max().copied().unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
        let same = most as f64 / self.asked().max(1) as f64;
        same >= SAME
            || self.asked() <= 2 * servers && self.questions.len() as u64 * 5 >= self.asked() * 4
    }
}

/// All clients of several servers.
#[derive(Default)]
pub struct Askers {
    /// By client, of the last minute.
    pub by_client: BTreeMap<ServerKey, Asker>,
    /// Usual share of failures.
    usual: BTreeMap<ServerKey, Share>,
    /// Networks to which an answer was ever seen.
    answered: BTreeSet<Prefix>,
    /// Servers that answer each client, also where it asks one alone.
    served_by: BTreeMap<ServerKey, Vec<ServerKey>>,
    /// A client that asks each server, and how many do.
    asked_by: BTreeMap<ServerKey, (ServerKey, usize)>,
    counted_at: Option<Duration>,
    learnt_to: Duration,
}

/// Times between two counts.
const EVERY: Duration = Duration::from_millis(490);

impl Askers {
    /// Counts anew, twice a second.
    pub fn observe(&mut self, dossiers: &Dossiers, now: Duration, timeout: Duration) {
        if self
            .counted_at
            .is_some_and(|at| now.saturating_sub(at) < EVERY)
        {
            return;
        }
        self.counted_at = Some(now);
        let mut found: HashMap<ServerKey, Asker, RandomState> = HashMap::default();
        let hasher = RandomState::default();
        let lately = now.saturating_sub(SHORT + OVERDUE);
        for dossier in dossiers.since(now.saturating_sub(LONG)) {
            if dossier.copies.is_empty() {
                continue;
            }
            let asker = found.entry(dossier.client).or_default();
            let end = dossier.end(now, timeout);
            let weight = u64::from(dossier.weight);
            let waits = now.saturating_sub(dossier.begun) > OVERDUE;
            let failed = match end {
                End::Waiting => waits,
                End::Late(_) => false,
                _ => end.is_failure(),
            };
            let answered = matches!(end, End::Answered(_) | End::Late(_));
            let tally = asker.servers.entry(dossier.server).or_default();
            for tally in [
                Some(tally),
                (dossier.begun >= lately).then_some(&mut asker.lately),
            ]
            .into_iter()
            .flatten()
            {
                tally.asked += weight;
                tally.answered += if answered { weight } else { 0 };
                tally.failed += if failed { weight } else { 0 };
            }
            if dossier.begun >= lately {
                asker.lately_servers.insert(dossier.server);
                if answered {
                    asker.lately_answering.insert(dossier.server);
                }
            }
            if let Some(question) = &dossier.question {
                let name = hasher.hash_one(&question.name);
                *asker.questions.entry(name).or_default() += weight;
            }
        }
        let mut found: BTreeMap<ServerKey, Asker> = found.into_iter().collect();
        for (client, asker) in &found {
            if asker.answering() != 0 && self.answered.len() < KNOWN * 16 {
                self.answered.insert(Prefix::network(*client));
            }
        }
        self.asked_by.clear();
        for (client, asker) in &found {
            for server in asker.servers.keys() {
                self.asked_by.entry(*server).or_insert((*client, 0)).1 += 1;
            }
        }
        let answering = |(client, asker): (&ServerKey, &Asker)| {
            let servers = asker.servers.iter();
            let answering = servers.filter(|(_, tally)| tally.answered != 0);
            (*client, answering.map(|(server, _)| *server).collect())
        };
        self.served_by = found.iter().map(answering).collect();
        found.retain(|_, asker| asker.servers.len() > 1);
        self.by_client = found;
    }

    /// Learns how much usually fails, of those who ask many.
    pub fn learn(&mut self, recent: &[&Dossier], now: Duration, timeout: Duration, well: bool) {
        let to = now.saturating_sub(super::server::SETTLED);
        if well {
            for dossier in recent {
                let is_new = dossier.begun > self.learnt_to && dossier.begun <= to;
                let many = self
                    .by_client
                    .get(&dossier.client)
                    .is_some_and(|asker| asker.servers.len() >= FEW);
                if !is_new || !many || dossier.copies.is_empty() {
                    continue;
                }
                if self.usual.len() < KNOWN || self.usual.contains_key(&dossier.client) {
                    let end = dossier.end(now, timeout);
                    let failed = end.is_failure() && !matches!(end, End::Late(_));
                    let usual = self.usual.entry(dossier.client).or_default();
                    usual.learn(u64::from(failed), 1);
                }
            }
        }
        self.learnt_to = self.learnt_to.max(to);
    }

    /// The usual share of failures of a client.
    #[must_use]
    pub fn usual(&self, client: &ServerKey) -> Share {
        self.usual.get(client).copied().unwrap_or_default()
    }

    /// Whether a client, or a neighbour in its network, was ever answered by anybody.
    #[must_use]
    pub fn was_answered(&self, client: &ServerKey) -> bool {
        self.answered.contains(&Prefix::network(*client))
    }

    /// How many other servers answer the client that asks most of a server's queries.
    #[must_use]
    pub fn others_of(&self, server: &ServerKey) -> usize {
        let of = |asker: &Asker| asker.servers.get(server).map_or(0, |tally| tally.asked);
        let asker = self.by_client.values().max_by_key(|asker| of(asker));
        let asker = asker.filter(|asker| of(asker) != 0);
        asker.map_or(0, |asker| {
            let answering = asker
                .servers
                .iter()
                .filter(|(_, tally)| tally.answered != 0);
            answering.filter(|(other, _)| *other != server).count()
        })
    }

    /// Whether one client alone asks a server, whereas many others are served by other servers: it is set up wrongly, or
    /// brought the server's address from elsewhere.
    #[must_use]
    pub fn is_a_stray_ones(&self, server: &ServerKey) -> bool {
        let Some((client, 1)) = self.asked_by.get(server) else {
            return false;
        };
        // One that answers others asks in their stead.
        let mut well = self.served_by.values().filter(|by| !by.is_empty());
        let answers = |client| well.clone().any(|by| by.contains(client));
        !answers(client) && well.nth(STRAY).is_some()
    }

    /// How many clients ask a server.
    #[must_use]
    pub fn clients_of(&self, server: &ServerKey) -> usize {
        self.asked_by.get(server).map_or(0, |(_, many)| *many)
    }

    /// The share of some clients that another server answers.
    #[must_use]
    pub fn served_elsewhere<'a>(
        &self,
        server: &ServerKey,
        clients: impl Iterator<Item = &'a ServerKey>,
    ) -> f64 {
        let (mut all, mut well) = (0, 0);
        for client in clients {
            all += 1;
            let by = self.served_by.get(client);
            well += u64::from(by.is_some_and(|by| by.iter().any(|other| other != server)));
        }
        super::history::share(well, all)
    }

    /// Of what the client that asks most of a server's queries asks of anybody, the share that it asks of this one.
    #[must_use]
    pub fn asks_most(&self, server: &ServerKey) -> Option<f64> {
        let of = |asker: &Asker| asker.servers.get(server).map_or(0, |tally| tally.asked);
        let asker = self.by_client.values().max_by_key(|asker| of(asker))?;
        Some(super::history::share(of(asker), asker.asked()))
    }

    /// The client that asks most of a server's queries, if it asks many servers.
    #[must_use]
    pub fn resolver_of(&self, server: &ServerKey) -> Option<(&ServerKey, &Asker)> {
        let of = |asker: &Asker| asker.servers.get(server).map_or(0, |tally| tally.asked);
        let (client, asker) = self.by_client.iter().max_by_key(|(_, asker)| of(asker))?;
        (of(asker) != 0 && asker.servers.len() >= FEW).then_some((client, asker))
    }

    /// Clients that look for servers, with those that did not answer.
    pub fn scanners<'a>(
        &'a self,
        place: &'a Place,
        limits: &'a Thresholds,
    ) -> impl Iterator<Item = (&'a ServerKey, usize)> {
        self.by_client.iter().filter_map(move |(client, asker)| {
            let vain = asker.in_vain().count();
            let scans = !place.is_trusted(client)
                && vain >= limits.scan_destinations
                && asker.answering() * 2 < asker.servers.len()
                && asker.looks_around()
                && !self.was_answered_before(client, asker);
            scans.then_some((client, vain))
        })
    }

    /// Somebody whom many servers have answered is no stranger.
    fn was_answered_before(&self, client: &ServerKey, asker: &Asker) -> bool {
        self.usual(client).count() >= 20.0
            && self.usual(client).mean().is_some_and(|failed| failed < 0.5)
            || asker.answering() >= FEW && asker.answering() * 2 >= asker.servers.len()
    }
}
