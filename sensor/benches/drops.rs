//! What the drop program costs a dropped packet, by the kernel's own clock, beside a program that does nothing.
//!
//! Needs root. On a private network, where the reverse path filter of a router drops all that is sent:
//! `cargo bench -p sensor --bench drops`.

use std::net::{IpAddr, UdpSocket};
use std::thread::sleep;
use std::time::Duration;

use aya::programs::ProgramInfo;
use aya::sys::{Stats, enable_stats};
use sensor::host::drops::program::DropProgram;
use sensor::stage::client::query;
use sensor::stage::namespace::Namespace;
use sensor::stage::network::RouteAction;
use sensor_common::drops::{PROGRAM, PROGRAM_EMPTY};

/// Below the budget of a tick, with a pause after each.
const BURST: u16 = 1_000;
const BURSTS: u16 = 60;
/// Above it: what is over is only counted.
const FLOOD: u32 = 300_000;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A client whose packets to the server's port are dropped on a router without a route for them.
fn lab() -> [Namespace; 2] {
    let [client, router] = [(); 2].map(|()| Namespace::new().expect("a namespace"));
    router
        .connect("router0", &client, "client0")
        .expect("a veth pair");
    client
        .address("client0", ip("192.0.2.7"), 24)
        .expect("an address");
    router
        .address("router0", ip("192.0.2.1"), 24)
        .expect("an address");
    client
        .route(ip("0.0.0.0"), 0, RouteAction::Via(ip("192.0.2.1")))
        .expect("a route");
    [client, router]
}

fn run_of(name: &str) -> (u64, Duration) {
    let program = aya::programs::loaded_programs()
        .filter_map(Result::ok)
        .find(|info: &ProgramInfo| info.name_as_str() == Some(name))
        .expect("loaded");
    (program.run_count(), program.run_time())
}

/// Nanoseconds a run.
fn measure(program: &str, port: u16, flood: bool) -> f64 {
    let [client, _router] = lab();
    let _loaded = DropProgram::attach_named(&[53], program).expect("the kernel takes it");
    let socket = client.enter(|| UdpSocket::bind("0.0.0.0:0"));
    let socket = socket.expect("entered").expect("bound");
    let message = query(1, "www.example.org");
    let target = (ip("198.51.100.53"), port);
    let _ = socket.send_to(&message, target);
    sleep(Duration::from_millis(100));
    let before = run_of(program);
    if flood {
        for _ in 0..FLOOD {
            let _ = socket.send_to(&message, target);
        }
    } else {
        for _ in 0..BURSTS {
            for _ in 0..BURST {
                let _ = socket.send_to(&message, target);
            }
            sleep(Duration::from_millis(70));
        }
    }
    let after = run_of(program);
    let runs = after.0 - before.0;
    #[expect(clippy::cast_precision_loss, reason = "an average")]
    let each = after.1.saturating_sub(before.1).as_nanos() as f64 / runs as f64;
    println!(
        "{program:>12} port {port:>4} {}: {each:6.1} ns a packet, {runs} packets",
        if flood { "flood" } else { "calm " }
    );
    each
}

fn main() {
    let _statistics = enable_stats(Stats::RunTime).expect("root");
    for round in 1..=3 {
        println!("round {round}");
        let empty = measure(PROGRAM_EMPTY, 53, false);
        let dns = measure(PROGRAM, 53, false);
        let other = measure(PROGRAM, 54, false);
        let flood = measure(PROGRAM, 54, true);
        println!(
            "above an empty program: a DNS packet {:.1} ns, another {:.1} ns, in a flood of others {:.1} ns",
            dns - empty,
            other - empty,
            flood - empty
        );
    }
}
