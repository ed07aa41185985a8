//! Sketches against exact counts, and the hashes that they stand on.

mod support;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sensor::engine::replay::counting::Counting;
use sensor::engine::replay::host_engine::HostEngine;
use sensor::engine::settings::for_ports;
use sensor::measure::sketch::Prefix;
use sensor_common::sketch::{COLUMN_BITS, COLUMNS, ROWS};
use sensor_common::transactions::{CELLS, MAX_SHIFT, TUPLES};
use sensor_ebpf::address::{Address, V4, V6};
use sensor_ebpf::parse::Link;
use sensor_ebpf::sampling;
use sensor_ebpf::transactions::{transaction, tuple};
use support::traffic::{Clocked, exchange, key};

/// Keys for which each quality is measured; the tests must not go by luck with one.
const KEYS: [u64; 4] = [
    1,
    0x243f_6a88_85a3_08d3,
    0xdead_beef_0000_0001,
    0x9e37_79b9_7f4a_7c15,
];
const ADDRESSES: u32 = 40_000;

/// Addresses that are far from random, and random ones.
fn streams() -> Vec<(&'static str, Vec<u64>)> {
    let v4 = |address: u32| V4(address.to_be());
    let v6 = |high: u64, low: u64| V6(high.to_be(), low.to_be());
    let of = |hash: &dyn Fn(u64, u32) -> u64| {
        KEYS.iter()
            .flat_map(|key| (0..ADDRESSES).map(|n| hash(*key, n)))
            .collect::<Vec<u64>>()
    };
    let prefix = 0x2001_0db8_0000_0001;
    vec![
        ("sequential v4", of(&|key, n| v4(0x0a00_0000 + n).hash(key))),
        (
            "one of each /24",
            of(&|key, n| v4(0x0a00_0000 + n * 256).hash(key)),
        ),
        (
            "networks of /24",
            of(&|key, n| v4(0x0a00_0000 + n * 256).prefix_hash(key)),
        ),
        (
            "random v4",
            of(&|key, n| v4(n.wrapping_mul(0x9e37_79b1)).hash(key)),
        ),
        (
            "sequential v6",
            of(&|key, n| v6(prefix, n.into()).hash(key)),
        ),
        (
            "one of each /64",
            of(&|key, n| v6(prefix + u64::from(n), 1).hash(key)),
        ),
        (
            "networks of /56",
            of(&|key, n| v6(prefix + (u64::from(n) << 8), 1).prefix_hash(key)),
        ),
    ]
}

#[test]
fn any_addresses_are_counted_within_three_percent() {
    for (name, hashes) in streams() {
        for hashes in hashes.chunks(ADDRESSES as usize) {
            let mut registers = vec![0_u16; 1 << 14];
            for hash in hashes {
                let place = &mut registers[(hash >> 50) as usize];
                *place = (*place).max((hash >> 34) as u16);
            }
            let mut distinct = sensor::measure::sketch::Distinct::default();
            distinct.add_registers(&registers);
            let off = distinct.estimate().abs_diff(ADDRESSES.into());
            assert!(off * 100 < 3 * u64::from(ADDRESSES), "{name}: off by {off}");
        }
    }
}

#[test]
fn any_addresses_collide_no_more_than_random_ones() {
    for (name, hashes) in streams() {
        for hashes in hashes.chunks(ADDRESSES as usize) {
            let column = |hash: u64, row: usize| {
                (hash >> (COLUMN_BITS * row as u32)) as usize & (COLUMNS - 1)
            };
            for rows in (0..ROWS).flat_map(|a| (0..a).map(move |b| (a, b))) {
                let mut cells: HashMap<(usize, usize), u64> = HashMap::new();
                for hash in hashes {
                    *cells
                        .entry((column(*hash, rows.0), column(*hash, rows.1)))
                        .or_default() += 1;
                }
                let collisions: u64 = cells.values().map(|count| count * (count - 1) / 2).sum();
                let many = u64::from(ADDRESSES);
                let random = many * many / 2 / (COLUMNS * COLUMNS) as u64;
                assert!(
                    collisions < random * 2,
                    "{name}, rows {rows:?}: {collisions}, {random} at random"
                );
            }
        }
    }
}

