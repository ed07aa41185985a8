//! Queries and answers on a [`Pair`], and what an engine counted of them.

use std::sync::Arc;

use sensor::engine::Engine;
use sensor::engine::kernel::engine::KernelEngine;
use sensor::engine::status::LinkState;
use sensor::stage::client::query;
use sensor::stage::responder::answer;
use sensor_common::class::Class;
use sensor_common::settings::Direction;

use super::lab::{Pair, SERVER_DEVICE, addresses, dns, socket};
use super::wait_for;

/// Queries of an exchange.
pub const QUERIES: usize = 40;

/// One query after the other, each answered before the next is sent.
pub fn exchange(pair: &Pair) {
    let addresses = addresses(4);
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

/// Queries that came in at the server's device, and responses that went out, since the beginning.
pub fn counted(engine: &mut KernelEngine) -> (usize, usize) {
    engine.reading();
    let count = |direction: Direction, class: Class| {
        let lane = engine
            .lanes()
            .find(|lane| lane.interface == SERVER_DEVICE && lane.direction == direction);
        let count = lane.expect("a lane").totals.classes[class.index()];
        usize::try_from(count).expect("a count")
    };
    (
        count(Direction::Ingress, Class::DnsQuery),
        count(Direction::Egress, Class::DnsResponse),
    )
}

/// Lets an engine look at its hooks and then at its interface, which is in this state.
pub fn look(engine: &mut KernelEngine, state: LinkState) {
    engine.look_at_hooks();
    let mut addresses = engine.status().addresses.clone();
    // What was seen first may be from before.
    let mut looks = 0;
    wait_for("two looks at the interface", || {
        engine.maintain();
        let now = &engine.status().addresses;
        if !Arc::ptr_eq(&addresses, now) {
            addresses = now.clone();
            looks += 1;
        }
        looks == 2
    });
    assert_eq!(engine.status().interfaces[0].state, state);
}

/// Directions in which an engine no longer counts.
pub fn detached(engine: &KernelEngine) -> Vec<Direction> {
    engine.attached()[0].detached().collect()
}
