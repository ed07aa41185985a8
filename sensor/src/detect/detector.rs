//! The [`Detector`] keeps what the rules need of the past, and applies them at each tick: a history and baselines of
//! each server, and of the network as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use sensor_common::server::ServerKey;

use crate::measure::address::ip;
use crate::measure::dossier::{Dossier, Dossiers};
use crate::measure::window::ServerWindow;

use super::askers::Askers;
use super::baseline::{self, Baseline};
use super::cohort;
use super::facts::{self, Around, Facts, NetworkFacts};
use super::history::{self, Span};
use super::network::Network;
use super::observation::Observation;
use super::place::{Place, Vantage};
use super::reading::{Reading, Subject};
use super::rule::Rule;
use super::rules;
use super::server::{self, ServerState};
use super::standing::Standing;
use super::thresholds::Thresholds;
use super::visibility;

/// Servers that are followed in detail.
const SERVERS: usize = 256;
/// Dossiers that rules look at began in the last so long.
const RECENT: Duration = Duration::from_secs(12);
/// A server of which nothing was seen for minutes is looked at so often.
const ASLEEP: Duration = Duration::from_mins(1);
/// What may have been seen lately where no rule can begin to fire before there is more: queries without an answer,
/// dossiers, packets.
const FEW_FAIL: u64 = 2;
const FEW_DOSSIERS: usize = 16;
const FEW_PACKETS: u64 = 48;
/// A server that failed so lately may still answer late.
const FAILED_LATELY: Duration = Duration::from_mins(1);

/// Follows servers and applies the rules.
pub struct Detector {
    thresholds: Thresholds,
    place: Place,
    /// Time for an answer.
    timeout: Duration,
    servers: BTreeMap<ServerKey, ServerState>,
    network: Network,
    askers: Askers,
    dossiers: Dossiers,
    /// Answers that a client gets without having been seen to ask, a second.
    unmatched: BTreeMap<ServerKey, Baseline>,
    /// Dossiers that began before this have had their time-out.
    judged_to: Duration,
    /// Since when a resolver reaches no server.
    path_since: Option<Duration>,
    readings: BTreeMap<Subject, Vec<Reading>>,
    /// Those of whom a rule fires.
    firing: BTreeSet<Subject>,
    /// Times that a server was forgotten because there were too many.
    forgotten: u64,
    is_at_rest: bool,
}

impl Detector {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(thresholds: Thresholds, place: Place, timeout: Duration) -> Self {
        Self {
            thresholds,
            place,
            timeout,
            servers: BTreeMap::new(),
            network: Network::default(),
            askers: Askers::default(),
            dossiers: Dossiers::default(),
            unmatched: BTreeMap::new(),
            judged_to: Duration::ZERO,
            path_since: None,
            readings: BTreeMap::new(),
            firing: BTreeSet::new(),
            forgotten: 0,
            is_at_rest: false,
        }
    }

    /// Adds a tick and applies every rule.
    pub fn observe(&mut self, seen: &Observation<'_>) {
        // More queries than usual may be of more sources than usual, which are not learnt as usual either.
        let rises = self.servers.values().any(ServerState::rises);
        let fires = |rules: &[Rule]| {
            let readings = self.firing.iter().filter_map(|of| self.readings.get(of));
            let mut firing = readings.flatten().filter(|r| r.level().is_some());
            firing.any(|reading| rules.contains(&reading.rule))
        };
        self.network.observe(seen, &self.thresholds, fires, rises);
        let now = seen.now;
        for (key, server) in &seen.window.servers {
            if is_no_server(key) {
                continue;
            }
            if !self.servers.contains_key(key) {
                if !self.make_room(key, server) {
                    continue;
                }
                // Counts of its first tick are of that tick.
                let begun = now.saturating_sub(seen.window.elapsed);
                self.servers.insert(*key, ServerState::new(begun));
            }
            let Some(state) = self.servers.get_mut(key) else {
                continue;
            };
            if state.is_asleep {
                state.wake(now.saturating_sub(seen.window.elapsed), &self.thresholds);
            }
            let span = Span {
                end: now,
                elapsed: seen.window.elapsed,
                counters: server.counters,
                unanswered: server.unanswered,
            };
            state.push(&span, server, seen.window);
        }
        for (key, state) in &mut self.servers {
            if seen.window.servers.contains_key(key) {
                continue;
            }
            if state.is_asleep && now.saturating_sub(state.history.now()) >= ASLEEP {
                state.wake(now, &self.thresholds);
            } else if !state.is_asleep {
                state.pass(now, seen.window.elapsed);
            }
        }
        self.look(seen);
        self.apply(now, seen.window.elapsed);
    }

