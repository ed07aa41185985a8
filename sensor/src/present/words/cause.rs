//! Causes.

use super::this_host;
use crate::incident::Cause;
use crate::incident::diagnosis::Finding;
use crate::incident::diagnosis::contrast::Property;
use crate::incident::record::Record;

/// Its name.
#[must_use]
pub fn name(cause: Cause) -> &'static str {
    match cause {
        Cause::ServiceDown => "service down",
        Cause::ServiceHung => "service hung",
        Cause::Overload => "overload",
        Cause::UpstreamFailure => "upstream failure",
        Cause::ZoneFailure => "zone failure",
        Cause::Misconfiguration => "misconfiguration",
        Cause::WrongSource => "answers from the wrong source",
        Cause::FirewallRejects => "firewall rejects",
        Cause::FirewallDrops => "firewall drops",
        Cause::HostDown => "host down",
        Cause::NetworkPathDown => "network path down",
        Cause::PacketLoss => "packet loss",
        Cause::ConnectionTracking => "connection tracking",
        Cause::PathMtu => "path MTU",
        Cause::TcpBlocked => "TCP blocked",
        Cause::AttackOneSource => "flood from one source",
        Cause::AttackDistributed => "distributed flood",
        Cause::AttackSpoofed => "flood from spoofed sources",
        Cause::AttackRandomNames => "random-name attack",
        Cause::AttackAmplification => "amplification attack",
        Cause::AttackReflection => "reflection attack",
        Cause::AttackGarbage => "flood of malformed messages",
        Cause::AttackSyn => "SYN flood",
        Cause::UnwantedQueries => "unwanted queries",
        Cause::OwnHost => "the host's own programs",
        Cause::Scan => "scan",
    }
}

/// What it means, in one sentence.
#[must_use]
pub fn meaning(cause: Cause) -> &'static str {
    match cause {
        Cause::ServiceDown => "Nothing listens on the DNS port, or the service keeps exiting.",
        Cause::ServiceHung => "The service accepts queries and does not answer them.",
        Cause::Overload => "The server receives more queries than it can answer in time.",
        Cause::UpstreamFailure => {
            "The servers that this server depends on (forwarders, authoritative servers) fail it or answer it too late."
        }
        Cause::ZoneFailure => "Names of one zone fail, whoever asks for them.",
        Cause::Misconfiguration => "The server runs, and is configured not to serve these queries.",
        Cause::WrongSource => {
            "Answers leave from another address or port than was queried, so clients discard them."
        }
        Cause::FirewallRejects => "A packet filter rejects DNS and says so with ICMP.",
        Cause::FirewallDrops => "A packet filter silently drops queries or answers.",
        Cause::HostDown => "The server's host does not answer on its own network.",
        Cause::NetworkPathDown => "A link or route between clients and server is broken.",
        Cause::PacketLoss => {
            "Packets are lost between the clients and the service; what it answers comes as fast as ever."
        }
        Cause::ConnectionTracking => {
            "A connection-tracking table on the path or the host drops part of the packets."
        }
        Cause::PathMtu => "Large answers do not fit the path and are lost.",
        Cause::TcpBlocked => "TCP connections to the DNS port do not succeed.",
        Cause::AttackOneSource => "One source sends far more queries than all others.",
        Cause::AttackDistributed => "Many real sources flood the server.",
        Cause::AttackSpoofed => "A flood whose source addresses are forged.",
        Cause::AttackRandomNames => {
            "Random names below one zone defeat caches and load its servers (\"water torture\")."
        }
        Cause::AttackAmplification => {
            "Somebody abuses this server to send large answers to a victim."
        }
        Cause::AttackReflection => {
            "Somebody abuses other servers to send responses to a victim on this network."
        }
        Cause::AttackGarbage => "A flood of messages that are not valid DNS.",
        Cause::AttackSyn => "A flood of TCP SYNs on the DNS port.",
        Cause::UnwantedQueries => {
            "Strangers query this server and are refused; its own clients are served."
        }
        Cause::OwnHost => "Programs on the host itself send far too many queries.",
        Cause::Scan => "Somebody is looking for DNS servers.",
    }
}

/// What it means in this incident.
#[must_use]
pub fn meaning_in(record: &Record, cause: Cause) -> String {
    let is_of_a_zone = record.findings.iter().any(|found| match found {
        Finding::Contrast(common) => common.property == Property::NameBelow,
        _ => false,
    });
    let is_limited = record
        .findings
        .iter()
        .any(|found| matches!(found, Finding::AnswersLimited { .. }));
    let capturing = this_host(record);
    match cause {
        // Nothing is known of other zones.
        Cause::ZoneFailure if !is_of_a_zone => match &record.failing.zone {
            Some(zone) => format!("Names below {zone} fail, and no other name was asked for."),
            None => "Names fail that clients ask for; nothing says that it is one zone.".into(),
        },
        Cause::UnwantedQueries if is_limited => {
            "One network asks more than the server's rate limit lets through; others are served."
                .into()
        }
        Cause::AttackOneSource if record.clients.addresses == 1 => {
            "The only client sends far more queries than it usually does.".into()
        }
        Cause::OwnHost => format!("Programs on {capturing} send far too many queries."),
        _ => meaning(cause).into(),
    }
}

/// The likely cause, the two that cannot be told apart, or that it is unknown.
#[must_use]
pub fn first(record: &Record) -> String {
    match record.first_cause.as_slice() {
        [] => "cause unknown".into(),
        [one] => name(*one).into(),
        [one, other, ..] => format!("{} or {}", name(*one), name(*other)),
    }
}

/// The codes of the likely cause, or of those that cannot be told apart, with commas; empty where it is unknown.
#[must_use]
pub fn codes(record: &Record) -> String {
    let codes: Vec<_> = record
        .first_cause
        .iter()
        .map(|cause| cause.code())
        .collect();
    codes.join(",")
}

/// Its weight in decibans, where it has one.
#[must_use]
pub fn weight(record: &Record, cause: Cause) -> Option<i32> {
    let ranked = record.causes.iter().find(|ranked| ranked.cause == cause);
    ranked.map(|ranked| ranked.weight)
}
