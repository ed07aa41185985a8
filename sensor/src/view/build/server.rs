//! One server.

use std::sync::Arc;
use std::time::Duration;

use sensor_common::server::ServerKey;

use super::rates::{MINUTE, NOW, Recent, over, point, with};
use super::standing::Standing;
use super::symptoms::Symptoms;
use crate::detect::visibility::Visibility;
use crate::detect::{Detector, Reading, Rule, ServerState, State as Found, Subject};
use crate::incident::Record;
use crate::measure::address::ip;
use crate::measure::reading::Waiting;
use crate::measure::window::ServerWindow;
use crate::view::model::HISTORY;
use crate::view::server::{Point, Rates, RuleView, ServerView, Usual};
use crate::view::state::State;

/// What a tick is, for each server.
pub struct Now<'a> {
    /// Rules, histories and baselines.
    pub detector: &'a Detector,
    /// Rules that open no incident.
    pub in_shadow: &'a dyn Fn(Rule) -> bool,
    /// When the session began, or time anew.
    pub begun: Duration,
    /// Time of the engine, and how long the tick was.
    pub at: Duration,
    /// See `at`.
    pub elapsed: Duration,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// How long the second was that has ended with it, if one has.
    pub second: Option<Duration>,
    /// What is usual is known after so long.
    pub learning: Duration,
}

/// What is kept of one server from tick to tick.
pub struct Server {
    /// Monotone.
    pub totals: ServerWindow,
    recent: Recent,
    standing: Standing,
    minute: Rates,
    usual: Usual,
    history: Arc<Vec<Point>>,
}

impl Server {
    pub fn new(at_ms: u64) -> Self {
        Self {
            totals: ServerWindow::empty(),
            recent: Recent::new(),
            standing: Standing::new(State::Learning, at_ms),
            minute: Rates::default(),
            usual: Usual::default(),
            history: Arc::default(),
        }
    }

    /// Takes a tick: what was counted in it, if anything was, and the open incident that the server is part of.
    pub fn tick(
        &mut self,
        key: &ServerKey,
        state: &ServerState,
        window: Option<&ServerWindow>,
        incident: Option<&Record>,
        now: &Now<'_>,
    ) -> ServerView {
        match window {
            Some(window) => self.totals.add(window),
            None => self.totals.waiting = Waiting::default(),
        }
        let latency = window.map(|window| &window.latency);
        self.recent.push(latency, now.at);
        if let Some(second) = now.second {
            self.minute = over(&state.history, MINUTE, &self.recent.minute());
            self.usual = usual(state, now);
            let point = point(&state.history, second, now.at_ms);
            self.history = Arc::new(with(&self.history, point, HISTORY));
        }
        let readings = now.detector.readings().get(&Subject::Server(*key));
        let readings = readings.map_or(&[][..], Vec::as_slice);
        let found = found(state, readings, incident, &self.minute, now);
        self.standing.tick(found, now.elapsed, now.at_ms);
        let onset = incident.map(|record| record.onset_ms);
        let since = onset.filter(|_| self.standing.state.is_bad());
        ServerView {
            address: ip(key),
            state: self.standing.state,
            since_ms: since
                .unwrap_or(self.standing.since_ms)
                .min(self.standing.since_ms),
            changes: self.standing.changes,
            spent: self.standing.spent,
            vantage: now.detector.vantage(key),
            incident: incident.map(|record| record.id.clone()),
            totals: self.totals.clone(),
            now: over(&state.history, NOW, self.recent.now()),
            minute: self.minute,
            usual: self.usual,
            rules: readings.iter().map(|reading| rule(reading, now)).collect(),
            history: self.history.clone(),
        }
    }
}

/// How it is found at a tick.
fn found(
    state: &ServerState,
    readings: &[Reading],
    incident: Option<&Record>,
    minute: &Rates,
    now: &Now<'_>,
) -> State {
    let symptoms = Symptoms::of(incident);
    let bad = symptoms.worst(readings, now.in_shadow);
    if bad.is_bad() {
        return bad;
    }
    let one_way = matches!(
        state.visibility.of_server(),
        Visibility::QueriesOnly | Visibility::AnswersOnly
    );
    let unknown = |reading: &Reading| {
        reading.rule == Rule::Silent && matches!(reading.state, Found::Unknown(_))
    };
    if now.at.saturating_sub(state.begun) < now.learning {
        State::Learning
    } else if one_way && minute.is_asked() && readings.iter().any(unknown) {
        State::OneWay
    } else {
        State::Ok
    }
}

fn usual(state: &ServerState, now: &Now<'_>) -> Usual {
    let p95 = state.usual.latency.quantile(0.95);
    Usual {
        queries: state.usual_rate(now.detector.thresholds()),
        failed_share: state.usual.failed.mean(),
        p95: p95.map(Duration::from_secs_f64),
    }
}

fn rule(reading: &Reading, now: &Now<'_>) -> RuleView {
    let (state, detail) = match reading.state {
        Found::Quiet => ("quiet", String::new()),
        Found::Holds => ("holds", String::new()),
        Found::Fires(_) if (now.in_shadow)(reading.rule) => ("shadow", reading.detail.clone()),
        Found::Fires(level) => (level.name(), reading.detail.clone()),
        Found::Unknown(why) => ("unknown", why.to_owned()),
    };
    RuleView {
        rule: reading.rule.name(),
        state,
        detail,
    }
}