    /// Adds sampled packets to their dossiers, and takes in those whose time-out has passed.
    fn look(&mut self, seen: &Observation<'_>) {
        for packet in seen.sampled {
            if let Some(state) = self.servers.get_mut(&packet.server) {
                state.asked_from_here |= self.place.addresses.contains(&packet.client);
            }
            self.dossiers.add(packet);
        }
        let to = seen.now.saturating_sub(self.timeout);
        for dossier in self.dossiers.since(self.judged_to) {
            if dossier.begun < to
                && let Some(state) = self.servers.get_mut(&dossier.server)
            {
                state.look(dossier, seen.now);
            }
        }
        self.judged_to = self.judged_to.max(to);
        self.askers.observe(&self.dossiers, seen.now, self.timeout);
    }

    /// Makes room for a server. Followed are this host's own addresses, then those that answer, then the rest: made-up
    /// servers must not take the places of real ones.
    fn make_room(&mut self, key: &ServerKey, server: &ServerWindow) -> bool {
        if self.servers.len() < SERVERS {
            return true;
        }
        let has_symptom = |key: &ServerKey| self.firing.contains(&Subject::Server(*key));
        let own = |key: &ServerKey| self.place.addresses.contains(key);
        let answers = server.counters.transactions.answered != 0;
        let newcomer = (own(key), answers);
        let least = self
            .servers
            .iter()
            .map(|(key, state)| {
                let worth = (own(key), state.has_answered);
                ((worth, has_symptom(key), state.history.last()), *key)
            })
            .min();
        self.forgotten += 1;
        match least {
            Some(((worth, symptom, seen), key)) => {
                let silent =
                    seen.is_none_or(|seen| server_is_old(seen, self.network.history.now()));
                let gives_way = newcomer > worth || (newcomer == worth && !symptom && silent);
                if gives_way {
                    self.servers.remove(&key);
                    self.readings.remove(&Subject::Server(key));
                    self.firing.remove(&Subject::Server(key));
                }
                gives_way
            }
            None => true,
        }
    }

