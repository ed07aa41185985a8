//! All counters at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytemuck::Zeroable;
use sensor_common::server::{Cohorts, ServerCounters, ServerKey};
use sensor_common::settings::Direction;
use sensor_common::shard::Histogram;
use sensor_common::totals::Totals;
use sensor_common::transactions::RING;

use crate::measure::cohort::Slots;
use crate::measure::counters::Counters;
use crate::measure::sketch::{Counts, Distinct};

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

/// A server's place on one CPU.
#[derive(Clone, Copy)]
pub struct Place {
    /// Counters since the server has this place.
    pub counters: ServerCounters,
    /// Another for each stay of a server in a place.
    pub tenure: u32,
    /// Its transactions by the time of their query.
    pub cohorts: Cohorts,
    /// Sender of the last ICMP error about it; family 0 when there was none.
    pub error_sender: ServerKey,
    /// Queries that were not answered within the time-out; as all transactions, an estimate.
    pub unanswered: i64,
    /// Queries that may yet be answered in time.
    pub waiting: Waiting,
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

    /// Adds those of another CPU.
    pub fn add(&mut self, other: &Self) {
        for (sum, other) in self.0.iter_mut().zip(&other.0) {
            *sum += other;
        }
    }
}

/// A fine latency histogram on one CPU.
#[derive(Clone)]
pub struct HistogramReading {
    /// Whose it is.
    pub key: ServerKey,
    /// How many have had the place, this one included. The buckets go on from one to the next.
    pub owners: u32,
    /// They wrap.
    pub buckets: Arc<[u32]>,
}

impl HistogramReading {
    /// A copy of a place.
    #[must_use]
    pub fn of(place: &Histogram) -> Self {
        Self {
            key: place.key,
            owners: place.sequence / 2,
            buckets: place.buckets.as_slice().into(),
        }
    }
}

/// A second of what rotates.
#[derive(Clone)]
pub struct Epoch {
    /// From 1.
    pub number: u64,
    /// Sources of queries.
    pub sources: Distinct,
    /// Names in questions.
    pub names: Distinct,
    /// Sources that may be among the heaviest.
    pub candidates: BTreeSet<ServerKey>,
}

/// What the sensor spends and loses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnCost {
    /// One in 2^shift transactions is followed now.
    pub shift: u32,
    /// Transactions followed so far.
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

/// All counters at one moment. They only grow, except that a server which lost its place begins
/// anew; what it had is in `other`.
#[derive(Clone)]
pub struct Snapshot {
    /// Time since the engine started; of a capture, since its first packet.
    pub at: Duration,
    /// In the order of interfaces, ingress first.
    pub lanes: Vec<Lane>,
    /// Where it lies among the slots of the cohorts.
    pub slots: Slots,
    /// By CPU and server.
    pub places: BTreeMap<(u32, ServerKey), Place>,
    /// Counters of servers that lost their places or never had one.
    pub other: ServerCounters,
    /// Their transactions by the time of their query.
    pub other_cohorts: Cohorts,
    /// Unanswered queries to those, known since they had no place.
    pub other_unanswered: i64,
    /// Unanswered queries to those, known while they had one.
    pub lost_unanswered: i64,
    /// How many lost their places.
    pub evicted: u64,
    /// Packets of servers that never had one.
    pub refused: u64,
    /// By CPU and place.
    pub histograms: BTreeMap<(u32, u32), HistogramReading>,
    /// Queries by source address.
    pub addresses: Arc<Counts>,
    /// Queries by source prefix.
    pub prefixes: Arc<Counts>,
    /// The last seconds, the newest at the end.
    pub epochs: Vec<Arc<Epoch>>,
    /// Different sources of queries since the beginning.
    pub all_sources: Arc<Distinct>,
    /// Different names since the beginning.
    pub all_names: Arc<Distinct>,
    /// Of the hashes; to look sources up in the counts.
    pub secret: u64,
    /// See there.
    pub cost: OwnCost,
}

impl Snapshot {
    /// Nothing counted yet.
    #[must_use]
    pub fn empty(at: Duration) -> Self {
        Self {
            at,
            lanes: Vec::new(),
            slots: Slots::default(),
            places: BTreeMap::new(),
            other_cohorts: Cohorts::default(),
            other: Zeroable::zeroed(),
            other_unanswered: 0,
            lost_unanswered: 0,
            evicted: 0,
            refused: 0,
            histograms: BTreeMap::new(),
            addresses: Arc::default(),
            prefixes: Arc::default(),
            epochs: Vec::new(),
            all_sources: Arc::default(),
            all_names: Arc::default(),
            secret: 0,
            cost: OwnCost::default(),
        }
    }

    /// Only what tells the sources between two snapshots.
    #[must_use]
    pub fn sources_alone(&self) -> Self {
        Self {
            addresses: self.addresses.clone(),
            prefixes: self.prefixes.clone(),
            epochs: self.epochs.clone(),
            secret: self.secret,
            ..Self::empty(self.at)
        }
    }

    /// The sum of all lanes.
    #[must_use]
    pub fn totals(&self) -> Totals {
        sum(&self.lanes)
    }

    /// Counters of each server, summed over CPUs.
    #[must_use]
    pub fn servers(&self) -> BTreeMap<ServerKey, ServerCounters> {
        let mut servers = BTreeMap::new();
        for ((_, key), place) in &self.places {
            servers
                .entry(*key)
                .or_insert_with(ServerCounters::zeroed)
                .add(&place.counters);
        }
        servers
    }
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
