//! Metrics of each server.

use std::fmt::Result;
use std::net::IpAddr;

use sensor_common::class::{ErrorKind, TcpEvent};

use super::counts::{Counts, EDGES, OUTCOMES};
use super::encode::Families;
use super::ended::{cause, is_over};
use super::labels::Labels;
use crate::present::names;
use crate::view::{ServerView, State, View};

/// The label of all servers that have none of their own.
pub const OTHER: &str = "other";
/// Rcodes that are written also where none was seen, so that a rate is known from the first on.
const USUAL_RCODES: [usize; 4] = [0, 2, 3, 5];
/// States in which something is wrong.
const BAD: [State; 3] = [State::Degraded, State::Flooded, State::Failing];

/// A label, its counts, and its server where it is one that is shown.
struct Row<'v> {
    label: String,
    counts: &'v Counts,
    server: Option<&'v ServerView>,
}

/// All of them.
pub fn encode(families: &mut Families<'_>, view: &View, labels: &Labels) -> Result {
    let shown = |address: IpAddr| {
        let mut servers = view.servers.iter().map(AsRef::as_ref);
        servers.find(|server: &&ServerView| server.address == address)
    };
    let mut rows: Vec<Row<'_>> = labels
        .own()
        .map(|(address, counts)| Row {
            label: address.to_string(),
            counts,
            server: shown(address),
        })
        .collect();
    rows.push(Row {
        label: OTHER.into(),
        counts: labels.other(),
        server: None,
    });
    packets(families, &rows)?;
    outcomes(families, view, &rows)?;
    latency(families, &rows)?;
    states(families, &rows)?;
    incidents(families, view, &rows)?;
    #[expect(clippy::cast_precision_loss, reason = "a power of two")]
    let scale = view.sensor.one_in as f64;
    families.gauge(
        "sensor_estimate_scale",
        "Outcomes and latency are counted of one in this many transactions, each for all of them; exact where it is 1.",
        rows.iter().map(|row| ([("server", &*row.label)], scale)),
    )
}

fn packets(families: &mut Families<'_>, rows: &[Row<'_>]) -> Result {
    families.counter(
        "sensor_dns_queries",
        "DNS queries over UDP to the server, retransmissions included.",
        rows.iter()
            .map(|row| ([("server", &*row.label)], row.counts.queries())),
    )?;
    let rcodes: Vec<String> = (0..16).map(names::rcode).collect();
    families.counter(
        "sensor_dns_responses",
        "DNS responses over UDP of the server, by rcode; forged ones too.",
        rows.iter().flat_map(|row| {
            let counts = row.counts.rcodes().iter().zip(&rcodes).enumerate();
            counts
                .filter(|(number, (count, _))| **count > 0 || USUAL_RCODES.contains(number))
                .map(|(_, (count, rcode))| {
                    ([("server", &*row.label), ("rcode", rcode.as_str())], *count)
                })
        }),
    )?;
    families.counter(
        "sensor_dns_tcp",
        "TCP segments that open (syn), accept (syn_ack) or refuse (rst) a connection to a DNS port of the server.",
        rows.iter().flat_map(|row| {
            TcpEvent::ALL.iter().map(|event| {
                let labels = [("server", &*row.label), ("event", event.name())];
                (labels, row.counts.tcp()[event.index()])
            })
        }),
    )?;
    families.counter(
        "sensor_dns_icmp_errors",
        "ICMP errors that quote a query to the server; matched where that query was seen in the last 10 s.",
        rows.iter().flat_map(|row| {
            ErrorKind::ALL.iter().flat_map(|kind| {
                let counts = row.counts.errors(kind.index());
                let counts = ["true", "false"].into_iter().zip(counts);
                counts
                    .filter(|(_, count)| *count > 0 || *kind == ErrorKind::Port)
                    .map(|(matched, count)| {
                        let labels = [
                            ("server", &*row.label),
                            ("kind", kind.name()),
                            ("matched", matched),
                        ];
                        (labels, count)
                    })
            })
        }),
    )?;
    families.counter(
        "sensor_dns_icmp_errors_from_server",
        "Those ICMP errors that the address of the server itself sent.",
        rows.iter()
            .map(|row| ([("server", &*row.label)], row.counts.errors_from_server())),
    )
}

