//! What this host's kernel dropped.

use super::super::number::{count, counted};
use super::subject;
use crate::host::dropped::{DropKind, Stage, Way};
use crate::incident::diagnosis::DropClass;
use crate::incident::record::Record;

/// "The kernel of this host dropped 30 queries to 192.0.2.53 on input (`NETFILTER_DROP`): ..."
#[must_use]
pub fn sentence(class: DropClass, packets: u64, most: &DropKind, record: &Record) -> String {
    let what = match most.way {
        Way::ToServer => format!("{} to", counted(packets, "query")),
        Way::FromServer => format!("{} of", counted(packets, "answer")),
    };
    format!(
        "The kernel of this host dropped {what} {} {} ({}): {}.",
        subject(record),
        place(most),
        most.reason,
        meaning(class, most)
    )
}

/// Where the packets were: "on input from eth0, in network namespace 4026532345 (coredns, pid 812)".
#[must_use]
pub fn place(kind: &DropKind) -> String {
    let stage = match kind.stage {
        Stage::Early => "before routing",
        Stage::Input => "on input",
        Stage::Forward => "while forwarding",
        Stage::Output => "on output",
    };
    let interface = kind
        .interface
        .as_ref()
        .map_or_else(String::new, |name| format!(" from {name}"));
    let namespace = kind
        .namespace
        .as_ref()
        .map_or_else(String::new, |name| format!(", in network namespace {name}"));
    format!("{stage}{interface}{namespace}")
}

fn meaning(class: DropClass, kind: &DropKind) -> &'static str {
    match class {
        DropClass::Filter if kind.stage == Stage::Forward => {
            "a packet filter of this host, which forwards them, drops them"
        }
        DropClass::Filter => "a packet filter of this host drops them",
        DropClass::Reject => "a packet filter of this host rejects them",
        DropClass::NoSocket => "no socket takes them, so no service listens there",
        DropClass::FullBuffer => {
            "the receive buffer of the service was full; it answers some queries and cannot keep up"
        }
        DropClass::UnreadBuffer => {
            "the receive buffer of the service was full, and it answers nothing: it does not read"
        }
        DropClass::Route => route(&kind.reason),
        DropClass::Queue => "a queue of this host was full",
        DropClass::Damaged => "the packets arrive damaged",
        DropClass::TooBig => "they do not fit the path, or fragments are missing",
        DropClass::Other => "the kernel's reason says where, not why",
    }
}

fn route(reason: &str) -> &'static str {
    match reason {
        "IP_RPFILTER" => {
            "the reverse path filter; this host would route to their source through another interface"
        }
        "IP_INADDRERRORS" => "the destination is no address of this host, and it does not forward",
        "NEIGH_FAILED" | "NEIGH_DEAD" | "NEIGH_QUEUEFULL" => {
            "the next hop does not answer ARP or neighbor discovery"
        }
        "IP_INNOROUTES" | "IP_OUTNOROUTES" => "this host has no route to the destination",
        "OTHERHOST" => "the packets carry another host's link-layer address",
        "IPV6DISABLED" => "IPv6 is disabled on the interface",
        "DEV_READY" => "the interface is not ready",
        _ => "this host cannot route them",
    }
}

/// "Connection tracking of this host dropped 80 packets; its table has 65,536 of at most 65,536 entries."
#[must_use]
pub fn by_conntrack(packets: u64, insert_failed: u64, fill: Option<[u64; 2]>) -> String {
    let dropped = match (packets, insert_failed) {
        (0, failed) => format!("could not enter {}", counted(failed, "packet")),
        (dropped, 0) => format!("dropped {}", counted(dropped, "packet")),
        (dropped, failed) => format!(
            "dropped {} and could not enter {}",
            counted(dropped, "packet"),
            count(failed)
        ),
    };
    let fill = fill.map_or_else(String::new, |[entries, most]| {
        format!(
            "; its table has {} of at most {} entries",
            count(entries),
            count(most)
        )
    });
    format!("Connection tracking of this host {dropped}{fill}.")
}

/// "65 ICMP errors sent, 1,310 held back by the kernel's rate limit."
#[must_use]
pub fn held_back(sent: u64, held: u64) -> String {
    format!(
        "{} sent, {} held back by the kernel's rate limit.",
        counted(sent, "ICMP error"),
        count(held)
    )
}
