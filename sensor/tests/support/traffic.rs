//! Frames of conversations, and an engine with a clock to feed them to.

use std::net::IpAddr;
use std::time::Duration;

use sensor::engine::kernel::test_run::{TestRunEngine, XDP_PASS};
use sensor::engine::ledger::Ledger;
use sensor::engine::replay::counting::Counting;
use sensor::engine::replay::host_engine::HostEngine;
use sensor::engine::settings::for_ports;
use sensor::measure::interval::Interval;
use sensor::measure::window::{ServerWindow, Window};
use sensor::stage::client::query;
use sensor_common::server::ServerKey;
use sensor_common::settings::Settings;
use sensor_common::transactions::TransactionCounters;
use sensor_ebpf::parse::Link;

use super::frames::{IPV4, IPV6, ethernet, udp};

/// Who asks whom.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    pub client: IpAddr,
    pub server: IpAddr,
    pub port: u16,
    pub id: u16,
}

/// One exchange of a family.
pub fn exchange(family: u8) -> Exchange {
    let (client, server) = match family {
        4 => ("192.0.2.7", "192.0.2.53"),
        _ => ("2001:db8::7", "2001:db8::53"),
    };
    Exchange {
        client: client.parse().expect("an address"),
        server: server.parse().expect("an address"),
        port: 40_000,
        id: 1,
    }
}

impl Exchange {
    pub fn query(self, name: &str) -> Vec<u8> {
        let datagram = udp(self.port, 53, query(self.id, name));
        ip(17, self.client, self.server, datagram)
    }

    pub fn response(self) -> Vec<u8> {
        self.answer(0, false)
    }

    /// A response with this rcode and TC bit.
    pub fn answer(self, rcode: u8, truncated: bool) -> Vec<u8> {
        let mut message = query(self.id, "www.example.org");
        message[2] |= 0x80 | u8::from(truncated) << 1;
        message[3] |= rcode;
        ip(17, self.server, self.client, udp(53, self.port, message))
    }

    /// A router's error about an answer, with this type and code.
    pub fn backscatter(self, kind: u8, code: u8) -> Vec<u8> {
        let mut icmp = vec![kind, code, 0, 0, 0, 0, 0, 0];
        icmp.extend(self.response().split_off(14));
        let protocol = if self.client.is_ipv4() { 1 } else { 58 };
        ip(protocol, self.client, self.server, icmp)
    }

    /// Whatever, from one port to another.
    pub fn datagram(self, source: u16, destination: u16, payload: Vec<u8>) -> Vec<u8> {
        let datagram = udp(source, destination, payload);
        ip(17, self.client, self.server, datagram)
    }

    /// The same from the server to the client.
    pub fn reverse(self) -> Self {
        Self {
            client: self.server,
            server: self.client,
            ..self
        }
    }

    /// "Port unreachable" about the query, of which `quoted` bytes of IP payload are quoted.
    pub fn error(self, sender: IpAddr, quoted: usize) -> Vec<u8> {
        let mut quote = self.query("www.example.org").split_off(14);
        let header = if self.client.is_ipv4() { 20 } else { 40 };
        quote.truncate(header + quoted);
        let (protocol, kind, code) = if self.client.is_ipv4() {
            (1, 3, 3)
        } else {
            (58, 1, 4)
        };
        let mut icmp = vec![kind, code, 0, 0, 0, 0, 0, 0];
        icmp.extend(quote);
        ip(protocol, sender, self.client, icmp)
    }
}

/// A frame with this payload of IP.
pub fn ip(protocol: u8, source: IpAddr, destination: IpAddr, payload: Vec<u8>) -> Vec<u8> {
    let length = payload.len() as u16;
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut packet = vec![0x45, 0];
            packet.extend((length + 20).to_be_bytes());
            packet.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            packet.extend(payload);
            ethernet(IPV4, packet)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend(length.to_be_bytes());
            packet.extend([protocol, 64]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            packet.extend(payload);
            ethernet(IPV6, packet)
        }
        _ => panic!("two families"),
    }
}

/// Either engine, by the clock of its packets.
pub struct Clocked {
    engine: Either,
    now: Duration,
    /// Since it was last asked.
    interval: Interval,
}

enum Either {
    Host(Box<HostEngine>),
    Kernel(Box<TestRunEngine>),
}

impl Clocked {
    pub fn host() -> Self {
        Self::keyed(1)
    }

    /// The kernel's, on one CPU: budgets and sketches are of each.
    pub fn kernel() -> Self {
        let mut cpu = nix::sched::CpuSet::new();
        let current = nix::sched::sched_getcpu().expect("a CPU");
        cpu.set(current).expect("a CPU");
        let this_thread = nix::unistd::Pid::from_raw(0);
        nix::sched::sched_setaffinity(this_thread, &cpu).expect("pinned");
        let engine = TestRunEngine::new("test", settings(1)).expect("a kernel");
        Self::new(Either::Kernel(Box::new(engine)))
    }

