//! What is happening: rules over windows. Why is for [`crate::incident`] to say.
//!
//! A rule is a pure function of [`Facts`], one file each in `rules/`. The [`Detector`] keeps what they
//! need of the past: a history and baselines of each server, and of the network as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sensor_common::server::ServerKey;
use serde::Serialize;

pub mod baseline;
pub mod clients;
mod facts;
pub mod history;
mod network;
pub mod rules;
pub mod server;
pub mod thresholds;

pub use facts::{ELSEWHERE, Facts};
pub use network::Network;
pub use rules::Rule;
pub use server::{Sees, ServerState, Usual};
pub use thresholds::Thresholds;

use crate::sighting::Sighting;
use crate::sketch::Prefix;
use crate::window::{Sources, Window};
use history::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Somebody should look at it.
    Warning,
    /// Somebody should look at it now.
    Critical,
}

impl Level {
    /// The name used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What a rule finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Below half of what makes it fire.
    Quiet,
    /// Above that: a sign that is on stays on.
    Holds,
    /// A sign.
    Fires(Level),
    /// It cannot tell, and why. A failure that was seen is not over for that.
    Unknown(&'static str),
}

/// Unit of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// 0 to 1.
    Share,
    /// Per second.
    PerSecond,
    /// Of time.
    Seconds,
    /// A number of things.
    Count,
}

/// What one rule says of one subject at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Which rule.
    pub rule: Rule,
    /// What was measured.
    pub value: f64,
    /// Its unit, and that of the others.
    pub unit: Unit,
    /// What is usual, where that is known and the rule asks for it.
    pub baseline: Option<f64>,
    /// From here on it may fire.
    pub warning: f64,
    /// From here on it may be critical.
    pub critical: Option<f64>,
    /// The result.
    pub state: State,
    /// In words and numbers, where it fires.
    pub said: String,
}

impl Reading {
    /// The level, if it fires.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        match self.state {
            State::Fires(level) => Some(level),
            _ => None,
        }
    }
}

/// What a sign is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A DNS server.
    Server(ServerKey),
    /// No server, but the network that is watched: it is the victim of reflection, or is scanned.
    Network,
}

/// Where the sensor stands, seen from a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Vantage {
    /// On the server itself.
    Server,
    /// On one of its clients.
    Client,
    /// Between them: a router, or a mirror port. Or it is not known.
    Path,
}

/// What the sensor knows of its own place.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Addresses of this host. Empty where they are not known.
    pub addresses: BTreeSet<ServerKey>,
    /// Only one direction of the traffic is counted.
    pub one_direction: bool,
    /// A part of the traffic that was counted no longer is: what stays away may only be unseen.
    pub partly_blind: bool,
    /// Sources that may ask as much as they like: resolvers, address translators.
    pub trusted: Vec<Prefix>,
}

impl Place {
    fn is_trusted(&self, address: &ServerKey) -> bool {
        let within = |prefix: &Prefix| prefix.contains(address);
        self.addresses.contains(address) || self.trusted.iter().any(within)
    }
}

/// One tick.
pub struct Observation<'a> {
    /// When it ended.
    pub now: Duration,
    /// What was counted.
    pub window: &'a Window,
    /// Sources of the last seconds and how long those are, once a second.
    pub sources: Option<(&'a Sources, Duration)>,
    /// Packets that were sampled.
    pub sightings: &'a [Sighting],
}

/// Servers that are followed in detail.
const SERVERS: usize = 256;

/// Follows servers and applies the rules.
pub struct Detector {
    thresholds: Thresholds,
    place: Place,
    /// Time for an answer.
    timeout: Duration,
    /// Time that one of the slots of [`crate::snapshot::Waiting`] stands for.
    slot: Duration,
    servers: BTreeMap<ServerKey, ServerState>,
    network: Network,
    readings: BTreeMap<Subject, Vec<Reading>>,
    /// Times that a server was forgotten because there were too many.
    forgotten: u64,
}

impl Detector {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(thresholds: Thresholds, place: Place, timeout: Duration, slot: Duration) -> Self {
        Self {
            thresholds,
            place,
            timeout,
            slot,
            servers: BTreeMap::new(),
            network: Network::default(),
            readings: BTreeMap::new(),
            forgotten: 0,
        }
    }

