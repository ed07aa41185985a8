//! Findings, one sentence each.
//!
//! Counts that go on after a finding was made are those of the record, so that no two lines differ.

use super::super::number::{
    count, counted, milliseconds, part_of, percent, plain, rate, span, were,
};
use super::contrast::zone;
use super::{contrast, dropped, first_of, icmp, ports, subject, this_host};
use crate::host::events::event::Event;
use crate::host::facts::EventSeen;
use crate::host::probe::Said;
use crate::incident::diagnosis::Finding;
use crate::incident::record::{Record, Summary};

/// Servers that one sentence names.
const NAMED: usize = 4;
/// Strangers alone are refused, where known clients are served at least so well.
const SERVED: f64 = 0.8;

/// A finding of an incident.
#[must_use]
#[expect(clippy::too_many_lines, reason = "one sentence for each finding")]
pub fn sentence(finding: &Finding, record: &Record) -> String {
    let server = subject(record);
    let (before, during) = (&record.before, &record.during);
    match finding {
        Finding::PortUnreachable { errors } => format!(
            "{} about queries came from the server's own address: its host is up, and the port is closed or rejected.",
            counted(*errors, "ICMP port unreachable error")
        ),
        Finding::PortUnreachableElsewhere { errors, from } => format!(
            "{} about queries came {}, not from the server.",
            counted(*errors, "ICMP port unreachable error"),
            sender(from.as_deref(), "another address")
        ),
        Finding::Prohibited { errors, from } => format!(
            "{} about queries came {}: only a packet filter or router ACL sends these.",
            counted(*errors, "ICMP administratively prohibited error"),
            sender(from.as_deref(), "the path")
        ),
        Finding::HostUnreachableAtOnce { errors, from } => format!(
            "{} about queries came {}{}: rejected immediately (no route).",
            counted(*errors, "ICMP host unreachable error"),
            sender(from.as_deref(), "the path"),
            within(record)
        ),
        Finding::HostUnreachableLate { errors, from } => format!(
            "{} about queries came {}{}: consistent with ARP or NDP failing on the last hop.",
            counted(*errors, "ICMP host unreachable error"),
            sender(from.as_deref(), "the path"),
            up_to(record)
        ),
        Finding::NetworkUnreachable { errors, from } => format!(
            "{} about queries came {}: that router has no route to the server.",
            counted(*errors, "ICMP network unreachable error"),
            sender(from.as_deref(), "the path")
        ),
        Finding::TimeExceeded { errors, from } => format!(
            "{} about queries came {}: consistent with a routing loop.",
            counted(*errors, "ICMP time exceeded error"),
            sender(from.as_deref(), "the path")
        ),
        Finding::OtherUnreachable { errors, from } => format!(
            "{} about queries (protocol unreachable, parameter problem or another code) came {}.",
            counted(*errors, "ICMP error"),
            sender(from.as_deref(), "the path")
        ),
        Finding::Silence { failed, decided } => {
            format!("{}; {}.", failures(during, *failed, *decided), icmp::unexplained(record))
        }
        Finding::SilenceHere { failed, decided } => format!(
            "Queries arrive on {}: {}; {}.",
            this_host(record),
            failures(during, *failed, *decided),
            icmp::unexplained(record)
        ),
        Finding::PartFails { share } | Finding::PartBeginsToFail { share } => {
            part_fails(during, *share, "")
        }
        Finding::PartFailsHere { share } => part_fails(
            during,
            *share,
            &format!("Queries arrive on {}: ", this_host(record)),
        ),
        Finding::SecondCopiesAnswered { copies } => format!(
            "{} answered at once although an earlier copy was not: packets are lost on the way{}.",
            match record.sent_again.copy_answered {
                0 => were(*copies, "retransmitted query"),
                all => were(all, "retransmitted query"),
            },
            interval(record)
        ),
        Finding::AnsweredLate { answers } => format!(
            "{} came within seconds of each other after the timeout: the server is late, not silent.",
            counted(*answers, "answer")
        ),
        Finding::WaitedAndAnswered { answers } => format!(
            "{} to old queries came all at once: the service had stopped reading and resumed.",
            counted(*answers, "answer")
        ),
        Finding::EndedByItself { seconds } => format!(
            "It ended by itself after {}: too soon for a repair.",
            span(*seconds * 1_000)
        ),
        Finding::FastAsEver => {
            "The answers that come are as fast as usual: the server itself is not slow.".into()
        }
        Finding::CopiesFailToo { copies } => format!(
            "{} unanswered as well while other queries are answered: the same part of the ports, or of the servers behind \
             the address, fails.",
            were(*copies, "retransmitted query")
        ),
        Finding::FloodOver => "A flood was over before queries failed: it is not what broke them.".into(),
        Finding::SlowAnswers => slow(before, during),
        Finding::SlowInPart { share } => format!(
            "{} of the answers are slow; those asked in between are as fast as ever: the server waits for something.",
            percent(*share)
        ),
        Finding::WrongSource { answers, from } => format!(
            "At least {} came from {from} instead of {server}: clients discard such answers.",
            counted(*answers, "answer")
        ),
        Finding::Contrast(common) => contrast::sentence(common, record),
        Finding::AnswersLimited { network, truncated, unanswered } => format!(
            "Of the queries from {network}, {} got an empty truncated answer and {} none, while other networks are \
             served: response rate limiting does that.",
            count(*truncated),
            count(*unanswered)
        ),
        Finding::Servfail { share } => at_the_peak(*share, "SERVFAIL"),
        Finding::Refused { share } => at_the_peak(*share, "REFUSED"),
        Finding::NameError { share } => at_the_peak(*share, "NXDOMAIN"),
        Finding::NotUnderstood { share, rcode } => format!(
            "{}: the server does not understand or support the queries.",
            at_the_peak(*share, rcode).trim_end_matches('.')
        ),
        Finding::OtherRcode { share, rcode } => at_the_peak(*share, rcode),
        Finding::StrangersRefused { strangers, served } => strangers_refused(*strangers, *served),
        Finding::RateRose { rise } => format!(
            "The query rate rose to {} times its usual value{}.",
            plain(*rise),
            peak(record)
        ),
        Finding::FloodFirst => {
            "The flood began before queries failed: it may be what broke the service.".into()
        }
        Finding::FloodAfter => {
            "The rise in queries followed the failure: clients without an answer retry.".into()
        }
        Finding::ManySources { sources } => format!(
            "The queries come from about {} different sources per second.",
            plain(*sources)
        ),
        Finding::Crowd => {
            "The number of clients rose with the query rate; each of them queries at a normal pace.".into()
        }
        Finding::OneSource { source, share } => {
            format!("{source} sent {} of the queries.", percent(*share))
        }
        Finding::OwnHostAsks { share, rate: own } => format!(
            "{} itself sent {} of the queries ({}).",
            capital(this_host(record)),
            percent(*share),
            rate(*own)
        ),
        Finding::SpoofedSources => spoofed(during),
        Finding::RandomNames { zone: of, clients } => format!(
            "Names below {} do not repeat and fail; {} for them.",
            zone(of),
            if *clients == 1 { "1 client asks".into() } else { format!("{} clients ask", count(*clients)) }
        ),
        Finding::LargeAnswers { network, others: 0 } => {
            format!("{network} receives far more bytes in answers than it sends in queries.")
        }
        Finding::LargeAnswers { network, others } => format!(
            "{network} and {} receive far more bytes in answers than they send in queries, and reject some of them.",
            counted(*others, "other network")
        ),
        Finding::UnaskedAnswers { victim, servers } => format!(
            "{victim} receives large responses that it did not request, from {}.",
            counted(*servers, "server")
        ),
        Finding::AnswersTooBig { errors } => too_big(record, *errors),
        Finding::FragmentsMissing { first, later } => format!(
            "{} of answers and only {} were seen: the rest is lost.",
            counted(*first, "first fragment"),
            counted(*later, "later fragment")
        ),
        Finding::AskedAgain { again, answered } => format!(
            "{} were sent again after the answer: the answers leave {server} and do not reach the clients{}.",
            again_of(record, *again, *answered),
            interval(record)
        ),
        Finding::AskedAgainInPart { again, answered } => format!(
            "{} were sent again after the answer: some answers do not reach the clients{}.",
            again_of(record, *again, *answered),
            interval(record)
        ),
        Finding::LargeAskedAgain { again, answered } => format!(
            "{} of {} with a large answer were sent again, those with a small one were not: large answers do not arrive.",
            count(*again),
            counted(*answered, "query")
        ),
        Finding::AnswersUnreachable { errors, from } => format!(
            "{from} returned {} (host or network unreachable) about answers: it has no route to the clients.",
            counted(*errors, "ICMP error")
        ),
        Finding::AnswersProhibited { errors, from } => format!(
            "{from} returned {} (administratively prohibited) about answers: a filter rejects them.",
            counted(*errors, "ICMP error")
        ),
        Finding::TcpNotAccepted { syns, accepted } => {
            let (syns, accepted) = match during.tcp {
                [0, ..] => (*syns, *accepted),
                [syns, accepted, _] => (syns, accepted),
            };
            let part = part_of(accepted, syns, "SYN");
            match accepted {
                0 => format!("{part} to the server was accepted."),
                _ => format!("Only {part} to the server were accepted."),
            }
        }
        Finding::Truncated => format!(
            "{} truncated, and hardly any client retries over TCP.",
            were(during.truncated, "answer")
        ),
        Finding::SynFlood => format!(
            "TCP SYNs arrive far above the usual rate and lead nowhere: {}, {}.",
            counted(during.tcp[0], "SYN"),
            counted(during.tcp[1], "SYN-ACK")
        ),
        Finding::Garbage => "Messages that are not valid DNS arrive far above the usual rate.".into(),
        Finding::LooksAround => {
            "One source queries many addresses that do not answer DNS.".into()
        }
        Finding::TcpAccepted => format!(
            "The server accepted {} during the incident: its host is up.",
            counted(during.tcp[1], "TCP connection")
        ),
        Finding::TcpRefused => format!(
            "The server refused {} during the incident (RST): its host is up.",
            counted(during.tcp[2], "TCP connection")
        ),
        Finding::SeveralServers { servers } => format!(
            "{} failed within seconds of {server}: {}.",
            counted(servers.len() as u64, "other server"),
            first_of(servers, NAMED)
        ),
        Finding::NoServerAnswers { resolver, servers } => format!(
            "{resolver} queries {}, and they stopped answering together.",
            counted(*servers, "server")
        ),
        Finding::UpstreamFails { upstreams } => format!(
            "The queries that {server} sends to {} fail or are slow.",
            first_of(upstreams, NAMED)
        ),
        Finding::UpstreamsAnswer { answered, failed } => format!(
            "Of the queries that {server} sends to others, {} were answered and {} not: they do not explain the errors.",
            count(*answered),
            count(*failed)
        ),
        Finding::AsksNobody { before } => format!(
            "{server} sent {} to others, who answered, and sends hardly any now: the errors are its own.",
            rate(*before)
        ),
        Finding::Authoritative => format!(
            "{server} is authoritative: its answers have the AA bit, and it asks no resolver or forwarder for them."
        ),
        Finding::QueriesStayAway => {
            "Query volume collapsed: clients stopped asking, or their queries no longer arrive.".into()
        }
        Finding::NothingListens => format!(
            "No socket on this host is bound to UDP port {} of {server}.",
            ports(record)
        ),
        Finding::ListensAndReads => {
            "The service on this host has its socket open and reads what arrives (the receive queue was empty).".into()
        }
        Finding::LeavesUnread { queued } => format!(
            "The receive queue never fell below {}: the service is not reading.",
            counted(*queued, "byte")
        ),
        Finding::PassedFilters { datagrams } => format!(
            "{} passed every packet filter of this host and found no socket.",
            counted(*datagrams, "datagram")
        ),
        Finding::Dropped { class, packets, most, .. } => dropped::sentence(*class, *packets, most, record),
        Finding::NotDropped => {
            "The kernel of this host dropped hardly any of these queries or their answers: no packet filter of it is in the way.".into()
        }
        Finding::ConntrackDropped { packets, insert_failed, fill } => {
            dropped::by_conntrack(*packets, *insert_failed, *fill)
        }
        Finding::Changed { seen } => changed(seen),
        Finding::NoRoute { packets } => format!(
            "{} of this host had no route to {}.",
            counted(*packets, "packet"),
            if *packets == 1 { "its destination" } else { "their destinations" }
        ),
        Finding::IcmpHeldBack { sent, held } => dropped::held_back(*sent, *held),
        Finding::ProbeAnswered => match record.verified.as_ref().map(|verified| &verified.udp) {
            Some(Said::Answer(rcode)) => format!("The sensor's own UDP probe was answered ({rcode})."),
            _ => "The sensor's own UDP probe was answered.".into(),
        },
        Finding::ProbeNotAnswered => {
            "The sensor's own TCP probe was accepted and not answered.".into()
        }
        Finding::ProbeRefused => "The sensor's own TCP probe was refused.".into(),
    }
}

