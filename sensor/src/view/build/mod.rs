//! Builds the [`View`]: the only reader of engine, measures, detector and incidents at once.

mod cost;
mod incidents;
mod network;
mod rates;
mod server;
mod standing;
mod symptoms;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sensor_common::sample::Sample;
use sensor_common::server::ServerKey;

use super::event::Event;
use super::model::{AlertCount, InterfaceView, SERVERS, SensorView, View};
use super::server::ServerView;
use crate::detect::Rule;
use crate::detect::server::believed_after;
use crate::engine::status::{Status, Watched};
use crate::incident::tracker::Shadow;
use crate::incident::{Change, Record};
use crate::measure::counters::Counters;
use crate::measure::reading::Lane;
use crate::measure::window::{Reading, ServerWindow, Window};
use crate::monitor::Monitor;
use cost::Cost;
use incidents::Incidents;
use network::Network;
use server::{Now, Server};

/// What a tick brought.
pub struct Input<'a> {
    /// What was counted.
    pub reading: &'a Reading,
    /// What was sampled.
    pub samples: &'a [Sample],
    /// What detects, after this tick.
    pub monitor: &'a Monitor,
    /// How the engine stands.
    pub status: &'a Status,
    /// What happened to incidents.
    pub changes: &'a [(Change, Record)],
    /// Rules that fire and open no incident.
    pub shadows: &'a [Shadow],
    /// Alerts by way.
    pub alerts: Vec<AlertCount>,
    /// Alerts whose receiver was too slow.
    pub alerts_lost: u64,
}

