//! What changes in a host's links, addresses and routes, on a real kernel: the incident names it.

mod support;

use std::process::Command;

use sensor::stage::namespace::Namespace;
use serde_json::Value;
use support::outage::{Place, Stage};

/// Runs ip(8) in a namespace.
fn ip(namespace: &Namespace, arguments: &[&str]) {
    let status = namespace
        .enter(|| Command::new("ip").args(arguments).status())
        .expect("entered")
        .expect("ip runs");
    assert!(status.success(), "{arguments:?}");
}

/// The events of an incident, by their codes.
fn events(incident: &Value) -> Vec<&str> {
    let events = incident["host"]["events"].as_array();
    let events = events.into_iter().flatten();
    events
        .map(|event| event["event"].as_str().expect("a code"))
        .collect()
}

/// The watched link carries on: it is the other one, so the kernel's reason has to tell.
#[test]
#[ignore = "needs a kernel"]
fn a_cable_that_is_pulled_behind_a_router_is_a_path_that_is_down() {
    let stage = Stage::new(Place::Router, "carrier");
    ip(&stage.routed.server, &["link", "set", "server0", "down"]);
    let incident = stage.watch.expect("network_path_down");
    let reason = incident["host"]["drops"][0]["reason"].as_str();
    assert!(
        reason.is_some_and(|reason| reason.starts_with("NEIGH_")),
        "{incident:#}"
    );
}

#[test]
#[ignore = "needs a kernel"]
fn a_default_route_that_is_lost_is_named() {
    let stage = Stage::new(Place::Server, "route");
    ip(&stage.routed.server, &["route", "del", "default"]);
    let incident = stage.watch.expect("network_path_down");
    assert_eq!(
        incident["host"]["events"][0]["network"], "0.0.0.0/0",
        "{incident:#}"
    );
}

#[test]
#[ignore = "needs a kernel"]
fn an_address_that_is_removed_is_named() {
    let stage = Stage::new(Place::Server, "address");
    let address = ["address", "del", "198.51.100.53/24", "dev", "server0"];
    ip(&stage.routed.server, &address);
    let incident = stage.watch.expect("network_path_down");
    assert!(
        events(&incident).contains(&"address_removed"),
        "{incident:#}"
    );
}
