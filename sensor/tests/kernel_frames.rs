//! Named frames through both engines: the same counters, and always the verdict that passes.

mod support;

use std::time::Duration;

use aya::programs::{SchedClassifier, TestRun, TestRunOptions};
use sensor::engine::kernel::load::{LoadOptions, Programs, load};
use sensor::engine::kernel::test_run::{TestRunEngine, XDP_PASS};
use sensor::engine::replay::counting::Counting;
use sensor::engine::replay::host_engine::HostEngine;
use sensor::engine::settings::for_ports;
use sensor::measure::counters::Counters;
use sensor::measure::window::Window;
use sensor_common::class::QuestionState;
use sensor_common::names::{PROGRAM_EGRESS, PROGRAM_INGRESS, PROGRAM_XDP};
use sensor_common::settings::Direction;
use sensor_common::totals::QTYPES;
use sensor_ebpf::parse::Link;
use support::frames::{Expect, corpus};
use support::on_one_cpu;

const TC_ACT_UNSPEC: i32 = -1;

/// Counts one frame with the host engine, and checks that it landed where it must.
fn host(engine: &mut HostEngine, name: &str, frame: &[u8], expect: Expect) -> Window {
    engine.reading(Duration::ZERO);
    engine.count(frame, Link::Ethernet);
    let window = engine.reading(Duration::ZERO).window;
    let totals = window.totals();
    assert_eq!(totals.seen, 1, "{name}");
    assert_eq!(
        totals.classes[expect.class().index()],
        1,
        "{name}: {:?}",
        totals.classes
    );
    assert_eq!(totals.classes.iter().sum::<u64>(), 1, "{name}");
    match expect {
        Expect::Class(_) => {}
        Expect::Malformed(reason) => {
            assert_eq!(
                totals.malformed[reason.index()],
                1,
                "{name}: {:?}",
                totals.malformed
            );
        }
        Expect::Query(state, qtype) => {
            assert_eq!(totals.questions(state), 1, "{name}: {:?}", totals.unread);
            let read = totals.questions(QuestionState::Read);
            assert_eq!(
                totals.qtype[usize::from(qtype).min(QTYPES - 1)],
                read,
                "{name}"
            );
        }
        Expect::Response(rcode) => assert_eq!(totals.rcode[rcode], 1, "{name}"),
        Expect::Tcp(event) => assert_eq!(totals.tcp[event.index()], 1, "{name}"),
        Expect::Icmp(icmp_type, code, quoted) => {
            let codes = &totals.icmp_error[icmp_type.index()];
            let code = usize::from(code).min(codes.len() - 1);
            assert_eq!(codes[code][quoted.index()], 1, "{name}: {codes:?}");
        }
    }
    window
}