/// With a capital letter.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// "eth0 lost its carrier 0.4 s before."
fn changed(seen: &EventSeen) -> String {
    let what = match &seen.event {
        Event::CarrierLost { interface } => format!("{interface} lost its carrier"),
        Event::LinkDown { interface } => format!("{interface} was taken down"),
        Event::AddressRemoved { address, interface } => {
            format!(
                "{address} was removed from {interface} and is no longer an address of this host"
            )
        }
        Event::RouteRemoved { network } if network.ends_with("/0") => {
            "This host lost its default route".into()
        }
        Event::RouteRemoved { network } => format!("This host lost its route to {network}"),
    };
    match seen.before_ms {
        0 => format!("{what} as it began."),
        ms => format!("{what} {}.{} s before.", ms / 1_000, ms % 1_000 / 100),
    }
}

/// Over the whole incident, where the record has that; with the sender and the MTU that was sampled.
fn too_big(record: &Record, errors: u64) -> String {
    let about = &record.during.icmp_about_responses;
    let of = |kind: &str| about.get(kind).copied().unwrap_or(0);
    let (big, late) = (of("too_big"), of("time_exceeded"));
    let senders: Vec<String> = record
        .response_icmp_senders
        .iter()
        .map(|party| party.who.clone())
        .collect();
    let from = match senders.as_slice() {
        [] => String::new(),
        senders => format!(" from {}", first_of(senders, NAMED)),
    };
    let what = match (big, late) {
        (0, 0) => format!(
            "{} came back{from} about answers (packet too big or fragment reassembly time exceeded)",
            counted(errors, "ICMP error")
        ),
        (big, 0) => format!(
            "{} came back{from} about answers",
            counted(big, "ICMP packet too big error")
        ),
        (0, late) => format!(
            "{} came back{from} about answers",
            counted(late, "ICMP fragment reassembly time exceeded error")
        ),
        (big, late) => format!(
            "{} and {} came back{from} about answers",
            counted(big, "ICMP packet too big error"),
            counted(late, "fragment reassembly time exceeded error")
        ),
    };
    let mtu = record.path_mtu.map_or_else(String::new, |mtu| {
        format!(" (next-hop MTU {})", counted(u64::from(mtu), "byte"))
    });
    format!("{what}{mtu}.")
}