#[test]
fn transactions_spread_and_are_sampled_evenly() {
    for key in KEYS {
        let client = V4(0x0a00_0002_u32.to_be()).hash(key);
        let server = V4(0x0a00_0001_u32.to_be()).hash(key);
        let by_id: Vec<u64> = (0..=u16::MAX)
            .map(|id| transaction(sampling::hash(client, 40_000, id), server))
            .collect();
        let by_port: Vec<u64> = (0..=u16::MAX)
            .map(|port| transaction(sampling::hash(client, port, 0x1234), server))
            .collect();
        for (name, hashes) in [("ids", &by_id), ("ports", &by_port)] {
            let sampled = hashes
                .iter()
                .filter(|hash| hash.trailing_zeros() >= 6)
                .count();
            // 1,024 expected, with a standard error of 32.
            assert!((850..1_200).contains(&sampled), "{name}: {sampled}");
            let cells: HashSet<u64> = hashes
                .iter()
                .map(|hash| hash >> MAX_SHIFT & (CELLS as u64 - 1))
                .collect();
            // 65,536 thrown into 262,144 at random leave 57,987 taken.
            assert!(cells.len() > 57_000, "{name}: {} cells", cells.len());
        }
        let tuples: HashSet<u64> = (0..=u16::MAX)
            .map(|port| tuple(client, server, port) & (TUPLES as u64 - 1))
            .collect();
        // 41,427 at random.
        assert!(tuples.len() > 40_000, "{} tuples", tuples.len());
    }
}

/// Who knows which addresses collide under one key knows nothing about another.
#[test]
fn collisions_under_one_key_are_none_under_another() {
    let column = |n: u32, key: u64| V4(n.to_be()).hash(key) & (COLUMNS as u64 - 1);
    let colliding: Vec<u32> = (0..4_000_000)
        .filter(|n| column(*n, KEYS[0]) == 7)
        .collect();
    assert!(colliding.len() > 800);
    let under_another: HashSet<u64> = colliding.iter().map(|n| column(*n, KEYS[1])).collect();
    assert!(under_another.len() * 10 > colliding.len() * 8);
    let cell =
        |id: u16, key: u64| transaction(sampling::hash(key, 5, id), !key) >> MAX_SHIFT & 1023;
    let colliding: Vec<u16> = (0..u16::MAX).filter(|id| cell(*id, KEYS[0]) == 7).collect();
    let under_another: HashSet<u64> = colliding.iter().map(|id| cell(*id, KEYS[1])).collect();
    assert!(under_another.len() * 10 > colliding.len() * 8);
}

/// Ten sources and their networks among thousands, over many seconds and so over all banks.
fn heavy_sources_are_found_within_their_bounds(engine: &mut Clocked) {
    let mut exact: HashMap<std::net::IpAddr, u64> = HashMap::new();
    let mut exchange = exchange(4);
    let mut random = 1_u64;
    let total = 60_000;
    engine.window();
    for number in 0..total {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        // A third of all comes from ten addresses of one /24, the rest from everywhere.
        let address = if number % 3 == 0 {
            0x0a01_0100 + number / 3 % 10
        } else {
            (random >> 32) as u32
        };
        exchange.client = std::net::Ipv4Addr::from(address).into();
        exchange.id = number as u16;
        engine.count(&exchange.query("www.example.org"));
        engine.wait(Duration::from_micros(100));
        *exact.entry(exchange.client).or_default() += 1;
    }
    engine.wait(Duration::from_millis(1_300));
    let window = engine.window();
    let sources = &window.sources;
    let error = u64::from(total) * 2_718_282 / 4_096_000_000;
    assert_eq!(sources.error, error);
    assert_eq!(sources.addresses.len(), 10);
    for heavy in &sources.addresses {
        let of = exact
            .iter()
            .find(|(address, _)| Prefix::host(key(**address)) == heavy.source)
            .map(|(_, count)| *count);
        let exact = of.expect("it asked");
        assert_eq!(exact, 2_000, "not one of the ten");
        assert!(
            heavy.at_least <= exact && exact <= heavy.at_most,
            "{heavy:?}"
        );
        assert!(heavy.at_most - heavy.at_least == error);
    }
    let network = sources.networks[0];
    assert_eq!(network.source.bits, 24);
    assert!(
        network.at_least <= 20_000 && network.at_most >= 20_000,
        "{network:?}"
    );
    // Not a query was lost while the banks went round.
    assert_eq!(sources.queries, u64::from(total));
    let off = sources.distinct.abs_diff(exact.len() as u64);
    assert!(
        off * 100 < 3 * exact.len() as u64,
        "{} for {}",
        sources.distinct,
        exact.len()
    );
}

