//! What was counted, before and during, and how.

use std::collections::BTreeSet;

use super::super::number::{bytes, count, counted, milliseconds, plain, share, span, were};
use super::super::words::{self, icmp};
use super::document::Block;
use super::impact::seconds;
use crate::detect::Vantage;
use crate::host::counters::Counters;
use crate::host::dropped::Way;
use crate::host::facts::HostFacts;
use crate::host::probe::Said;
use crate::incident::Counts;
use crate::incident::diagnosis::rank::{LEAST, MARGIN};
use crate::incident::kept::Kept;
use crate::incident::record::{Party, Range, Record, Summary};
use crate::incident::series::Point;

/// Clients, names and senders that are listed.
const PARTIES: usize = 5;
/// Kinds of dropped packets that are listed.
const DROPS: usize = 4;

/// Counts, parties, the host, the series and the packets.
#[must_use]
pub fn blocks(record: &Record, kept: Option<&Kept>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let is_empty =
        |point: &Point| [point.queries, point.failed, point.icmp_errors, point.syns] == [0; 4];
    if !record.series.points.iter().all(is_empty) {
        blocks.push(Block::Series {
            step_ms: record.series.step_ms,
            points: record.series.points.clone(),
            marks: [record.onset_ms, record.last_symptom_ms],
        });
    }
    if record.server.is_some() {
        blocks.push(Block::Text(
            "Queries, by the time at which they were asked:".into(),
        ));
        blocks.push(Block::Table(cohort(record)));
    }
    blocks.push(Block::Text(
        "Packets, by the time at which they passed (at the onset they may fall on the other side):"
            .into(),
    ));
    let mut table = packets_seen(record);
    if !is_known_before(record) {
        for row in &mut table {
            row.remove(1);
        }
    }
    blocks.push(Block::Table(table));
    let mut lines = parties(record);
    lines.extend(record.host.iter().flat_map(|host| on_host(host, record)));
    lines.extend(probe(record));
    if let Some(path) = kept.and_then(|kept| kept.packets.as_ref()) {
        lines.push(format!(
            "{} of them kept (the first 128 bytes of each): `{}`.",
            counted(record.sampling.packets as u64, "sampled packet"),
            path.display()
        ));
    }
    blocks.push(Block::Bullets(lines));
    blocks
}

