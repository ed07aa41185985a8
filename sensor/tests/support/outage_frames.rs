//! Frames of a server that answers, and then is down.

use std::net::IpAddr;

use super::pcap::Frames;
use super::traffic::Exchange;

/// Between two queries, in microseconds.
const STEP_US: u64 = 50_000;

/// The server of these frames.
pub fn server() -> IpAddr {
    "192.0.2.53".parse().expect("an address")
}

/// Queries from this second on, each answered after 2 ms, or ended by an ICMP error of the server.
pub fn asked(from: u64, seconds: u64, is_down: bool) -> Frames {
    let step = |n: u64| {
        let us = from * 1_000_000 + n * STEP_US;
        let exchange = Exchange {
            client: IpAddr::from([192, 0, 2, 1 + (n % 5) as u8]),
            server: server(),
            port: 20_000 + (us / STEP_US / 50_000) as u16,
            id: (us / STEP_US) as u16,
        };
        let end = if is_down {
            exchange.error(server(), 50)
        } else {
            exchange.response()
        };
        [(us, exchange.query("www.example.org")), (us + 2_000, end)]
    };
    (0..seconds * 1_000_000 / STEP_US).flat_map(step).collect()
}

/// Twenty seconds of answers, and then so many of an outage.
pub fn outage(seconds: u64) -> Frames {
    let mut frames = asked(0, 20, false);
    frames.extend(asked(20, seconds, true));
    frames
}
