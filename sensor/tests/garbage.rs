//! What can be no genuine message is counted for the server that it is sent to, and for nothing else.

mod support;

use std::net::Ipv4Addr;
use std::time::Duration;

use sensor::measure::sampled::Sampled;
use sensor::measure::window::Window;
use sensor::stage::client::query;
use sensor_common::class::{Class, SampleKind};
use sensor_common::sample::{SAMPLES_PER_TICK, Sample};
use sensor_common::settings::Settings;
use sensor_common::transactions::TransactionCounters;
use support::traffic::{Clocked, Exchange, exchange, ip, key};

const NAME: &str = "www.example.org";

/// A query with another first byte of its flags.
fn flags(byte: u8) -> Vec<u8> {
    let mut message = query(1, NAME);
    message[2] = byte;
    message
}

/// With other counts of questions and of additional records.
fn counts(questions: u8, additional: u8) -> Vec<u8> {
    let mut message = query(1, NAME);
    (message[5], message[11]) = (questions, additional);
    message
}

/// Name, message to the server's port, and the class it has all the same.
fn garbage() -> Vec<(String, Vec<u8>, Class)> {
    let mut pointer = query(1, NAME);
    pointer[12] = 0xc0;
    let cut = query(1, NAME)[..20].to_vec();
    let long = query(1, &["x".repeat(63).as_str(); 4].join("."));
    let mut all = vec![
        ("compressed question".to_string(), pointer, Class::DnsQuery),
        ("question cut short".into(), cut, Class::DnsQuery),
        ("name too long".into(), long, Class::DnsQuery),
        ("nothing asked".into(), counts(0, 0), Class::DnsQuery),
        (
            "response to port 53".into(),
            flags(0x80),
            Class::DnsResponse,
        ),
        (
            "header cut short".into(),
            query(1, NAME)[..11].to_vec(),
            Class::Malformed,
        ),
        ("two bytes".into(), vec![1, 2], Class::Malformed),
        ("nothing at all".into(), vec![], Class::Malformed),
    ];
    for opcode in [3, 7, 8, 9, 10, 11, 12, 13, 14, 15] {
        let message = flags(opcode << 3);
        all.push((format!("opcode {opcode}"), message, Class::DnsQuery));
    }
    all
}

fn only_garbage(name: &str, window: &Window, exchange: Exchange) {
    assert_eq!(window.totals().garbage, 1, "{name}");
    assert_eq!(window.servers.len(), 1, "{name}: its sender is no server");
    let counters = &window.servers[&key(exchange.server)].counters;
    assert_eq!(counters.garbage, 1, "{name}");
    assert_eq!((counters.queries, counters.responses), (0, 0), "{name}");
    let nothing: TransactionCounters = bytemuck::Zeroable::zeroed();
    assert_eq!(counters.transactions, nothing, "{name}");
}

/// Each is counted once, for the server and in the totals, and keeps its class.
fn garbage_is_of_the_server_it_is_sent_to(engine: &mut Clocked) {
    for family in [4, 6] {
        let exchange = exchange(family);
        for (name, message, class) in garbage() {
            engine.count(&exchange.datagram(exchange.port, 53, message));
            let window = engine.window();
            only_garbage(&name, &window, exchange);
            assert_eq!(window.totals().classes[class.index()], 1, "{name}");
        }
        // The UDP length is less than its header, or more than there is.
        for length in [7_u16, 900] {
            let mut frame = exchange.query(NAME);
            let at = if family == 4 {
                14 + 20 + 4
            } else {
                14 + 40 + 4
            };
            frame[at..at + 2].copy_from_slice(&length.to_be_bytes());
            engine.count(&frame);
            only_garbage("UDP length", &engine.window(), exchange);
        }
    }
}

/// What is sent to no DNS port is of no server.
fn garbage_to_a_client_makes_nobody_a_server(engine: &mut Clocked) {
    let exchange = exchange(4).reverse();
    for (what, message) in [
        ("a query from port 53", query(1, NAME)),
        ("a response with opcode 9", flags(0x80 | 9 << 3)),
        ("a header cut short", vec![0; 5]),
    ] {
        engine.count(&exchange.datagram(53, exchange.port, message));
        let window = engine.window();
        assert_eq!(window.totals().garbage, 1, "{what}");
        assert!(window.servers.is_empty(), "{what}");
    }
}

