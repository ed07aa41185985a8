//! All servers together.

use std::sync::Arc;

use sensor_common::sample::Sample;

use super::rates::{MINUTE, NOW, Recent, over, point, with};
use super::server::Now;
use super::standing::Standing;
use super::symptoms::Symptoms;
use crate::detect::Subject;
use crate::engine::status::Status;
use crate::incident::Record;
use crate::measure::address::prefix;
use crate::measure::latency::Latency;
use crate::measure::samples::{Heaviest as Counted, Names};
use crate::measure::sketch::Heavy;
use crate::measure::window::Window;
use crate::view::model::{Heaviest, NETWORK_HISTORY, NetworkView, TOP};
use crate::view::server::{Point, ServerView, Usual};
use crate::view::state::{Missing, State};
use crate::view::trouble::troubles;

/// Names are counted over at least so many seconds, and at most twice as many.
const NAMES: u32 = 5;

/// What is kept of the network from tick to tick.
pub struct Network {
    recent: Recent,
    standing: Standing,
    own: Standing,
    history: Arc<Vec<Point>>,
    usual: Usual,
    names: Sampled,
    top: Top,
}

/// Names in samples: of two overlapping spans the older one is shown.
#[derive(Default)]
struct Sampled {
    older: Names,
    newer: Names,
    seconds: u32,
}

/// What is read once a second.
#[derive(Default)]
struct Top {
    sources: Vec<Heaviest>,
    networks: Vec<Heaviest>,
    error: u64,
    names: Vec<Heaviest>,
    suffixes: Vec<Heaviest>,
    samples: u64,
}

impl Network {
    pub fn new(at_ms: u64) -> Self {
        Self {
            recent: Recent::new(),
            standing: Standing::new(State::Learning, at_ms),
            own: Standing::new(State::Ok, at_ms),
            history: Arc::default(),
            usual: Usual::default(),
            names: Sampled::default(),
            top: Top::default(),
        }
    }

    /// Takes a tick, after the servers.
    pub fn tick(
        &mut self,
        window: &Window,
        samples: &[Sample],
        status: &Status,
        incidents: (&[Arc<Record>], Option<&Record>),
        servers: &[Arc<ServerView>],
        now: &Now<'_>,
    ) -> NetworkView {
        let mut latency = Latency::fine();
        window
            .servers
            .values()
            .for_each(|server| latency.merge(&server.latency));
        self.recent.push(Some(&latency), now.at);
        for sample in samples {
            self.names.add(sample);
        }
        let network = now.detector.network();
        let limits = now.detector.thresholds();
        if let Some(second) = now.second {
            let point = point(&network.history, second, now.at_ms);
            self.history = Arc::new(with(&self.history, point, NETWORK_HISTORY));
            self.usual.queries = usual_of(servers);
            self.top.read(
                &self.names.older,
                network.sources.as_ref().map(|(sources, _)| sources),
            );
            self.names.second();
        }
        let missing = missing(status, servers, now);
        let has_lasted = now.at.saturating_sub(now.begun);
        let learning =
            (has_lasted < now.learning).then_some((has_lasted.as_secs(), now.learning.as_secs()));
        let readings = now.detector.readings().get(&Subject::Network);
        let readings = readings.map_or(&[][..], Vec::as_slice);
        let own = Symptoms::of(incidents.1).worst(readings, now.in_shadow);
        // Without an incident nothing is wrong: it may be part of a server's.
        let own = if incidents.1.is_some() {
            own
        } else {
            State::Ok
        };
        self.own.tick(own, now.elapsed, now.at_ms);
        let own = self.own.state;
        let bad = troubles(incidents.0, servers, own);
        let worst = bad.first();
        let found = match (worst, learning, missing) {
            (Some(worst), _, _) => worst.state,
            (None, Some(_), missing) if missing != Some(Missing::Interface) => State::Learning,
            (None, _, Some(_)) => State::OneWay,
            (None, _, None) => State::Ok,
        };
        self.standing.tick(found, now.elapsed, now.at_ms);
        let state = self.standing.state;
        let onset = worst
            .filter(|_| state.is_bad())
            .map(|worst| worst.record.onset_ms);
        NetworkView {
            state,
            since_ms: onset.unwrap_or(self.standing.since_ms),
            own,
            missing,
            now: over(&network.history, NOW, self.recent.now()),
            history: self.history.clone(),
            usual: self.usual,
            sources: whole(network.distinct_sources),
            usual_sources: network.usual_sources.after(limits.learning),
            sources_error: self.top.error,
            heaviest_sources: self.top.sources.clone(),
            heaviest_networks: self.top.networks.clone(),
            names: whole(network.distinct_names),
            usual_names: network.usual_names.after(limits.learning),
            name_samples: self.top.samples,
            heaviest_names: self.top.names.clone(),
            heaviest_suffixes: self.top.suffixes.clone(),
            learning,
        }
    }
}

