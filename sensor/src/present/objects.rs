//! JSON objects beside the totals, by names that are documented and stable.

use std::net::IpAddr;
use std::time::Duration;

use sensor_common::server::ServerKey;
use serde::Serialize;

use super::counts::ServerCounts;
use super::schema::SCHEMA;
use crate::engine::kernel::cost::ProgramCost;
use crate::engine::own_cost::Spent;
use crate::measure::address::{ip, prefix};
use crate::measure::samples::{Heaviest, Names};
use crate::measure::sketch::Heavy;
use crate::measure::window::{ServerWindow, Sources, Window};

/// Names that are told.
const TOP_NAMES: usize = 10;

/// An interval of an interface on which nothing is counted any more: it stands where the totals stood.
#[derive(Debug, Serialize)]
pub struct DetachedObject<'a> {
    schema: u32,
    kind: &'static str,
    source: &'a str,
    at_ms: u64,
    interval_ms: u64,
}

impl<'a> DetachedObject<'a> {
    /// Of an interval that ended at a time since the beginning of the run.
    #[must_use]
    pub fn new(interface: &'a str, at: Duration, interval: Duration) -> Self {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            schema: SCHEMA,
            kind: "detached",
            source: interface,
            at_ms: ms(at),
            interval_ms: ms(interval),
        }
    }
}

/// One server in an interval, or in a capture.
#[derive(Debug, Serialize)]
pub struct ServerObject {
    schema: u32,
    kind: &'static str,
    address: IpAddr,
    #[serde(flatten)]
    counts: ServerCounts,
}

impl ServerObject {
    /// Names the counters.
    #[must_use]
    pub fn new(key: &ServerKey, server: &ServerWindow) -> Self {
        Self {
            schema: SCHEMA,
            kind: "server",
            address: ip(key),
            counts: ServerCounts::new(server),
        }
    }
}

/// Who asked.
#[derive(Debug, Serialize)]
pub struct SourcesObject {
    schema: u32,
    kind: &'static str,
    /// Different ones, within 3 %.
    distinct: u64,
    /// By how much a count below may be too high, with a probability of 98 %.
    error: u64,
    addresses: Vec<HeavyObject>,
    networks: Vec<HeavyObject>,
}

#[derive(Debug, Serialize)]
struct HeavyObject {
    source: String,
    queries_at_most: u64,
    queries_at_least: u64,
}

impl SourcesObject {
    /// Names the counters.
    #[must_use]
    pub fn new(sources: &Sources) -> Self {
        let named = |heavy: &[Heavy]| {
            let objects = heavy.iter().map(|heavy| HeavyObject {
                source: prefix(&heavy.source),
                queries_at_most: heavy.at_most,
                queries_at_least: heavy.at_least,
            });
            objects.collect()
        };
        Self {
            schema: SCHEMA,
            kind: "sources",
            distinct: sources.distinct,
            error: sources.error,
            addresses: named(&sources.addresses),
            networks: named(&sources.networks),
        }
    }
}

/// What was asked for, from samples.
#[derive(Debug, Serialize)]
pub struct NamesObject {
    schema: u32,
    kind: &'static str,
    /// Different ones, within 3 %; not from samples.
    distinct: u64,
    samples: u64,
    /// Samples with a question; the counts below are of these.
    questions: u64,
    names: Vec<NameObject>,
    suffixes: Vec<NameObject>,
}

#[derive(Debug, Serialize)]
struct NameObject {
    name: String,
    samples_at_most: u64,
    samples_at_least: u64,
}

impl NamesObject {
    /// The most frequent ones.
    #[must_use]
    pub fn new(names: &Names, distinct: u64) -> Self {
        let top = |heaviest: &Heaviest| {
            let top = heaviest.top(TOP_NAMES);
            let objects = top.into_iter().map(|(name, count)| NameObject {
                name: name.into(),
                samples_at_most: count.at_most,
                samples_at_least: count.at_most - count.error,
            });
            objects.collect()
        };
        Self {
            schema: SCHEMA,
            kind: "names",
            distinct,
            samples: names.samples,
            questions: names.questions,
            names: top(&names.names),
            suffixes: top(&names.suffixes),
        }
    }
}

/// What the sensor itself spends and loses.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct SensorObject {
    /// One in so many transactions is followed; the counts of transactions are estimates unless it is 1.
    transactions_one_in: u64,
    /// Transactions followed in the interval.
    followed: u64,
    /// Times that the packet program lowered that rate by itself.
    rate_lowered: u64,
    samples: u64,
    samples_lost: u64,
    /// Wanted, and not taken because there were too many.
    samples_capped: u64,
    /// One in so many transactions is sampled.
    samples_one_in: u64,
    /// Places of the server table, of all CPUs: taken, and all.
    server_places: (usize, usize),
    /// Packets of servers that found no place; counted without their address.
    refused: u64,
    /// Unanswered queries to servers without a place.
    unanswered_elsewhere: u64,
    latency_histograms: u32,
    latency_histograms_lost: u32,
    map_bytes: usize,
    /// Of a core, by the loader; what the programs take is known to `doctor --cost` alone.
    cpu_percent: f64,
    /// Resident memory of the loader now.
    rss_kib: u64,
    #[serde(flatten)]
    losses: Losses,
}

/// What the loader has left out since it began, or leaves out now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Losses {
    /// Servers that detection forgot because there were too many.
    pub servers_forgotten: u64,
    /// Servers with a sign now that is not followed, because there are too many incidents.
    pub incidents_unfollowed: usize,
    /// Alerts whose receiver was too slow.
    pub alerts_lost: u64,
    /// Lines of output that nobody read.
    pub lines_lost: u64,
}

impl SensorObject {
    /// Of a window.
    #[must_use]
    pub fn new(
        window: &Window,
        places: (usize, usize),
        map_bytes: usize,
        spent: Spent,
        losses: Losses,
    ) -> Self {
        Self {
            transactions_one_in: 1 << window.cost.shift,
            followed: window.cost.followed,
            rate_lowered: window.cost.raised,
            samples: window.cost.sampled,
            samples_lost: window.cost.samples_lost,
            samples_capped: window.cost.samples_capped,
            samples_one_in: 1 << window.cost.sample_shift,
            server_places: places,
            refused: window.refused,
            unanswered_elsewhere: window.other_unanswered,
            latency_histograms: window.cost.histograms,
            latency_histograms_lost: window.cost.histograms_replaced,
            map_bytes,
            cpu_percent: (spent.cpu_percent * 100.0).round() / 100.0,
            rss_kib: spent.rss_kib,
            losses,
        }
    }
}

/// What one attached program costs.
#[derive(Debug, Serialize)]
pub struct CostObject {
    schema: u32,
    kind: &'static str,
    program: String,
    id: u32,
    packets: u64,
    /// With what measuring costs; missing where there were no packets.
    #[serde(skip_serializing_if = "Option::is_none")]
    ns_per_packet: Option<u64>,
    percent_of_a_core: f64,
}

impl CostObject {
    /// Names the numbers.
    #[must_use]
    pub fn new(cost: &ProgramCost) -> Self {
        Self {
            schema: SCHEMA,
            kind: "program_cost",
            program: cost.name.clone(),
            id: cost.id,
            packets: cost.packets,
            ns_per_packet: cost.ns(),
            percent_of_a_core: (cost.percent() * 100.0).round() / 100.0,
        }
    }
}
