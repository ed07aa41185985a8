//! A situation as it is written in its file. `sensor/casebook/README.md` is the reference.

use std::time::Duration;

use serde::Deserialize;

use crate::addresses::Addresses;
use crate::words::{Error, Rate, Rcode, Span};

use ask::dns_port;
pub use ask::{Ask, Names, Tcp};
pub use fate::Fate;
pub use kernel::Kernel;

pub mod ask;
pub mod fate;
pub mod kernel;

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
    /// Servers that keep the zones they are asked for: their answers have AA, and not RA.
    #[serde(default)]
    pub authorities: Addresses,
    /// DNS ports that are watched.
    #[serde(default = "dns_ports")]
    pub ports: Vec<u16>,
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
    /// What the server says when the sensor probes it (`--verify`).
    #[serde(default)]
    pub probe: Vec<Probe>,
    /// What the kernel of the host where the sensor stands says.
    #[serde(default)]
    pub kernel: Vec<Kernel>,
    /// Neighbours: the same with a difference.
    #[serde(default)]
    pub again: Vec<Again>,
}

fn dns_ports() -> Vec<u16> {
    vec![dns_port()]
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
    /// One in files of the casebook, unless said otherwise; any number where there is none.
    #[serde(default)]
    pub most_incidents: Option<usize>,
    /// Symptoms that must not appear.
    #[serde(default)]
    pub never_symptoms: Vec<String>,
    /// A warning is the most that it may be.
    #[serde(default)]
    pub warning_at_most: bool,
    /// It must become critical.
    #[serde(default)]
    pub critical: bool,
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

/// A probe; its own packets are none of the situation's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    #[serde(with = "humantime_serde")]
    pub at: Duration,
    pub server: Addresses,
    pub udp: Said,
    pub tcp: Said,
}

/// What a probed server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    Answers,
    /// The connection stands, and no answer comes.
    Connects,
    Refuses,
    Nothing,
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
    #[serde(default)]
    pub seed: Option<u64>,
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
    #[serde(default)]
    pub probe: Vec<Probe>,
    #[serde(default)]
    pub kernel: Vec<Kernel>,
}
