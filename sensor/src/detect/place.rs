//! Where the sensor stands.

use std::collections::BTreeSet;

use sensor_common::server::ServerKey;
use serde::{Deserialize, Serialize};

use crate::measure::sketch::Prefix;

/// Where the sensor stands, seen from a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Whether an address may ask as much as it likes.
    pub(super) fn is_trusted(&self, address: &ServerKey) -> bool {
        let within = |prefix: &Prefix| prefix.contains(address);
        self.addresses.contains(address) || self.trusted.iter().any(within)
    }
}
