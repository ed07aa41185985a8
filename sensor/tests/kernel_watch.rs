//! `watch` as a user runs it, with each hook of a device that every host has: what it says it counted is
//! what was sent, also where it was stopped for a while.

mod support;

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sensor::stage::client::query;
use sensor::stage::namespace::Namespace;
use sensor::stage::responder::answer;
use serde_json::Value;
use support::lab::{CLIENT_DEVICE, Pair, SERVER_DEVICE, UnlimitIcmp, addresses, dns, socket};

const SENSOR: &str = env!("CARGO_BIN_EXE_sensor");
/// Sent in each test, to a port that is closed.
const QUERIES: u64 = 200;

/// Before Linux 6.13 all namespaces draw their ICMP errors from one bucket, which the burst that is allowed to one cuts
/// down for all: who counts each error is alone.
static ALONE: Mutex<()> = Mutex::new(());

/// A running `watch`; killed when dropped.
struct Watch {
    child: Child,
    lines: Box<dyn Iterator<Item = std::io::Result<String>>>,
    state: std::path::PathBuf,
    _alone: MutexGuard<'static, ()>,
}

impl Watch {
    fn start(namespace: &Namespace, device: &str, hook: &str) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = format!("sensor-watch-{}-{device}-{hook}", std::process::id());
        let state = std::env::temp_dir().join(directory);
        let mut child = namespace
            .enter(|| {
                Command::new(SENSOR)
                    .args(["watch", "-i", device, "--hook", hook])
                    .args(["--details", "--interval", "0.2", "--output", "json"])
                    .arg("--state")
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
            _alone: alone,
        }
    }

    /// What it says next.
    fn object(&mut self) -> Value {
        let line = self.lines.next().expect("it runs").expect("text");
        serde_json::from_str(&line).expect("JSON")
    }

    /// Sends it a signal.
    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process");
        kill(Pid::from_raw(pid), signal).expect("sent");
    }

    /// The next interval; what it says of incidents is left out.
    fn totals(&mut self) -> Value {
        loop {
            let object = self.object();
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
    let socket = socket(from, (source, 0));
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

/// Asks a hundred times a second from a few addresses, by sockets of their own, and answers each at once;
/// returns how many queries that were.
fn ask_for(pair: &Pair, clients: &[IpAddr], server: IpAddr, time: Duration) -> u64 {
    let responder = socket(&pair.server, dns(server));
    let sockets: Vec<_> = clients
        .iter()
        .map(|client| socket(&pair.client, (*client, 0)))
        .collect();
    let end = Instant::now() + time;
    let mut buffer = [0; 512];
    let mut sent = 0;
    for socket in sockets.iter().cycle() {
        if Instant::now() >= end {
            break;
        }
        let query = query(sent as u16, "www.example.org");
        socket.send_to(&query, dns(server)).expect("sent");
        let (length, from) = responder.recv_from(&mut buffer).expect("the query arrives");
        let answer = answer(&buffer[..length]).expect("it is a query");
        responder.send_to(&answer, from).expect("answered");
        socket.recv_from(&mut buffer).expect("the answer arrives");
        sent += 1;
        // The rate of the traffic, not a wait for anything.
        sleep(Duration::from_millis(10));
    }
    sent
}

/// What is usual is known after ten seconds. A time-out is two, and the slots of time in which transactions are
/// counted go round in four: the sensor is stopped for longer than that, and what comes afterwards is long
/// enough for every rule.
#[test]
#[ignore = "needs a kernel"]
fn a_sensor_that_was_stopped_has_one_long_tick_and_neither_loses_a_packet_nor_invents_an_incident()
{
    const USUAL: Duration = Duration::from_secs(14);
    const STOPPED: Duration = Duration::from_secs(7);
    const AFTER: Duration = Duration::from_secs(8);
    let pair = Pair::new();
    let addresses = addresses(4);
    let clients: Vec<IpAddr> = (8..12)
        .map(|last| IpAddr::from([192, 0, 2, last]))
        .collect();
    for client in &clients {
        pair.client
            .address(CLIENT_DEVICE, *client, 24)
            .expect("an address");
    }
    let mut watch = Watch::start(&pair.server, SERVER_DEVICE, "tc");
    watch.totals();
    let begin = Instant::now();
    let server = addresses.server;
    let traffic = spawn(move || {
        let sent = ask_for(&pair, &clients, server, USUAL + STOPPED + AFTER);
        // Its network stays until all is read.
        (sent, pair)
    });
    let (mut queries, mut responses) = (0, 0);
    let mut told = Vec::new();
    let mut gap = Duration::ZERO;
    let mut stopped = false;
    let mut last = Instant::now();
    // Until it has told of all that was sent, and for a few intervals more: nothing comes twice.
    let mut sent = None;
    let mut traffic = Some(traffic);
    let mut intervals_behind = 0;
    while intervals_behind < 5 {
        if !stopped && begin.elapsed() >= USUAL {
            watch.signal(Signal::SIGSTOP);
            sleep(STOPPED);
            watch.signal(Signal::SIGCONT);
            stopped = true;
        }
        let object = watch.object();
        if object["kind"] != "totals" {
            told.push(object);
            continue;
        }
        gap = gap.max(last.elapsed());
        last = Instant::now();
        let class = |name: &str| object["classes"][name].as_u64().expect("a count");
        queries += class("dns_query");
        responses += class("dns_response");
        if traffic
            .as_ref()
            .is_some_and(std::thread::JoinHandle::is_finished)
        {
            sent = traffic
                .take()
                .map(|traffic| traffic.join().expect("it sends"));
        }
        intervals_behind += u32::from(sent.is_some());
    }
    let (sent, _pair) = sent.expect("the traffic has ended");
    assert!(gap >= STOPPED, "it was not stopped: {gap:?}");
    assert!(sent > 1_000, "{sent} queries");
    assert_eq!((queries, responses), (sent, sent));
    let incidents: Vec<_> = told
        .iter()
        .filter(|object| object["kind"] == "incident")
        .collect();
    assert!(incidents.is_empty(), "{incidents:?}");
    let of_server = told.iter().filter(|object| object["kind"] == "server");
    let count = |name: &str| -> u64 {
        let counts = of_server
            .clone()
            .map(|object| &object["transactions"][name]);
        counts.map(|count| count.as_u64().expect("a count")).sum()
    };
    let outcomes = ["sent", "answered", "unanswered", "errored", "late"].map(count);
    assert_eq!(outcomes, [sent, sent, 0, 0, 0]);
}
