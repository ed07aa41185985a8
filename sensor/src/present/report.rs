//! An incident as a report in Markdown. It says what the record says, and computes nothing but shares.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::detect::Rule;
use crate::host::probe::Said;
use crate::incident::record::{Party, Range, Record, Sign, Summary};
use crate::incident::series::Point;

/// Rows of the time series.
const ROWS: usize = 40;

/// A time as in `2026-11-23T12:00:00.250Z`.
#[must_use]
pub fn time(ms: u64) -> String {
    let at = UNIX_EPOCH + Duration::from_millis(ms);
    humantime::format_rfc3339_millis(at).to_string()
}

/// The time of day.
fn clock(ms: u64) -> String {
    let text = time(ms);
    text.get(11..23).unwrap_or(&text).to_string()
}

/// What the incident is about, in a few words.
#[must_use]
pub fn subject(record: &Record) -> String {
    record
        .server
        .as_ref()
        .map_or_else(|| "the watched network".into(), Clone::clone)
}

/// The whole report. `packets` is the file with the sampled packets, where there is one.
#[must_use]
pub fn markdown(record: &Record, packets: Option<&Path>) -> String {
    let mut text = String::new();
    head(&mut text, record);
    findings(&mut text, record);
    causes(&mut text, record);
    impact(&mut text, record);
    next(&mut text, record);
    evidence(&mut text, record, packets);
    text
}

/// Adds a line. Writing to a string cannot fail.
macro_rules! line {
    ($text:expr) => { let _ = writeln!($text); };
    ($text:expr, $($arguments:tt)*) => { let _ = writeln!($text, $($arguments)*); };
}

fn ports(record: &Record) -> String {
    let ports: Vec<String> = record.ports.iter().map(ToString::to_string).collect();
    ports.join(", ")
}

fn head(text: &mut String, record: &Record) {
    let subject = subject(record);
    line!(text, "# DNS incident: {subject}, {}", record.first_cause);
    line!(text);
    line!(
        text,
        "Incident `{}`, {}, {}. Times are UTC.",
        record.id,
        record.level,
        record.stage.name()
    );
    line!(text);
    line!(text, "## Summary");
    line!(text);
    line!(text, "{}", summary(record));
    line!(text);
    times(text, record);
    line!(text, "## How it was noticed");
    line!(text);
    for sign in &record.signs {
        let until = sign
            .until_ms
            .map_or_else(String::new, |until| format!(", until {}", clock(until)));
        line!(
            text,
            "- {}{until}: **{}** ({}); at its worst {}",
            clock(sign.since_ms),
            sign.title,
            sign.level,
            sign.said
        );
    }
    line!(text);
    line!(text, "## What was examined");
    line!(text);
    let vantage = match record.vantage.as_str() {
        "server" => "on the server itself",
        "client" => "on one of its clients",
        _ => "between clients and server",
    };
    line!(
        text,
        "DNS over UDP (port {}), the opening of TCP connections to it, and ICMP errors that quote DNS, on \
         {}: {vantage}. All packets were counted; of those that were sampled, {} are kept{}. {}",
        ports(record),
        record.watched.join(", "),
        record.sampling.packets,
        if record.sampling.lost == 0 {
            String::new()
        } else {
            format!(", {} samples were lost", record.sampling.lost)
        },
        if record.sampling.shift == 0 {
            "Every query was followed to its end."
        } else {
            "Outcomes and latency are estimates: at the worst one query in "
        }
    );
    if record.sampling.shift != 0 {
        // The sentence above ends here.
        text.pop();
        line!(
            text,
            "{} was followed.",
            1_u64 << record.sampling.shift.min(31)
        );
    }
    line!(text);
}

