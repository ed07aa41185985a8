//! How much a server's failure matters, by who asks it and whom else they ask.

use sensor_common::server::ServerKey;

use super::askers::Askers;
use super::history::share;
use super::server::ServerState;
use super::thresholds::Thresholds;

/// Other servers that answer the clients of a server that never did: it is not missed.
const SEVERAL: usize = 4;
/// A server that never answered and gets less than this share of all queries was switched off long ago.
const LITTLE: f64 = 0.05;
/// Former clients, and the share of them that others serve now.
const CLIENTS: usize = 5;
const MOVED: f64 = 0.8;
/// Times the clients that could do without a server at first: it has come into use.
const MANY_MORE: usize = 5;
/// Queries after which a server's usual share of failures says that it used to be well.
const KNOWN: f64 = 50.0;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its failure is an incident.
    Full,
    /// One of many that a resolver asks, and it used to be well: a warning at most.
    Lesser,
    /// One of very many, and rarely asked: some of those are always dead.
    Minor,
    /// Only somebody who looks for servers asks it.
    Scanned,
}

impl Standing {
    /// Of a server.
    #[must_use]
    pub fn of(
        server: &ServerKey,
        state: &ServerState,
        askers: &Askers,
        scanners: &[ServerKey],
        share_of_all: f64,
        limits: &Thresholds,
    ) -> Self {
        let asked_by_others = askers.by_client.iter().any(|(client, asker)| {
            !scanners.contains(client) && asker.servers.contains_key(server)
        });
        let scanned = scanners.iter().any(|client| {
            let asker = askers.by_client.get(client);
            asker.is_some_and(|asker| asker.servers.contains_key(server))
        });
        if scanned && !asked_by_others {
            return Self::Scanned;
        }
        // One that never answered, of several: their clients live without it, and always have.
        let usual = &state.usual.failed;
        if !state.has_answered {
            // Whoever once could do without it still can, however little else is asked now.
            let as_few = |clients: usize| askers.clients_of(server) <= MANY_MORE * clients.max(1);
            if state.was_minor.is_some_and(as_few)
                || askers.is_a_stray_ones(server) && share_of_all < LITTLE
            {
                return Self::Minor;
            }
            let is_minor = askers
                .asks_most(server)
                .is_none_or(|part| part < limits.minor_share);
            match askers.others_of(server) {
                0 if share_of_all < LITTLE => return Self::Lesser,
                0 => {}
                SEVERAL.. if is_minor => return Self::Minor,
                _ => return Self::Lesser,
            }
        }
        // Its clients have moved to another, and that serves them.
        if state.has_answered
            && share_of_all < LITTLE
            && state.known.len() >= CLIENTS
            && askers.served_elsewhere(server, state.known.keys()) >= MOVED
        {
            return Self::Lesser;
        }
        let Some((_, asker)) = askers.resolver_of(server) else {
            return Self::Full;
        };
        let of = asker.servers.get(server).map_or(0, |tally| tally.asked);
        let part = share(of, asker.asked());
        if asker.servers.len() < limits.minor_servers || part >= limits.minor_share {
            Self::Full
        } else if usual.count() >= KNOWN {
            Self::Lesser
        } else {
            Self::Minor
        }
    }
}
