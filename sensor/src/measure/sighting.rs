//! What one sampled packet says: who asked whom, or who refused what.
//!
//! The parser is that of the packet program. Some 256 transactions a second and CPU are sampled: below that
//! rate this is all that passes, above it an estimate.

use sensor_common::class::{ErrorKind, IcmpType, Quoted};
use sensor_common::sample::Sample;
use sensor_common::server::{FAMILY_V4, ServerKey};
use sensor_common::settings::Settings;
use sensor_common::totals::Totals;
use sensor_ebpf::address::{Address, V4, V6, Words};
use sensor_ebpf::packet::{Bytes, Packet};
use sensor_ebpf::parse::{
    Connection, DnsPort, IcmpError, Link, Message, Query, Response, Sink, parse,
};

use crate::engine::settings::dns_port;

/// QTYPE of questions for everything (RFC 8482).
const ANY: u16 = 255;

/// A DNS message over UDP, or an ICMP error that quotes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Nanoseconds of the engine's clock.
    pub time: u64,
    /// The other end of the server's.
    pub client: ServerKey,
    /// The DNS server.
    pub server: ServerKey,
    /// The client's port, in network byte order, and the id of the message: what a query and its
    /// response share.
    pub tuple: (u16, u16),
    /// Bytes of the DNS message; of an ICMP error 0.
    pub length: u32,
    /// What it is.
    pub role: Role,
}

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A query.
    Query {
        /// Of type ANY.
        any: bool,
    },
    /// A response.
    Response,
    /// An ICMP error about a query.
    Error {
        /// What it says of the path.
        kind: ErrorKind,
        /// Who sent it.
        sender: ServerKey,
    },
    /// An ICMP error about a response.
    Backscatter,
}

/// Collects what the parser tells.
struct Eye<'a> {
    settings: &'a Settings,
    totals: Totals,
    time: u64,
    seen: Option<Sighting>,
}

fn key(words: Words, family: u16) -> ServerKey {
    if family == u16::from(FAMILY_V4) {
        V4::new(words).key()
    } else {
        V6::new(words).key()
    }
}

impl Eye<'_> {
    fn message(&mut self, client: Words, server: Words, message: &Message, role: Role) {
        self.seen = Some(Sighting {
            time: self.time,
            client: key(client, message.family),
            server: key(server, message.family),
            tuple: (message.client_port, message.id),
            length: message.length,
            role,
        });
    }
}

impl Sink for Eye<'_> {
    fn dns_port(&self, source: u16, destination: u16) -> DnsPort {
        dns_port(self.settings, source, destination)
    }

    fn totals(&mut self) -> &mut Totals {
        &mut self.totals
    }

    fn hash_key(&self) -> u64 {
        0
    }

    fn query<P: Packet>(&mut self, query: &Query, _: P) {
        let any = query.question_is_read() && query.qtype == ANY;
        self.message(
            query.client,
            query.server,
            &query.message,
            Role::Query { any },
        );
    }

    fn response<P: Packet>(&mut self, response: &Response, _: P) {
        let (client, server) = (response.client, response.server);
        self.message(client, server, &response.message, Role::Response);
    }

    fn tcp(&mut self, _: &Connection) {}

    fn icmp_error_of_other(&mut self, _: IcmpType, _: u8, _: Quoted) {}

    fn icmp_error<P: Packet>(&mut self, error: &IcmpError, _: P) {
        let family = u16::from(error.family);
        let kind = IcmpType::ALL.get(usize::from(error.icmp_type));
        let role = if error.quoted == Quoted::Query as u8 {
            Role::Error {
                kind: kind.map_or(ErrorKind::Other, |kind| ErrorKind::of(*kind, error.code)),
                sender: key(error.sender, family),
            }
        } else {
            Role::Backscatter
        };
        self.seen = Some(Sighting {
            time: self.time,
            client: key(error.client, family),
            server: key(error.server, family),
            tuple: (error.client_port, error.id),
            length: 0,
            role,
        });
    }
}

impl Sighting {
    /// Reads a sample, which is of a packet that was parsed before; `None` if too little of it was kept.
    #[must_use]
    pub fn of(sample: &Sample, settings: &Settings) -> Option<Self> {
        let bytes = sample.bytes.get(..sample.captured as usize)?;
        let link = match sample.layer3 {
            0 => Link::Ethernet,
            _ => Link::Layer3,
        };
        let mut eye = Eye {
            settings,
            totals: bytemuck::Zeroable::zeroed(),
            time: sample.time,
            seen: None,
        };
        parse(Bytes::new(bytes), link, false, &mut eye);
        eye.seen
    }
}
