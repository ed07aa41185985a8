//! What a reading consists of.

use bytemuck::Zeroable;
use sensor_common::settings::Direction;
use sensor_common::totals::Totals;
use sensor_common::transactions::RING;

use crate::measure::counters::Counters;

/// Counters of one hook of one interface, summed over CPUs.
#[derive(Clone)]
pub struct Lane {
    /// Name of the interface, or of the capture file.
    pub interface: String,
    /// Which way the packets crossed it.
    pub direction: Direction,
    /// What was counted.
    pub totals: Totals,
}

/// Open transactions by the age of their query, in ticks of 268 ms: the tick that is running first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting(pub [i64; RING]);

impl Waiting {
    /// Those whose query is so many ticks old, or older.
    #[must_use]
    pub fn since(&self, ticks: usize) -> u64 {
        let sum: i64 = self.0.iter().skip(ticks).sum();
        u64::try_from(sum).unwrap_or(0)
    }
}

/// What the sensor spends and loses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnCost {
    /// One in 2^shift transactions is followed now.
    pub shift: u32,
    /// Transactions followed.
    pub followed: u64,
    /// Times that the packet program lowered the sampling rate by itself.
    pub raised: u64,
    /// One in 2^shift transactions is sampled now.
    pub sample_shift: u32,
    /// Packets of which a sample was taken.
    pub sampled: u64,
    /// Samples lost because nobody emptied the ring buffer in time.
    pub samples_lost: u64,
    /// Places of the server table in use, on all CPUs.
    pub places: usize,
    /// Samples that were wanted and not taken, because there were too many in a tick: their transactions are not
    /// sampled as a whole.
    pub samples_capped: u64,
    /// Fine latency histograms in use.
    pub histograms: u32,
    /// Times that a server lost its fine histogram to a busier one.
    pub histograms_replaced: u32,
}

/// The sum of lanes.
#[must_use]
pub fn sum(lanes: &[Lane]) -> Totals {
    let mut sum = Totals::zeroed();
    for lane in lanes {
        sum.add(&lane.totals);
    }
    sum
}