/// What is rare and legal.
fn unusual_messages_are_no_garbage(engine: &mut Clocked) {
    let exchange = exchange(4);
    let labels = query(1, &["a"; 40].join("."));
    let mut status = counts(0, 0);
    status[2] = 2 << 3;
    let messages = [
        ("a cookie alone", counts(0, 1)),
        ("40 labels", labels),
        ("STATUS without a question", status),
        ("NOTIFY", flags(4 << 3)),
        ("UPDATE", flags(5 << 3)),
        ("the root", query(1, "")),
        ("two questions", counts(2, 0)),
    ];
    for (number, (what, mut message)) in messages.into_iter().enumerate() {
        message[1] = number as u8;
        engine.count(&exchange.datagram(exchange.port, 53, message));
        let window = engine.window();
        assert_eq!(window.totals().garbage, 0, "{what}");
        let counters = &window.servers[&key(exchange.server)].counters;
        assert_eq!(
            (counters.queries, counters.transactions.sent),
            (1, 1),
            "{what}"
        );
    }
    // From one DNS port to another, in both directions.
    engine.count(&exchange.datagram(53, 53, query(77, NAME)));
    engine.count(&exchange.reverse().datagram(53, 53, flags(0x80)));
    let window = engine.window();
    assert_eq!(window.totals().garbage, 0);
    assert_eq!(window.servers[&key(exchange.server)].counters.responses, 1);
}

/// A flood of it, half of it with QR 1, among real queries: the flooder is no server, and a few samples name it.
fn a_flood_of_garbage_has_a_source_and_hides_nothing(engine: &mut Clocked) {
    let mut real = exchange(4);
    let flooder = Exchange {
        client: Ipv4Addr::new(203, 0, 113, 66).into(),
        ..real
    };
    engine.samples();
    engine.window();
    for number in 0..5_000_u16 {
        let message = flags(if number % 2 == 0 { 0x80 } else { 0x78 });
        engine.count(&flooder.datagram(number | 1_024, 53, message));
        if number % 100 == 0 {
            real.id = number;
            engine.count(&real.query(NAME));
            engine.count(&real.response());
        }
    }
    let samples = engine.samples();
    // Sources are known once a second.
    engine.wait(Duration::from_secs(1));
    let window = engine.window();
    assert_eq!(window.servers.len(), 1);
    let counters = &window.servers[&key(real.server)].counters;
    assert_eq!(counters.garbage, 5_000);
    assert_eq!(counters.transactions.answered, 50);
    assert_eq!((counters.queries, counters.transactions.unmatched), (50, 0));
    // They are not sources of queries either.
    assert_eq!(window.sources.queries, 50);
    let (garbage, others) = samples
        .iter()
        .partition::<Vec<&Sample>, _>(|sample| sample.kind == SampleKind::Garbage as u32);
    assert_eq!(
        garbage.len() as u64,
        SAMPLES_PER_TICK[SampleKind::Garbage.index()]
    );
    assert_eq!(others.len(), 100, "each real query and answer");
    for sample in garbage {
        // The source address of IPv4.
        assert_eq!(sample.bytes[14 + 12..][..4], [203, 0, 113, 66]);
        assert_eq!(sample.dns_offset, 0);
        assert_eq!(
            Sampled::of(sample, &Settings::DEFAULT, Duration::ZERO),
            None
        );
    }
}

/// An error about a flooder's garbage says nothing of the server, and makes the flooder none.
fn errors_about_garbage_are_of_no_server(engine: &mut Clocked) {
    let exchange = exchange(4);
    let quotes = [
        exchange.datagram(exchange.port, 53, flags(0x80)),
        exchange.datagram(exchange.port, 53, flags(0x78)),
        exchange.datagram(53, exchange.port, query(1, NAME)),
    ];
    for quote in quotes {
        let mut icmp = vec![3, 3, 0, 0, 0, 0, 0, 0];
        icmp.extend(&quote[14..]);
        engine.count(&ip(1, exchange.server, exchange.client, icmp));
        let window = engine.window();
        assert_eq!(window.totals().classes[Class::IcmpError.index()], 1);
        assert!(window.servers.is_empty());
    }
}

/// A capture that kept the first bytes of each frame alone has no garbage for that.
fn a_cut_frame_is_no_garbage(engine: &mut Clocked) {
    let exchange = exchange(4);
    let frame = exchange.query("a-rather-long-name.www.example.org");
    let header = 14 + 20 + 8;
    for kept in header..frame.len() {
        engine.count(&frame[..kept]);
    }
    let window = engine.window();
    assert_eq!(window.totals().garbage, 0);
    let queries = (frame.len() - header - 12) as u64;
    assert_eq!(window.totals().classes[Class::DnsQuery.index()], queries);
    assert_eq!(
        window.servers[&key(exchange.server)].counters.queries,
        queries
    );
}

macro_rules! in_both_engines {
    ($($test:ident)*) => {
        mod on_the_host {
            $(#[test] fn $test() { super::$test(&mut super::Clocked::host()); })*
        }
        mod garbage_in_the_kernel {
            $(
                #[test]
                #[ignore = "needs a kernel"]
                fn $test() { super::$test(&mut super::Clocked::kernel()); }
            )*
        }
    };
}

in_both_engines! {
    garbage_is_of_the_server_it_is_sent_to
    garbage_to_a_client_makes_nobody_a_server
    unusual_messages_are_no_garbage
    a_flood_of_garbage_has_a_source_and_hides_nothing
    errors_about_garbage_are_of_no_server
    a_cut_frame_is_no_garbage
}