type Row = (&'static str, fn(&Summary) -> u64);

/// The first five are always there: the first is the sum of the others.
const COHORT: [Row; 5] = [
    ("queries (without retransmissions)", |s| s.asked),
    ("answered in time", |s| s.answered),
    ("ended by an ICMP error", |s| s.errored),
    ("unanswered", |s| s.unanswered),
    ("pending", |s| s.waiting),
];

const PACKETS: [Row; 12] = [
    ("query packets", |s| s.queries),
    ("of these retransmissions", |s| s.retransmitted),
    ("responses", |s| s.responses),
    (
        "responses later than the timeout after the first copy",
        |s| s.late,
    ),
    ("responses without a query", |s| s.unmatched),
    ("truncated responses", |s| s.truncated),
    ("ICMP errors about queries", icmp::total),
    ("of these from the server's own address", |s| {
        s.icmp_from_server
    }),
    ("ICMP errors about responses", |s| s.backscatter),
    ("TCP SYNs, with those sent again", |s| s.tcp[0]),
    ("TCP connections accepted (SYN-ACK)", |s| s.tcp[1]),
    ("TCP connections refused (RST)", |s| s.tcp[2]),
];

/// Of the network nothing may be known of the time before.
fn is_known_before(record: &Record) -> bool {
    record.before.seconds > 0.0
}

fn head(record: &Record) -> Vec<String> {
    vec![
        "count".into(),
        format!("before ({})", seconds(record.before.seconds)),
        format!("during ({})", seconds(record.during.seconds)),
    ]
}

/// What became of the queries.
fn cohort(record: &Record) -> Vec<Vec<String>> {
    let (before, during) = (&record.before, &record.during);
    let mut rows = vec![head(record)];
    for (what, of) in COHORT {
        rows.push(vec![what.into(), count(of(before)), count(of(during))]);
    }
    rows.push(vec![
        "success rate (pending ones left out)".into(),
        share(before.answered, before.decided()),
        share(during.answered, during.decided()),
    ]);
    for (what, a, b) in [
        (
            "median latency (usual, worst)",
            before.p50_ms,
            during.p50_ms,
        ),
        (
            "95th percentile latency (usual, worst)",
            before.p95_ms,
            during.p95_ms,
        ),
    ] {
        if a.is_some() || b.is_some() {
            let of = |ms: Option<f64>| ms.map_or_else(|| "-".into(), milliseconds);
            rows.push(vec![what.into(), of(a), of(b)]);
        }
    }
    rows
}

/// Packets and what they say.
fn packets_seen(record: &Record) -> Vec<Vec<String>> {
    let (before, during) = (&record.before, &record.during);
    let mut rows = vec![head(record)];
    for (what, of) in PACKETS {
        let (a, b) = (of(before), of(during));
        if a != 0 || b != 0 {
            rows.push(vec![what.into(), count(a), count(b)]);
        }
    }
    by_code(
        &mut rows,
        &before.icmp_errors,
        &during.icmp_errors,
        |kind| format!("ICMP {} about queries", icmp::kind(kind)),
    );
    by_code(
        &mut rows,
        &before.icmp_about_responses,
        &during.icmp_about_responses,
        |kind| format!("ICMP {} about responses", icmp::kind(kind)),
    );
    by_code(&mut rows, &before.rcodes, &during.rcodes, |rcode| {
        format!("answers with {rcode}")
    });
    rows.push(vec![
        "bytes of queries".into(),
        bytes(before.query_bytes),
        bytes(during.query_bytes),
    ]);
    rows.push(vec![
        "bytes of responses".into(),
        bytes(before.response_bytes),
        bytes(during.response_bytes),
    ]);
    rows
}

/// A row for each code that either has.
fn by_code(
    rows: &mut Vec<Vec<String>>,
    before: &Counts<String>,
    during: &Counts<String>,
    name: impl Fn(&str) -> String,
) {
    let codes: BTreeSet<&String> = before.keys().chain(during.keys()).collect();
    for code in codes {
        let of = |counts: &Counts<String>| count(counts.get(code).copied().unwrap_or(0));
        rows.push(vec![name(code), of(before), of(during)]);
    }
}

fn parties(record: &Record) -> Vec<String> {
    let clients = &record.clients;
    let mut lines = Vec::new();
    let rate = if record.server.is_some() {
        "Queries per second"
    } else {
        "Responses per second"
    };
    for (what, of) in [
        (rate, &clients.rate),
        (
            "Different sources per second, whole network",
            &clients.distinct,
        ),
        (
            "Different names per second, whole network",
            &clients.distinct_names,
        ),
    ] {
        if of.worst > 0.0 {
            lines.push(format!("{what}: {}.", range(of)));
        }
    }
    for (what, parties) in [
        ("Clients, by sampled queries", &clients.heaviest),
        ("Programs of this host, by sampled queries", &clients.units),
        (
            "Heaviest sources on the network, queries in 10 s",
            &clients.sources,
        ),
        ("Names, by sampled queries", &record.names),
        ("Servers, by sampled queries", &record.servers),
        (
            "Clients with failed queries, by sampled failed queries",
            &record.failing.clients,
        ),
        (
            "Senders of ICMP errors about queries, by sampled errors",
            &record.icmp_senders,
        ),
        (
            "Senders of ICMP errors about responses, by sampled errors",
            &record.response_icmp_senders,
        ),
    ] {
        if !parties.is_empty() {
            lines.push(format!("{what}: {}.", list(parties)));
        }
    }
    lines.extend(questions(record));
    lines.extend(sent_again(record));
    lines.extend(limit(record));
    lines.extend(unmatched(record));
    if let Some(ms) = record.slowest_icmp_ms {
        let within = if ms == 0 {
            "less than 1 ms".into()
        } else {
            format!("at most {} ms", count(ms))
        };
        lines.push(format!(
            "Sampled ICMP errors came {within} after their query."
        ));
    }
    if !clients.rejected.is_empty() {
        lines.push(format!(
            "Rejected client networks: {}; {} served.",
            clients.rejected.join(", "),
            counted(clients.served as u64, "other network")
        ));
    }
    lines
}

/// What the failing queries ask for.
fn questions(record: &Record) -> Option<String> {
    let failing = &record.failing;
    if failing.questions.is_empty() {
        return None;
    }
    let each = failing.questions.iter().take(PARTIES);
    let each: Vec<String> = each
        .map(|party| {
            format!(
                "{} ({})",
                words::contrast::question(party),
                count(party.count)
            )
        })
        .collect();
    let zone = failing
        .zone
        .as_ref()
        .map_or_else(String::new, |zone| format!("; all names are below {zone}"));
    Some(format!(
        "Questions that failed most, of {}: {}{zone}.",
        counted(failing.failed, "sampled failed query"),
        each.join(", ")
    ))
}

/// Queries that clients sent more than once.
fn sent_again(record: &Record) -> Option<String> {
    let sent = &record.sent_again;
    if sent.all() == 0 {
        return None;
    }
    let after = sent.interval_ms.map_or_else(String::new, |ms| {
        format!(
            "; nearly all second copies came {} after the first",
            span(ms)
        )
    });
    Some(format!(
        "Of {}, clients sent {} again: {} without an answer, {} after the answer{after}.",
        counted(sent.queries, "sampled query"),
        count(sent.all()),
        count(sent.unanswered),
        count(sent.after_answer)
    ))
}

/// A server that answers a part, as fast as ever, and no more than so much.
fn limit(record: &Record) -> Option<String> {
    let limit = words::limit(record)?;
    Some(format!(
        "Responses per second in the incident: about {} on average, as fast as ever, of {} queries: consistent with a limit on \
         queries or answers per second.",
        plain(limit),
        plain(words::asked_per_second(record))
    ))
}

/// Errors that belong to no query, beside queries that are unanswered.
fn unmatched(record: &Record) -> Option<String> {
    let during = &record.during;
    let errors = icmp::total(during);
    (errors != 0 && during.errored == 0 && during.unanswered != 0).then(|| {
        format!(
            "None of the {} could be matched to the query that it quotes (a NAT on the path rewrites addresses or ports): \
             those queries count as unanswered.",
            counted(errors, "ICMP error")
        )
    })
}

fn range(range: &Range) -> String {
    range.usual.map_or_else(
        || format!("peak {} (no baseline yet)", plain(range.worst)),
        |usual| format!("usually {}, peak {}", plain(usual), plain(range.worst)),
    )
}

fn list(parties: &[Party]) -> String {
    let each: Vec<String> = parties
        .iter()
        .take(PARTIES)
        .map(|party| {
            let what = party
                .what
                .as_deref()
                .map_or_else(String::new, |what| format!(" {}", icmp::kind(what)));
            format!("{} ({}{what})", party.who, count(party.count))
        })
        .collect();
    let more = match parties.len().saturating_sub(PARTIES) {
        0 => String::new(),
        more => format!(", {more} more"),
    };
    format!("{}{more}", each.join(", "))
}

fn on_host(host: &HostFacts, record: &Record) -> Vec<String> {
    let mut lines = Vec::new();
    let counters = &host.counters;
    let bound = |bound: Option<bool>| match bound {
        Some(true) => "a socket is bound",
        Some(false) => "no socket was bound",
        None => "unknown",
    };
    // Nothing of a host is in a capture.
    if record.vantage == Vantage::Server && host.seconds != 0 {
        lines.push(format!(
            "On the server's host, over {} s: UDP port {}: {}; TCP: {}; {} read by programs, {} to ports without a socket, {} \
             lost at a full DNS socket ({} at all sockets), {} dropped by the kernel's queues, {} by interfaces{}.",
            host.seconds,
            words::ports(record),
            bound(host.udp_bound),
            bound(host.tcp_bound),
            counted(counters.read, "datagram"),
            count(counters.no_ports),
            count(host.socket_drops),
            count(counters.rcvbuf_errors),
            counted(counters.softnet_drops, "packet"),
            count(counters.interface_drops),
            match host.queued {
                0 => String::new(),
                queued => format!(
                    "; the DNS socket's queue never fell below {}",
                    counted(queued, "byte")
                ),
            },
        ));
    }
    for dropped in host.drops.iter().take(DROPS) {
        lines.push(format!(
            "Dropped by this host's kernel, over {} s: {}, {}, {}: {}.",
            host.seconds,
            counted(dropped.packets, "packet"),
            match (dropped.kind.way, dropped.kind.tcp) {
                (Way::ToServer, false) => "to the server",
                (Way::FromServer, false) => "from the server",
                (Way::ToServer, true) => "to the server over TCP",
                (Way::FromServer, true) => "from the server over TCP",
            },
            words::dropped::place(&dropped.kind),
            dropped.kind.reason
        ));
    }
    if let more @ 1.. = host.drops.len().saturating_sub(DROPS) {
        lines.push(format!("{} of drops more.", counted(more as u64, "kind")));
    }
    if host.unparsed != 0 {
        lines.push(format!(
            "{} not read one by one, since there were too many: they may have been DNS or not.",
            were(host.unparsed, "more dropped packet")
        ));
    }
    if host.paused_ms != 0 {
        lines.push(format!(
            "For {} s of that no dropped packet was counted: there were too many.",
            count(host.paused_ms.div_ceil(1_000))
        ));
    }
    lines.extend(network_stack(counters, host.conntrack));
    lines
}

/// Counters that are 0 in good times.
fn network_stack(counters: &Counters, conntrack: Option<[u64; 2]>) -> Option<String> {
    let held = (counters.icmp_held_back != 0).then(|| {
        let text = words::dropped::held_back(counters.icmp_sent, counters.icmp_held_back);
        text.trim_end_matches('.').to_string()
    });
    let each = [
        (counters.no_routes, "sent without a route"),
        (counters.out_discards, "discarded on output"),
        (
            counters.reverse_path_filtered,
            "dropped by the reverse path filter",
        ),
        (counters.reassembly_failed, "lost for want of a fragment"),
        (counters.listen_overflows, "refused by a full TCP backlog"),
        (counters.conntrack_drops, "dropped by connection tracking"),
        (
            counters.conntrack_insert_failed,
            "not entered into connection tracking",
        ),
    ];
    let each = each.into_iter().filter(|(many, _)| *many != 0);
    let table = conntrack
        .filter(|_| counters.conntrack_drops + counters.conntrack_insert_failed != 0)
        .map(|[entries, most]| {
            format!(
                "{} of at most {} tracked",
                count(entries),
                counted(most, "connection")
            )
        });
    let each = each.map(|(many, what)| format!("{} {what}", counted(many, "packet")));
    let all: Vec<String> = held.into_iter().chain(each).chain(table).collect();
    (!all.is_empty()).then(|| format!("This host's network stack: {}.", all.join("; ")))
}

fn probe(record: &Record) -> Option<String> {
    let verified = record.verified.as_ref()?;
    let said = |said: &Said| match said {
        Said::Answer(rcode) => format!("answered {rcode}"),
        Said::Connected(why) => format!("connected, {why}"),
        Said::Refused(why) => format!("refused ({why})"),
        Said::Nothing(why) => format!("no answer ({why})"),
    };
    Some(format!(
        "Probed by the sensor at {}: UDP: {}; TCP: {}.",
        super::super::calendar::clock(verified.at_ms),
        said(&verified.udp),
        said(&verified.tcp)
    ))
}

/// How it was measured.
#[must_use]
pub fn measurement(record: &Record) -> Vec<Block> {
    let followed = match record.sampling.shift {
        // Responses and scans are counted, and belong to no query that could be followed.
        _ if record.during.queries == 0 => "No query was followed to its end.".into(),
        0 => "Every query was followed to its end.".into(),
        shift => format!(
            "Outcomes and latency are estimates: at the highest load 1 in {} transactions was followed.",
            count(1 << shift.min(31))
        ),
    };
    let lost = match record.sampling.lost {
        0 => String::new(),
        lost => format!(" {} lost.", counted(lost, "sample")),
    };
    vec![
        Block::Text(format!(
            "Every packet was counted on {}, {}: DNS over UDP port {}, TCP connections to it, and ICMP errors that quote \
             DNS. {followed}{lost}",
            record.watched.join(", "),
            words::stood(record),
            words::ports(record),
        )),
        Block::Text(
            "Hosts and routers rate-limit ICMP errors: fewer errors than failed queries are normal. How many queries fail \
             is counted from the queries."
                .into(),
        ),
        Block::Text(format!(
            "Weights are decibans: 10 dB are odds of 10 to 1. A cause is named from {LEAST} dB on, alone if the next is \
             {MARGIN} dB behind."
        )),
    ]
}
