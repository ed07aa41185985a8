//! Real sockets, real veth devices and the kernel's own ICMP errors: counts equal what was sent.

mod support;

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sensor::engine::Engine;
use sensor::engine::kernel::attach::attach;
use sensor::engine::kernel::engine::{KernelEngine, KernelError, WatchOptions};
use sensor::engine::kernel::hook::{AttachError, AttachOptions, Hook, HookChoice, TcFlavour};
use sensor::engine::kernel::interface::{Interface, InterfaceError, Kind};
use sensor::engine::kernel::load::{LoadOptions, Programs, load};
use sensor::engine::settings::for_ports;
use sensor::measure::interval::Interval;
use sensor::measure::reading::Lane;
use sensor::stage::client::query;
use sensor::stage::namespace::Namespace;
use sensor::stage::network::RouteAction;
use sensor::stage::packet_socket::PacketSocket;
use sensor::stage::responder::answer;
use sensor_common::class::{Class, ErrorKind, IcmpType, Quoted};
use sensor_common::server::{ServerCounters, ServerKey};
use sensor_common::settings::Direction;
use sensor_common::totals::Totals;
use support::frames;
use support::lab::{
    CLIENT_DEVICE, Pair, SERVER_DEVICE, UnlimitIcmp, addresses, dns, options, socket, tc_flavour,
    watch,
};
use support::{on_one_cpu, wait_for};

/// Queries of an exchange.
const QUERIES: usize = 40;
/// Hooks of a veth device.
const HOOKS: [HookChoice; 2] = [HookChoice::Xdp, HookChoice::Tc];

fn totals(engine: &mut KernelEngine, device: &str, direction: Direction) -> Totals {
    engine.reading();
    let is = |lane: &&Lane| lane.interface == device && lane.direction == direction;
    engine.lanes().find(is).expect("a lane").totals
}

fn class(engine: &mut KernelEngine, device: &str, direction: Direction, class: Class) -> usize {
    let count = totals(engine, device, direction).classes[class.index()];
    usize::try_from(count).expect("a count")
}

fn server(engine: &mut KernelEngine, address: IpAddr) -> ServerCounters {
    engine.reading();
    let server = engine.ledger().server(&key(address));
    server.expect("the server is known").counters
}

/// ICMP errors about queries to a server, of which nothing may have been seen yet.
fn errors(engine: &mut KernelEngine, address: IpAddr) -> u64 {
    engine.reading();
    let server = engine.ledger().server(&key(address));
    server.map_or(0, |server| server.counters.errors.iter().sum())
}