    /// Adds a tick and applies every rule.
    pub fn observe(&mut self, seen: &Observation<'_>) {
        // More queries than usual may be of more sources than usual, which are not learnt as usual either.
        let rises = self.servers.values().any(ServerState::rises);
        let (place, limits) = (&self.place, &self.thresholds);
        self.network
            .observe(seen, place, limits, &self.readings, rises);
        let now = seen.now;
        for (key, server) in &seen.window.servers {
            if !self.servers.contains_key(key) {
                self.make_room();
                // Counts of its first tick are of that tick.
                let begun = now.saturating_sub(seen.window.elapsed);
                self.servers.insert(*key, ServerState::new(begun));
            }
            let Some(state) = self.servers.get_mut(key) else {
                continue;
            };
            state.push(
                &Span {
                    end: now,
                    elapsed: seen.window.elapsed,
                    counters: server.counters,
                    unanswered: server.unanswered,
                },
                server,
                self.timeout,
            );
        }
        for (key, state) in &mut self.servers {
            if !seen.window.servers.contains_key(key) {
                state.pass(now, seen.window.elapsed);
            }
            state.clients.turn(now);
        }
        self.look(seen);
        self.apply(now, seen.window.elapsed);
    }

    /// Adds sampled packets to their servers.
    fn look(&mut self, seen: &Observation<'_>) {
        let mut sampled: BTreeMap<ServerKey, u64> = BTreeMap::new();
        for sighting in seen.sightings {
            *sampled.entry(sighting.server).or_default() += 1;
        }
        for sighting in seen.sightings {
            let Some(state) = self.servers.get_mut(&sighting.server) else {
                continue;
            };
            let server = seen.window.servers.get(&sighting.server);
            let packets = server.map_or(0, crate::window::ServerWindow::packets);
            let of = sampled.get(&sighting.server).copied().unwrap_or(1);
            let weight = history::share(packets, of).max(1.0);
            state.asked_from_here |= self.place.addresses.contains(&sighting.client);
            state.clients.add(seen.now, sighting, weight);
            self.network.served(sighting);
        }
    }

    fn make_room(&mut self) {
        if self.servers.len() < SERVERS {
            return;
        }
        // Those without a sign first, and those that never answered: that is what a scan leaves behind.
        let has_sign = |key: &ServerKey| {
            let readings = self.readings.get(&Subject::Server(*key));
            let mut readings = readings.into_iter().flatten();
            readings.any(|reading| reading.level().is_some())
        };
        let least = self
            .servers
            .iter()
            .min_by_key(|(key, state)| (has_sign(key), state.has_answered, state.history.last()));
        if let Some(key) = least.map(|(key, _)| *key) {
            self.servers.remove(&key);
            self.readings.remove(&Subject::Server(key));
            self.forgotten += 1;
        }
    }

    fn apply(&mut self, now: Duration, elapsed: Duration) {
        let vain = network::in_vain(&self.servers, &self.place, &self.thresholds, now);
        for server in vain.scans.values().flatten().chain(&vain.unseen) {
            if let Some(state) = self.servers.get_mut(server) {
                state.scanned_at = Some(now);
            }
        }
        // What a scan asks in vain is not what people ask.
        let is_asked = |state: &&ServerState| state.has_answered && state.history.is_recent();
        let asked = self.servers.values().filter(is_asked).count();
        let keys: Vec<ServerKey> = self.servers.keys().copied().collect();
        for key in keys {
            let Some(state) = self.servers.get(&key) else {
                continue;
            };
            let facts = Facts::new(self, key, state, now, &vain, asked);
            let readings = rules::of_server(&facts);
            let subject = Subject::Server(key);
            if let Some(state) = self.servers.get_mut(&key) {
                state.learn(elapsed, &readings, &self.thresholds);
            }
            self.readings.insert(subject, readings);
        }
        let readings = rules::of_network(&self.network, &vain, &self.place, &self.thresholds);
        self.readings.insert(Subject::Network, readings);
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
        let local = &self.place.addresses;
        if local.contains(key) {
            return Vantage::Server;
        }
        let state = self.servers.get(key);
        if state.is_some_and(|state| state.asked_from_here) {
            Vantage::Client
        } else {
            Vantage::Path
        }
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
