//! Everything that one CPU counts beside totals.

use bytemuck::{Pod, Zeroable};

use crate::class::SAMPLE_KINDS;
use crate::latency::BUCKETS;
use crate::server::{ServerKey, ServerTable};
use crate::sketch::Sketches;

/// Servers with a fine histogram, on each CPU.
pub const HISTOGRAMS: usize = 256;

/// Latency of one server's answers on one CPU.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Histogram {
    /// The owner; family 0 while unused.
    pub key: ServerKey,
    /// Odd while it is given to another server; half of it is how many have had it.
    pub sequence: u32,
    /// Lowered by servers without a histogram, which take it at 0.
    pub credit: u32,
    /// Estimates, as in [`crate::transactions::TransactionCounters`]; they wrap, and go
    /// on when the owner changes.
    pub buckets: [u32; BUCKETS],
}

/// All histograms of one CPU.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Histograms {
    /// Places given away so far, at most [`HISTOGRAMS`].
    pub assigned: u32,
    /// Times that a server lost its histogram to another.
    pub replaced: u32,
    /// The places.
    pub places: [Histogram; HISTOGRAMS],
}

/// How many transactions one CPU follows.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Following {
    /// Followed so far: queries, not weighted.
    pub followed: u64,
    /// Times that this CPU halved the sampling rate.
    pub raised: u64,
    /// Queries for which this CPU may still read the clock in this tick of the loader, which refills it.
    pub budget: u64,
}

/// How many samples one CPU takes.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Sampling {
    /// Packets of which this CPU may still take a sample in this tick of the loader, which refills it; by
    /// [`crate::class::SampleKind`].
    pub tokens: [u64; SAMPLE_KINDS],
    /// Packets of which a sample was wanted, and there was no token.
    pub capped: [u64; SAMPLE_KINDS],
    /// Samples taken.
    pub taken: u64,
    /// Samples lost because the ring buffer was full.
    pub lost: u64,
}

/// The state of one CPU.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Shard {
    /// Transactions followed.
    pub following: Following,
    /// Samples.
    pub sampling: Sampling,
    /// Servers.
    pub servers: ServerTable,
    /// Latency of the busiest of them.
    pub histograms: Histograms,
    /// Sources and names.
    pub sketches: Sketches,
}

const _: () = assert!(size_of::<Shard>().is_multiple_of(8) && align_of::<Shard>() == 8);
// The kernel's limit for a map value (KMALLOC_MAX_SIZE).
const _: () = assert!(size_of::<Shard>() < 4 << 20);