    fn apply(&mut self, now: Duration, elapsed: Duration) {
        let recent: Vec<&Dossier> = self.dossiers.since(now.saturating_sub(RECENT)).collect();
        let mut by_server: BTreeMap<ServerKey, Vec<&Dossier>> = BTreeMap::new();
        for dossier in &recent {
            by_server.entry(dossier.server).or_default().push(dossier);
        }
        let scanners: Vec<ServerKey> = self
            .askers
            .scanners(&self.place, &self.thresholds)
            .map(|(scanner, _)| *scanner)
            .collect();
        let around = Around {
            network: &self.network,
            askers: &self.askers,
            place: &self.place,
            limits: &self.thresholds,
            scanners: &scanners,
            now,
            timeout: self.timeout,
        };
        let mut well = true;
        let mut rates = Vec::new();
        let (mut calm, mut without_answer) = (true, 0);
        for (key, state) in &mut self.servers {
            if state.is_asleep {
                continue;
            }
            let none = Vec::new();
            let recent = by_server.get(key).unwrap_or(&none);
            let vantage = vantage(&self.place, key, state);
            state.look_for_pause(recent, now, self.timeout);
            state.was_rejected |= visibility::is_rejected(recent, state.begun);
            let facts = Facts::new(&around, *key, state, recent, vantage);
            let readings = rules::of_server(&facts);
            let (clock, failing) = (facts.clock, facts.failing);
            if facts.standing == Standing::Minor && !state.has_answered {
                let clients = self.askers.clients_of(key);
                state.was_minor.get_or_insert(clients);
            }
            let failing_now = readings
                .iter()
                .any(|reading| reading.rule.is_failure() && reading.level().is_some());
            if failing_now {
                state.failed_at = Some(now);
                if failing.is_most {
                    state.mostly_failed_to = failing.asked.to;
                }
                let since = failing.asked.to.saturating_sub(failing.lasted);
                state.failing_since.get_or_insert(since);
                well = false;
            } else if !failing.is_unusual {
                state.failing_since = None;
            }
            state.forget_errors(&clock);
            state.learn(now, elapsed, &readings, recent, &clock, &self.thresholds);
            let long = state.history.over(facts::LONG);
            let answers = long.rate(long.answers()).max(state.usual.noerror.mean());
            rates.push((*key, answers));
            let fires = readings.iter().any(|reading| reading.level().is_some());
            // With an earlier one, the end of a query that is about to be known makes enough of them.
            let failed = state.cohorts.without_answer(cohort::KEPT, &clock);
            let enough = failed + 1 >= self.thresholds.failed_queries;
            if fires || enough || !state.is_calm(now, &self.thresholds) {
                calm = false;
            } else {
                state.fall_asleep(now, &self.thresholds);
                without_answer += state.cohorts.without_answer(RECENT, &clock);
            }
            note_firing(&mut self.firing, Subject::Server(*key), fires);
            self.readings.insert(Subject::Server(*key), readings);
        }
        self.network.set_answers(rates, &self.servers);
        let readings = self.with_network_facts(now, rules::of_network);
        let fires = |rule: Rule| {
            readings
                .iter()
                .any(|reading| reading.rule == rule && reading.level().is_some())
        };
        if fires(Rule::PathFailing) {
            self.path_since.get_or_insert(now);
            well = false;
        } else {
            self.path_since = None;
        }
        if !fires(Rule::Reflection) {
            learn_unmatched(&mut self.unmatched, &recent, now, elapsed);
        }
        self.askers.learn(&recent, now, self.timeout, well);
        let fires = readings.iter().any(|reading| reading.level().is_some());
        self.is_at_rest = calm
            && !fires
            && without_answer <= FEW_FAIL
            && recent.len() <= FEW_DOSSIERS
            && self.network.packets(RECENT) <= FEW_PACKETS;
        note_firing(&mut self.firing, Subject::Network, fires);
        self.readings.insert(Subject::Network, readings);
    }

