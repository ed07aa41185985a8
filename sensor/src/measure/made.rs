//! Sampled packets for tests, between made-up addresses of 192.0.2.0/24.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sensor_common::class::ErrorKind;
use sensor_common::server::ServerKey;

use super::address::key;
use super::sampled::{Kind, Sampled};

/// 192.0.2.`last`.
#[must_use]
pub fn address(last: u8) -> ServerKey {
    key(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
}

/// A query without a question, of 40 bytes. Its id is its port.
#[must_use]
pub fn query(at: Duration, client: u8, server: u8, port: u16) -> Sampled {
    Sampled {
        at,
        client: address(client),
        server: address(server),
        port,
        id: Some(port),
        weight: 1,
        cgroup: 0,
        kind: Kind::Query {
            opcode: 0,
            question: None,
            edns: None,
            bytes: 40,
        },
    }
}

/// ICMP host unreachable about it.
#[must_use]
pub fn rejection(query: &Sampled, after: Duration) -> Sampled {
    Sampled {
        at: query.at + after,
        kind: Kind::Error {
            kind: ErrorKind::Host,
            sender: address(1),
            about_answer: false,
        },
        ..query.clone()
    }
}

/// Its answer, of 90 bytes.
#[must_use]
pub fn answer(query: &Sampled, after: Duration, rcode: u8) -> Sampled {
    Sampled {
        at: query.at + after,
        kind: Kind::Response {
            rcode,
            truncated: false,
            authoritative: false,
            fragmented: false,
            bytes: 90,
        },
        ..query.clone()
    }
}
