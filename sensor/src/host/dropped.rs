//! Dropped DNS packets in words that any machine understands: no number of a kernel's own.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Where a packet was when it was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Received, before its route was known.
    Early,
    /// Received, for the namespace itself.
    Input,
    /// Received, to be sent on.
    Forward,
    /// Sent from the namespace.
    Output,
}

impl Stage {
    /// The name used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
        }
    }
}

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// To the server: queries.
    ToServer,
    /// From it: answers.
    FromServer,
}

impl Way {
    /// The name used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ToServer => "to_server",
            Self::FromServer => "from_server",
        }
    }
}

/// What packets have in common that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DropKind {
    /// The kernel's name of the reason, without what all have in common: `NETFILTER_DROP`.
    pub reason: String,
    /// Where.
    pub stage: Stage,
    /// Which way.
    pub way: Way,
    /// Over TCP, not UDP.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tcp: bool,
    /// The network namespace, where it is not the sensor's own: its number, and a process in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The interface by which it came in, where that is one of the sensor's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
}

/// A kind, of a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drop {
    /// The server that the packets were to, or from.
    pub server: IpAddr,
    /// The rest.
    pub kind: DropKind,
}

/// A kind, and how many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Packets.
    pub packets: u64,
    /// What they have in common.
    #[serde(flatten)]
    pub kind: DropKind,
}
