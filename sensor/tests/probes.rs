//! The sensor's own probes are told from clients that ask from the same port.

mod support;

use std::net::{IpAddr, Ipv4Addr};

use sensor_common::class::Class;
use support::traffic::{Clocked, exchange, ip, key};

const NAME: &str = "www.example.org";
const PORT: u16 = 45_678;
const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
/// A refusal.
const RST_ACK: u8 = 0x14;

/// A TCP segment without payload and with the sequence number 0.
fn segment(from: (IpAddr, u16), to: (IpAddr, u16), flags: u8) -> Vec<u8> {
    let mut header = from.1.to_be_bytes().to_vec();
    header.extend(to.1.to_be_bytes());
    header.extend([0; 8]);
    header.extend([0x50, flags, 0, 0, 0, 0, 0, 0]);
    ip(6, from.0, to.0, header)
}

/// All that may pass of one client of a server.
fn all(client: IpAddr, port: u16, family: u8) -> Vec<Vec<u8>> {
    let mut exchange = exchange(family);
    (exchange.client, exchange.port) = (client, port);
    let (one, other) = ((client, port), (exchange.server, 53));
    vec![
        exchange.query(NAME),
        exchange.response(),
        exchange.error(exchange.server, 100),
        exchange.error(exchange.server, 8),
        segment(one, other, SYN),
        segment(other, one, SYN_ACK),
        segment(other, one, RST_ACK),
    ]
}

fn probes_are_counted_beside_their_class_alone(engine: &mut Clocked) {
    for family in [4, 6] {
        let exchange = exchange(family);
        let other = exchange.reverse().server;
        let stranger: IpAddr = match family {
            4 => "192.0.2.99",
            _ => "2001:db8::99",
        }
        .parse()
        .expect("an address");
        engine.set_own_addresses(&[other, Ipv4Addr::LOCALHOST.into()]);
        engine.samples();
        engine.window();
        for frame in all(other, PORT, family) {
            engine.count(&frame);
        }
        let window = engine.window();
        let totals = window.totals();
        assert_eq!((totals.seen, totals.probes), (7, 7));
        let class = |class: Class| totals.classes[class.index()];
        assert_eq!(
            [
                Class::DnsQuery,
                Class::DnsResponse,
                Class::IcmpError,
                Class::DnsTcp
            ]
            .map(class),
            [1, 1, 2, 3]
        );
        assert!(!window.servers.contains_key(&key(exchange.server)));
        assert_eq!((window.sources.queries, window.names), (0, 0));
        assert!(engine.samples().is_empty());
        // Another client's port, and another port of this host.
        for (client, port) in [(stranger, PORT), (other, PORT + 1)] {
            for frame in all(client, port, family) {
                engine.count(&frame);
            }
            let window = engine.window();
            assert_eq!(window.totals().probes, 0, "{client} {port}");
            let counters = &window.servers[&key(exchange.server)].counters;
            assert_eq!((counters.queries, counters.responses), (1, 1));
            assert_eq!(counters.errors.iter().sum::<u64>(), 2);
            assert_eq!(counters.tcp.iter().sum::<u64>(), 3);
            assert!(!engine.samples().is_empty());
        }
    }
}

#[test]
fn the_host_tells_probes_from_clients() {
    probes_are_counted_beside_their_class_alone(&mut Clocked::with_probes(PORT, false));
}

#[test]
#[ignore = "needs a kernel"]
fn the_kernel_tells_probes_from_clients() {
    probes_are_counted_beside_their_class_alone(&mut Clocked::with_probes(PORT, true));
}

/// Where nobody probes, no port is special.
#[test]
fn without_probes_nothing_is_left_out() {
    let mut engine = Clocked::host();
    engine.set_own_addresses(&[exchange(4).client]);
    for frame in all(exchange(4).client, 0, 4) {
        engine.count(&frame);
    }
    assert_eq!(engine.window().totals().probes, 0);
}
