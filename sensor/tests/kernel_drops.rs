//! The drop program on a real kernel: what is staged is what it counts, packet by packet, in the namespace, the
//! direction and the place where it happened.

mod support;

use sensor::stage::network::RouteAction;
use sensor_common::drops::{STAGE_EARLY, STAGE_FORWARD, STAGE_INPUT, TO_SERVER};
use support::drops::{Collector, Routed, SERVER, ask, ip, number};
use support::lab::{Pair, addresses, dns, socket};
use support::outage::{Mood, Place, Stage};

const QUERIES: u16 = 30;

#[test]
#[ignore = "needs a kernel"]
fn where_nothing_listens_each_query_finds_no_socket() {
    for family in [4, 6] {
        let pair = Pair::new();
        let mut collector = Collector::new();
        let server = addresses(family).server;
        let _socket = ask(&pair.client, server, QUERIES);
        let dropped = collector.expect("NO_SOCKET", number(&pair.server), server, 30);
        assert_eq!(dropped.direction, TO_SERVER, "IPv{family}");
        assert_eq!(dropped.stage, STAGE_INPUT, "IPv{family}");
        assert_eq!(dropped.protocol, 17);
    }
}

#[test]
#[ignore = "needs a kernel"]
fn a_router_that_does_not_forward_says_so() {
    let routed = Routed::new();
    routed
        .router
        .sysctl("ipv4/ip_forward", "0")
        .expect("a setting");
    let mut collector = Collector::new();
    let _socket = ask(&routed.client, ip(SERVER), QUERIES);
    let place = number(&routed.router);
    let dropped = collector.expect("IP_INADDRERRORS", place, ip(SERVER), 30);
    let came_in = routed.router.index("to_client").expect("a device");
    assert_eq!(dropped.interface, came_in);
    assert_ne!(dropped.stage, STAGE_FORWARD);
}

#[test]
#[ignore = "needs a kernel"]
fn queries_from_where_no_route_leads_back_are_filtered_by_the_reverse_path() {
    let routed = Routed::new();
    // The filter also keeps ARP requests of that address from being answered: the router is known before.
    routed.meet();
    for name in ["all", "to_client"] {
        let setting = format!("ipv4/conf/{name}/rp_filter");
        routed.router.sysctl(&setting, "1").expect("a setting");
    }
    let (client, foreign) = (&routed.client, ip("203.0.113.7"));
    client.address("client0", foreign, 24).expect("an address");
    let socket = socket(client, (foreign, 0));
    let mut collector = Collector::new();
    for id in 0..QUERIES {
        let query = sensor::stage::client::query(id, "www.example.org");
        socket.send_to(&query, dns(ip(SERVER))).expect("sent");
    }
    let dropped = collector.expect("IP_RPFILTER", number(&routed.router), ip(SERVER), 30);
    assert_eq!(dropped.stage, STAGE_EARLY);
}

#[test]
#[ignore = "needs a kernel"]
fn what_a_full_receive_buffer_has_no_room_for_is_counted() {
    let pair = Pair::new();
    let server = addresses(4).server;
    let service = socket(&pair.server, dns(server));
    nix::sys::socket::setsockopt(&service, nix::sys::socket::sockopt::RcvBuf, &2_048)
        .expect("a small buffer");
    let mut collector = Collector::new();
    let _socket = ask(&pair.client, server, 100);
    let fits = {
        service.set_nonblocking(true).expect("set");
        let mut buffer = [0; 512];
        (0..100)
            .filter(|_| service.recv(&mut buffer).is_ok())
            .count() as u64
    };
    assert!((1..50).contains(&fits), "{fits} fit the buffer");
    collector.read();
    // Kernels before 6.11 do not name the receiving socket; the device's field has been used for other things.
    let named = collector.seen.keys().any(|(name, dropped)| {
        name == "SOCKET_RCVBUFF" && dropped.namespace == number(&pair.server)
    });
    let namespace = if named { number(&pair.server) } else { 0 };
    let dropped = collector.expect("SOCKET_RCVBUFF", namespace, server, 100 - fits);
    assert_eq!(dropped.direction, TO_SERVER);
}