fn assert_same(name: &str, host: &Window, kernel: &Window) {
    let (host_totals, kernel_totals) = (host.totals(), kernel.totals());
    assert!(
        host_totals.as_words() == kernel_totals.as_words(),
        "{name}: totals differ: {:?} and {:?}, malformed {:?} and {:?}",
        host_totals.classes,
        kernel_totals.classes,
        host_totals.malformed,
        kernel_totals.malformed,
    );
    let servers = |window: &Window| {
        window
            .servers
            .iter()
            .map(|(key, server)| {
                let cohorts = server.cohorts.clone();
                let open = (server.unanswered, server.waiting);
                let outcome = (cohorts, open, server.latency.clone());
                (*key, server.counters, server.error_sender, outcome)
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(servers(host), servers(kernel), "{name}");
}

#[test]
fn every_frame_lands_in_its_class_on_the_host() {
    let mut engine = host_engine();
    for named in corpus() {
        host(&mut engine, &named.name, &named.frame, named.expect);
    }
}

#[test]
#[ignore = "needs a kernel"]
fn xdp_counts_as_the_host_does() {
    let (mut kernel, mut host_engine) = (engine(), host_engine());
    for (named, time) in corpus().into_iter().zip(times()) {
        kernel.set_time(time);
        host_engine.set_time(time);
        kernel.reading(Duration::ZERO);
        let verdict = kernel.count(&named.frame).expect(&named.name);
        assert_eq!(verdict, XDP_PASS, "{}", named.name);
        let counted = of(&mut kernel, Direction::Ingress);
        let host = host(&mut host_engine, &named.name, &named.frame, named.expect);
        assert_same(&named.name, &host, &counted);
    }
}

/// What was counted in one direction since this was last asked.
fn of(kernel: &mut TestRunEngine, direction: Direction) -> Window {
    let mut window = kernel.reading(Duration::ZERO).window;
    window.lanes.retain(|lane| lane.direction == direction);
    window
}

#[test]
#[ignore = "needs a kernel"]
fn tc_counts_as_the_host_does() {
    for (program, direction) in [
        (PROGRAM_INGRESS, Direction::Ingress),
        (PROGRAM_EGRESS, Direction::Egress),
    ] {
        let (mut kernel, mut host_engine) = (engine(), host_engine());
        // The engine of test runs loads XDP alone.
        classifier(&mut kernel, program).load().expect("accepted");
        let taken = corpus().into_iter().filter(|n| is_taken_by_tc(&n.frame));
        for (named, time) in taken.zip(times()) {
            kernel.set_time(time);
            host_engine.set_time(time);
            kernel.reading(Duration::ZERO);
            let verdict = run_tc(&mut kernel, program, &named.frame);
            assert_eq!(verdict, TC_ACT_UNSPEC, "{program}: {}", named.name);
            let counted = of(&mut kernel, direction);
            let host = host(&mut host_engine, &named.name, &named.frame, named.expect);
            assert_same(&named.name, &host, &counted);
        }
    }
}

#[test]
#[ignore = "needs a kernel"]
fn a_jumbo_frame_in_several_buffers_is_counted_by_xdp() {
    let mut kernel = engine();
    // An XDP test frame of more than one page is handed over in several buffers.
    for length in [3_000, 5_000, 9_000] {
        let mut payload = sensor::stage::client::query(1, "jumbo.example.org");
        payload.resize(length, 0);
        let frame = support::frames::ethernet(
            support::frames::IPV4,
            support::frames::v4(17, support::frames::udp(40_000, 53, payload)),
        );
        kernel.reading(Duration::ZERO);
        assert_eq!(kernel.count(&frame).expect("a jumbo frame"), XDP_PASS);
        let window = of(&mut kernel, Direction::Ingress);
        assert_eq!(window.totals().qtype[1], 1, "{length} bytes");
        // The message alone: the datagram without its UDP header.
        assert_eq!(window.totals().query_bytes, length as u64);
    }
}

#[test]
#[ignore = "needs a kernel"]
fn eight_ports_are_watched_and_a_ninth_is_not() {
    let ports: Vec<u16> = (1..=8).map(|n| n * 1_000 + 53).collect();
    let settings = for_ports(&ports).expect("eight ports");
    let mut kernel = TestRunEngine::new("test", settings.clone()).expect("a kernel");
    let mut host = HostEngine::new("test", settings);
    for port in ports.iter().chain(&[53, 9_053, 0]) {
        let payload = sensor::stage::client::query(1, "example.org");
        let frame = support::frames::ethernet(
            support::frames::IPV4,
            support::frames::v4(17, support::frames::udp(40_000, *port, payload)),
        );
        kernel.count(&frame).expect("a frame");
        host.count(&frame, Link::Ethernet);
    }
    let kernel = kernel.reading(Duration::ZERO).window.totals();
    let host = host.reading(Duration::ZERO).window.totals();
    assert_eq!(kernel.qtype[1], 8);
    assert_eq!(kernel.classes[0], 3);
    assert!(kernel.as_words() == host.as_words());
}

#[test]
#[ignore = "needs a kernel"]
fn evicted_servers_are_counted_and_nothing_is_lost() {
    // Each CPU has a table of its own, and refuses three newcomers of four.
    on_one_cpu();
    let settings = for_ports(&[]).expect("port 53");
    let mut kernel = TestRunEngine::new("test", settings.clone()).expect("a kernel");
    let mut host = HostEngine::new("test", settings);
    let servers = 20_000_u32;
    for server in 0..servers {
        let payload = sensor::stage::client::query(1, "example.org");
        let mut packet = support::frames::v4(17, support::frames::udp(40_000, 53, payload));
        packet[16..20].copy_from_slice(&(0x0a00_0000 + server).to_be_bytes());
        let frame = support::frames::ethernet(support::frames::IPV4, packet);
        kernel.count(&frame).expect("a frame");
        host.count(&frame, Link::Ethernet);
    }
    let check = |window: &Window| {
        let kept: u64 = window.servers.values().map(|s| s.counters.queries).sum();
        assert_eq!(kept + window.other.queries, u64::from(servers));
        // Of four newcomers to a full set one takes a place and three are refused.
        assert_eq!(
            window.other.queries,
            window.evicted + window.refused / 4 * 3 + window.refused % 4
        );
        assert_eq!(window.evicted, window.refused / 4);
        assert!(window.evicted > 0 && kept > 1_000, "{kept} kept");
    };
    check(&kernel.reading(Duration::ZERO).window);
    check(&host.reading(Duration::ZERO).window);
}

/// Each program of the object passes what it sees; the empty ones of the benchmarks are not loaded.
#[test]
#[ignore = "needs a kernel"]
fn the_loader_loads_nothing_but_observers() {
    let loaded = load(LoadOptions {
        programs: Programs::ALL,
        settings: for_ports(&[]).expect("port 53"),
        log_level: None,
    });
    let loaded = loaded.expect("a kernel");
    let mut names: Vec<&str> = loaded
        .ebpf
        .programs()
        .filter(|(_, program)| program.fd().is_ok())
        .map(|(name, _)| name)
        .collect();
    names.sort_unstable();
    assert_eq!(names, [PROGRAM_EGRESS, PROGRAM_INGRESS, PROGRAM_XDP]);
}

/// Two addresses that an earlier hash took for one, whatever the secret.
#[test]
fn servers_with_like_addresses_are_two() {
    let mut engine = HostEngine::new("test", for_ports(&[]).expect("port 53"));
    let corpus = corpus();
    let query = corpus.iter().find(|n| n.name == "v6 query").expect("there");
    let mut other = query.frame.clone();
    // The destination begins at byte 38; its bytes 7 and 8 are the neighbours of the two words.
    other[38 + 7] ^= 0x80;
    other[38 + 8] ^= 0x80;
    engine.count(&query.frame, Link::Ethernet);
    engine.count(&other, Link::Ethernet);
    let servers = engine.reading(Duration::ZERO).window.servers;
    assert_eq!(servers.len(), 2);
    assert!(servers.values().all(|server| server.counters.queries == 1));
}

/// A time for each frame, in steps that make some of the same transaction late and some expired.
fn times() -> impl Iterator<Item = Duration> {
    let start = Duration::from_secs(1_000);
    (0..).map(move |n: u32| start + Duration::from_millis(777) * n)
}

fn host_engine() -> HostEngine {
    HostEngine::new("test", for_ports(&[]).expect("port 53"))
}

fn engine() -> TestRunEngine {
    TestRunEngine::new("test", for_ports(&[]).expect("port 53")).expect("a kernel")
}

/// A test packet for TC must hold the whole IP header that its `EtherType` announces.
fn is_taken_by_tc(frame: &[u8]) -> bool {
    let header = match frame[12..14] {
        [0x08, 0x00] => 20,
        [0x86, 0xdd] => 40,
        _ => 1,
    };
    frame.len() >= 14 + header
}

fn classifier<'e>(engine: &'e mut TestRunEngine, name: &str) -> &'e mut SchedClassifier {
    let program = engine.loaded().ebpf.program_mut(name).expect(name);
    program.try_into().expect("a classifier")
}

fn run_tc(engine: &mut TestRunEngine, name: &str, frame: &[u8]) -> i32 {
    classifier(engine, name)
        .test_run(TestRunOptions {
            data_in: Some(frame),
            ..TestRunOptions::default()
        })
        .expect("a test run")
        .return_value
        .cast_signed()
}