fn key(address: IpAddr) -> ServerKey {
    let mut key = ServerKey {
        address: [0; 16],
        family: if address.is_ipv4() { 4 } else { 6 },
        reserved: [0; 7],
    };
    match address {
        IpAddr::V4(v4) => key.address[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => key.address = v6.octets(),
    }
    key
}

/// One query after the other, each answered before the next is sent.
fn exchange(pair: &Pair, family: u8) {
    let addresses = addresses(family);
    let server = socket(&pair.server, dns(addresses.server));
    let client = socket(&pair.client, (addresses.client, 0));
    let mut buffer = [0; 512];
    for id in 0..QUERIES {
        let query = query(id as u16, "www.example.org");
        client.send_to(&query, dns(addresses.server)).expect("sent");
        let (length, from) = server.recv_from(&mut buffer).expect("the query arrives");
        let answer = answer(&buffer[..length]).expect("it is a query");
        server.send_to(&answer, from).expect("answered");
        client.recv_from(&mut buffer).expect("the answer arrives");
    }
}

/// Sends queries and does not wait for anything.
fn ask(namespace: &Namespace, from: IpAddr, to: IpAddr, queries: usize) {
    let client = socket(namespace, (from, 0));
    for id in 0..queries {
        let query = query(id as u16, "www.example.org");
        client.send_to(&query, dns(to)).expect("sent");
    }
}

#[test]
#[ignore = "needs a kernel"]
fn query_and_answer_are_counted_on_both_sides() {
    for family in [4, 6] {
        for hook in HOOKS {
            let pair = Pair::new();
            let mut at_server =
                watch(&pair.server, &options(SERVER_DEVICE, hook)).expect("watching the server");
            let mut at_client =
                watch(&pair.client, &options(CLIENT_DEVICE, hook)).expect("watching the client");
            exchange(&pair, family);
            for (engine, device, query_side, response_side) in [
                (
                    &mut at_server,
                    SERVER_DEVICE,
                    Direction::Ingress,
                    Direction::Egress,
                ),
                (
                    &mut at_client,
                    CLIENT_DEVICE,
                    Direction::Egress,
                    Direction::Ingress,
                ),
            ] {
                let what = format!("{device}, IPv{family}, {hook:?}");
                assert_eq!(
                    class(engine, device, query_side, Class::DnsQuery),
                    QUERIES,
                    "{what}"
                );
                assert_eq!(
                    class(engine, device, query_side, Class::DnsResponse),
                    0,
                    "{what}"
                );
                assert_eq!(
                    class(engine, device, response_side, Class::DnsResponse),
                    QUERIES,
                    "{what}"
                );
                let server = server(engine, addresses(family).server);
                assert_eq!((server.queries, server.responses), (40, 40), "{what}");
                // Both directions of one interface, and the CPUs that they met, make one transaction.
                let transactions = server.transactions;
                assert_eq!(
                    (transactions.sent, transactions.answered),
                    (40, 40),
                    "{what}"
                );
                assert_eq!(server.latency.iter().sum::<u64>(), 40, "{what}");
                for direction in [Direction::Ingress, Direction::Egress] {
                    let totals = totals(engine, device, direction);
                    assert_eq!(totals.seen, totals.classes.iter().sum::<u64>(), "{what}");
                }
            }
        }
    }
}

/// Banks go round every few milliseconds while a thread sends: sketches count what the totals count.
#[test]
#[ignore = "needs a kernel"]
fn banks_go_round_under_traffic_and_lose_nothing() {
    const AT_LEAST: u64 = 10_000;
    const TICKS: u32 = 40;
    // Fewer than the socket's buffer holds: up to Linux 6.6 each packet that passed XDP on a veth takes a page of it.
    const BATCH: usize = 25;
    let pair = Pair::new();
    let options = options(SERVER_DEVICE, HookChoice::Xdp);
    let mut engine = watch(&pair.server, &options).expect("watching");
    let addresses = addresses(4);
    // A socket that takes the queries, so that no ICMP error comes back.
    let server_socket = socket(&pair.server, dns(addresses.server));
    let client = socket(&pair.client, (addresses.client, 0));
    // It sends for as long as banks go round, however long a tick takes here.
    let enough = Arc::new(AtomicBool::new(false));
    let sender = std::thread::spawn({
        let enough = enough.clone();
        move || {
            let mut sent: u64 = 0;
            while sent < AT_LEAST || !enough.load(Ordering::Relaxed) {
                for _ in 0..BATCH {
                    let query = query(sent as u16, &format!("n{sent}.example.org"));
                    client.send_to(&query, dns(addresses.server)).expect("sent");
                    sent += 1;
                }
                for _ in 0..BATCH {
                    server_socket.recv(&mut [0; 512]).expect("received");
                }
            }
            sent
        }
    });
    let mut interval = Interval::of(u32::MAX);
    // A bank is read a tick after it was left, when no program writes to it any more.
    let mut tick = |engine: &mut KernelEngine| {
        std::thread::sleep(std::time::Duration::from_millis(1));
        engine.maintain();
        interval.add(&engine.reading());
    };
    let mut ticks = 0;
    while !sender.is_finished() {
        tick(&mut engine);
        ticks += 1;
        enough.store(ticks > TICKS, Ordering::Relaxed);
    }
    let sent = sender.join().expect("it sent all");
    // What any other reading takes would be missing here.
    wait_for("all queries", || {
        tick(&mut engine);
        let counted = engine.ledger().server(&key(addresses.server));
        counted.is_some_and(|server| server.counters.queries == sent)
    });
    // A second has four, and one more reads its bank.
    (0..5).for_each(|_| tick(&mut engine));
    let window = interval.end();
    assert_eq!(window.sources.queries, sent);
    assert_eq!(window.sources.networks[0].at_most, sent);
    assert_eq!(server(&mut engine, addresses.server).queries, sent);
    let (names, sources) = (window.names, window.sources.distinct);
    assert!(
        names.abs_diff(sent) * 100 < 3 * sent,
        "{names} names of {sent}"
    );
    assert_eq!(sources, 1);
}

#[test]
#[ignore = "needs a kernel"]
fn a_closed_port_is_counted_with_every_error() {
    for family in [4, 6] {
        for hook in HOOKS {
            let pair = Pair::new();
            let addresses = addresses(family);
            let mut engine = watch(&pair.client, &options(CLIENT_DEVICE, hook)).expect("watching");
            ask(&pair.client, addresses.client, addresses.server, QUERIES);
            wait_for("all errors", || {
                class(
                    &mut engine,
                    CLIENT_DEVICE,
                    Direction::Ingress,
                    Class::IcmpError,
                ) == QUERIES
            });
            let (icmp_type, code) = match family {
                4 => (IcmpType::V4Unreachable, 3),
                _ => (IcmpType::V6Unreachable, 4),
            };
            let totals = totals(&mut engine, CLIENT_DEVICE, Direction::Ingress);
            let counts = totals.icmp_error[icmp_type.index()][code];
            assert_eq!(counts[Quoted::Query.index()], 40, "IPv{family}, {hook:?}");
            let server = server(&mut engine, addresses.server);
            assert_eq!(server.queries, 40);
            assert_eq!(server.errors[ErrorKind::Port.index()], 40);
            assert_eq!(server.errors_from_server, 40);
            // The kernel's own errors end the transactions that they quote.
            assert_eq!(server.errors_matched[ErrorKind::Port.index()], 40);
            assert_eq!(
                (server.transactions.sent, server.transactions.errored),
                (40, 40)
            );
            assert_eq!(server.errors_unverifiable, 0);
        }
    }
}

/// Client, router, and a server behind it that nobody runs.
struct Routed {
    client: Namespace,
    router: Namespace,
    server: Namespace,
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

impl Routed {
    fn new() -> Self {
        let namespace = || Namespace::new().expect("a namespace");
        let routed = Self {
            client: namespace(),
            router: namespace(),
            server: namespace(),
        };
        let Self {
            client,
            router,
            server,
        } = &routed;
        client.connect("c0", router, "r0").expect("a veth pair");
        server.connect("s0", router, "r1").expect("a veth pair");
        for (namespace, device, v4, v6) in [
            (client, "c0", "198.51.100.7", "2001:db8:1::7"),
            (router, "r0", "198.51.100.1", "2001:db8:1::1"),
            (router, "r1", "192.0.2.1", "2001:db8:2::1"),
            (server, "s0", "192.0.2.53", "2001:db8:2::53"),
        ] {
            namespace
                .address(device, address(v4), 24)
                .expect("an address");
            namespace
                .address(device, address(v6), 64)
                .expect("an address");
        }
        router.sysctl("ipv4/ip_forward", "1").expect("forwarding");
        router
            .sysctl("ipv6/conf/all/forwarding", "1")
            .expect("forwarding");
        for (namespace, default, via) in [
            (client, "0.0.0.0", "198.51.100.1"),
            (client, "::", "2001:db8:1::1"),
            (server, "0.0.0.0", "192.0.2.1"),
            (server, "::", "2001:db8:2::1"),
        ] {
            namespace
                .route(address(default), 0, RouteAction::Via(address(via)))
                .expect("a default route");
        }
        router.unlimit_icmp();
        server.unlimit_icmp();
        routed
    }
}

#[test]
#[ignore = "needs a kernel"]
fn routes_that_refuse_are_told_apart() {
    // What Linux sends for these routes, by family.
    let expected = [
        (
            RouteAction::Prohibit,
            4,
            Some((IcmpType::V4Unreachable, 13, ErrorKind::Prohibited)),
        ),
        (
            RouteAction::Prohibit,
            6,
            Some((IcmpType::V6Unreachable, 1, ErrorKind::Prohibited)),
        ),
        (
            RouteAction::Unreachable,
            4,
            Some((IcmpType::V4Unreachable, 1, ErrorKind::Host)),
        ),
        (
            RouteAction::Unreachable,
            6,
            Some((IcmpType::V6Unreachable, 0, ErrorKind::Network)),
        ),
        (RouteAction::Blackhole, 4, None),
        (RouteAction::Blackhole, 6, None),
    ];
    on_one_cpu();
    for hook in HOOKS {
        for (action, family, error) in expected {
            let what = format!("{action:?}, IPv{family}, {hook:?}");
            let routed = Routed::new();
            let (server_address, client_address, sender, prefix) = match family {
                4 => ("192.0.2.53", "198.51.100.7", "198.51.100.1", 32),
                _ => ("2001:db8:2::53", "2001:db8:1::7", "2001:db8:1::1", 128),
            };
            let server_address = address(server_address);
            routed
                .router
                .route(server_address, prefix, action)
                .expect("a route");
            let mut engine = watch(&routed.client, &options("c0", hook)).expect("watching");
            ask(
                &routed.client,
                address(client_address),
                server_address,
                QUERIES,
            );
            // The router's own closed port answers last: then all others are through.
            ask(&routed.client, address(client_address), address(sender), 1);
            let last_sender = std::cell::Cell::new(None);
            wait_for(&what, || {
                let window = engine.reading().window;
                if let Some(server) = window.servers.get(&key(server_address)) {
                    last_sender.set(server.error_sender);
                }
                let last = engine.ledger().server(&key(address(sender)));
                last.is_some_and(|last| last.counters.errors[ErrorKind::Port.index()] == 1)
            });
            let sent = unreachables_sent(&routed.router, family) - 1;
            let counters = server(&mut engine, server_address);
            assert_eq!(counters.queries, 40, "{what}");
            // Linux limits the errors of IPv4 routes host-wide, so it says itself how many it sent.
            assert_eq!(counters.errors.iter().sum::<u64>(), sent, "{what}");
            assert_eq!(sent != 0, error.is_some(), "{what}");
            if let Some((icmp_type, code, kind)) = error {
                let totals = totals(&mut engine, "c0", Direction::Ingress);
                let counts = totals.icmp_error[icmp_type.index()][code];
                assert_eq!(counts[Quoted::Query.index()], sent, "{what}");
                assert_eq!(counters.errors[kind.index()], sent, "{what}");
                // The sender is the router, kept beside the server that was asked.
                assert_eq!(counters.errors_from_server, 0, "{what}");
                assert_eq!(last_sender.get(), Some(key(address(sender))), "{what}");
            }
        }
    }
}

/// ICMP "unreachable" that a namespace has sent, by its kernel's own count.
fn unreachables_sent(namespace: &Namespace, family: u8) -> u64 {
    let (file, name) = match family {
        4 => ("/proc/thread-self/net/snmp", "OutDestUnreachs"),
        _ => ("/proc/thread-self/net/snmp6", "Icmp6OutDestUnreachs"),
    };
    let text = namespace
        .enter(|| std::fs::read_to_string(file))
        .expect("entered")
        .expect("the kernel counts");
    if family == 6 {
        let line = text.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        return number.expect("a count").parse().expect("a number");
    }
    let mut icmp = text.lines().filter(|line| line.starts_with("Icmp:"));
    let names = icmp.next().expect("names").split_whitespace();
    let numbers = icmp.next().expect("numbers").split_whitespace();
    let found = names.zip(numbers).find(|(found, _)| *found == name);
    found.expect("a count").1.parse().expect("a number")
}

#[test]
#[ignore = "needs a kernel"]
fn a_forwarding_host_attributes_each_packet_once() {
    for hook in HOOKS {
        let routed = Routed::new();
        let mut engine = watch(
            &routed.router,
            &WatchOptions {
                interfaces: vec!["r0".into(), "r1".into()],
                ..options("r0", hook)
            },
        )
        .expect("watching both");
        for (server_address, client) in [
            ("192.0.2.53", "198.51.100.7"),
            ("2001:db8:2::53", "2001:db8:1::7"),
        ] {
            ask(
                &routed.client,
                address(client),
                address(server_address),
                QUERIES,
            );
            let server_address = address(server_address);
            wait_for("all errors come back", || {
                errors(&mut engine, server_address) == 40
            });
            let counted = server(&mut engine, server_address);
            assert_eq!(counted.queries, 40, "{hook:?}");
            // Two interfaces and four crossings, and each query is one transaction, ended once. IPv6
            // first looks for duplicate addresses, and that may take longer than the time-out.
            let transactions = counted.transactions;
            assert_eq!(transactions.sent, 40, "{hook:?}");
            assert_eq!(transactions.retransmitted, 0, "{hook:?}");
            assert_eq!(
                counted.errors_matched[ErrorKind::Port.index()],
                40,
                "{hook:?}"
            );
            if address(client).is_ipv4() {
                assert_eq!(transactions.errored, 40, "{hook:?}");
            }
        }
        // Totals are of each interface and direction.
        for (device, direction, counted) in [
            ("r0", Direction::Ingress, Class::DnsQuery),
            ("r1", Direction::Egress, Class::DnsQuery),
            ("r1", Direction::Ingress, Class::IcmpError),
            ("r0", Direction::Egress, Class::IcmpError),
        ] {
            assert_eq!(
                class(&mut engine, device, direction, counted),
                80,
                "{device} {direction:?}"
            );
        }
        assert_eq!(
            class(&mut engine, "r0", Direction::Egress, Class::DnsQuery),
            0
        );
    }
}

#[test]
#[ignore = "needs a kernel"]
fn tagged_frames_are_counted_by_every_hook() {
    let message = || frames::v4(17, frames::udp(40_000, 53, query(1, "www.example.org")));
    let tag = |ethertype: u16, payload: Vec<u8>| {
        let mut tagged = vec![0, 123];
        tagged.extend(ethertype.to_be_bytes());
        tagged.extend(payload);
        tagged
    };
    let once = frames::ethernet(0x8100, tag(frames::IPV4, message()));
    let twice = frames::ethernet(0x88a8, tag(0x8100, tag(frames::IPV4, message())));
    for hook in HOOKS {
        let pair = Pair::new();
        let mut engine = watch(&pair.server, &options(SERVER_DEVICE, hook)).expect("watching");
        let sender = PacketSocket::open(&pair.client, CLIENT_DEVICE).expect("a packet socket");
        for _ in 0..QUERIES {
            sender.send(&once).expect("sent");
            sender.send(&twice).expect("sent");
        }
        wait_for("all frames", || {
            class(
                &mut engine,
                SERVER_DEVICE,
                Direction::Ingress,
                Class::DnsQuery,
            ) == 2 * QUERIES
        });
        let totals = totals(&mut engine, SERVER_DEVICE, Direction::Ingress);
        assert_eq!(totals.vlan, 80, "{hook:?}");
    }
}

#[test]
#[ignore = "needs a kernel"]
fn others_beside_us_and_the_stack_see_every_packet() {
    let pair = Pair::new();
    // With TCX the second attaches before the first, so the first runs only because the second lets it. With
    // clsact a direction of an interface has one sensor at TC.
    let is_shared = tc_flavour() == TcFlavour::Tcx;
    let open = |hook| {
        let ingress_only = hook == HookChoice::Xdp && !is_shared;
        let options = WatchOptions {
            ingress_only,
            ..options(SERVER_DEVICE, hook)
        };
        watch(&pair.server, &options)
    };
    let mut engines: Vec<KernelEngine> = (0..if is_shared { 2 } else { 1 })
        .map(|_| open(HookChoice::Tc).expect("TC"))
        .collect();
    let third = open(HookChoice::Xdp).expect("XDP is free");
    assert_eq!(third.attached()[0].hook, Hook::XdpNative);
    // With XDP taken, `xdp` is refused and `tc` works.
    let taken = open(HookChoice::Xdp).err().expect("XDP is taken");
    assert!(
        matches!(&taken, KernelError::Attach(AttachError::XdpTaken { .. })),
        "{taken}"
    );
    assert!(taken.to_string().contains("--hook tc"), "{taken}");
    for family in [4, 6] {
        exchange(&pair, family);
    }
    engines.push(third);
    for engine in &mut engines {
        let both = [
            (Direction::Ingress, Class::DnsQuery),
            (Direction::Egress, Class::DnsResponse),
        ];
        let directions = if engine.attached()[0].egress { 2 } else { 1 };
        for (direction, counted) in both.into_iter().take(directions) {
            assert_eq!(
                class(engine, SERVER_DEVICE, direction, counted),
                2 * QUERIES
            );
        }
    }
}

#[test]
#[ignore = "needs a kernel"]
fn auto_takes_tc_on_veth_and_says_why() {
    let pair = Pair::new();
    let mut engine =
        watch(&pair.server, &options(SERVER_DEVICE, HookChoice::Auto)).expect("watching");
    let attached = &engine.attached()[0];
    assert_eq!(attached.hook, Hook::Tc);
    assert!(attached.reason.contains("veth"), "{}", attached.reason);
    exchange(&pair, 4);
    assert_eq!(
        class(
            &mut engine,
            SERVER_DEVICE,
            Direction::Ingress,
            Class::DnsQuery
        ),
        QUERIES
    );
}

#[test]
#[ignore = "needs a kernel"]
fn a_driver_without_native_xdp_gets_generic_with_the_reason() {
    let pair = Pair::new();
    pair.server.up("lo").expect("loopback");
    let mut engine = watch(&pair.server, &options("lo", HookChoice::Xdp)).expect("watching");
    let attached = &engine.attached()[0];
    assert_eq!(attached.hook, Hook::XdpGeneric);
    assert!(
        attached.reason.contains("refuses native XDP"),
        "{}",
        attached.reason
    );
    assert!(!attached.egress, "each packet on loopback is counted once");
    let loopback = address("127.0.0.1");
    ask(&pair.server, loopback, loopback, QUERIES);
    wait_for("queries and errors", || {
        class(&mut engine, "lo", Direction::Ingress, Class::IcmpError) == QUERIES
    });
    assert_eq!(
        class(&mut engine, "lo", Direction::Ingress, Class::DnsQuery),
        QUERIES
    );
    assert_eq!(server(&mut engine, loopback).queries, 40);
}

#[test]
#[ignore = "needs a kernel"]
fn auto_falls_back_to_tc_where_the_driver_refuses() {
    let pair = Pair::new();
    pair.server.up("lo").expect("loopback");
    // Loopback has no native XDP. Taken for hardware, it is a device whose driver has none.
    let found = pair
        .server
        .block_on(|| async { Interface::find(&["lo".to_string()]).await })
        .expect("entered");
    let hardware = Interface {
        kind: Kind::Hardware,
        ..found.expect("loopback")[0].clone()
    };
    let mut loaded = load(LoadOptions {
        programs: Programs::ALL,
        settings: for_ports(&[]).expect("port 53"),
        log_level: None,
    })
    .expect("a kernel");
    let options = AttachOptions {
        hook: HookChoice::Auto,
        ingress_only: true,
        tc: tc_flavour(),
        take_over: false,
    };
    let attached = pair
        .server
        .enter(|| attach(&mut loaded, hardware, &options))
        .expect("entered")
        .expect("TC is there");
    assert_eq!(attached.hook, Hook::Tc);
    assert!(
        attached.reason.contains("native XDP was refused"),
        "{}",
        attached.reason
    );
}

#[test]
#[ignore = "needs a kernel"]
fn ingress_only_leaves_egress_alone() {
    let pair = Pair::new();
    let mut engine = watch(
        &pair.server,
        &WatchOptions {
            ingress_only: true,
            ..options(SERVER_DEVICE, HookChoice::Tc)
        },
    )
    .expect("watching");
    exchange(&pair, 4);
    assert_eq!(engine.lanes().count(), 1);
    let server = server(&mut engine, addresses(4).server);
    assert_eq!((server.queries, server.responses), (40, 0));
}

#[test]
#[ignore = "needs a kernel"]
fn another_port_is_watched_instead_of_53() {
    let pair = Pair::new();
    let mut engine = watch(
        &pair.server,
        &WatchOptions {
            settings: for_ports(&[5353, 8053]).expect("two ports"),
            ..options(SERVER_DEVICE, HookChoice::Tc)
        },
    )
    .expect("watching");
    let addresses = addresses(4);
    let client = socket(&pair.client, (addresses.client, 0));
    for port in [53, 5353, 8053] {
        client
            .send_to(&query(1, "example.org"), (addresses.server, port))
            .expect("sent");
    }
    wait_for("two queries", || {
        class(
            &mut engine,
            SERVER_DEVICE,
            Direction::Ingress,
            Class::DnsQuery,
        ) == 2
    });
    // The error about port 53 quotes no DNS, by these ports.
    wait_for("three errors", || {
        class(
            &mut engine,
            SERVER_DEVICE,
            Direction::Egress,
            Class::IcmpError,
        ) == 3
    });
    let server = server(&mut engine, addresses.server);
    assert_eq!(server.errors[ErrorKind::Port.index()], 2);
}

/// Sends a datagram of which only the first `copied` bytes lie behind its headers: the rest stays in
/// the page of this process.
fn send_in_pieces(socket: &UdpSocket, datagram: &[u8], copied: usize) {
    let on: libc::c_int = 1;
    // SAFETY: a socket of ours and an option of the size that is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ZEROCOPY,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    let (first, rest) = datagram.split_at(copied);
    for (piece, flags) in [(first, libc::MSG_MORE), (rest, libc::MSG_ZEROCOPY)] {
        if piece.is_empty() {
            continue;
        }
        // SAFETY: a buffer that outlives the call; the kernel keeps its page as long as it needs it.
        let sent = unsafe {
            libc::send(
                socket.as_raw_fd(),
                piece.as_ptr().cast(),
                piece.len(),
                flags,
            )
        };
        assert_eq!(
            sent,
            piece.len().cast_signed(),
            "{}",
            io::Error::last_os_error()
        );
    }
}

#[test]
#[ignore = "needs a kernel"]
fn a_message_in_pieces_is_counted_wherever_it_is_split() {
    let query = query(1, "zerocopy.example.org");
    // Before the DNS header, inside it, behind it, inside the name, inside the type.
    for copied in [0, 5, 12, 20, query.len() - 3] {
        let pair = Pair::new();
        let addresses = addresses(4);
        let mut engine =
            watch(&pair.client, &options(CLIENT_DEVICE, HookChoice::Tc)).expect("watching");
        let client = socket(&pair.client, (addresses.client, 0));
        client.connect(dns(addresses.server)).expect("connected");
        send_in_pieces(&client, &query, copied);
        wait_for("the query", || {
            class(
                &mut engine,
                CLIENT_DEVICE,
                Direction::Egress,
                Class::DnsQuery,
            ) == 1
        });
        let totals = totals(&mut engine, CLIENT_DEVICE, Direction::Egress);
        assert_eq!(totals.copied, 1, "split at {copied}: it was in one piece");
        assert_eq!(totals.qtype[1], 1, "split at {copied}");
        assert_eq!(totals.malformed, [0; 16], "split at {copied}");
    }
}

#[test]
#[ignore = "needs a kernel"]
fn a_device_without_ethernet_header_is_read_from_its_ip_header() {
    let namespace = Namespace::new().expect("a namespace");
    let tun = namespace
        .enter(open_tun)
        .expect("entered")
        .expect("a tun device");
    namespace
        .address("tun0", address("192.0.2.53"), 24)
        .expect("an address");
    namespace
        .address("tun0", address("2001:db8::53"), 64)
        .expect("an address");
    let mut engine = watch(&namespace, &options("tun0", HookChoice::Auto)).expect("watching");
    assert_eq!(engine.attached()[0].hook, Hook::Tc);
    // From the peer to the server's address; the port is closed, so the kernel sends an error out.
    let mut packet = frames::v4(17, frames::udp(40_000, 53, query(1, "example.org")));
    packet[12..16].copy_from_slice(&[192, 0, 2, 9]);
    let checksum = ip_checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    nix::unistd::write(&tun, &packet).expect("written");
    wait_for("query and error", || {
        class(&mut engine, "tun0", Direction::Egress, Class::IcmpError) == 1
    });
    assert_eq!(
        class(&mut engine, "tun0", Direction::Ingress, Class::DnsQuery),
        1
    );
    let server = server(&mut engine, address("192.0.2.53"));
    assert_eq!((server.queries, server.errors_from_server), (1, 1));
}

fn ip_checksum(header: &[u8]) -> u16 {
    let sum: u32 = header
        .chunks(2)
        .enumerate()
        .filter(|(at, _)| *at != 5)
        .map(|(_, word)| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

/// Opens `tun0`, packets without any header before IP.
fn open_tun() -> io::Result<std::fs::File> {
    let tun = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    // SAFETY: zeroes are a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(b"tun0") {
        *place = byte.cast_signed();
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: the descriptor is open and the request is complete.
    if unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF, &raw mut request) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(tun)
}

#[test]
#[ignore = "needs a kernel"]
fn an_unknown_interface_is_answered_with_names() {
    let pair = Pair::new();
    let error = watch(&pair.server, &options("server1", HookChoice::Auto))
        .err()
        .expect("there is none");
    assert!(
        matches!(
            &error,
            KernelError::Interface(InterfaceError::Unknown { .. })
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains("did you mean server0?"),
        "{error}"
    );
}

#[test]
#[ignore = "needs a kernel"]
fn dropping_the_engine_detaches_even_in_a_panic() {
    let pair = Pair::new();
    let xdp = || {
        let found: Result<Vec<Interface>, _> = pair
            .server
            .block_on(|| async { Interface::find(&[SERVER_DEVICE.to_string()]).await })
            .expect("entered");
        found.expect("the device")[0].xdp
    };
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _engine =
            watch(&pair.server, &options(SERVER_DEVICE, HookChoice::Xdp)).expect("watching");
        assert!(xdp().is_some(), "attached");
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    // The kernel frees a link in its own time.
    wait_for("detached", || xdp().is_none());
}
