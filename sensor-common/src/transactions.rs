//! Queries waiting for their response, in one table that all CPUs share.
//!
//! A transaction is (client, server, client's port, id). Its hash is symmetric in direction, chooses
//! whether it is followed, and where. Where the rate is high, only one in 2^shift is followed, and
//! then stands for as many: all counts are estimates of whole traffic, exact at shift 0.

use bytemuck::{Pod, Zeroable};

/// Cells of the table; a power of two.
pub const CELLS: usize = 1 << 18;
/// Highest shift: one in 65,536.
pub const MAX_SHIFT: u32 = 16;
/// A shift that nothing passes: in `unmatched_shift` while the sensor has not seen enough.
pub const NEVER: u32 = u32::MAX;
/// How long a cell is kept, in units of 1,024 ns: 10 s.
pub const LIFE: u32 = (10_000_000_000_u64 >> crate::latency::UNIT_BITS) as u32;
/// Slots of the ring in which each server counts open transactions by the tick of their query.
pub const RING: usize = 16;
/// Tuples that are remembered, unsampled, so that a rare ICMP error finds its query.
pub const TUPLES: usize = 1 << 16;
/// Ticks of the loader that a remembered tuple counts as recent: 10 s.
pub const TUPLE_TICKS: u32 = 40;
/// Queries for which each CPU may read the clock in a tick of the loader (250 ms) before it halves the
/// sampling rate by itself.
pub const BUDGET: u64 = 1024;

/// Words of [`Control::own`]; a power of two.
pub const OWN_WORDS: usize = 16;
/// Addresses of this host that are known at once.
pub const MAX_OWN: usize = 4096;

/// What the loader changes while the programs run, and the programs themselves when a flood begins.
///
/// In the program's data section: a read costs no look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Control {
    /// Queries are followed where the lowest `shift` bits of their hash are 0.
    pub shift: u32,
    /// The lowest `shift` of the last 10 s: what a response may have been followed under.
    pub match_shift: u32,
    /// The highest `shift` of the last 10 s: what any response's query was surely followed under.
    pub unmatched_shift: u32,
    /// The bank of sketches in use.
    pub bank: u32,
    /// Ticks of the loader since it began, 250 ms each.
    pub tick: u32,
    /// Transactions are sampled where the highest `sample_shift` bits of their hash are 0; see
    /// [`crate::sample::Sample`].
    pub sample_shift: u32,
    /// The time in nanoseconds for packets of a capture; 0 for the kernel's clock.
    pub clock: u64,
    /// A Bloom filter of one hash over the addresses of this host: the bit of an address is in
    /// `sensor_ebpf::forgery::place`. Where it is set, [`crate::names::OWN`] tells for certain.
    pub own: [u64; OWN_WORDS],
    /// What is 0 in the hash of a transaction that is followed, by `shift`.
    pub mask: u64,
    /// The same by `match_shift`.
    pub match_mask: u64,
    /// The same in the hash by which a transaction is sampled, by `sample_shift`.
    pub sample_mask: u64,
    /// Another each time that the addresses of this host change, and after them; never 0.
    pub own_generation: u32,
    /// Always 0.
    pub reserved: u32,
}

impl Control {
    /// At the start: everything is followed, and nothing can be called unmatched.
    pub const DEFAULT: Self = Self {
        shift: 0,
        match_shift: 0,
        unmatched_shift: NEVER,
        bank: 0,
        tick: TUPLE_TICKS + 1,
        sample_shift: 0,
        clock: 0,
        own: [0; OWN_WORDS],
        mask: 0,
        match_mask: 0,
        sample_mask: 0,
        own_generation: 1,
        reserved: 0,
    };

    /// The same, with the masks that the shifts give.
    #[must_use]
    pub fn with_masks(self) -> Self {
        Self {
            mask: lowest(self.shift),
            match_mask: lowest(self.match_shift),
            sample_mask: highest(self.sample_shift),
            ..self
        }
    }
}

/// The lowest bits of a word, at most [`MAX_SHIFT`].
#[inline(always)]
#[must_use]
pub const fn lowest(bits: u32) -> u64 {
    (1 << (bits & 31)) - 1
}

/// The highest bits of a word, at most [`MAX_SHIFT`].
#[inline(always)]
#[must_use]
pub const fn highest(bits: u32) -> u64 {
    !(u64::MAX >> (bits & 31))
}

const _: () = assert!(MAX_SHIFT < 32);

/// Counts of one server's transactions on one CPU: estimates, each followed one counting for all that
/// it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct TransactionCounters {
    /// Queries, without retransmissions.
    pub sent: u64,
    /// Answered within the time-out.
    pub answered: u64,
    /// Answered after it.
    pub late: u64,
    /// Ended by an ICMP error.
    pub errored: u64,
    /// Queries that could not be followed, because their cell was taken.
    pub untracked: u64,
    /// Queries repeated with the same id before there was an answer.
    pub retransmitted: u64,
    /// Further responses to an answered query.
    pub duplicate: u64,
    /// Responses whose query was never seen.
    pub unmatched: u64,
    /// Responses of which cannot be known whether their query was seen: their cell had another.
    pub obscured: u64,
}

const _: () = assert!(CELLS.is_power_of_two() && TUPLES.is_power_of_two() && RING == 16);
const _: () = assert!(size_of::<Control>() == 64 + 8 * OWN_WORDS);