/// One packet over and over, in a flood: its source is found whatever its hash is.
fn a_repeated_packet_is_seen(engine: &mut Clocked) {
    let mut exchange = exchange(4);
    for source in 0..8_u8 {
        engine.wait_seconds(15);
        engine.window();
        exchange.client = std::net::Ipv4Addr::new(198, 51, 100, source).into();
        let repeated = exchange.query("www.example.org");
        for _ in 0..20_000 {
            engine.count(&repeated);
        }
        assert!(engine.shift() > 0, "not taken for a flood");
        for _ in 0..20_000 {
            engine.count(&repeated);
        }
        engine.wait_seconds(2);
        let window = engine.window();
        let heaviest = window.sources.addresses.first().expect("a source");
        assert_eq!(heaviest.source, Prefix::host(key(exchange.client)));
        assert!(heaviest.at_most >= 40_000);
    }
}

/// In a flood in which each query is followed by its response, as on a mirror port.
fn alternating_packets_hide_nobody(engine: &mut Clocked) {
    let mut exchange = exchange(4);
    engine.wait_seconds(1);
    engine.window();
    let heavy = exchange.client;
    for number in 0..60_000_u32 {
        exchange.client = if number % 2 == 0 {
            heavy
        } else {
            std::net::Ipv4Addr::from(number.wrapping_mul(0x9e37_79b1)).into()
        };
        exchange.id = number as u16;
        engine.count(&exchange.query("www.example.org"));
        engine.count(&exchange.response());
        engine.wait(Duration::from_micros(50));
    }
    assert!(engine.shift() > 0, "not taken for a flood");
    engine.wait_seconds(2);
    let window = engine.window();
    let first = window.sources.addresses.first().expect("a heavy source");
    assert_eq!(first.source, Prefix::host(key(heavy)));
    assert!(first.at_most >= 30_000);
}

/// Upper and lower case are one name, whatever else is in the message; names of any length are told
/// apart.
fn names_are_counted_without_regard_to_case(engine: &mut Clocked) {
    let mut exchange = exchange(6);
    for number in 0..3_000_u32 {
        for case in [0x20, 0] {
            let letter = |n: u32| char::from((b'A' + (n % 26) as u8) | case);
            let label: String = (0..4).map(|at| letter(number / 26_u32.pow(at))).collect();
            exchange.id = exchange.id.wrapping_add(0x1f3b);
            let name = match number % 3 {
                0 => format!("{label}.example.org"),
                1 => format!("{label}{}", "x".repeat((number / 3 % 28) as usize)),
                _ => format!("{label}.{}.example.org", "long".repeat(12)),
            };
            engine.count(&exchange.query(&name));
        }
        engine.wait(Duration::from_millis(1));
    }
    engine.wait(Duration::from_millis(1_300));
    let names = engine.window().names;
    assert!(names.abs_diff(3_000) < 90, "{names}");
}

