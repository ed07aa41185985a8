//! Counters of each DNS server, in a set-associative table of fixed size.

use bytemuck::{Pod, Zeroable};

use crate::class::{ERROR_KINDS, TCP_EVENTS};
use crate::latency::COARSE_BUCKETS;
use crate::totals::HEADER_CODES;
use crate::transactions::{RING, TransactionCounters};

/// IPv4, in [`ServerKey::family`].
pub const FAMILY_V4: u8 = 4;
/// IPv6, in [`ServerKey::family`].
pub const FAMILY_V6: u8 = 6;

/// A server's address. The family is part of it, so that an IPv4 server and the IPv6 server with
/// the IPv4-mapped address are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
#[repr(C)]
pub struct ServerKey {
    /// Network byte order; IPv4 in the first four bytes, the others 0.
    pub address: [u8; 16],
    /// [`FAMILY_V4`], [`FAMILY_V6`], or 0 in an unused entry.
    pub family: u8,
    /// Always 0.
    pub reserved: [u8; 7],
}

impl ServerKey {
    /// From an address as it lies in memory. In words, because the compiler makes calls of clearing bytes.
    #[inline(always)]
    #[must_use]
    pub fn new(address: [u64; 2], family: u8) -> Self {
        bytemuck::cast([address[0], address[1], u64::from(family).to_le()])
    }
}

/// Counters of one server on one CPU. All are packets unless named otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ServerCounters {
    /// Queries sent to it.
    pub queries: u64,
    /// Responses sent by it.
    pub responses: u64,
    /// Bytes of those queries.
    pub query_bytes: u64,
    /// Bytes of those responses.
    pub response_bytes: u64,
    /// Its responses by rcode, forged ones too.
    pub rcode: [u64; HEADER_CODES],
    /// Its responses with the TC bit, forged ones too.
    pub truncated: u64,
    /// TCP segments that open or refuse a connection to it, by [`crate::class::TcpEvent`].
    pub tcp: [u64; TCP_EVENTS],
    /// ICMP errors that quote a query to it, by [`crate::class::ErrorKind`].
    pub errors: [u64; ERROR_KINDS],
    /// Those of them that the server's own address sent.
    pub errors_from_server: u64,
    /// Those of them whose quote is too short to verify.
    pub errors_unverifiable: u64,
    /// ICMP errors that quote a response of it, by [`crate::class::ErrorKind`].
    pub backscatter: [u64; ERROR_KINDS],
    /// Packets to its DNS port that can be no genuine messages; see [`crate::totals::Totals::garbage`]. They count in
    /// nothing else here.
    pub garbage: u64,
    /// ICMP errors whose quoted query was seen here in the last 10 s, by
    /// [`crate::class::ErrorKind`]. At rates over 10,000 queries a second some are missed.
    pub errors_matched: [u64; ERROR_KINDS],
    /// Queries and their outcomes.
    pub transactions: TransactionCounters,
    /// Answers to queries that were seen, late ones too, by rcode; estimates as those. Anybody can forge an
    /// answer to no query: it counts in `rcode` alone.
    pub answers_by_rcode: [u64; HEADER_CODES],
    /// Those of them with the TC bit.
    pub answers_truncated: u64,
    /// Latency of its answers; estimates as those.
    pub latency: [u64; COARSE_BUCKETS],
}

/// Transactions asked in one slot of time. Weighted as [`TransactionCounters`]; counters wrap, and go on when
/// the slot is used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Cohort {
    /// Raised by each.
    pub asked: u32,
    /// Raised by each, lowered by each that is answered or rejected in time. Once its time-out has passed
    /// it holds the unanswered ones of all times that the slot stood for.
    pub open: u32,
    /// Raised by each that an ICMP error ended. What is neither open nor errored was answered in time.
    pub errored: u32,
}

/// A ring of slots: that of a query is its time, in [`crate::transactions::Control::clock`] without the bits
/// below [`crate::settings::Settings::tick_bits`], modulo [`RING`].
pub type Cohorts = [Cohort; RING];

/// One place of the table.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct ServerEntry {
    /// Who it is; family 0 while unused.
    pub key: ServerKey,
    /// Sender of the last ICMP error that quotes a query to it; family 0 when there was none.
    pub error_sender: ServerKey,
    /// Place of its fine histogram, plus one; 0 while it has none.
    pub histogram: u32,
    /// Another each time that the place is given to a server: tells its two stays in one place apart.
    pub tenure: u32,
    /// [`crate::transactions::Control::own_generation`] when the server was found to be none of this host's addresses.
    pub cleared: u32,
    /// The same for `error_sender`.
    pub sender_cleared: u32,
    /// Transactions by the time of their query.
    pub cohorts: Cohorts,
    /// What was counted.
    pub counters: ServerCounters,
}

/// Places in a set.
pub const WAYS: usize = 4;
/// Sets in a table; a power of two.
pub const SETS: usize = 512;

/// One set: what shares a hash index. Apart from the places, so that those of all sets stay in the caches
/// when a scan of many servers meets them in turn.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct ServerSet {
    /// Keyed 64-bit hash of the key in each place; 0 while unused.
    pub tags: [u64; WAYS],
    /// 0 where a place was not used since the hand last passed (second-chance eviction). The program writes 1 at each use;
    /// the loader makes it 2 when it has read the place, so that it reads again only what was used since.
    pub used: [u8; WAYS],
    /// Odd while a place is being given to another server: a reader tries again.
    pub sequence: u32,
}

/// The table of one CPU.
///
/// `other` holds what evicted servers had counted and what never had a place, so the sum over entries
/// and `other` is exact.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct ServerTable {
    /// Servers that lost their place to another.
    pub evicted: u64,
    /// Packets of servers that were not given a place, because all of theirs were in use: three in four
    /// such packets count in `other`.
    pub refused: u64,
    /// Sums of the servers that lost their place or never had one; its key stays unused.
    pub other: ServerEntry,
    /// The sets.
    pub sets: [ServerSet; SETS],
    /// The places of each set.
    pub places: [[ServerEntry; WAYS]; SETS],
}

const _: () = assert!(size_of::<ServerKey>() == 24);
const _: () = assert!(SETS.is_power_of_two() && SETS <= 1 << 16);
const _: () = assert!(size_of::<ServerTable>().is_multiple_of(8) && align_of::<ServerTable>() == 8);
