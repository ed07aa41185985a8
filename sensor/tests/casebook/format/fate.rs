//! What becomes of queries.

use std::time::Duration;

use serde::Deserialize;

use crate::addresses::Addresses;
use crate::words::{Error, Rcode, Span, Types, Wait};

/// What becomes of queries. Of several that match, the last one in the file decides.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fate {
    #[serde(default)]
    pub at: Span,
    #[serde(default)]
    pub clients: Option<Addresses>,
    #[serde(default)]
    pub servers: Option<Addresses>,
    /// Names that end in one of these.
    #[serde(default)]
    pub below: Vec<String>,
    #[serde(default)]
    pub types: Vec<Types>,
    #[serde(default)]
    pub via: Option<Via>,
    /// Of the server.
    #[serde(default)]
    pub port: Option<u16>,
    /// Only the first copy (1), or only later ones (2).
    #[serde(default)]
    pub copy: Option<u8>,
    /// With an OPT record, or without one.
    #[serde(default)]
    pub edns: Option<bool>,
    /// Of what matches; the rest goes to an earlier fate.
    #[serde(default = "all")]
    pub share: f64,
    /// The share is of sockets, not of copies: another copy from the same port has the same fate.
    #[serde(default)]
    pub sticky: bool,
    /// What of it passes the sensor.
    #[serde(default)]
    pub seen: Seen,
    #[serde(default)]
    pub answer: Option<Answer>,
    /// No answer.
    #[serde(default)]
    pub drop: bool,
    #[serde(default)]
    pub reject: Option<Reject>,
    #[serde(default)]
    pub pause: Option<Pause>,
    #[serde(default)]
    pub recurse: Option<Recurse>,
}

fn all() -> f64 {
    1.0
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    Udp,
    Tcp,
}

/// What passes the sensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    #[default]
    Both,
    Queries,
    Answers,
    Nothing,
}

/// An answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    #[serde(default)]
    pub rcode: Rcode,
    #[serde(default = "usual_latency")]
    pub after: Wait,
    /// Bytes of the message. Beyond what the client takes, it is truncated.
    #[serde(default)]
    pub size: usize,
    /// Truncated in any case.
    #[serde(default)]
    pub tc: bool,
    /// From here instead of from where it was asked.
    #[serde(default)]
    pub from: Addresses,
    #[serde(default)]
    pub from_port: Option<u16>,
    /// It passes the sensor and never reaches the client.
    #[serde(default)]
    pub lost: bool,
    /// It comes in from outside although it claims to be from this host.
    #[serde(default)]
    pub forged: bool,
    /// How many of it.
    #[serde(default = "once")]
    pub times: u32,
    /// Which fragments of it pass.
    #[serde(default)]
    pub fragments: Fragments,
    /// Answers a second that the server can give; more wait in its queue.
    #[serde(default)]
    pub capacity: Option<f64>,
    /// What does not fit is dropped.
    #[serde(default = "queue")]
    pub queue: u32,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            rcode: Rcode::default(),
            after: usual_latency(),
            size: 0,
            tc: false,
            from: Addresses::default(),
            from_port: None,
            lost: false,
            forged: false,
            times: 1,
            fragments: Fragments::All,
            capacity: None,
            queue: queue(),
        }
    }
}

fn usual_latency() -> Wait {
    Wait::between(Duration::from_millis(1), Duration::from_millis(4))
}

fn once() -> u32 {
    1
}

fn queue() -> u32 {
    20
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fragments {
    #[default]
    All,
    First,
    Later,
}

/// An ICMP error, or a reset.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reject {
    pub error: Error,
    /// The server where none is given.
    #[serde(default)]
    pub from: Addresses,
    /// The sender of what is quoted where none is given.
    #[serde(default)]
    pub to: Addresses,
    #[serde(default = "at_once")]
    pub after: Wait,
    /// About the answer, and not about the query.
    #[serde(default)]
    pub about_answer: bool,
    /// Bytes after the IP header that are quoted.
    #[serde(default = "quote")]
    pub quote: usize,
    /// Source address in the quote, where a NAT did not put the inner one back.
    #[serde(default)]
    pub quoted_client: Addresses,
    /// As Linux limits errors: for each destination.
    #[serde(default)]
    pub limit: Option<Limit>,
}

fn at_once() -> Wait {
    Wait::between(Duration::from_micros(100), Duration::from_micros(400))
}

fn quote() -> usize {
    548
}

/// A token bucket.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    pub per_second: f64,
    pub burst: f64,
}

/// A server that stops, and answers what has waited when it goes on: at the end of the fate's span, or again and
/// again within it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    #[serde(default, with = "humantime_serde")]
    pub every: Option<Duration>,
    #[serde(default, with = "humantime_serde")]
    pub lasts: Duration,
    /// Queries that its socket keeps.
    #[serde(default = "socket")]
    pub queue: u32,
}

fn socket() -> u32 {
    270
}

/// A resolver that asks others.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recurse {
    pub servers: Addresses,
    /// Share of the queries that the cache does not answer.
    #[serde(default = "all")]
    pub misses: f64,
    #[serde(default)]
    pub retry: Vec<Wait>,
    /// When it answers with `fails_with` if nothing has come.
    #[serde(with = "humantime_serde")]
    pub gives_up: Duration,
    /// None: it never answers.
    #[serde(default)]
    pub fails_with: Option<Rcode>,
}
