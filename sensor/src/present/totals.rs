//! The totals object: counters by the names that are documented and stable.

use sensor_common::totals::Totals;
use serde::Serialize;

use super::counts::CountsObject;
use super::objects::SensorObject;
use super::schema::SCHEMA;

/// Counters of an interface in an interval, or of a whole capture. Counters that are 0 are left out
/// of the maps, except classes.
#[derive(Debug, Serialize)]
pub struct TotalsObject {
    schema: u32,
    kind: &'static str,
    /// `kernel` or `host`.
    engine: &'static str,
    /// Interface or file.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// Milliseconds from the beginning of the run to the end of the interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_ms: Option<u64>,
    /// Milliseconds of the interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    interval_ms: Option<u64>,
    /// `up`, `down`, `no_carrier` or `gone`: of a live interface, at the end of the interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'static str>,
    /// `ingress` or `egress`, where our program is no longer at its hook: the counters have the other
    /// direction alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    detached: Option<&'static str>,
    #[serde(flatten)]
    counts: CountsObject,
    /// Frames that the snapshot length of a capture cut short.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<u64>,
    /// Frames of a capture that were left out as copies of others, where each packet is there more than once.
    #[serde(skip_serializing_if = "Option::is_none")]
    copies: Option<u64>,
    /// Whether a capture was read to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<bool>,
    /// What the sensor itself spends and loses; told with the first interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    sensor: Option<SensorObject>,
    /// Servers that lost their place in the table; their counts are kept, without their address. All
    /// interfaces share the table; it is told with the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    evicted_servers: Option<u64>,
}

/// What a totals object says beside the counters.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// `kernel` or `host`.
    pub engine: &'static str,
    /// Interface or file.
    pub source: Option<String>,
    /// End of the interval since the beginning, in milliseconds.
    pub at_ms: Option<u64>,
    /// Length of the interval, in milliseconds.
    pub interval_ms: Option<u64>,
    /// State of the interface.
    pub link: Option<&'static str>,
    /// Direction that is no longer counted.
    pub detached: Option<&'static str>,
    /// Frames cut by the snapshot length.
    pub cut: Option<u64>,
    /// Frames left out as copies.
    pub copies: Option<u64>,
    /// Whether a capture was read to its end.
    pub complete: Option<bool>,
    /// What the sensor itself spends and loses.
    pub sensor: Option<SensorObject>,
    /// Servers evicted.
    pub evicted_servers: Option<u64>,
}

impl TotalsObject {
    /// Names the counters.
    #[must_use]
    pub fn new(totals: &Totals, about: About) -> Self {
        Self {
            schema: SCHEMA,
            kind: "totals",
            engine: about.engine,
            source: about.source,
            at_ms: about.at_ms,
            interval_ms: about.interval_ms,
            link: about.link,
            detached: about.detached,
            counts: CountsObject::new(totals),
            cut: about.cut,
            copies: about.copies,
            complete: about.complete,
            sensor: about.sensor,
            evicted_servers: about.evicted_servers,
        }
    }
}
