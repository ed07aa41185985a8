//! What this host says of its DNS service: sockets, and what the kernel dropped (proc(5), `/proc/net`).
//!
//! Of the network namespace of the thread that asks. What cannot be read is left out: everything works
//! without it.

use std::fs::File;
use std::io::BufReader;
use std::time::{Duration, Instant};

use procfs::net::{InterfaceDeviceStatus, Snmp, Snmp6, TcpNetEntries, TcpState, UdpNetEntries};
use procfs::{FromBufRead, FromBufReadSI, SystemInfoInterface};

use crate::incident::record::HostFacts;

/// Counters that only grow.
#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    no_ports: u64,
    rcvbuf_errors: u64,
    softnet_drops: u64,
    interface_drops: u64,
}

/// Reads the host, and remembers where its counters began.
pub struct HostReader {
    ports: Vec<u16>,
    first: Counters,
    begun: Instant,
}

impl HostReader {
    /// Counters begin now.
    #[must_use]
    pub fn new(ports: &[u16]) -> Self {
        Self {
            ports: ports.to_vec(),
            first: counters(),
            begun: Instant::now(),
        }
    }

    /// What the host says now.
    #[must_use]
    pub fn read(&self) -> HostFacts {
        let now = counters();
        let first = self.first;
        HostFacts {
            udp_bound: self.udp_bound(),
            tcp_bound: self.tcp_bound(),
            no_ports: now.no_ports.saturating_sub(first.no_ports),
            rcvbuf_errors: now.rcvbuf_errors.saturating_sub(first.rcvbuf_errors),
            softnet_drops: now.softnet_drops.saturating_sub(first.softnet_drops),
            interface_drops: now.interface_drops.saturating_sub(first.interface_drops),
            seconds: self.begun.elapsed().as_secs(),
        }
    }

    fn udp_bound(&self) -> Option<bool> {
        let tables: Vec<UdpNetEntries> = ["udp", "udp6"].into_iter().filter_map(sockets).collect();
        let mut all = tables.iter().flat_map(|table| &table.0);
        (!tables.is_empty())
            .then(|| all.any(|socket| self.ports.contains(&socket.local_address.port())))
    }

    fn tcp_bound(&self) -> Option<bool> {
        let tables: Vec<TcpNetEntries> = ["tcp", "tcp6"].into_iter().filter_map(sockets).collect();
        let mut all = tables.iter().flat_map(|table| &table.0);
        (!tables.is_empty()).then(|| {
            all.any(|socket| {
                socket.state == TcpState::Listen
                    && self.ports.contains(&socket.local_address.port())
            })
        })
    }
}

fn open(name: &str) -> Option<BufReader<File>> {
    // Not "self": namespaces belong to threads.
    let path = format!("/proc/thread-self/net/{name}");
    File::open(path).ok().map(BufReader::new)
}

fn sockets<T: FromBufReadSI>(name: &str) -> Option<T> {
    let system: &dyn SystemInfoInterface = procfs::current_system_info();
    T::from_buf_read(open(name)?, system).ok()
}

fn counters() -> Counters {
    let mut counters = Counters::default();
    if let Some(snmp) = open("snmp").and_then(|file| Snmp::from_buf_read(file).ok()) {
        counters.no_ports += snmp.udp_no_ports;
        counters.rcvbuf_errors += snmp.udp_rcvbuf_errors;
    }
    if let Some(snmp) = open("snmp6").and_then(|file| Snmp6::from_buf_read(file).ok()) {
        counters.no_ports += snmp.udp_no_ports;
        counters.rcvbuf_errors += snmp.udp_rcvbuf_errors;
    }
    if let Some(devices) = open("dev").and_then(|f| InterfaceDeviceStatus::from_buf_read(f).ok()) {
        counters.interface_drops = devices.0.values().map(|device| device.recv_drop).sum();
    }
    counters.softnet_drops = softnet_drops().unwrap_or(0);
    counters
}

/// The second column of each CPU's line, in hexadecimal.
fn softnet_drops() -> Option<u64> {
    let text = std::io::read_to_string(open("softnet_stat")?).ok()?;
    let column = |line: &str| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok();
    Some(text.lines().filter_map(column).sum())
}

/// Time between two readings.
pub const EVERY: Duration = Duration::from_secs(1);
