//! What a packet tells beyond its class.

use sensor_common::class::QuestionState;
#[cfg(doc)]
use sensor_common::class::{IcmpType, Quoted, TcpEvent};
use sensor_common::settings::Settings;

use crate::address::Words;

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

impl DnsPort {
    /// Of the two ports of a packet, in network byte order. The kernel's half does the same with constants.
    #[must_use]
    pub fn of(settings: &Settings, source: u16, destination: u16) -> Self {
        if settings.is_dns_port(destination) {
            Self::Destination
        } else if settings.is_dns_port(source) {
            Self::Source
        } else {
            Self::Neither
        }
    }
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

/// A packet on a DNS port that can be no genuine message. Of whole words: the kernel's half passes it to a function,
/// and the verifier refuses what the compiler makes of smaller fields, stores that are not aligned.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Garbage {
    /// Receiver of the packet.
    pub receiver: Words,
    /// As of a message.
    pub family: u64,
    /// Not 0: it is sent to a DNS port, so that its receiver is a server.
    pub to_server: u64,
    /// As of a message; 0 where it has no whole DNS header.
    pub length: u64,
    /// Of [`Header`]: the state of the question, the flags and the type; 0 where it has no whole DNS header.
    header: u64,
    /// Of it: how it came.
    carriage: u64,
}

/// What is counted of a DNS header that is garbage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// As of a message.
    pub flags: Flags,
    /// As of a message.
    pub carriage: Carriage,
    /// As of a query.
    pub question_state: u16,
    /// As of a query.
    pub qtype: u16,
}

impl Garbage {
    /// Without a whole DNS header.
    #[inline(always)]
    pub(super) fn new(receiver: Words, family: u8, to_server: u16) -> Self {
        Self {
            receiver,
            family: u64::from(family),
            to_server: u64::from(to_server),
            length: 0,
            header: 0,
            carriage: 0,
        }
    }

    /// With one, of a message of so many bytes.
    #[inline(always)]
    pub(super) fn with(self, header: Header, length: u32) -> Self {
        // Without a branch for each bit: the verifier would follow both sides.
        let header_word = u64::from(header.question_state)
            | u64::from(header.flags.0) << 16
            | u64::from(header.qtype) << 32;
        let carriage = header.carriage;
        Self {
            length: u64::from(length),
            header: header_word,
            carriage: u64::from(carriage.tagged) | u64::from(carriage.more_fragments) << 16,
            ..self
        }
    }

    /// Its header, if it has a whole one.
    #[inline(always)]
    #[must_use]
    pub fn header(&self) -> Option<Header> {
        let word = self.header;
        (self.length != 0).then_some(Header {
            flags: Flags((word >> 16) as u16),
            carriage: Carriage {
                tagged: self.carriage as u16,
                more_fragments: (self.carriage >> 16) as u16,
            },
            question_state: word as u16,
            qtype: (word >> 32) as u16,
        })
    }
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
    /// Address of the client.
    pub client: Words,
    /// Address of the DNS server.
    pub server: Words,
    /// In network byte order.
    pub client_port: u32,
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
const AA: u16 = 0x0400_u16.to_be();

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

    /// Whether the opcode is assigned (IANA DNS parameters): 0 to 6 without 3.
    #[inline(always)]
    #[must_use]
    pub fn is_assigned(self) -> bool {
        const ASSIGNED: u32 = 0b111_0111;
        // Plain ones, nearly all, need no more than this test, which counting them repeats.
        self.is_plain() || ASSIGNED >> self.opcode() & 1 != 0
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

    /// AA: whoever answers keeps the zone (RFC 1035, 4.1.1).
    #[inline(always)]
    #[must_use]
    pub fn is_authoritative(self) -> bool {
        self.0 & AA != 0
    }
}

/// An ICMP error and what it quotes.
#[derive(Clone, Copy, Debug)]
pub struct IcmpError {
    /// Who sent the error: the server's host, a router or a firewall.
    pub sender: Words,
    /// The DNS server in the quoted packet.
    pub server: Words,
    /// Where a query is quoted, the receiver of the error: it goes to whoever sent what it quotes, and to another it was
    /// made up and must match nothing. Where a response is quoted, its receiver.
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