/// A thousand servers: the counts of all are exact, and the busiest keep their fine histogram.
fn the_busiest_servers_have_a_fine_latency(engine: &mut Clocked) {
    engine.window();
    let mut exchange = exchange(4);
    for round in 0..40_u32 {
        for number in 0..1_000_u32 {
            // Sixty servers are asked each time, the others once in forty.
            if number >= 60 && (number + round) % 40 != 0 {
                continue;
            }
            exchange.server = std::net::Ipv4Addr::from(0x0a02_0000 + number).into();
            exchange.id = round as u16;
            engine.count(&exchange.query("www.example.org"));
            engine.wait(Duration::from_micros(700));
            engine.count(&exchange.response());
        }
    }
    let window = engine.window();
    let mut fine = 0;
    for number in 0..60_u32 {
        let address = std::net::Ipv4Addr::from(0x0a02_0000 + number);
        let server = &window.servers[&key(address.into())];
        assert_eq!(server.latency.count(), 40);
        let median = server.latency.quantile(0.5).expect("answers");
        fine += usize::from(median < Duration::from_micros(800));
    }
    assert!(fine >= 57, "{fine} of 60");
    let ledger = engine.ledger();
    let servers = ledger.servers().map(|(_, totals)| totals);
    let all = servers.chain([ledger.other()]);
    let answered: u64 = all.map(|t| t.counters.transactions.answered).sum();
    assert_eq!(answered, 60 * 40 + 940);
    assert!(window.cost.histograms <= 256);
}

#[test]
fn the_estimate_holds_from_one_to_a_million() {
    let mut registers = vec![0_u16; 1 << 14];
    let mut next = 1_u32;
    let mut distinct = sensor::measure::sketch::Distinct::default();
    assert_eq!(distinct.estimate(), 0);
    for number in 0..1_000_000_u32 {
        let hash = V4(number).hash(KEYS[1]);
        let place = &mut registers[(hash >> 50) as usize];
        *place = (*place).max((hash >> 34) as u16);
        if number + 1 == next {
            distinct.add_registers(&registers);
            let off = distinct.estimate().abs_diff(next.into());
            assert!(
                off * 100 <= 3 * u64::from(next),
                "{} for {next}",
                distinct.estimate()
            );
            next += next.div_ceil(3);
        }
    }
    let mut twice = distinct.clone();
    twice.merge(&distinct);
    assert_eq!(twice.estimate(), distinct.estimate());
}

#[test]
fn candidates_of_an_interval_are_its_own() {
    // The same sources under two keys of their own: nothing but the key differs.
    for secret in KEYS {
        let mut engine = Clocked::keyed(secret);
        heavy_sources_are_found_within_their_bounds(&mut engine);
        let window = engine.window();
        assert!(window.sources.addresses.is_empty(), "nobody asked since");
        // Each bank has been used before, and is clean again.
        for second in 0..4 {
            let mut exchange = exchange(6);
            for id in 0..5 {
                exchange.id = id;
                exchange.client = std::net::Ipv6Addr::from(u128::from(id)).into();
                engine.count(&exchange.query("www.example.org"));
            }
            engine.wait_seconds(1);
            engine.wait(Duration::from_millis(300));
            let window = engine.window();
            assert_eq!(window.names, 1, "second {second}");
            // Two of five share a register once in sixteen hundred times.
            assert!(
                (4..=5).contains(&window.sources.distinct),
                "second {second}"
            );
        }
    }
}

/// The first, too: it is read a tick after it has ended, and what was counted until then is told of it.
#[test]
fn a_second_of_sources_is_as_long_as_the_time_in_which_they_were_counted() {
    let begin = Duration::from_secs(1_000_000);
    let mut engine = HostEngine::new("test", for_ports(&[]).expect("port 53"));
    let mut told = Vec::new();
    for step in 0..100 {
        let now = begin + step * Duration::from_millis(50);
        engine.set_time_with(now, |engine, at| {
            let second = engine.reading(at.saturating_sub(begin)).second;
            told.extend(second.map(|second| (second.elapsed, second.addresses.total())));
        });
        engine.count(&exchange(4).query("www.example.org"), Link::Ethernet);
    }
    assert_eq!(told, [(Duration::from_secs(1), 20); 4]);
}