/// Over the whole incident, where the record has that.
fn again_of(record: &Record, again: u64, answered: u64) -> String {
    let sent = &record.sent_again;
    let (again, answered) = match sent.after_answer {
        0 => (again, answered),
        all => (all, sent.answered),
    };
    format!(
        "{} of {}",
        count(again),
        counted(answered, "answered query")
    )
}

/// Copies that all come after the same time show which program sends them.
fn interval(record: &Record) -> String {
    record
        .sent_again
        .interval_ms
        .map_or_else(String::new, |ms| {
            format!("; nearly all copies came {} after the first", span(ms))
        })
}

fn sender(from: Option<&str>, unknown: &str) -> String {
    format!("from {}", from.unwrap_or(unknown))
}

fn within(record: &Record) -> String {
    record
        .slowest_icmp_ms
        .map_or_else(String::new, |ms| format!(" within {} ms", count(ms)))
}

fn up_to(record: &Record) -> String {
    record.slowest_icmp_ms.map_or_else(String::new, |ms| {
        format!(" up to {} ms after the query", count(ms))
    })
}

/// Of the record, where it has them.
fn failures(during: &Summary, failed: u64, decided: u64) -> String {
    let (failed, decided) = match during.decided() {
        0 => (failed, decided),
        all => (all - during.answered, all),
    };
    format!("{} failed", part_of(failed, decided, "query"))
}