fn times(text: &mut String, record: &Record) {
    line!(text, "## Time");
    line!(text);
    line!(text, "| | |");
    line!(text, "| --- | --- |");
    line!(text, "| first sign | {} |", time(record.first_sign_ms));
    line!(
        text,
        "| detected | {} ({:.1} s later) |",
        time(record.detected_ms),
        seconds(record.detected_ms.saturating_sub(record.first_sign_ms))
    );
    line!(
        text,
        "| last sign | {} ({:.1} s after the first) |",
        time(record.last_sign_ms),
        seconds(record.last_sign_ms.saturating_sub(record.first_sign_ms))
    );
    match record.ended_ms {
        Some(ended) => {
            line!(
                text,
                "| end | {} ({}, after {:.0} s: an incident waits for 30 s of calm, and for a minute) |",
                time(ended),
                record.stage.name(),
                seconds(ended.saturating_sub(record.first_sign_ms))
            );
        }
        None => {
            line!(
                text,
                "| end | not seen; as of {}, after {:.0} s |",
                time(record.updated_ms),
                seconds(record.updated_ms.saturating_sub(record.first_sign_ms))
            );
        }
    }
    line!(text);
}

/// The problem found in the DNS and ICMP traffic, in one paragraph.
#[must_use]
pub fn summary(record: &Record) -> String {
    let during = &record.during;
    let before = &record.before;
    let mut text = String::new();
    if record.server.is_none() {
        let said: Vec<&str> = record.signs.iter().map(|sign| sign.said.as_str()).collect();
        return format!("{}.", said.join("; "));
    }
    let _ = write!(
        text,
        "The DNS server {} (port {}, UDP) ",
        subject(record),
        ports(record)
    );
    let _ = match during.decided() {
        0 => write!(text, "got {} queries", during.queries),
        decided => write!(text, "answered {} of {decided} queries", during.answered),
    };
    let _ = write!(text, " in {:.0} s", during.seconds);
    let rest = during.queries.saturating_sub(during.decided());
    if rest != 0 && during.decided() != 0 {
        let again = during.retransmitted.min(rest);
        let parts = [(again, "were sent again"), (rest - again, "had no end yet")];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count != 0)
            .map(|(count, what)| format!("{count} more {what}"))
            .collect();
        let _ = write!(text, " ({})", parts.join(", "));
    }
    if before.decided() != 0 {
        let _ = write!(
            text,
            "; in the {:.0} s before, it answered {} of {}",
            before.seconds,
            before.answered,
            before.decided()
        );
    }
    text.push('.');
    if !during.icmp_errors.is_empty() {
        let kinds: Vec<String> = during
            .icmp_errors
            .iter()
            .map(|(kind, count)| format!("{count} \"{}\"", icmp_words(kind, record)))
            .collect();
        let _ = write!(
            text,
            " ICMP errors came back about its queries: {}; {} of them from the server's own address.",
            kinds.join(", "),
            during.icmp_from_server
        );
    }
    for (what, count) in [
        ("SERVFAIL", during.servfail),
        ("REFUSED", during.refused),
        ("NXDOMAIN", during.nxdomain),
    ] {
        if count * 5 > during.responses {
            let _ = write!(
                text,
                " {count} of its {} responses were {what}.",
                during.responses
            );
        }
    }
    let rate = &record.clients.rate;
    if let Some(usual) = rate.usual.filter(|usual| rate.worst > 3.0 * usual) {
        let worst = rate.worst;
        let _ = write!(
            text,
            " Up to {worst:.0} queries a second came, usually {usual:.0}."
        );
    }
    let _ = write!(text, " Likely cause: **{}**.", record.first_cause);
    text
}

/// As tcpdump would say it.
fn icmp_words(kind: &str, record: &Record) -> String {
    match kind {
        "port_unreachable" => format!("udp port {} unreachable", ports(record)),
        other => other.replace('_', " "),
    }
}

