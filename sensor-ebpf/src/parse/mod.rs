//! From the bytes of a packet to its class.
//!
//! Each layer is one file and hands on to the next. What is worth counting beyond the class goes to
//! a [`Sink`], and only once the packet is known to be whole: a parse that fails has told the sink
//! nothing and can be repeated with more bytes.

#[cfg(doc)]
use sensor_common::class::TcpEvent;
use sensor_common::class::{Class, IcmpType, Malformed, QuestionState, Quoted};
use sensor_common::totals::Totals;

use crate::address::Words;
use crate::packet::Packet;

mod dns;
pub mod ethernet;
mod icmp;
mod ip;
mod tcp;
mod udp;

/// What precedes the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// An Ethernet header.
    Ethernet,
    /// Nothing: tun, `WireGuard` and other devices without a link-layer header.
    Layer3,
}

/// Receives what a packet tells beyond its class.
pub trait Sink {
    /// Which of two ports, in network byte order, is a DNS port.
    fn dns_port(&self, source: u16, destination: u16) -> DnsPort;

    /// Counters of this hook.
    fn totals(&mut self) -> &mut Totals;

    /// Secret of the hashes.
    fn hash_key(&self) -> u64;

    /// A UDP packet on a DNS port with a whole DNS header and QR 0. `udp` is at its UDP header.
    fn query<P: Packet>(&mut self, query: &Query, udp: P);

    /// The same with QR 1.
    fn response<P: Packet>(&mut self, response: &Response, udp: P);

    /// A TCP segment on a DNS port that opens or refuses a connection.
    fn tcp(&mut self, connection: &Connection);

    /// An ICMP error that quotes something else than DNS, or too little to tell.
    fn icmp_error_of_other(&mut self, icmp_type: IcmpType, code: u8, quoted: Quoted);

    /// An ICMP error that quotes DNS. `udp` is at the quoted UDP header.
    fn icmp_error<P: Packet>(&mut self, error: &IcmpError, udp: P);
}

/// Which port of a packet is a DNS port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsPort {
    /// It is not DNS.
    Neither,
    /// That of the sender alone.
    Source,
    /// That of the receiver, and perhaps that of the sender too.
    Destination,
}

/// Bytes from the beginning of the packet to the DNS header, by a cursor at the UDP header.
#[inline(always)]
#[must_use]
pub fn dns_offset<P: Packet>(udp: P) -> u32 {
    (udp.offset() + udp::HEADER) as u32
}

/// A DNS query over UDP.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Sender of the packet.
    pub client: Words,
    /// Receiver of the packet.
    pub server: Words,
    /// Keyed hash of the question's name, without regard to case: of its first 32 bytes.
    /// 0 where no name can be read.
    pub name: u64,
    /// What it shares with a response.
    pub message: Message,
    /// QTYPE of the first question, if it is read.
    pub qtype: u16,
    /// Index of a [`QuestionState`].
    pub question_state: u16,
}

/// A DNS response over UDP. Its question is not read.
#[derive(Clone, Copy, Debug)]
pub struct Response {
    /// Receiver of the packet.
    pub client: Words,
    /// Sender of the packet.
    pub server: Words,
    /// What it shares with a query.
    pub message: Message,
}

/// What queries and responses share.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Bytes of the message, by the UDP length.
    pub length: u32,
    /// Second word of the header: QR, opcode, AA, TC, RD, RA, Z, RCODE (RFC 1035, 4.1.1).
    pub flags: Flags,
    /// First word of the header.
    pub id: u16,
    /// In network byte order.
    pub client_port: u16,
    /// [`sensor_common::server::FAMILY_V4`] or [`sensor_common::server::FAMILY_V6`].
    pub family: u16,
    /// How the packet came.
    pub carriage: Carriage,
}

/// How a packet came, apart from its content. Numbers, because the verifier follows each value of a `bool`
/// on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carriage {
    /// Not 0: with a VLAN tag.
    pub tagged: u16,
    /// The more-fragments bit of the IP header, where it lay: not 0 in the first of several fragments.
    pub more_fragments: u16,
}

impl Carriage {
    /// Neither.
    #[inline(always)]
    #[must_use]
    pub fn is_plain(self) -> bool {
        u32::from(self.tagged) << 16 | u32::from(self.more_fragments) == 0
    }
}

impl Query {
    /// Whether the name and type of its question are known.
    #[inline(always)]
    #[must_use]
    pub fn question_is_read(&self) -> bool {
        self.question_state == QuestionState::Read as u16
    }
}

/// A TCP segment that opens or refuses a connection.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// Address of the DNS server.
    pub server: Words,
    /// As of a message.
    pub family: u32,
    /// Index of a [`TcpEvent`].
    pub event: u32,
}

/// The flags word of a DNS header, in network byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u16);

const QR: u16 = 0x8000_u16.to_be();
const OPCODE: u16 = 0x7800_u16.to_be();
const TC: u16 = 0x0200_u16.to_be();

impl Flags {
    /// QR: a response.
    #[inline(always)]
    #[must_use]
    pub fn is_response(self) -> bool {
        self.0 & QR != 0
    }

    /// Opcode, 0 to 15.
    #[inline(always)]
    #[must_use]
    pub fn opcode(self) -> usize {
        usize::from(u16::from_be(self.0) >> 11 & 15)
    }