fn part_fails(during: &Summary, share: f64, where_seen: &str) -> String {
    if during.decided() == 0 {
        return format!("{where_seen}{} of the queries failed.", percent(share));
    }
    let others = if during.answered == 0 {
        ""
    } else {
        "; the others were answered"
    };
    format!("{where_seen}{}{others}.", failures(during, 0, 0))
}

fn slow(before: &Summary, during: &Summary) -> String {
    match (before.p95_ms, during.p95_ms) {
        (Some(usual), Some(worst)) => format!(
            "95th percentile latency rose to {} (usually {}).",
            milliseconds(worst),
            milliseconds(usual)
        ),
        (None, Some(worst)) => format!(
            "95th percentile latency reached {} (no baseline yet).",
            milliseconds(worst)
        ),
        _ => "Answers take far longer than usual.".into(),
    }
}

fn at_the_peak(share: f64, rcode: &str) -> String {
    format!(
        "At the peak, {} of the answers were {rcode}.",
        percent(share)
    )
}

fn strangers_refused(strangers: u64, served: f64) -> String {
    let refused = format!(
        "REFUSED went to {} never answered before",
        counted(strangers, "source")
    );
    format!("{refused}; {}.", known_clients(served))
}

/// How those fare that the server answered before.
#[must_use]
pub fn known_clients(served: f64) -> String {
    // Less means that no known client asked.
    if served < SERVED {
        "no known client asked meanwhile".into()
    } else {
        format!(
            "known clients got {} of their queries answered",
            percent(served)
        )
    }
}

fn peak(record: &Record) -> String {
    let range = &record.clients.rate;
    range.usual.map_or_else(String::new, |usual| {
        format!(" (peak {}, usually {})", rate(range.worst), rate(usual))
    })
}

fn spoofed(during: &Summary) -> String {
    let errors = match during.backscatter {
        0 => String::new(),
        many => format!(
            "; {} came back about answers to them",
            counted(many, "ICMP error")
        ),
    };
    format!("The sources behave as forged addresses do{errors}.")
}