fn findings(text: &mut String, record: &Record) {
    line!(text, "## Key findings");
    line!(text);
    line!(text, "| | before | during |");
    line!(text, "| --- | --- | --- |");
    let (before, during) = (&record.before, &record.during);
    line!(
        text,
        "| seconds | {:.0} | {:.0} |",
        before.seconds,
        during.seconds
    );
    for (what, of) in COUNTS {
        let (a, b) = (of(before), of(during));
        if a != 0 || b != 0 {
            line!(text, "| {what} | {a} | {b} |");
        }
    }
    line!(
        text,
        "| answered of decided | {} | {} |",
        answered_share(before),
        answered_share(during)
    );
    for (what, a, b) in [
        ("median latency", before.p50_ms, during.p50_ms),
        (
            "95th percentile of latency (worst)",
            before.p95_ms,
            during.p95_ms,
        ),
    ] {
        if a.is_some() || b.is_some() {
            line!(
                text,
                "| {what} | {} | {} |",
                milliseconds(a),
                milliseconds(b)
            );
        }
    }
    line!(text);
    parties(text, record);
    host(text, record);
    line!(text);
}

fn parties(text: &mut String, record: &Record) {
    let clients = &record.clients;
    line!(text, "- queries a second: {}", range(&clients.rate));
    line!(
        text,
        "- on the whole network, different sources a second: {}; different names: {}",
        range(&clients.distinct),
        range(&clients.distinct_names)
    );
    for (what, parties) in [
        ("clients (queries in the samples)", &clients.heaviest),
        (
            "heaviest sources on the network (queries in 10 s)",
            &clients.sources,
        ),
        ("names (queries in the samples)", &record.names),
        (
            "who sent ICMP errors (those in the samples)",
            &record.icmp_senders,
        ),
    ] {
        if !parties.is_empty() {
            line!(text, "- {what}: {}", list(parties));
        }
    }
    if let Some(ms) = record.slowest_icmp_ms {
        line!(
            text,
            "- ICMP errors came at most {ms} ms after their queries (those in the samples)"
        );
    }
    let partly = |sign: &Sign| sign.rule == Rule::PartialRejection.name();
    if record.signs.iter().any(partly) {
        line!(
            text,
            "- rejected client networks: {}; {} others were served lately",
            clients.rejected.join(", "),
            clients.served
        );
    }
}

fn host(text: &mut String, record: &Record) {
    if let Some(host) = &record.host {
        let bound = |bound: Option<bool>| match bound {
            Some(true) => "a socket listens",
            Some(false) => "nothing listens",
            None => "it is not known whether a socket listens",
        };
        line!(
            text,
            "- on the server's host: UDP: {}; TCP: {}; in {} s {} datagrams read by programs, {} to ports without a \
             socket, {} that found the DNS socket's buffer full ({} of all sockets), {} packets dropped by the \
             kernel's queues, {} by interfaces; {} bytes or more waited in the DNS socket's buffer; what a filter drops \
             is not counted",
            bound(host.udp_bound),
            bound(host.tcp_bound),
            host.seconds,
            host.read,
            host.no_ports,
            host.socket_drops,
            host.rcvbuf_errors,
            host.softnet_drops,
            host.interface_drops,
            host.queued
        );
    }
    if let Some(verified) = &record.verified {
        let said = |said: &Said| match said {
            Said::Answer(rcode) => format!("answered {rcode}"),
            Said::Nothing(why) => format!("no answer ({why})"),
        };
        line!(
            text,
            "- asked by the sensor at {}: UDP: {}; TCP: {}",
            clock(verified.at_ms),
            said(&verified.udp),
            said(&verified.tcp)
        );
    }
}

fn range(range: &Range) -> String {
    let worst = range.worst;
    range.usual.map_or_else(
        || format!("in the incident at most {worst:.0}; what is usual was not known"),
        |usual| format!("usually {usual:.0}, in the incident at most {worst:.0}"),
    )
}

