//! The drop program and the kernel's packet filter: each drop is counted where the rule stands.

mod support;

use sensor::stage::namespace::Namespace;
use sensor::stage::responder::answer;
use sensor_common::drops::{
    Dropped, FROM_SERVER, STAGE_FORWARD, STAGE_INPUT, STAGE_OUTPUT, TO_SERVER,
};
use support::drops::{Collector, Routed, SERVER, ask, filter, ip, nat, number};
use support::lab::{UnlimitIcmp, dns, socket};
use support::outage::{Mood, Place, Stage, other_traffic};

const QUERIES: u16 = 30;

/// Asks, answers what arrives, and says how each of those dropped in a namespace was.
fn dropped(routed: &Routed, at: &Namespace, many: u64) -> Dropped {
    let service = socket(&routed.server, dns(ip(SERVER)));
    service.set_nonblocking(true).expect("set");
    let mut collector = Collector::new();
    let _socket = ask(&routed.client, ip(SERVER), QUERIES);
    let mut buffer = [0; 512];
    while let Ok((length, from)) = service.recv_from(&mut buffer) {
        let answer = answer(&buffer[..length]).expect("a query");
        // A rule at the hook of what is sent makes this fail.
        let _ = service.send_to(&answer, from);
    }
    collector.expect("NETFILTER_DROP", number(at), ip(SERVER), many)
}

#[test]
#[ignore = "needs a kernel and nft"]
fn a_rule_for_input_drops_queries_on_the_server() {
    let routed = Routed::new();
    filter(&routed.server, "input", "udp dport 53 drop");
    let dropped = dropped(&routed, &routed.server, 30);
    assert_eq!((dropped.stage, dropped.direction), (STAGE_INPUT, TO_SERVER));
}

#[test]
#[ignore = "needs a kernel and nft"]
fn a_rule_for_output_drops_answers_on_the_server() {
    let routed = Routed::new();
    filter(&routed.server, "output", "udp sport 53 drop");
    let dropped = dropped(&routed, &routed.server, 30);
    assert_eq!(
        (dropped.stage, dropped.direction),
        (STAGE_OUTPUT, FROM_SERVER)
    );
}

#[test]
#[ignore = "needs a kernel and nft"]
fn a_rule_for_output_drops_queries_on_the_client() {
    let routed = Routed::new();
    filter(&routed.client, "output", "udp dport 53 drop");
    let dropped = dropped(&routed, &routed.client, 30);
    assert_eq!(
        (dropped.stage, dropped.direction),
        (STAGE_OUTPUT, TO_SERVER)
    );
}

#[test]
#[ignore = "needs a kernel and nft"]
fn a_rule_for_forwarding_drops_queries_on_the_router() {
    for rule in ["udp dport 53 drop", "udp dport 53 reject"] {
        let routed = Routed::new();
        routed.router.unlimit_icmp();
        filter(&routed.router, "forward", rule);
        let dropped = dropped(&routed, &routed.router, 30);
        assert_eq!(
            (dropped.stage, dropped.direction),
            (STAGE_FORWARD, TO_SERVER),
            "{rule}"
        );
    }
}

#[test]
#[ignore = "needs a kernel and nft"]
fn of_a_third_that_is_dropped_each_is_counted() {
    let routed = Routed::new();
    filter(
        &routed.server,
        "input",
        "udp dport 53 numgen inc mod 3 0 drop",
    );
    dropped(&routed, &routed.server, 10);
}

#[test]
#[ignore = "needs a kernel and nft"]
fn a_rule_that_drops_queries_on_the_server_is_named() {
    let stage = Stage::new(Place::Server, "input");
    filter(&stage.routed.server, "input", "udp dport 53 drop");
    let incident = stage.watch.expect("firewall_drops");
    let dropped = &incident["host"]["drops"][0];
    assert_eq!(dropped["reason"], "NETFILTER_DROP");
    assert_eq!(
        (&dropped["stage"], &dropped["way"]),
        (&"input".into(), &"to_server".into())
    );
    assert_eq!(dropped["interface"], "server0");
}

#[test]
#[ignore = "needs a kernel and nft"]
fn a_rule_that_drops_answers_on_the_server_is_named() {
    let stage = Stage::new(Place::Server, "output");
    filter(&stage.routed.server, "output", "udp sport 53 drop");
    let incident = stage.watch.expect("firewall_drops");
    assert_eq!(incident["host"]["drops"][0]["way"], "from_server");
}

#[test]
#[ignore = "needs a kernel and nft"]
fn a_rule_that_rejects_queries_on_the_server_is_named() {
    let stage = Stage::new(Place::Server, "reject");
    filter(&stage.routed.server, "input", "udp dport 53 reject");
    stage.watch.expect("firewall_rejects");
}

#[test]
#[ignore = "needs a kernel and nft"]
fn a_rule_that_drops_a_third_of_the_queries_is_named() {
    let stage = Stage::new(Place::Server, "third");
    filter(
        &stage.routed.server,
        "input",
        "udp dport 53 numgen inc mod 3 0 drop",
    );
    stage.watch.expect("firewall_drops");
}

#[test]
#[ignore = "needs a kernel and nft"]
fn a_rule_that_drops_what_a_router_forwards_is_named() {
    let stage = Stage::new(Place::Router, "forward");
    filter(&stage.routed.router, "forward", "udp dport 53 drop");
    let incident = stage.watch.expect("firewall_drops");
    assert_eq!(incident["host"]["drops"][0]["stage"], "forward");
}

/// As a firewall does that holds so many connections and no more.
#[test]
#[ignore = "needs a kernel and nft"]
fn a_limit_of_connections_is_named() {
    let stage = Stage::new(Place::Router, "limit");
    filter(
        &stage.routed.router,
        "forward",
        "udp dport 53 ct count over 8 drop",
    );
    let incident = stage.watch.expect("firewall_drops");
    assert_eq!(incident["host"]["drops"][0]["stage"], "forward");
}

/// Datagrams that are read by another program are no queries that are read.
#[test]
#[ignore = "needs a kernel and nft"]
fn a_rule_is_named_beside_a_program_that_reads_as_much_of_something_else() {
    let stage = Stage::new(Place::Server, "beside");
    let _others = other_traffic(&stage.routed);
    filter(&stage.routed.server, "input", "udp dport 53 drop");
    stage.watch.expect("firewall_drops");
}

/// The idle socket has the port that clients ask; the service has the one that their queries are sent on to.
#[test]
#[ignore = "needs a kernel and nft"]
fn a_service_that_hangs_behind_a_translated_port_is_named() {
    const BEHIND: u16 = 5_353;
    let mut idle = None;
    let stage = Stage::of(Place::Server, "translated", BEHIND, |routed| {
        let rules = format!("udp dport 53 redirect to :{BEHIND}");
        nat(&routed.server, "prerouting", &rules);
        idle = Some(socket(&routed.server, dns(ip(SERVER))));
    });
    stage.moods.set(Mood::DoesNotRead);
    stage.watch.expect("service_hung");
    drop(idle);
}
