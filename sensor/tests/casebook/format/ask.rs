//! Who asks whom for what.

use std::time::Duration;

use serde::Deserialize;

use crate::addresses::Addresses;
use crate::words::{Rate, Span, Types, Wait};

/// Clients that ask servers.
#[expect(clippy::struct_excessive_bools, reason = "independent words of a file")]
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    pub clients: Addresses,
    /// Any of them for each query.
    pub servers: Addresses,
    #[serde(default)]
    pub at: Span,
    /// Of all these clients together.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// So many within `at`, instead of a rate.
    #[serde(default)]
    pub count: Option<u32>,
    /// Evenly spaced, and clients in turn; else at random.
    #[serde(default)]
    pub regular: bool,
    #[serde(default)]
    pub names: Names,
    /// One of these for each query.
    #[serde(default = "type_a")]
    pub types: Vec<Types>,
    /// UDP payload size in the OPT record; 0 for none.
    #[serde(default = "payload")]
    pub edns: u16,
    #[serde(default)]
    pub dnssec: bool,
    /// Waits before each further copy of a query that was not answered.
    #[serde(default)]
    pub retry: Vec<Wait>,
    /// Further copies have an id and a port of their own.
    #[serde(default)]
    pub new_id: bool,
    /// Further copies go to the next server of the list, and the first to the first.
    #[serde(default)]
    pub next_server: bool,
    /// Share of the answers that come to a closed socket.
    #[serde(default)]
    pub closed: f64,
    /// Answers later than this come to a closed socket.
    #[serde(default, with = "humantime_serde")]
    pub gives_up: Option<Duration>,
    #[serde(default)]
    pub tcp: Tcp,
    /// Of the servers.
    #[serde(default = "dns_port")]
    pub port: u16,
    /// The only port that they ask from.
    #[serde(default)]
    pub from_port: Option<u16>,
    /// The only id that they use.
    #[serde(default)]
    pub id: Option<u16>,
    #[serde(default)]
    pub opcode: Opcode,
}

fn type_a() -> Vec<Types> {
    vec![Types(vec![1])]
}

fn payload() -> u16 {
    1232
}

pub(super) fn dns_port() -> u16 {
    53
}

/// When clients use TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tcp {
    /// They accept a truncated answer.
    #[default]
    Never,
    /// After a truncated answer.
    AfterTruncation,
    /// For every query.
    Only,
}

/// What a message is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Opcode {
    #[default]
    Query = 0,
    Status = 2,
    Notify = 4,
    Update = 5,
}

/// What is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Names {
    /// The only name.
    Only(String),
    /// One of these.
    List(Vec<String>),
    /// `www0.ZONE` to `www(POOL-1).ZONE`; low numbers more often.
    Pool { pool: u32, zone: String },
    /// Ten random letters below a zone.
    Random { random: String },
    /// Reversed random addresses below a zone.
    Blocklist { blocklist: String },
    /// Each lookup is `api0.example.com` to `api(STEMS-1).example.com` with each suffix of the search list, and then without.
    Search { search: Vec<String>, stems: u32 },
}

impl Default for Names {
    fn default() -> Self {
        Self::Pool {
            pool: 200,
            zone: "example.net".into(),
        }
    }
}