type Count = (&'static str, fn(&Summary) -> u64);

const COUNTS: [Count; 17] = [
    ("queries", |s| s.queries),
    ("responses", |s| s.responses),
    ("answered in time", |s| s.answered),
    ("answered late", |s| s.late),
    ("ended by an ICMP error", |s| s.errored),
    ("unanswered", |s| s.unanswered),
    ("repeated queries", |s| s.retransmitted),
    ("ICMP errors about queries", |s| {
        s.icmp_errors.values().sum()
    }),
    ("ICMP errors about responses", |s| s.backscatter),
    ("SERVFAIL", |s| s.servfail),
    ("REFUSED", |s| s.refused),
    ("NXDOMAIN", |s| s.nxdomain),
    ("truncated", |s| s.truncated),
    ("responses to no query", |s| s.unmatched),
    ("bytes of queries", |s| s.query_bytes),
    ("bytes of responses", |s| s.response_bytes),
    ("TCP connections refused", |s| s.tcp[2]),
];

fn answered_share(summary: &Summary) -> String {
    let decided = summary.decided();
    if decided == 0 {
        return "-".into();
    }
    format!(
        "{:.1} %",
        100.0 * crate::detect::history::share(summary.answered, decided)
    )
}

fn milliseconds(ms: Option<f64>) -> String {
    ms.map_or_else(|| "-".into(), |ms| format!("{ms:.1} ms"))
}

fn list(parties: &[Party]) -> String {
    let each: Vec<String> = parties
        .iter()
        .map(|party| {
            let what = party.what.as_ref();
            let what = what.map_or_else(String::new, |what| format!(" {}", what.replace('_', " ")));
            format!("{} ({}{what})", party.who, party.count)
        })
        .collect();
    each.join(", ")
}

fn causes(text: &mut String, record: &Record) {
    line!(text, "## Likely cause");
    line!(text);
    line!(text, "**{}**", record.first_cause);
    line!(text);
    for (place, ranked) in record.causes.iter().enumerate() {
        if place == 1 {
            line!(text);
            line!(text, "Other causes, with what speaks for and against them:");
            line!(text);
        }
        line!(text, "{}. {}", place + 1, ranked.cause);
        for reason in &ranked.reasons {
            line!(text, "   - for: {reason}");
        }
        for reason in &ranked.against {
            line!(text, "   - against: {reason}");
        }
    }
    if record.causes.is_empty() {
        line!(text, "Nothing that the sensor knows explains it.");
    }
    line!(text);
}

fn impact(text: &mut String, record: &Record) {
    let during = &record.during;
    line!(text, "## Impact");
    line!(text);
    line!(
        text,
        "{} queries got no answer in time ({} an ICMP error, {} nothing, {} an answer that was too late). \
         Client addresses in the samples: {}, in networks (/24, /56): {}.",
        during.errored + during.unanswered,
        during.errored,
        during.unanswered.saturating_sub(during.late),
        during.late,
        record.clients.addresses,
        record.clients.networks
    );
    line!(text);
}

/// What to look at, by cause and in order.
fn steps(cause: &str) -> &'static [&'static str] {
    match cause {
        "service down" => &[
            "on the server: does the service run, and why did it stop (`systemctl status`, its log)?",
            "on the server: does it listen (`ss -ulnp 'sport = :53'`), and on that address?",
            "on the server: does a rule reject port 53 (`nft list ruleset`, `iptables -S`)?",
        ],
        "firewall rejects" => &[
            "on the sender of the ICMP errors: which rule rejects UDP port 53 (`nft list ruleset`)?",
            "was a rule or an access list changed just before the first sign?",
            "does the server answer from a network that is not concerned?",
        ],
        "firewall drops" => &[
            "ask over TCP (`dig +tcp`): an answer means that only UDP is dropped",
            "capture on both sides of each firewall on the way: where do the queries end?",
            "was a rule changed just before the first sign?",
        ],
        "host down" => &[
            "does the server's host answer to ARP or neighbour discovery in its own network?",
            "look at its console, its power, its switch port",
        ],
        "network path down" => &[
            "`traceroute` to the server: at which router does it end?",
            "look at the routes and links of that router",
            "does anything else behind it answer?",
        ],
        "overload" => &[
            "on the server: CPU, memory, and the queue of the socket (`ss -ulmn 'sport = :53'`)",
            "does the server wait for something: its upstream, its disk?",
        ],
        "upstream failure" => &[
            "ask the server's forwarders or the authoritative servers directly (`dig @...`)",
            "DNSSEC: does it answer with checking disabled (`dig +cd`)? Is its clock right?",
        ],
        "misconfiguration" => &[
            "the server's access list: does it allow the clients (`allow-query`, `access-control`)?",
            "is the zone that is asked for configured, and loaded?",
        ],
        "attack: one source" => &[
            "who is the source? A resolver or an address translator may be right to ask that much",
            "limit or drop it before the server",
        ],
        "attack: distributed" => &[
            "what do the sources have in common: a network, a name, a type?",
            "limit them before the server (response rate limiting, an upstream filter)",
        ],
        "attack: spoofed" => &[
            "source addresses mean nothing here: do not block by them",
            "response rate limiting with truncation, so that real clients come back over TCP",
            "tell the provider: the flood must be filtered before it arrives",
        ],
        "attack: random names" => &[
            "which zone do the names share? Limit queries for it, or let NSEC answer them (RFC 8198)",
            "the sources may be honest resolvers: do not block those",
        ],
        "attack: amplification" => &[
            "is the server meant to answer everybody? Close it, or limit the rate of responses",
            "answer ANY minimally (RFC 8482)",
        ],
        "attack: reflection" => &[
            "the responses come from honest servers: ask the provider to filter source port 53",
            "does the link still have room for what is wanted?",
        ],
        "path MTU" => &[
            "lower the EDNS buffer size to 1232 (DNS flag day 2020)",
            "does TCP port 53 work for those clients?",
        ],
        "scan" => &["who is the source, and is it known for scans?"],
        _ => &["look at the time series and the sampled packets"],
    }
}