/// The namespace of a drop is where it happened, not where the sensor or the client is.
#[test]
#[ignore = "needs a kernel"]
fn drops_of_another_namespace_are_not_those_of_this_one() {
    let (ours, others) = (Pair::new(), Pair::new());
    let server = addresses(4).server;
    let service = socket(&ours.server, dns(server));
    let mut collector = Collector::new();
    let _well = ask(&ours.client, server, QUERIES);
    let mut buffer = [0; 512];
    for _ in 0..QUERIES {
        service.recv(&mut buffer).expect("a query");
    }
    let _ill = ask(&others.client, server, QUERIES);
    collector.expect("NO_SOCKET", number(&others.server), server, 30);
    assert_eq!(collector.of("NO_SOCKET", number(&ours.server), server).0, 0);
}

#[test]
#[ignore = "needs a kernel"]
fn a_program_that_rests_counts_nothing_and_goes_on_where_it_was() {
    let pair = Pair::new();
    let (mut collector, server) = (Collector::new(), addresses(4).server);
    collector.program.rest().expect("detached");
    let _resting = ask(&pair.client, server, QUERIES);
    collector.read();
    assert_eq!(collector.of("NO_SOCKET", number(&pair.server), server).0, 0);
    collector.program.resume().expect("attached");
    let _again = ask(&pair.client, server, QUERIES);
    collector.expect("NO_SOCKET", number(&pair.server), server, 30);
}

#[test]
#[ignore = "needs a kernel"]
fn a_router_that_does_not_forward_any_more_is_named() {
    let stage = Stage::new(Place::Router, "forwarding");
    stage
        .routed
        .router
        .sysctl("ipv4/ip_forward", "0")
        .expect("a setting");
    stage.watch.expect("network_path_down");
}

#[test]
#[ignore = "needs a kernel"]
fn a_service_that_does_not_read_is_told_from_a_filter() {
    let stage = Stage::new(Place::Server, "hung");
    stage.moods.set(Mood::DoesNotRead);
    stage.watch.expect("service_hung");
}

#[test]
#[ignore = "needs a kernel"]
fn a_service_that_is_gone_is_named() {
    let mut stage = Stage::new(Place::Server, "down");
    stage.service = None;
    stage.watch.expect("service_down");
}

#[test]
#[ignore = "needs a kernel"]
fn a_service_too_slow_for_what_it_is_asked_is_named() {
    let stage = Stage::new(Place::Server, "slow");
    stage.moods.set(Mood::Slow);
    let incident = stage.watch.expect("overload");
    assert_eq!(incident["host"]["drops"][0]["reason"], "SOCKET_RCVBUFF");
}

/// It reads all that it is asked and leaves three in ten without an answer: nothing on the way is to blame.
#[test]
#[ignore = "needs a kernel"]
fn a_service_that_answers_seven_in_ten_is_named() {
    let stage = Stage::new(Place::Server, "most");
    stage.moods.set(Mood::AnswersMost);
    stage.watch.expect("overload");
}

#[test]
#[ignore = "needs a kernel"]
fn a_router_that_filters_by_the_reverse_path_is_named() {
    let stage = Stage::new(Place::Router, "rp_filter");
    let router = &stage.routed.router;
    for device in ["all", "to_client"] {
        let setting = format!("ipv4/conf/{device}/rp_filter");
        router.sysctl(&setting, "1").expect("a setting");
    }
    // The way back to the clients leads elsewhere.
    router
        .route(ip("192.0.2.0"), 25, RouteAction::Via(ip(SERVER)))
        .expect("a route");
    let incident = stage.watch.expect("network_path_down");
    assert_eq!(incident["host"]["drops"][0]["reason"], "IP_RPFILTER");
}
