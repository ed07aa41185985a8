//! Sketches of who asks and for what: fixed memory for any number of sources and names.

use bytemuck::{Pod, Zeroable};

use crate::server::ServerKey;

/// Rows of a count-min sketch.
pub const ROWS: usize = 4;
/// Counters of a row.
pub const COLUMNS: usize = 4096;
/// Bits of a hash that choose the counter of a row.
pub const COLUMN_BITS: u32 = COLUMNS.trailing_zeros();
/// Registers of a `HyperLogLog`: a standard error of 0.8 %.
pub const REGISTERS: usize = 1 << 14;
/// Rows of heavy-hitter candidates: two that collide in one row do not in the other.
pub const CANDIDATE_ROWS: usize = 2;
/// Candidates of a row.
pub const CANDIDATES: usize = 512;
/// Banks of what rotates: one in use, one being read, one cleared.
pub const BANKS: usize = 3;

/// Count-min sketch (Cormode and Muthukrishnan 2005). Never rotated: it is linear, so what was counted
/// in an interval is the difference of two readings. Counters wrap.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct CountMin {
    /// One counter of each row is raised by each packet. The rows are interleaved, so that one base
    /// address and a small offset reach all of them.
    pub columns: [[u32; ROWS]; COLUMNS],
}

/// A source that may be among the heaviest.
///
/// The count decays as in `HeavyKeeper` (Gong et al. 2018): another source lowers it by one with a
/// probability that halves with every eight counts, and takes the place at 0.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Candidate {
    /// Who; family 0 in an unused place.
    pub key: ServerKey,
    /// Upper half of its hash, odd; 0 while unused.
    pub tag: u32,
    /// Not a count of packets: that is the count-min sketch's.
    pub count: u32,
}

/// `HyperLogLog` registers (Flajolet et al. 2007): the highest 16 bits of hash seen in each; their
/// leading ones are the rank.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Registers {
    /// Chosen by 14 other bits of the hash. 0: nothing seen.
    pub highest: [u16; REGISTERS],
}

/// What is counted in one interval and then read and cleared.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Bank {
    /// Sources of queries.
    pub sources: Registers,
    /// Names in questions, without regard to case: the first 32 bytes of each.
    pub names: Registers,
    /// Sources of queries that may be among the heaviest.
    pub candidates: [[Candidate; CANDIDATES]; CANDIDATE_ROWS],
}

/// Sketches of one CPU.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Sketches {
    /// Queries by source address.
    pub addresses: CountMin,
    /// Queries by source prefix: /24 of IPv4, /56 of IPv6.
    pub prefixes: CountMin,
    /// What rotates.
    pub banks: [Bank; BANKS],
}

const _: () = assert!(ROWS as u32 * COLUMN_BITS <= 48);
const _: () = assert!(CANDIDATES.is_power_of_two() && CANDIDATES <= COLUMNS);
const _: () = assert!(size_of::<Sketches>().is_multiple_of(8));