fn outcomes(families: &mut Families<'_>, view: &View, rows: &[Row<'_>]) -> Result {
    families.counter_with_incidents(
        "sensor_dns_outcomes",
        "How queries ended, without retransmissions. A late one was unanswered first, and counts as both.",
        rows.iter().flat_map(|row| {
            let incident = row.server.and_then(|server| {
                let id = server.incident.as_ref()?;
                let record = view.incidents.iter().find(|record| record.id == *id)?;
                Some((id.clone(), record.detected_ms))
            });
            let counts = OUTCOMES.iter().zip(row.counts.outcomes());
            counts.map(move |(outcome, count)| {
                let labels = [("server", &*row.label), ("outcome", *outcome)];
                let failed = matches!(*outcome, "errored" | "unanswered");
                (labels, *count, incident.clone().filter(|_| failed))
            })
        }),
    )
}

fn latency(families: &mut Families<'_>, rows: &[Row<'_>]) -> Result {
    families.histogram(
        "sensor_dns_latency_seconds",
        "Time from a query to its answer; unanswered queries are not in it. The sum is an estimate from buckets an eighth of \
         an octave wide.",
        rows.iter().map(|row| {
            let counts = row.counts;
            let edges = EDGES.map(|edge| edge.as_secs_f64());
            let below = edges.into_iter().zip(counts.below().iter().copied());
            (
                [("server", &*row.label)],
                counts.latency_seconds(),
                counts.answers(),
                below.collect(),
            )
        }),
    )
}

/// Which incident a server has now: what an alert links to. Its series ends with the incident, and the cause may change.
fn incidents(families: &mut Families<'_>, view: &View, rows: &[Row<'_>]) -> Result {
    let of_servers = rows.iter().filter_map(|row| {
        let id = row.server?.incident.as_ref()?;
        let record = view.incidents.iter().find(|record| record.id == *id)?;
        Some((&*row.label, record))
    });
    let open = view.incidents.iter().filter(|record| !is_over(record));
    let of_network = open
        .filter(|record| record.server.is_none())
        .map(|record| ("", record));
    families.gauge(
        "sensor_incident_info",
        "1 for the incident that a server has now; no server where the whole network is concerned.",
        of_servers.chain(of_network).map(|(server, record)| {
            let labels = [
                ("server", server),
                ("incident", &*record.id),
                ("level", record.level.name()),
                ("cause", cause(record)),
            ];
            (labels, 1.0)
        }),
    )
}

fn states(families: &mut Families<'_>, rows: &[Row<'_>]) -> Result {
    let servers = || {
        rows.iter()
            .filter_map(|row| Some((&*row.label, row.server?)))
    };
    families.gauge(
        "sensor_server_state",
        "1 of the state in which the server is now, 0 of the others.",
        servers().flat_map(|(label, server)| {
            State::ALL.into_iter().map(move |state| {
                let labels = [("server", label), ("state", state.name())];
                (labels, f64::from(u8::from(server.state == state)))
            })
        }),
    )?;
    families.counter(
        "sensor_server_state_changes",
        "Times that the server came into a state.",
        servers().flat_map(|(label, server)| {
            let changes = State::ALL.into_iter().zip(server.changes);
            changes.map(move |(state, count)| ([("server", label), ("to", state.name())], count))
        }),
    )?;
    families.counter(
        "sensor_server_bad_seconds",
        "Time that the server was in a state in which something is wrong: it also shows what began and ended between two scrapes.",
        servers().flat_map(|(label, server)| {
            let spent = State::ALL.into_iter().zip(server.spent);
            spent
                .filter(|(state, _)| BAD.contains(state))
                .map(move |(state, time)| {
                    let labels = [("server", label), ("state", state.name())];
                    (labels, time.as_secs_f64())
                })
        }),
    )
}