/// See the module.
pub struct Builder {
    /// Time of the engine when the session began.
    begun: Option<Duration>,
    /// Of other beginnings before the last: a capture whose clock was set back.
    before: Duration,
    last: Duration,
    /// When the last second ended.
    second: Duration,
    servers: BTreeMap<ServerKey, Server>,
    /// Of servers that are not among them, or are no longer.
    others: ServerWindow,
    network: Option<Network>,
    incidents: Incidents,
    cost: Cost,
    lanes: Vec<Lane>,
    watched: Vec<Watched>,
    lost_hooks: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            begun: None,
            before: Duration::ZERO,
            last: Duration::ZERO,
            second: Duration::ZERO,
            servers: BTreeMap::new(),
            others: ServerWindow::empty(),
            network: None,
            incidents: Incidents::default(),
            cost: Cost::new(),
            lanes: Vec::new(),
            watched: Vec::new(),
            lost_hooks: 0,
        }
    }

    /// Time begins, or begins anew: what is known of servers is not of the time that comes. Counters go on.
    pub fn begin(&mut self) {
        if let Some(begun) = self.begun.take() {
            self.before += self.last.saturating_sub(begun);
        }
        for server in std::mem::take(&mut self.servers).into_values() {
            self.others.add(&server.totals);
        }
        self.network = None;
    }

    /// An incident is open where time ends.
    pub fn unfinished(&mut self, record: Record) -> Event {
        let record = Arc::new(record);
        self.incidents.end(record.clone());
        Event::Unfinished(record)
    }

    /// Takes a tick: the view at its end, and what has happened in it.
    pub fn tick(&mut self, input: &Input<'_>) -> (View, Vec<Event>) {
        let (reading, monitor) = (input.reading, input.monitor);
        let window = &reading.window;
        let begun = *self.begun.get_or_insert_with(|| {
            self.second = reading.at;
            reading.at
        });
        let at_ms = monitor.calendar().ms(reading.at);
        let since = reading.at.saturating_sub(self.second);
        let ends = reading.at.as_secs() != self.second.as_secs() && !since.is_zero();
        if ends {
            self.second = reading.at;
        }
        self.last = reading.at;
        let in_shadow = |rule: Rule| monitor.is_in_shadow(rule);
        let now = Now {
            detector: monitor.detector(),
            in_shadow: &in_shadow,
            begun,
            at: reading.at,
            elapsed: window.elapsed,
            at_ms,
            second: ends.then_some(since),
            learning: believed_after(monitor.detector().thresholds()),
        };
        let mut events = Vec::new();
        let changed = self.incidents.tick(input.changes, monitor);
        events.extend(
            changed
                .into_iter()
                .map(|(change, record)| Event::Incident(change, record)),
        );
        let shadows = input.shadows.iter().cloned().map(Arc::new);
        events.extend(shadows.map(Event::Shadow));
        let servers = self.servers(window, &now);
        let incidents = self.incidents.shown();
        let of_network = self.incidents.of_network();
        let network = self
            .network
            .get_or_insert_with(|| Network::new(at_ms))
            .tick(
                window,
                input.samples,
                input.status,
                (&incidents, of_network),
                &servers,
                &now,
            );
        let forgotten = monitor.detector().forgotten();
        self.cost.tick(window, forgotten, input.alerts_lost);
        if ends {
            let lost = self.cost.second().into_iter();
            events.extend(lost.map(|(what, count)| Event::Lost { what, count }));
        }
        events.extend(self.links(input.status));
        let view = View {
            at_ms,
            uptime: self.before + reading.at.saturating_sub(begun),
            interfaces: self.interfaces(window, input.status),
            lost_hooks: input.status.lost.clone(),
            network,
            servers,
            others: self.others.clone(),
            incidents,
            host: monitor.host().cloned(),
            sensor: SensorView {
                incidents_unfollowed: monitor.unfollowed(),
                opened: self.incidents.opened(),
                alerts: input.alerts.clone(),
                ..self.cost.view(window, input.status)
            },
        };
        (view, events)
    }

    /// The worst first, then the busiest.
    fn servers(&mut self, window: &Window, now: &Now<'_>) -> Vec<Arc<ServerView>> {
        let known = now.detector;
        let gone = self
            .servers
            .extract_if(.., |key, _| known.server(key).is_none());
        gone.for_each(|(_, server)| self.others.add(&server.totals));
        let incidents = self.incidents.by_server();
        let mut views = Vec::new();
        for (key, state) in known.servers() {
            let server = self
                .servers
                .entry(*key)
                .or_insert_with(|| Server::new(now.at_ms));
            let counted = window.servers.get(key);
            let incident = incidents.get(&crate::measure::address::ip(key)).copied();
            views.push(Arc::new(server.tick(key, state, counted, incident, now)));
        }
        for (key, counted) in &window.servers {
            if !self.servers.contains_key(key) {
                self.others.add(counted);
            }
        }
        self.others.counters.add(&window.other);
        self.others.unanswered += window.other_unanswered;
        views.sort_by(|a, b| {
            b.state
                .cmp(&a.state)
                .then(b.minute.queries.total_cmp(&a.minute.queries))
                .then(a.address.cmp(&b.address))
        });
        views.truncate(SERVERS);
        views
    }

    /// Interfaces with all that was counted at them.
    fn interfaces(&mut self, window: &Window, status: &Status) -> Vec<InterfaceView> {
        for lane in &window.lanes {
            let same = |known: &&mut Lane| {
                known.interface == lane.interface && known.direction == lane.direction
            };
            match self.lanes.iter_mut().find(same) {
                Some(known) => known.totals.add(&lane.totals),
                None => self.lanes.push(lane.clone()),
            }
        }
        let totals = |name: &str| {
            let of_it = self.lanes.iter().filter(move |lane| lane.interface == name);
            of_it.map(|lane| (lane.direction, lane.totals)).collect()
        };
        let view = |watched: &Watched| InterfaceView {
            name: watched.name.clone(),
            hook: watched.hook.clone(),
            link: watched.state.name(),
            detached: watched.detached,
            totals: totals(&watched.name),
        };
        status.interfaces.iter().map(view).collect()
    }

    /// Interfaces that are not as they were, and hooks that were lost.
    fn links(&mut self, status: &Status) -> Vec<Event> {
        let mut events = Vec::new();
        for (before, now) in self.watched.iter().zip(&status.interfaces) {
            if before.state != now.state {
                events.push(Event::Link {
                    interface: now.name.clone(),
                    link: now.state.name(),
                });
            }
        }
        if self.watched != status.interfaces {
            self.watched.clone_from(&status.interfaces);
        }
        let lost = status.lost.iter().skip(self.lost_hooks).cloned();
        events.extend(lost.map(Event::HookLost));
        self.lost_hooks = status.lost.len();
        events
    }
}