fn next(text: &mut String, record: &Record) {
    line!(text, "## What to check next");
    line!(text);
    let first = record.causes.first();
    let tied = record.first_cause.starts_with("cannot tell");
    let causes = record.causes.iter().take(if tied { 2 } else { 1 });
    let mut known: Vec<&str> = Vec::new();
    for step in causes.flat_map(|ranked| steps(&ranked.cause)) {
        if !known.contains(step) {
            known.push(step);
            line!(text, "{}. {step}", known.len());
        }
    }
    if first.is_none() {
        line!(text, "1. {}", steps("")[0]);
    }
    line!(text);
}

fn evidence(text: &mut String, record: &Record, packets: Option<&Path>) {
    line!(text, "## Evidence");
    line!(text);
    match packets {
        Some(path) => {
            line!(
                text,
                "{} sampled packets (the first 128 bytes of each): `{}`, for tcpdump or Wireshark.",
                record.sampling.packets,
                path.display()
            );
        }
        None => {
            line!(
                text,
                "{} sampled packets were seen.",
                record.sampling.packets
            );
        }
    }
    line!(text);
    let points = coarse(&record.series.points);
    if points.is_empty() {
        return;
    }
    line!(
        text,
        "| from | queries | answered | failed | ICMP errors | SERVFAIL, REFUSED, NXDOMAIN |"
    );
    line!(text, "| --- | --- | --- | --- | --- | --- |");
    for point in &points {
        line!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            clock(point.at_ms),
            point.queries,
            point.answered,
            point.failed,
            point.icmp_errors,
            point.bad_rcodes
        );
    }
    line!(text);
    line!(
        text,
        "A query counts as failed when that is known: with an ICMP error at once, else after the time-out."
    );
}

/// No more rows than a page has.
fn coarse(points: &[Point]) -> Vec<Point> {
    let together = points.len().div_ceil(ROWS).max(1);
    points
        .chunks(together)
        .map(|chunk| {
            chunk.iter().skip(1).fold(chunk[0], |mut sum, point| {
                sum.add(point);
                sum
            })
        })
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "a time of an incident")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}
