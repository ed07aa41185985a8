//! A situation as it is written in its file. `sensor/casebook/README.md` is the reference.

use std::time::Duration;

use serde::Deserialize;

use crate::words::{Addresses, Error, Rate, Rcode, Span, Types, Wait};

/// A file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Situation {
    /// Path below the folder, without the extension; set by the reader.
    #[serde(skip)]
    pub name: String,
    pub title: String,
    /// Where such a thing was reported.
    #[serde(default)]
    pub source: String,
    /// Addresses of the host that the sensor runs on; none: on the path.
    #[serde(default)]
    pub host: Addresses,
    #[serde(with = "humantime_serde")]
    pub lasts: Duration,
    #[serde(default)]
    pub seed: u64,
    /// The sensor is started now: what came before is not seen.
    #[serde(default, with = "humantime_serde")]
    pub begins: Duration,
    pub expect: Expect,
    #[serde(default)]
    pub ask: Vec<Ask>,
    #[serde(default)]
    pub fate: Vec<Fate>,
    #[serde(default)]
    pub packets: Vec<Packets>,
    /// Neighbours: the same with a difference.
    #[serde(default)]
    pub again: Vec<Again>,
}

/// What must be said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// When it begins.
    #[serde(default, with = "humantime_serde")]
    pub onset: Duration,
    /// One of these must be among the symptoms.
    #[serde(default)]
    pub symptoms: Vec<String>,
    /// One of these must be the first cause, or several tied. `none`: no incident. `no_attack`: no incident,
    /// or one whose first cause is no attack. `unknown`: none is named.
    pub first_cause: Vec<String>,
    /// After the onset.
    #[serde(default, with = "humantime_serde")]
    pub within: Option<Duration>,
    /// Causes that must not come first at any time.
    #[serde(default)]
    pub never: Vec<String>,
    /// One, unless said otherwise.
    #[serde(default)]
    pub most_incidents: Option<usize>,
    /// A warning is the most that it may be.
    #[serde(default)]
    pub warning_at_most: bool,
    /// It must be closed at the end.
    #[serde(default)]
    pub clears: bool,
    /// The server whose incident it must be.
    #[serde(default)]
    pub about: Addresses,
    /// What comes later: a second outage, for example.
    #[serde(default)]
    pub also: Vec<Later>,
}

/// Something that must be said later, in the same incident or in another.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Later {
    #[serde(with = "humantime_serde")]
    pub onset: Duration,
    #[serde(default)]
    pub symptoms: Vec<String>,
    pub first_cause: Vec<String>,
    #[serde(with = "humantime_serde")]
    pub within: Duration,
}

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

fn dns_port() -> u16 {
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
    /// Only the first copy (1), or only later ones (2).
    #[serde(default)]
    pub copy: Option<u8>,
    /// With an OPT record, or without one.
    #[serde(default)]
    pub edns: Option<bool>,
    /// Of what matches; the rest goes to an earlier fate.
    #[serde(default = "all")]
    pub share: f64,
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
    /// About the answer, beside `answer`; else about the query.
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

/// Packets that are no part of an exchange.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packets {
    pub kind: Kind,
    pub from: Addresses,
    pub to: Addresses,
    #[serde(default)]
    pub at: Span,
    #[serde(default)]
    pub rate: Option<Rate>,
    #[serde(default)]
    pub count: Option<u32>,
    /// Payload.
    #[serde(default = "hundred")]
    pub bytes: usize,
    #[serde(default)]
    pub rcode: Rcode,
    /// Share of the garbage with QR 1, and of the SYNs that get a SYN-ACK.
    #[serde(default)]
    pub answers: f64,
    #[serde(default = "dns_port")]
    pub port: u16,
    /// The other port, where it is always the same.
    #[serde(default)]
    pub from_port: Option<u16>,
    #[serde(default)]
    pub error: Option<Error>,
    /// Client and server of the packet that an error quotes.
    #[serde(default)]
    pub quoted_client: Addresses,
    #[serde(default)]
    pub quoted_server: Addresses,
    /// The error is about an answer.
    #[serde(default)]
    pub about_answer: bool,
    /// It comes in although its source is this host.
    #[serde(default)]
    pub forged: bool,
}

fn hundred() -> usize {
    100
}

/// A kind of packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A DNS answer to no query.
    Response,
    /// Random bytes from a client to port 53.
    Garbage,
    Syn,
    /// A later fragment.
    Fragment,
    /// An error about a made-up packet.
    Icmp,
    /// UDP of another protocol.
    Datagram,
}

/// A neighbour: what is given here replaces what is above.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// Ends the title: "..., over IPv6".
    pub but: String,
    #[serde(default)]
    pub ipv6: bool,
    /// Factor for all rates.
    #[serde(default)]
    pub rates: Option<f64>,
    #[serde(default)]
    pub host: Option<Addresses>,
    #[serde(default, with = "humantime_serde")]
    pub lasts: Option<Duration>,
    #[serde(default, with = "humantime_serde")]
    pub within: Option<Duration>,
    #[serde(default, with = "humantime_serde")]
    pub begins: Option<Duration>,
    #[serde(default)]
    pub symptoms: Option<Vec<String>>,
    #[serde(default)]
    pub first_cause: Option<Vec<String>>,
    #[serde(default)]
    pub never: Option<Vec<String>>,
    #[serde(default)]
    pub most_incidents: Option<usize>,
    /// Put behind those above.
    #[serde(default)]
    pub ask: Vec<Ask>,
    #[serde(default)]
    pub fate: Vec<Fate>,
    #[serde(default)]
    pub packets: Vec<Packets>,
}
