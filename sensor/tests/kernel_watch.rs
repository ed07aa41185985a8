//! `watch` as a user runs it, with each hook of a device that every host has: what it says it counted is
//! what was sent.

mod support;

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::process::{Child, Command, Stdio};

use sensor::stage::client::query;
use sensor::stage::namespace::Namespace;
use serde_json::Value;
use support::lab::{Pair, SERVER_DEVICE, UnlimitIcmp, addresses, dns};

const SENSOR: &str = env!("CARGO_BIN_EXE_sensor");
/// Sent in each test, to a port that is closed.
const QUERIES: u64 = 200;

/// A running `watch`; killed when dropped.
struct Watch {
    child: Child,
    lines: Box<dyn Iterator<Item = std::io::Result<String>>>,
    state: std::path::PathBuf,
}

impl Watch {
    fn start(namespace: &Namespace, device: &str, hook: &str) -> Self {
        let directory = format!("sensor-watch-{}-{device}-{hook}", std::process::id());
        let state = std::env::temp_dir().join(directory);
        let mut child = namespace
            .enter(|| {
                Command::new(SENSOR)
                    .args(["watch", "-i", device, "--hook", hook])
                    .args(["--interval", "0.2", "--output", "json", "--state"])
                    .arg(&state)
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
            })
            .expect("entered")
            .expect("sensor runs");
        let mut words = BufReader::new(child.stderr.take().expect("piped")).lines();
        let announced = words.find_map(|line| {
            let line = line.expect("text");
            let said = line.strip_prefix(&format!("watching {device} with "))?;
            Some(said.split(": ").next()?.to_string())
        });
        // Read by `cargo xtask kernels`.
        println!("hook of {device}, {hook}: {}", announced.expect("its hook"));
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self {
            child,
            lines: Box::new(lines),
            state,
        }
    }

    /// The next interval; what it says of incidents is left out.
    fn totals(&mut self) -> Value {
        loop {
            let line = self.lines.next().expect("it runs").expect("text");
            let object: Value = serde_json::from_str(&line).expect("JSON");
            if object["kind"] == "totals" {
                return object;
            }
        }
    }

    /// Adds up intervals until so many of both were counted, and one more: nothing comes twice.
    fn expect(&mut self, expected: u64) {
        let (mut queries, mut errors) = (0, 0);
        let mut add = |object: &Value| {
            let class = |name: &str| object["classes"][name].as_u64().expect("a count");
            queries += class("dns_query");
            errors += class("icmp_error");
            (queries, errors)
        };
        // Far longer than it takes; then the comparison says what is missing.
        for _ in 0..50 {
            let (queries, errors) = add(&self.totals());
            if queries >= expected && errors >= expected {
                break;
            }
        }
        assert_eq!(add(&self.totals()), (expected, expected));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.state);
    }
}

/// Sends the queries; each comes back as an ICMP error, which a socket that is not connected ignores.
fn send(from: &Namespace, source: IpAddr, server: IpAddr) {
    let socket = from.enter(|| UdpSocket::bind((source, 0)));
    let socket = socket.expect("entered").expect("bound");
    for id in 0..QUERIES {
        let query = query(id as u16, "www.example.org");
        socket.send_to(&query, dns(server)).expect("sent");
    }
}

fn on_a_veth(hook: &str) {
    let pair = Pair::new();
    let mut watch = Watch::start(&pair.server, SERVER_DEVICE, hook);
    watch.totals();
    for family in [4, 6] {
        let addresses = addresses(family);
        send(&pair.client, addresses.client, addresses.server);
    }
    watch.expect(2 * QUERIES);
}

#[test]
#[ignore = "needs a kernel"]
fn watch_with_xdp_on_a_veth_counts_what_was_sent() {
    on_a_veth("xdp");
}

#[test]
#[ignore = "needs a kernel"]
fn watch_with_tc_on_a_veth_counts_what_was_sent() {
    on_a_veth("tc");
}

#[test]
#[ignore = "needs a kernel"]
fn watch_on_loopback_counts_what_was_sent_once() {
    let namespace = Namespace::new().expect("a namespace");
    namespace.up("lo").expect("loopback");
    namespace.unlimit_icmp();
    let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
    let mut watch = Watch::start(&namespace, "lo", "auto");
    watch.totals();
    send(&namespace, loopback, loopback);
    watch.expect(QUERIES);
}