    /// The host's, with a hash key of its own.
    pub fn keyed(key: u64) -> Self {
        let engine = HostEngine::new("test", settings(key));
        Self::new(Either::Host(Box::new(engine)))
    }

    /// One that sends probes from this port: the kernel's, or the host's.
    pub fn with_probes(port: u16, in_the_kernel: bool) -> Self {
        let mut settings = settings(1);
        settings.probe_port = port.to_be();
        Self::new(if in_the_kernel {
            Either::Kernel(Box::new(
                TestRunEngine::new("test", settings).expect("a kernel"),
            ))
        } else {
            Either::Host(Box::new(HostEngine::new("test", settings)))
        })
    }

    /// The host's, with another time-out.
    pub fn with_timeout(timeout: Duration) -> Self {
        let mut settings = settings(1);
        sensor::engine::settings::set_timeout(&mut settings, timeout);
        let engine = HostEngine::new("test", settings);
        Self::new(Either::Host(Box::new(engine)))
    }

    fn new(engine: Either) -> Self {
        let mut clocked = Self {
            engine,
            now: Duration::from_secs(1_000_000),
            interval: Interval::of(u32::MAX),
        };
        clocked.wait(Duration::ZERO);
        clocked
    }

    /// Lets time pass, without a packet.
    pub fn wait(&mut self, time: Duration) {
        self.now += time;
        let interval = &mut self.interval;
        match &mut self.engine {
            Either::Host(engine) => engine.set_time_with(self.now, |engine, at| {
                interval.add(&engine.reading(at));
            }),
            Either::Kernel(engine) => engine.set_time_with(self.now, |engine, at| {
                interval.add(&engine.reading(at));
            }),
        }
    }

    /// The next packets were stamped earlier.
    pub fn turn_back(&mut self, time: Duration) {
        self.now -= time;
        self.wait(Duration::ZERO);
    }

    /// The same for a long time.
    pub fn wait_seconds(&mut self, seconds: u32) {
        self.wait(Duration::from_secs(seconds.into()));
    }

    pub fn count(&mut self, frame: &[u8]) {
        match &mut self.engine {
            Either::Host(engine) => engine.count(frame, Link::Ethernet),
            Either::Kernel(engine) => {
                assert_eq!(engine.count(frame).expect("a frame"), XDP_PASS);
            }
        }
    }

    /// The addresses of the host at which the frames come in.
    pub fn set_own_addresses(&mut self, own: &[IpAddr]) {
        let own = own.iter().copied().map(key).collect();
        match &mut self.engine {
            Either::Host(engine) => engine.set_own_addresses(own),
            Either::Kernel(engine) => engine.set_own_addresses(&own),
        }
    }

    pub fn samples(&mut self) -> Vec<sensor_common::sample::Sample> {
        match &mut self.engine {
            Either::Host(engine) => engine.samples().collect(),
            Either::Kernel(engine) => engine.samples().collect(),
        }
    }

    pub fn flush(&mut self) {
        match &mut self.engine {
            Either::Host(engine) => engine.flush(),
            Either::Kernel(engine) => engine.flush(),
        }
    }

    fn read(&mut self) -> u32 {
        let reading = match &mut self.engine {
            Either::Host(engine) => engine.reading(self.now),
            Either::Kernel(engine) => engine.reading(self.now),
        };
        self.interval.add(&reading);
        reading.window.cost.shift
    }

    /// One in 2^shift transactions is followed now.
    pub fn shift(&mut self) -> u32 {
        self.read()
    }

    /// What each server has counted since it is known.
    pub fn ledger(&mut self) -> &Ledger {
        self.read();
        match &self.engine {
            Either::Host(engine) => engine.ledger(),
            Either::Kernel(engine) => engine.ledger(),
        }
    }

    /// What happened since this was last asked.
    pub fn window(&mut self) -> Window {
        self.read();
        std::mem::replace(&mut self.interval, Interval::of(u32::MAX)).end()
    }

    /// The only server's part of it.
    pub fn server(&mut self) -> ServerWindow {
        let mut window = self.window();
        assert!(window.servers.len() < 2, "one server at most");
        let (_, server) = window.servers.pop_first().expect("a server");
        server
    }

    /// The only server's transactions since this was last asked.
    pub fn transactions(&mut self) -> TransactionCounters {
        self.server().counters.transactions
    }
}

fn settings(key: u64) -> Box<Settings> {
    let mut settings = for_ports(&[]).expect("port 53");
    settings.hash_key = key;
    settings
}

pub fn key(address: IpAddr) -> ServerKey {
    let mut bytes = [0; 16];
    let family = match address {
        IpAddr::V4(address) => {
            bytes[..4].copy_from_slice(&address.octets());
            4
        }
        IpAddr::V6(address) => {
            bytes = address.octets();
            6
        }
    };
    ServerKey {
        address: bytes,
        family,
        reserved: [0; 7],
    }
}
