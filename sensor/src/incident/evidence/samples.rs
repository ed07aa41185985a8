//! Sampled packets of an incident, and whom and what they name.

use std::collections::BTreeMap;

use sensor_common::class::ErrorKind;
use sensor_common::sample::Sample;
use sensor_common::server::ServerKey;

use super::super::record::{Counts, Party};
use super::path_mtu::next_hop_mtu;
use super::recent::Recent;
use crate::host::facts::HostLog;
use crate::measure::address::ip;
use crate::measure::sampled::{Kind, Sampled};
use crate::measure::samples::Names;

/// Sampled packets from before an incident.
const PACKETS_BEFORE: usize = 64;
/// Sampled packets of an incident, those included.
const PACKETS: usize = 256;
/// Of them queries and responses: the others are for ICMP errors.
const MESSAGES: usize = 192;
/// Clients and senders that are counted.
const PARTIES: usize = 512;
/// Of those that are told.
const TOP: usize = 10;

/// See the module.
pub struct Samples {
    server: Option<ServerKey>,
    /// Sampled packets.
    pub packets: Vec<Sample>,
    /// Names in sampled queries.
    names: Names,
    /// Sampled queries by client.
    pub clients: Counts<ServerKey>,
    /// Sampled queries of programs of this host, by their cgroup.
    cgroups: Counts<u64>,
    /// Names of those.
    pub units: BTreeMap<u64, String>,
    /// Sampled ICMP errors by sender and kind.
    senders: BTreeMap<(ServerKey, ErrorKind), u64>,
    /// The same of errors about answers.
    response_senders: BTreeMap<(ServerKey, ErrorKind), u64>,
    /// The smallest next-hop MTU that one of those gave.
    pub path_mtu: Option<u32>,
    /// Sampled queries by server, of the whole network.
    servers: Counts<ServerKey>,
}

impl Samples {
    /// Begins with what is known from before, of a server or of the whole network.
    #[must_use]
    pub fn new(server: Option<ServerKey>, recent: &Recent) -> Self {
        let known: Vec<_> = recent.of(server).collect();
        let mut samples = Self {
            server,
            packets: Vec::new(),
            names: Names::default(),
            clients: Counts::new(),
            cgroups: Counts::new(),
            units: BTreeMap::new(),
            senders: BTreeMap::new(),
            response_senders: BTreeMap::new(),
            path_mtu: None,
            servers: Counts::new(),
        };
        for (sampled, sample) in known
            .iter()
            .skip(known.len().saturating_sub(PACKETS_BEFORE))
        {
            samples.add(sampled, sample);
        }
        samples
    }

    /// Adds a sampled packet, if it is of this server.
    pub fn add(&mut self, sampled: &Sampled, sample: &Sample) {
        if self.server.is_some_and(|server| sampled.server != server) {
            return;
        }
        let mut room = MESSAGES;
        match &sampled.kind {
            Kind::Query { .. } => {
                count(&mut self.clients, sampled.client);
                if self.server.is_none() {
                    count(&mut self.servers, sampled.server);
                }
                if sampled.cgroup != 0 {
                    count(&mut self.cgroups, sampled.cgroup);
                }
                self.names.add(sample);
            }
            Kind::Response { .. } => {}
            Kind::Error {
                kind,
                sender,
                about_answer,
            } => {
                if *about_answer {
                    count(&mut self.response_senders, (*sender, *kind));
                    let mtu = next_hop_mtu(sample);
                    self.path_mtu = self.path_mtu.into_iter().chain(mtu).min();
                } else {
                    count(&mut self.senders, (*sender, *kind));
                }
                room = PACKETS;
            }
        }
        if self.packets.len() < room {
            self.packets.push(*sample);
        }
    }

    /// The one that sent most ICMP errors of a kind, in the samples.
    #[must_use]
    pub fn sender_of(&self, kinds: &[ErrorKind]) -> Option<ServerKey> {
        let senders = self.senders.iter();
        senders
            .filter(|((_, kind), _)| kinds.contains(kind))
            .max_by_key(|(_, count)| **count)
            .map(|((sender, _), _)| *sender)
    }

    /// The heaviest clients in the samples.
    #[must_use]
    pub fn heaviest_clients(&self) -> Vec<Party> {
        let clients = self.clients.iter();
        top(clients.map(|(client, count)| Party {
            who: ip(client).to_string(),
            count: *count,
            what: None,
        }))
    }

    /// Takes the names of the cgroups that asked.
    pub fn name_cgroups(&mut self, log: &HostLog) {
        for id in self.cgroups.keys() {
            if let Some(name) = log.cgroup(*id) {
                self.units.insert(*id, name.into());
            }
        }
    }

    /// The units of this host that asked most, in the samples.
    #[must_use]
    pub fn heaviest_units(&self) -> Vec<Party> {
        let mut units = Counts::new();
        for (id, queries) in &self.cgroups {
            let name = self.units.get(id);
            let name = name.map_or_else(|| format!("cgroup {id}"), Clone::clone);
            *units.entry(name).or_default() += queries;
        }
        top(units.into_iter().map(|(who, count)| Party {
            who,
            count,
            what: None,
        }))
    }

    /// Who sent ICMP errors.
    #[must_use]
    pub fn icmp_senders(&self) -> Vec<Party> {
        senders(&self.senders)
    }

    /// Who sent ICMP errors about answers.
    #[must_use]
    pub fn response_icmp_senders(&self) -> Vec<Party> {
        senders(&self.response_senders)
    }

    /// Servers that were asked, where they are of the whole network.
    #[must_use]
    pub fn top_servers(&self) -> Vec<Party> {
        top(self.servers.iter().map(|(server, count)| Party {
            who: ip(server).to_string(),
            count: *count,
            what: None,
        }))
    }

    /// Names that were asked for.
    #[must_use]
    pub fn top_names(&self) -> Vec<Party> {
        let names = self.names.names.top(TOP).into_iter();
        names
            .map(|(name, count)| Party {
                who: if name == "." || name.is_empty() {
                    "(root)"
                } else {
                    name
                }
                .into(),
                count: count.at_most,
                what: None,
            })
            .collect()
    }
}

/// Counts of things of which only the first so many are told apart.
fn count<K: Ord>(counts: &mut Counts<K>, key: K) {
    count_up_to(counts, key, 1, PARTIES);
}

/// The same of so many at once.
pub(super) fn count_up_to<K: Ord>(counts: &mut Counts<K>, key: K, many: u64, most: usize) {
    if counts.len() < most || counts.contains_key(&key) {
        *counts.entry(key).or_default() += many;
    }
}

fn senders(senders: &BTreeMap<(ServerKey, ErrorKind), u64>) -> Vec<Party> {
    top(senders.iter().map(|((sender, kind), count)| Party {
        who: ip(sender).to_string(),
        count: *count,
        what: Some(kind.name().into()),
    }))
}

/// The first ten of them, by their counts.
pub(super) fn top(parties: impl Iterator<Item = Party>) -> Vec<Party> {
    let mut parties: Vec<Party> = parties.collect();
    parties.sort_by(|a, b| (b.count, &a.who).cmp(&(a.count, &b.who)));
    parties.truncate(TOP);
    parties
}