    /// Whether the opcode is 0 and the message not truncated, as with nearly all.
    #[inline(always)]
    #[must_use]
    pub fn is_plain(self) -> bool {
        self.0 & (OPCODE | TC) == 0
    }

    /// Rcode, 0 to 15.
    #[inline(always)]
    #[must_use]
    pub fn rcode(self) -> usize {
        usize::from(u16::from_be(self.0) & 15)
    }

    /// TC: the message was truncated.
    #[inline(always)]
    #[must_use]
    pub fn is_truncated(self) -> bool {
        self.0 & TC != 0
    }
}

/// An ICMP error and what it quotes.
#[derive(Clone, Copy, Debug)]
pub struct IcmpError {
    /// Who sent the error: the server's host, a router or a firewall.
    pub sender: Words,
    /// The DNS server in the quoted packet.
    pub server: Words,
    /// The other end of the quoted packet.
    pub client: Words,
    /// Port of the client, in network byte order.
    pub client_port: u16,
    /// Id of the quoted message, if `verifiable`.
    pub id: u16,
    /// As of a message.
    pub family: u8,
    /// Index of the [`IcmpType`].
    pub icmp_type: u8,
    /// Code.
    pub code: u8,
    /// Index of the [`Quoted`].
    pub quoted: u8,
    /// Not 0: 12 bytes of DNS were quoted, so that QR and not the ports told query from response.
    pub verifiable: u32,
}

/// What a packet was found to be: its class and, if it is malformed, why and what is known of it.
///
/// One word and not an enum. Where paths of the program meet, an enum has parts that only some of
/// them have set, and the verifier refuses to touch the others: bits 0 to 3 the class, 4 to 7 the
/// reason, 8 to 11 the marks below, 16 to 31 the flags of a short DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome(pub u32);

const SHORT_DNS: u32 = 1 << 8;
const FLAGS_KNOWN: u32 = 1 << 9;
const TAGGED: u32 = 1 << 10;
const FIRST_FRAGMENT: u32 = 1 << 11;

impl Outcome {
    /// A DNS message that ends inside its header, with its flags if it has at least four bytes.
    #[inline(always)]
    fn short_dns(carriage: Carriage, flags: Option<Flags>) -> Self {
        let mut word = Self::from(Malformed::DnsHeader).0 | SHORT_DNS;
        if carriage.tagged != 0 {
            word |= TAGGED;
        }
        if carriage.more_fragments != 0 {
            word |= FIRST_FRAGMENT;
        }
        if let Some(flags) = flags {
            word |= FLAGS_KNOWN | u32::from(flags.0) << 16;
        }
        Self(word)
    }

    /// Index of the class.
    #[inline(always)]
    #[must_use]
    pub fn class(self) -> usize {
        (self.0 & 15) as usize
    }

    /// Whether the class is [`Class::Malformed`].
    #[inline(always)]
    #[must_use]
    pub fn is_malformed(self) -> bool {
        self.class() == Class::Malformed.index()
    }

    /// Index of the [`Malformed`] reason.
    #[inline(always)]
    #[must_use]
    pub fn reason(self) -> usize {
        (self.0 >> 4 & 15) as usize
    }

    /// How a short DNS message came; `None` for anything else.
    #[inline(always)]
    #[must_use]
    pub fn carriage(self) -> Option<Carriage> {
        (self.0 & SHORT_DNS != 0).then_some(Carriage {
            tagged: (self.0 & TAGGED) as u16,
            more_fragments: (self.0 & FIRST_FRAGMENT) as u16,
        })
    }

    /// Flags of a short DNS message, where they could be read.
    #[inline(always)]
    #[must_use]
    pub fn flags(self) -> Option<Flags> {
        (self.0 & FLAGS_KNOWN != 0).then_some(Flags((self.0 >> 16) as u16))
    }
}

impl From<Class> for Outcome {
    #[inline(always)]
    fn from(class: Class) -> Self {
        Self(class as u32)
    }
}

impl From<Malformed> for Outcome {
    #[inline(always)]
    fn from(reason: Malformed) -> Self {
        Self(Class::Malformed as u32 | (reason as u32) << 4)
    }
}

/// The value, or return the packet as malformed.
macro_rules! whole {
    ($value:expr, $reason:expr) => {
        match $value {
            Some(value) => value,
            None => return $crate::parse::Outcome::from($reason),
        }
    };
}
use whole;

/// Finds the class of a packet.
///
/// `tagged` tells that the packet had a VLAN tag that is no longer among its bytes.
/// A malformed packet has told the sink nothing.
#[inline(always)]
pub fn parse<P: Packet, S: Sink>(packet: P, link: Link, tagged: bool, sink: &mut S) -> Outcome {
    let network = match link {
        Link::Ethernet => ethernet::parse(packet, u16::from(tagged)),
        Link::Layer3 => ip::without_link(packet, u16::from(tagged)),
    };
    let network = match network {
        Ok(network) => network,
        Err(reason) => return reason.into(),
    };
    // Lengths below 0x600 (LLC, SNAP) are not_dns too: Linux does not take IP over them either.
    match network.ethertype {
        ethernet::IPV4 => ip::parse_v4(network.packet, network.tagged, sink),
        ethernet::IPV6 => ip::parse_v6(network.packet, network.tagged, sink),
        _ => Class::NotDns.into(),
    }
}
