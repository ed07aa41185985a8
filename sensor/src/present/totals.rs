//! The totals object: counters by the names that are documented and stable.

use std::collections::BTreeMap;

use sensor_common::class::{Class, IcmpType, Malformed, QuestionState, Quoted, TcpEvent};
use sensor_common::totals::{ICMP_CODES, Totals};
use serde::Serialize;

use super::by_name::{ByName, named, numbered};
use super::names;
use super::objects::SensorObject;
use super::schema::SCHEMA;

/// By family (`v4`, `v6`), type and code.
type ByCode = BTreeMap<&'static str, BTreeMap<String, ByName>>;

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
    seen: u64,
    classes: BTreeMap<&'static str, u64>,
    malformed: ByName,
    rcode: ByName,
    qtype: ByName,
    opcode: ByName,
    question: ByName,
    truncated: u64,
    vlan: u64,
    first_fragment: u64,
    query_bytes: u64,
    response_bytes: u64,
    tcp: ByName,
    icmp_error: ByCode,
    quoting_dns: BTreeMap<&'static str, ByCode>,
    unverifiable: u64,
    /// Packets on a DNS port that can be no genuine messages, whatever their class.
    garbage: u64,
    /// Responses and ICMP errors from outside with an address of this host as their sender, whatever their class.
    forged: u64,
    /// Packets parsed from a copy, because they were not in one piece of memory.
    copied: u64,
    /// Frames that the snapshot length of a capture cut short.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<u64>,
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
            seen: totals.seen,
            classes: Class::ALL
                .iter()
                .map(|class| (class.name(), totals.classes[class.index()]))
                .collect(),
            malformed: named(
                Malformed::ALL,
                |r| r.name().into(),
                |r| totals.malformed[r.index()],
            ),
            rcode: numbered(&totals.rcode, names::rcode),
            qtype: numbered(&totals.qtype, names::qtype),
            opcode: numbered(&totals.opcode, names::opcode),
            question: named(
                QuestionState::ALL,
                |s| s.name().into(),
                |s| totals.questions(s),
            ),
            truncated: totals.truncated,
            vlan: totals.vlan,
            first_fragment: totals.first_fragment,
            query_bytes: totals.query_bytes,
            response_bytes: totals.response_bytes,
            tcp: named(
                TcpEvent::ALL,
                |e| e.name().into(),
                |e| totals.tcp[e.index()],
            ),
            icmp_error: by_code(totals, Quoted::ALL),
            quoting_dns: [Quoted::Query, Quoted::Response]
                .into_iter()
                .map(|quoted| (quoted.name(), by_code(totals, &[quoted])))
                .collect(),
            unverifiable: totals.unverifiable,
            garbage: totals.garbage,
            forged: totals.forged,
            copied: totals.copied,
            cut: about.cut,
            complete: about.complete,
            sensor: about.sensor,
            evicted_servers: about.evicted_servers,
        }
    }
}

/// ICMP errors that quote any of these.
fn by_code(totals: &Totals, quoting: &[Quoted]) -> ByCode {
    let mut families = ByCode::new();
    for icmp_type in IcmpType::ALL {
        for (code, counts) in totals.icmp_error[icmp_type.index()].iter().enumerate() {
            let count: u64 = quoting.iter().map(|quoted| counts[quoted.index()]).sum();
            if count == 0 {
                continue;
            }
            let code = if code == ICMP_CODES - 1 {
                "other".into()
            } else {
                code.to_string()
            };
            families
                .entry(icmp_type.family())
                .or_default()
                .entry(icmp_type.number().to_string())
                .or_default()
                .insert(code, count);
        }
    }
    families
}
