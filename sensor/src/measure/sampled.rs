//! What one sampled packet says: who asked whom what, who answered, who refused.
//!
//! The parser is that of the packet program; the question and its EDNS options are read here.

use std::time::Duration;

use bytemuck::Zeroable;
use sensor_common::class::{ErrorKind, IcmpType, Quoted, SampleKind};
use sensor_common::sample::Sample;
use sensor_common::server::ServerKey;
use sensor_common::settings::Settings;
use sensor_common::totals::Totals;
use sensor_common::transactions::MAX_SHIFT;
use sensor_ebpf::address::{Words, key};
use sensor_ebpf::packet::{Bytes, Packet};
use sensor_ebpf::parse::{
    Connection, DnsPort, Garbage, IcmpError, Link, Message, Query, Response, Sink, parse,
};

use super::question::{self, Edns, Question};

/// A DNS message over UDP, or an ICMP error that quotes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// When, on the time line of the engine's readings.
    pub at: Duration,
    /// The other end of the server's.
    pub client: ServerKey,
    /// The DNS server.
    pub server: ServerKey,
    /// Port of the client.
    pub port: u16,
    /// Id of the message; `None` where an ICMP error quotes too little.
    pub id: Option<u16>,
    /// Packets that it stands for.
    pub weight: u32,
    /// See [`Sample::cgroup`].
    pub cgroup: u64,
    /// What it is.
    pub kind: Kind,
}

/// What was sampled.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A query.
    Query {
        /// OPCODE.
        opcode: u8,
        /// What it asks, where it can be read.
        question: Option<Question>,
        /// Its OPT record, where it has one that can be read.
        edns: Option<Edns>,
        /// Bytes of the message.
        bytes: u32,
    },
    /// A response.
    Response {
        /// RCODE of the header.
        rcode: u8,
        /// TC.
        truncated: bool,
        /// AA.
        authoritative: bool,
        /// It is the first of several IP fragments.
        fragmented: bool,
        /// Bytes of the message.
        bytes: u32,
    },
    /// An ICMP error.
    Error {
        /// What it says of the path.
        kind: ErrorKind,
        /// Who sent it.
        sender: ServerKey,
        /// It quotes a response, and not a query.
        about_answer: bool,
    },
}

/// Collects what the parser finds.
struct Collector<'a> {
    settings: &'a Settings,
    totals: Totals,
    bytes: &'a [u8],
    dns_offset: usize,
    found: Option<Sampled>,
}

impl Collector<'_> {
    fn message(&mut self, client: Words, server: Words, message: &Message, kind: Kind) {
        self.found = Some(Sampled {
            at: Duration::ZERO,
            client: key(client, message.family),
            server: key(server, message.family),
            port: u16::from_be(message.client_port),
            id: Some(u16::from_be(message.id)),
            weight: 1,
            cgroup: 0,
            kind,
        });
    }
}

impl Sink for Collector<'_> {
    fn dns_port(&self, source: u16, destination: u16) -> DnsPort {
        DnsPort::of(self.settings, source, destination)
    }

    fn totals(&mut self) -> &mut Totals {
        &mut self.totals
    }

    fn hash_key(&self) -> u64 {
        0
    }

    fn query<P: Packet>(&mut self, query: &Query, _: P) {
        let message = self.bytes.get(self.dns_offset..).unwrap_or_default();
        let (question, edns) = question::read(message);
        let kind = Kind::Query {
            opcode: query.message.flags.opcode() as u8,
            question,
            edns,
            bytes: query.message.length,
        };
        self.message(query.client, query.server, &query.message, kind);
    }

    fn response<P: Packet>(&mut self, response: &Response, _: P) {
        let flags = response.message.flags;
        let kind = Kind::Response {
            rcode: flags.rcode() as u8,
            truncated: flags.is_truncated(),
            authoritative: flags.is_authoritative(),
            fragmented: response.message.carriage.more_fragments != 0,
            bytes: response.message.length,
        };
        self.message(response.client, response.server, &response.message, kind);
    }

    fn garbage(&mut self, _: &Garbage) {}

    fn tcp(&mut self, _: &Connection) {}

    fn icmp_error_of_other(&mut self, _: u8, _: u8, _: Quoted) {}

    fn icmp_error<P: Packet>(&mut self, error: &IcmpError, _: P) {
        let family = u16::from(error.family);
        let kind = IcmpType::ALL.get(usize::from(error.icmp_type));
        self.found = Some(Sampled {
            at: Duration::ZERO,
            client: key(error.client, family),
            server: key(error.server, family),
            port: u16::from_be(error.client_port),
            id: (error.verifiable != 0).then_some(u16::from_be(error.id)),
            weight: 1,
            cgroup: 0,
            kind: Kind::Error {
                kind: kind.map_or(ErrorKind::Other, |kind| ErrorKind::of(*kind, error.code)),
                sender: key(error.sender, family),
                about_answer: error.quoted != Quoted::Query as u8,
            },
        });
    }
}

impl Sampled {
    /// Reads a sample of a packet; `None` if too little of it was kept, or it is no DNS message.
    /// `origin` is the clock of the samples at the engine's 0.
    #[must_use]
    pub fn of(sample: &Sample, settings: &Settings, origin: Duration) -> Option<Self> {
        // What is forged says nothing of the server that it names.
        if sample.kind == SampleKind::Forged as u32 {
            return None;
        }
        let bytes = sample.bytes.get(..sample.captured as usize)?;
        let link = match sample.layer3 {
            0 => Link::Ethernet,
            _ => Link::Layer3,
        };
        let mut collector = Collector {
            settings,
            totals: Totals::zeroed(),
            bytes,
            dns_offset: sample.dns_offset as usize,
            found: None,
        };
        parse(Bytes::new(bytes), link, false, &mut collector);
        let mut found = collector.found?;
        found.at = Duration::from_nanos(sample.time).saturating_sub(origin);
        found.weight = 1 << sample.shift.min(MAX_SHIFT);
        found.cgroup = sample.cgroup;
        Some(found)
    }
}