/// Ten sources of 0.12 % each, not far above the bound, among sources that each ask once: two of those in
/// five share a place with one of the ten, and must not drive it out.
#[test]
fn light_sources_hold_their_places() {
    let mut engine = Clocked::host();
    let mut exchange = exchange(4);
    let mut random = 1_u64;
    engine.wait_seconds(2);
    engine.window();
    let total = 200_000_u32;
    for number in 0..total {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let address = if random >> 33 & 0xffff < 786 {
            0x0a01_0100 + (random >> 53) as u32 % 10
        } else {
            (random >> 32) as u32
        };
        exchange.client = std::net::Ipv4Addr::from(address).into();
        exchange.id = number as u16;
        engine.count(&exchange.query("www.example.org"));
        engine.wait(Duration::from_micros(4));
    }
    engine.wait_seconds(2);
    let window = engine.window();
    let network: std::net::IpAddr = "10.1.1.0".parse().expect("an address");
    let found = window.sources.addresses.iter();
    let found = found.filter(|heavy| Prefix::network(heavy.source.address).address == key(network));
    let found = found.count();
    assert!(found >= 9, "{found} of ten");
}

/// What it is called, and its names by their number.
type Shape = (&'static str, fn(u32) -> String);

/// Names as they are found.
const NAMES: [Shape; 8] = [
    ("numbers", |n| format!("{n}.example.com")),
    ("numbered hosts", |n| {
        format!("host-{n:06}.rack.example.org")
    }),
    ("hexadecimal", |n| {
        let n = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{n:016x}.example.com")
    }),
    ("one letter after the other", |n| {
        let letters = [n / 676, n / 26 % 26, n % 26].map(|at| char::from(b'a' + (at % 26) as u8));
        format!(
            "{}{}.example",
            letters.iter().collect::<String>(),
            n / 17_576
        )
    }),
    ("many labels", |n| {
        let [a, b, c] = [n % 7, n / 7 % 60, n / 420];
        format!("{a}.{b}.{c}.example.net")
    }),
    ("reverse IPv4", |n| {
        let [_, b, c, d] = n.to_be_bytes();
        format!("{d}.{c}.{b}.10.in-addr.arpa")
    }),
    ("reverse IPv6", |n| {
        let nibbles: Vec<String> = (0..8)
            .map(|at| format!("{:x}", n >> (4 * at) & 15))
            .collect();
        format!("{}.0.0.8.b.d.0.1.0.0.2.ip6.arpa", nibbles.join("."))
    }),
    ("lengths", |n| {
        format!("{}.{n}.example", "x".repeat(1 + n as usize % 12))
    }),
];

#[test]
fn any_names_are_counted_within_three_percent() {
    const EACH: u32 = 20_000;
    for (shape, name) in NAMES {
        for key in [KEYS[1], KEYS[2]] {
            let mut clocked = Clocked::keyed(key);
            let asked = exchange(4);
            let mut exact = HashSet::new();
            for number in 0..EACH {
                let name = name(number);
                clocked.count(&asked.query(&name));
                exact.insert(name);
            }
            assert_eq!(exact.len(), EACH as usize, "{shape}");
            clocked.flush();
            let counted = clocked.window().names;
            let off = counted.abs_diff(EACH.into());
            assert!(
                off * 100 < 3 * u64::from(EACH),
                "{shape}: {counted} of {EACH}"
            );
        }
    }
}

macro_rules! in_both_engines {
    ($($test:ident)*) => {
        mod on_the_host {
            $(#[test] fn $test() { super::$test(&mut super::Clocked::host()); })*
        }
        mod sketches_in_the_kernel {
            $(
                #[test]
                #[ignore = "needs a kernel"]
                fn $test() { super::$test(&mut super::Clocked::kernel()); }
            )*
        }
    };
}

in_both_engines! {
    alternating_packets_hide_nobody
    a_repeated_packet_is_seen
    heavy_sources_are_found_within_their_bounds
    names_are_counted_without_regard_to_case
    the_busiest_servers_have_a_fine_latency
}
