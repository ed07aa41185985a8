//! English for codes.

use crate::detect::{Level, Vantage};
use crate::incident::Cause;
use crate::incident::record::Record;

/// A cause.
#[must_use]
pub fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::ServiceDown => "service down",
        Cause::ServiceHung => "service hung",
        Cause::Overload => "overload",
        Cause::UpstreamFailure => "upstream failure",
        Cause::ZoneFailure => "zone failure",
        Cause::Misconfiguration => "misconfiguration",
        Cause::WrongSource => "answers from another address",
        Cause::FirewallRejects => "firewall rejects",
        Cause::FirewallDrops => "firewall drops",
        Cause::HostDown => "host down",
        Cause::NetworkPathDown => "network path down",
        Cause::PacketLoss => "packet loss",
        Cause::ConnectionTracking => "connection tracking",
        Cause::PathMtu => "path MTU",
        Cause::TcpBlocked => "TCP blocked",
        Cause::AttackOneSource => "attack: one source",
        Cause::AttackDistributed => "attack: distributed",
        Cause::AttackSpoofed => "attack: spoofed sources",
        Cause::AttackRandomNames => "attack: random names",
        Cause::AttackAmplification => "attack: amplification",
        Cause::AttackReflection => "attack: reflection",
        Cause::AttackGarbage => "attack: garbage",
        Cause::AttackSyn => "attack: SYN flood",
        Cause::UnwantedQueries => "unwanted queries",
        Cause::OwnHost => "programs of this host",
        Cause::Scan => "scan",
    }
}

/// The likely cause, or which two cannot be told apart.
#[must_use]
pub fn first_cause(record: &Record) -> String {
    match record.first_cause.as_slice() {
        [] => "cause unknown".into(),
        [one] => cause(*one).into(),
        [one, other, ..] => format!("{} or {}", cause(*one), cause(*other)),
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

/// A level.
#[must_use]
pub fn level(level: Level) -> &'static str {
    level.name()
}

/// Where the sensor stood.
#[must_use]
pub fn vantage(vantage: Vantage) -> &'static str {
    match vantage {
        Vantage::Server => "on the server's host",
        Vantage::Client => "on a client's host",
        Vantage::Path => "on the path between clients and server",
    }
}