    /// Whether time alone makes no rule fire before something is seen again: nothing fires, rises or falls, and of
    /// what was seen lately there is less than any rule wants.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.is_at_rest
    }

    /// The addresses of this host have changed.
    pub fn set_addresses(&mut self, addresses: &BTreeSet<ServerKey>) {
        self.place.addresses.clone_from(addresses);
    }

    /// A part of the traffic is no longer counted, from now on.
    pub fn lose_sight(&mut self) {
        self.place.one_direction = true;
        self.place.partly_blind = true;
    }

    /// What every rule says now.
    #[must_use]
    pub fn readings(&self) -> &BTreeMap<Subject, Vec<Reading>> {
        &self.readings
    }

    /// Those of whom a rule fires now.
    pub fn firing(&self) -> impl Iterator<Item = &Subject> {
        self.firing.iter()
    }

    /// A server that is followed.
    #[must_use]
    pub fn server(&self, key: &ServerKey) -> Option<&ServerState> {
        self.servers.get(key)
    }

    /// The network as a whole.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Where the sensor stands, seen from a server.
    #[must_use]
    pub fn vantage(&self, key: &ServerKey) -> Vantage {
        match self.servers.get(key) {
            Some(state) => vantage(&self.place, key, state),
            None if self.place.addresses.contains(key) => Vantage::Server,
            None => Vantage::Path,
        }
    }

    /// All servers that are followed.
    pub fn servers(&self) -> impl Iterator<Item = (&ServerKey, &ServerState)> {
        self.servers.iter()
    }

    /// What was sampled lately.
    #[must_use]
    pub fn dossiers(&self) -> &Dossiers {
        &self.dossiers
    }

    /// Who asks whom.
    #[must_use]
    pub fn askers(&self) -> &Askers {
        &self.askers
    }

    /// Where the sensor stands.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Time for an answer.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Calls `read` with what rules may know of the network now.
    pub fn with_network_facts<T>(
        &self,
        now: Duration,
        read: impl FnOnce(&NetworkFacts<'_>) -> T,
    ) -> T {
        let recent: Vec<&Dossier> = self.dossiers.since(now.saturating_sub(RECENT)).collect();
        let facts = NetworkFacts {
            now,
            recent: &recent,
            network: &self.network,
            askers: &self.askers,
            place: &self.place,
            limits: &self.thresholds,
            is_failing: &|server| failed_lately(&self.servers, server, now),
            is_stranger: &|server| {
                let state = self.servers.get(server);
                state.is_none_or(|state| !state.has_answered)
            },
            usual_unmatched: &|client| {
                let usual = self.unmatched.get(client);
                usual.map_or(0.0, Baseline::mean)
            },
            path_lasts: self
                .path_since
                .is_some_and(|since| now.saturating_sub(since) >= self.thresholds.failed_lasting),
        };
        read(&facts)
    }

    /// Calls `read` with what rules may know of a server now.
    pub fn with_facts<T>(
        &self,
        key: &ServerKey,
        now: Duration,
        read: impl FnOnce(&Facts<'_>) -> T,
    ) -> Option<T> {
        let state = self.servers.get(key)?;
        let recent: Vec<&Dossier> = self
            .dossiers
            .since(now.saturating_sub(RECENT))
            .filter(|dossier| dossier.server == *key)
            .collect();
        let around = Around {
            network: &self.network,
            askers: &self.askers,
            place: &self.place,
            limits: &self.thresholds,
            scanners: &[],
            now,
            timeout: self.timeout,
        };
        let vantage = vantage(&self.place, key, state);
        Some(read(&Facts::new(&around, *key, state, &recent, vantage)))
    }

    /// Its thresholds.
    #[must_use]
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// How many servers were forgotten because there were too many.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

fn failed_lately(
    servers: &BTreeMap<ServerKey, ServerState>,
    server: &ServerKey,
    now: Duration,
) -> bool {
    servers
        .get(server)
        .and_then(|state| state.failed_at)
        .is_some_and(|at| now.saturating_sub(at) <= FAILED_LATELY)
}

fn note_firing(firing: &mut BTreeSet<Subject>, subject: Subject, fires: bool) {
    if fires {
        firing.insert(subject);
    } else {
        firing.remove(&subject);
    }
}

/// Nothing was seen of it for a while.
fn server_is_old(last: Duration, now: Duration) -> bool {
    now.saturating_sub(last) >= Duration::from_secs(10)
}

/// Addresses that are no server: broadcast, multicast, unspecified (RFC 6890). The directed broadcast address of a
/// network is taken to end in 255: netmasks are not known of captures, and hosts with that address are few.
fn is_no_server(key: &ServerKey) -> bool {
    match ip(key) {
        IpAddr::V4(address) => {
            address.is_broadcast()
                || address.is_multicast()
                || address.is_unspecified()
                || address.octets()[3] == 255
        }
        IpAddr::V6(address) => address.is_multicast() || address.is_unspecified(),
    }
}

fn learn_unmatched(
    usual: &mut BTreeMap<ServerKey, Baseline>,
    recent: &[&Dossier],
    now: Duration,
    elapsed: Duration,
) {
    const CLIENTS: usize = 256;
    let (from, to) = (
        now.saturating_sub(server::SETTLED + elapsed),
        now.saturating_sub(server::SETTLED),
    );
    let mut counts: BTreeMap<ServerKey, u64> = usual.keys().map(|key| (*key, 0)).collect();
    for dossier in recent {
        if dossier.begun > from && dossier.begun <= to && dossier.copies.is_empty() {
            *counts.entry(dossier.client).or_default() += u64::from(dossier.weight);
        }
    }
    let seconds = elapsed.as_secs_f64().max(0.01);
    for (client, count) in counts {
        if usual.len() < CLIENTS || usual.contains_key(&client) {
            let rate = history::float(count) / seconds;
            let known = usual.entry(client).or_default();
            known.learn(rate, elapsed, baseline::SLOW, false);
        }
    }
}

fn vantage(place: &Place, key: &ServerKey, state: &ServerState) -> Vantage {
    if place.addresses.contains(key) {
        Vantage::Server
    } else if state.asked_from_here {
        Vantage::Client
    } else {
        Vantage::Path
    }
}
