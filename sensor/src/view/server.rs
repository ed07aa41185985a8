//! A server in the model.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::state::State;
use crate::detect::Vantage;
use crate::measure::window::ServerWindow;

/// One server.
#[derive(Clone, Debug)]
pub struct ServerView {
    /// Its address.
    pub address: IpAddr,
    /// How it is.
    pub state: State,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// Times that it came into each state, in the order of [`State::ALL`].
    pub changes: [u64; State::ALL.len()],
    /// Time that it was in each state.
    pub spent: [Duration; State::ALL.len()],
    /// Seen from here.
    pub vantage: Vantage,
    /// Id of its incident that goes on.
    pub incident: Option<String>,
    /// Monotone: packets, outcomes, latency, since it was first seen.
    pub totals: ServerWindow,
    /// Of the last two seconds.
    pub now: Rates,
    /// Of the last minute.
    pub minute: Rates,
    /// What is usual.
    pub usual: Usual,
    /// Rules with what they read now.
    pub rules: Vec<RuleView>,
    /// One second each, five minutes back, the newest last.
    pub history: Arc<Vec<Point>>,
}

/// What happens per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Queries, copies included.
    pub queries: f64,
    /// Queries that were answered in time.
    pub answered: f64,
    /// Queries that got an ICMP error.
    pub errored: f64,
    /// Queries whose time-out passed.
    pub unanswered: f64,
    /// ICMP errors about its queries.
    pub icmp_errors: f64,
    /// Answered in time of those whose end is known, 0 to 1; none where none is known.
    pub answered_share: Option<f64>,
    /// Median of the answers; none where there was no answer.
    pub p50: Option<Duration>,
    /// 95th percentile of the answers.
    pub p95: Option<Duration>,
}

impl Rates {
    /// Whether there was any query, or any end of one.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.queries + self.answered + self.errored + self.unanswered > 0.0
    }
}

/// What is usual; none where too little is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usual {
    /// Queries per second.
    pub queries: Option<f64>,
    /// Share of queries that fail, 0 to 1.
    pub failed_share: Option<f64>,
    /// 95th percentile of latency.
    pub p95: Option<Duration>,
}

/// One rule of a server.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleView {
    /// Code of the rule.
    pub rule: &'static str,
    /// `quiet`, `holds`, `warning`, `critical`, `unknown`, or `shadow` where it fires in shadow mode.
    pub state: &'static str,
    /// In words and numbers where it fires; why it cannot tell where it is unknown.
    pub detail: String,
}

/// One second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Its end, in milliseconds since 1970.
    pub at_ms: u64,
    /// Queries.
    pub queries: f32,
    /// Responses.
    pub answers: f32,
    /// Queries that were found to have failed: with an ICMP error, or after their time-out.
    pub failed: f32,
    /// ICMP errors about queries.
    pub icmp_errors: f32,
}
