//! Counters by the names that are documented and stable, as a part of other objects.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use sensor_common::class::{
    Class, ErrorKind, IcmpType, Malformed, QuestionState, Quoted, TcpEvent,
};
use sensor_common::totals::{ICMP_CODES, Totals};
use serde::Serialize;

use super::by_name::{ByName, named, numbered};
use super::names;
use crate::measure::address::ip;
use crate::measure::latency::Latency;
use crate::measure::window::ServerWindow;

/// By family (`v4`, `v6`), type and code.
type ByCode = BTreeMap<&'static str, BTreeMap<String, ByName>>;

/// What was counted at hooks. Counters that are 0 are left out of the maps, except classes.
#[derive(Debug, Serialize)]
pub struct CountsObject {
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
    /// Packets of the sensor's own probes, and what came back.
    probes: u64,
    /// Packets parsed from a copy, because they were not in one piece of memory.
    copied: u64,
}

impl CountsObject {
    /// Names the counters.
    #[must_use]
    pub fn new(totals: &Totals) -> Self {
        Self {
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
            probes: totals.probes,
            copied: totals.copied,
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

/// What was counted of one server.
#[derive(Debug, Serialize)]
pub struct ServerCounts {
    queries: u64,
    responses: u64,
    query_bytes: u64,
    response_bytes: u64,
    rcode: ByName,
    truncated: u64,
    tcp: ByName,
    /// ICMP errors that quote a query to it, by what they say.
    icmp_error: ByName,
    /// Those of them whose query was seen.
    icmp_error_matched: ByName,
    icmp_error_from_server: u64,
    icmp_error_unverifiable: u64,
    /// Who sent the last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_error_sender: Option<IpAddr>,
    /// ICMP errors that quote a response of it.
    backscatter: u64,
    /// Packets to it that can be no genuine messages; they count in nothing else here.
    garbage: u64,
    transactions: TransactionsObject,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_us: Option<LatencyObject>,
}

/// Estimates where transactions are sampled, exact where they are not.
#[derive(Debug, Serialize)]
struct TransactionsObject {
    sent: u64,
    answered: u64,
    late: u64,
    errored: u64,
    unanswered: u64,
    /// May yet be answered in time.
    waiting: u64,
    retransmitted: u64,
    duplicate: u64,
    unmatched: u64,
    untracked: u64,
    obscured: u64,
}

/// Microseconds.
#[derive(Debug, Serialize)]
struct LatencyObject {
    p50: u64,
    p95: u64,
    p99: u64,
}

impl LatencyObject {
    fn of(latency: &Latency) -> Option<Self> {
        let at = |share| {
            let quantile: Option<Duration> = latency.quantile(share);
            u64::try_from(quantile?.as_micros()).ok()
        };
        Some(Self {
            p50: at(0.5)?,
            p95: at(0.95)?,
            p99: at(0.99)?,
        })
    }
}

impl ServerCounts {
    /// Names the counters.
    #[must_use]
    pub fn new(server: &ServerWindow) -> Self {
        let counters = &server.counters;
        let transactions = &counters.transactions;
        Self {
            queries: counters.queries,
            responses: counters.responses,
            query_bytes: counters.query_bytes,
            response_bytes: counters.response_bytes,
            rcode: numbered(&counters.rcode, names::rcode),
            truncated: counters.truncated,
            tcp: named(
                TcpEvent::ALL,
                |event| event.name().into(),
                |event| counters.tcp[event.index()],
            ),
            icmp_error: by_kind(&counters.errors),
            icmp_error_matched: by_kind(&counters.errors_matched),
            icmp_error_from_server: counters.errors_from_server,
            icmp_error_unverifiable: counters.errors_unverifiable,
            icmp_error_sender: server.error_sender.as_ref().map(ip),
            backscatter: counters.backscatter.iter().sum(),
            garbage: counters.garbage,
            transactions: TransactionsObject {
                sent: transactions.sent,
                answered: transactions.answered,
                late: transactions.late,
                errored: transactions.errored,
                unanswered: server.unanswered,
                waiting: server.waiting.since(0),
                retransmitted: transactions.retransmitted,
                duplicate: transactions.duplicate,
                unmatched: transactions.unmatched,
                untracked: transactions.untracked,
                obscured: transactions.obscured,
            },
            latency_us: LatencyObject::of(&server.latency),
        }
    }
}

fn by_kind(counters: &[u64]) -> ByName {
    named(
        ErrorKind::ALL,
        |kind| kind.name().into(),
        |kind| counters[kind.index()],
    )
}
