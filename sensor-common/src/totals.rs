//! Counters of everything seen at one hook of one interface.

use bytemuck::{Pod, Zeroable};

use crate::class::{
    CLASSES, ICMP_TYPES, MALFORMED, QUESTION_STATES, QUOTED, QuestionState, TCP_EVENTS,
};

/// Question types with a counter of their own: 0 to `QTYPES - 2`. All assigned types that are not
/// in the private or historic range lie below (IANA DNS parameters); the last slot is for the rest.
pub const QTYPES: usize = 272;
/// ICMP codes with a counter of their own: 0 to `ICMP_CODES - 2`; the last slot is for the rest.
pub const ICMP_CODES: usize = 17;
/// DNS opcodes and rcodes are four bits in the header (RFC 1035, 4.1.1).
pub const HEADER_CODES: usize = 16;

/// Counters of one CPU at one lane. All are packets unless named otherwise, and only grow.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Totals {
    /// Packets that entered the program.
    pub seen: u64,
    /// By [`crate::class::Class`]; their sum is `seen` while no packet is under way.
    pub classes: [u64; CLASSES],
    /// By [`crate::class::Malformed`].
    pub malformed: [u64; MALFORMED],
    /// DNS messages by opcode, queries and responses.
    pub opcode: [u64; HEADER_CODES],
    /// DNS responses by rcode.
    pub rcode: [u64; HEADER_CODES],
    /// DNS queries by question type, where their question is read.
    pub qtype: [u64; QTYPES],
    /// The other DNS queries by [`QuestionState`].
    pub unread: [u64; QUESTION_STATES],
    /// DNS messages with the TC bit, queries and responses.
    pub truncated: u64,
    /// DNS packets over UDP that carry a VLAN tag.
    pub vlan: u64,
    /// DNS packets over UDP that are the first of several fragments.
    pub first_fragment: u64,
    /// Bytes of DNS messages with QR 0, by the UDP length.
    pub query_bytes: u64,
    /// Bytes of DNS messages with QR 1, by the UDP length.
    pub response_bytes: u64,
    /// By [`crate::class::TcpEvent`].
    pub tcp: [u64; TCP_EVENTS],
    /// By [`crate::class::IcmpType`], code and [`crate::class::Quoted`].
    pub icmp_error: [[[u64; QUOTED]; ICMP_CODES]; ICMP_TYPES],
    /// ICMP errors that quote DNS ports and fewer than 12 bytes of DNS: matched by ports alone.
    pub unverifiable: u64,
    /// Packets on a DNS port that can be no genuine messages, whatever their class: shorter than a DNS header or of an
    /// impossible length, with a question that cannot be read or with nothing asked, with an opcode that is not
    /// assigned, a query that is not sent to a DNS port, or a response that is not sent from one.
    pub garbage: u64,
    /// DNS responses and ICMP errors that came in from outside with an address of this host as their sender,
    /// whatever their class. They are attributed to no server and end no transaction.
    pub forged: u64,
    /// Packets of the sensor's own probes, and what comes back, whatever their class. They are attributed to no server.
    pub probes: u64,
    /// Packets whose start had to be copied because it was outside the linear part.
    pub copied: u64,
}

impl Totals {
    /// DNS queries whose question is in this state.
    #[must_use]
    pub fn questions(&self, state: QuestionState) -> u64 {
        match state {
            QuestionState::Read => self.qtype.iter().sum(),
            other => self.unread[other.index()],
        }
    }
}

const _: () = assert!(size_of::<Totals>().is_multiple_of(8) && align_of::<Totals>() == 8);
const _: () = assert!(size_of::<Totals>() <= 32 * 1024);