impl Sampled {
    fn add(&mut self, sample: &Sample) {
        self.older.add(sample);
        self.newer.add(sample);
    }

    fn second(&mut self) {
        self.seconds += 1;
        if self.seconds.is_multiple_of(NAMES) {
            self.older = std::mem::take(&mut self.newer);
        }
    }
}

impl Top {
    fn read(&mut self, names: &Names, sources: Option<&crate::measure::window::Sources>) {
        let heavy = |heavy: &Heavy| Heaviest {
            what: prefix(&heavy.source),
            at_most: heavy.at_most,
            at_least: heavy.at_least,
        };
        if let Some(sources) = sources {
            self.sources = sources.addresses.iter().take(TOP).map(heavy).collect();
            self.networks = sources.networks.iter().take(TOP).map(heavy).collect();
            self.error = sources.error;
        }
        let top = |counted: &Counted| {
            let top = counted.top(TOP).into_iter();
            top.map(|(what, count)| Heaviest {
                what: what.into(),
                at_most: count.at_most,
                at_least: count.at_most - count.error,
            })
            .collect()
        };
        self.names = top(&names.names);
        self.suffixes = top(&names.suffixes);
        self.samples = names.questions;
    }
}

/// Why nothing can be told, if it cannot.
fn missing(status: &Status, servers: &[Arc<ServerView>], now: &Now<'_>) -> Option<Missing> {
    if status.is_gone() || status.is_detached() {
        return Some(Missing::Interface);
    }
    let minute = now.detector.network().history.over(MINUTE);
    let (queries, responses) = (minute.counters.queries, minute.counters.responses);
    if queries + responses == 0 {
        return Some(Missing::Traffic);
    }
    let place = now.detector.place();
    if place.one_direction || place.partly_blind {
        return Some(Missing::Direction);
    }
    let asked = |server: &&Arc<ServerView>| server.minute.queries + server.minute.answered > 0.0;
    let rate = |of: &dyn Fn(&ServerView) -> bool| -> f64 {
        let servers = servers.iter().filter(|server| of(server));
        servers.map(|server| server.minute.queries.max(1e-3)).sum()
    };
    let all = rate(&|_| true);
    let one_way = rate(&|server| server.state == State::OneWay);
    let active = servers.iter().filter(asked).count();
    (active != 0 && one_way > all / 2.0).then_some(if queries == 0 {
        Missing::Queries
    } else {
        Missing::Answers
    })
}

/// The usual rates of all servers, where one is known.
fn usual_of(servers: &[Arc<ServerView>]) -> Option<f64> {
    let mut known = servers.iter().filter_map(|server| server.usual.queries);
    let first = known.next()?;
    Some(first + known.sum::<f64>())
}

/// An estimate of a number of things.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate of a count: not negative, and far below 2^53"
)]
fn whole(estimate: f64) -> u64 {
    estimate.round() as u64
}
