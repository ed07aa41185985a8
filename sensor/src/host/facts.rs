//! What this host says of its DNS service: sockets, and what the kernel dropped (proc(5), `/proc/net`).
//!
//! Of the network namespace of the thread that asks. What cannot be read is left out: everything works
//! without it.

use std::fs::File;
use std::io::{BufReader, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use procfs::net::{InterfaceDeviceStatus, Snmp, Snmp6, TcpNetEntries, TcpState, UdpNetEntries};
use procfs::{FromBufRead, FromBufReadSI, SystemInfoInterface};
use serde::{Deserialize, Serialize};

/// What the server's own host says, where the sensor runs on it. Counts are from the first reading in the
/// incident on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// A socket was bound to the server's address, or to all, and the DNS port (UDP) whenever it was looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp_bound: Option<bool>,
    /// The same for TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_bound: Option<bool>,
    /// Datagrams to a port without a socket, since the first reading.
    pub no_ports: u64,
    /// Datagrams that programs of this host read from UDP sockets, of any port, since the first reading.
    #[serde(default)]
    pub read: u64,
    /// Bytes that waited in those sockets to be read whenever it was looked: the least.
    #[serde(default)]
    pub queued: u64,
    /// Datagrams that those UDP sockets had no room for, since the first reading.
    pub socket_drops: u64,
    /// The same of all UDP sockets of the host.
    pub rcvbuf_errors: u64,
    /// Packets that the kernel dropped before the protocols, since the first reading.
    pub softnet_drops: u64,
    /// Packets that the interfaces dropped, since the first reading.
    pub interface_drops: u64,
    /// Seconds from the first reading to the last.
    pub seconds: u64,
}

/// Counters that only grow.
#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    no_ports: u64,
    read: u64,
    rcvbuf_errors: u64,
    softnet_drops: u64,
    interface_drops: u64,
}

/// A socket on a DNS port that anybody may send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Socket {
    address: IpAddr,
    /// Datagrams for which it had no room, since it was opened.
    drops: u64,
    /// Bytes that wait to be read.
    queued: u64,
}

impl Socket {
    /// Whether it takes what is sent to an address: it is its own, or it takes all. Whether one of `::` is
    /// for IPv6 only is not told.
    fn takes(&self, server: IpAddr) -> bool {
        let own = self.address.to_canonical();
        own == server || (own.is_unspecified() && (own.is_ipv6() || server.is_ipv4()))
    }
}

/// What the host said at one moment.
#[derive(Clone, Debug)]
pub struct HostReading {
    at: Instant,
    counters: Counters,
    /// None where that cannot be read.
    udp: Option<Vec<Socket>>,
    tcp: Option<Vec<Socket>>,
}

impl HostReading {
    /// What the host says of its server on an address, with counts from `first` on.
    #[must_use]
    pub fn about(&self, server: IpAddr, first: &Self) -> HostFacts {
        let of = |sockets: &Option<Vec<Socket>>| -> Option<Vec<Socket>> {
            let sockets = sockets.as_ref()?.iter();
            Some(
                sockets
                    .filter(|socket| socket.takes(server))
                    .copied()
                    .collect(),
            )
        };
        let sum = |sockets: &Option<Vec<Socket>>, count: fn(&Socket) -> u64| -> u64 {
            of(sockets).iter().flatten().map(count).sum()
        };
        let drops = |sockets| sum(sockets, |socket| socket.drops);
        let (now, then) = (self.counters, first.counters);
        HostFacts {
            udp_bound: of(&self.udp).map(|sockets| !sockets.is_empty()),
            tcp_bound: of(&self.tcp).map(|sockets| !sockets.is_empty()),
            no_ports: now.no_ports.saturating_sub(then.no_ports),
            read: now.read.saturating_sub(then.read),
            queued: sum(&self.udp, |socket| socket.queued),
            // A socket that was opened since begins at 0.
            socket_drops: drops(&self.udp).saturating_sub(drops(&first.udp)),
            rcvbuf_errors: now.rcvbuf_errors.saturating_sub(then.rcvbuf_errors),
            softnet_drops: now.softnet_drops.saturating_sub(then.softnet_drops),
            interface_drops: now.interface_drops.saturating_sub(then.interface_drops),
            seconds: self.at.saturating_duration_since(first.at).as_secs(),
        }
    }
}

/// Reads the host.
pub struct HostReader {
    ports: Vec<u16>,
}

impl HostReader {
    /// Of these DNS ports.
    #[must_use]
    pub fn new(ports: &[u16]) -> Self {
        Self {
            ports: ports.to_vec(),
        }
    }

    /// What the host says now.
    #[must_use]
    pub fn read(&self) -> HostReading {
        HostReading {
            at: Instant::now(),
            counters: counters(),
            udp: both("udp", "udp6", |text| self.udp(text)),
            tcp: both("tcp", "tcp6", |text| self.tcp(text)),
        }
    }

    fn is_dns(&self, local: SocketAddr, remote: SocketAddr) -> bool {
        self.ports.contains(&local.port()) && remote.port() == 0
    }

    fn udp(&self, text: &str) -> Option<Vec<Socket>> {
        let table: UdpNetEntries = sockets(text)?;
        // The last column, which the library leaves out; it reads a line for each socket.
        let drops = text
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().next_back());
        let drops = drops.map(|column| column.and_then(|drops| drops.parse().ok()).unwrap_or(0));
        let all = table.0.into_iter().zip(drops);
        Some(
            all.filter(|(socket, _)| self.is_dns(socket.local_address, socket.remote_address))
                .map(|(socket, drops)| Socket {
                    address: socket.local_address.ip(),
                    drops,
                    queued: socket.rx_queue.into(),
                })
                .collect(),
        )
    }

    fn tcp(&self, text: &str) -> Option<Vec<Socket>> {
        let table: TcpNetEntries = sockets(text)?;
        let all = table.0.into_iter();
        Some(
            all.filter(|socket| {
                socket.state == TcpState::Listen
                    && self.is_dns(socket.local_address, socket.remote_address)
            })
            .map(|socket| Socket {
                address: socket.local_address.ip(),
                drops: 0,
                queued: 0,
            })
            .collect(),
        )
    }
}

/// Of the tables of both families, or of the one that there is.
fn both(v4: &str, v6: &str, read: impl Fn(&str) -> Option<Vec<Socket>>) -> Option<Vec<Socket>> {
    let tables: Vec<Vec<Socket>> = [v4, v6]
        .into_iter()
        .filter_map(|name| {
            let mut text = String::new();
            open(name)?.read_to_string(&mut text).ok()?;
            read(&text)
        })
        .collect();
    (!tables.is_empty()).then(|| tables.concat())
}

fn open(name: &str) -> Option<BufReader<File>> {
    // Not "self": namespaces belong to threads.
    let path = format!("/proc/thread-self/net/{name}");
    File::open(path).ok().map(BufReader::new)
}

fn sockets<T: FromBufReadSI>(text: &str) -> Option<T> {
    let system: &dyn SystemInfoInterface = procfs::current_system_info();
    T::from_buf_read(text.as_bytes(), system).ok()
}

fn counters() -> Counters {
    let mut counters = Counters::default();
    if let Some(snmp) = open("snmp").and_then(|file| Snmp::from_buf_read(file).ok()) {
        counters.no_ports += snmp.udp_no_ports;
        counters.read += snmp.udp_in_datagrams;
        counters.rcvbuf_errors += snmp.udp_rcvbuf_errors;
    }
    if let Some(snmp) = open("snmp6").and_then(|file| Snmp6::from_buf_read(file).ok()) {
        counters.no_ports += snmp.udp_no_ports;
        counters.read += snmp.udp_in_datagrams;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_socket_takes_what_is_for_its_address_or_for_all() {
        for (bound, server, takes) in [
            ("127.0.0.53", "192.0.2.53", false),
            ("192.0.2.53", "192.0.2.53", true),
            ("0.0.0.0", "192.0.2.53", true),
            ("0.0.0.0", "2001:db8::53", false),
            ("::", "192.0.2.53", true),
            ("::", "2001:db8::53", true),
            ("::ffff:192.0.2.53", "192.0.2.53", true),
        ] {
            let socket = Socket {
                address: ip(bound),
                drops: 0,
                queued: 0,
            };
            assert_eq!(socket.takes(ip(server)), takes, "{bound} for {server}");
        }
    }

    #[test]
    fn sockets_are_those_of_the_kernel_with_their_drops() {
        let socket = std::net::UdpSocket::bind("127.0.0.9:0").expect("a socket");
        let port = socket.local_addr().expect("bound").port();
        let reader = HostReader::new(&[port]);
        let before = reader.read();
        let facts = |reading: &HostReading, server: &str| reading.about(ip(server), &before);
        assert_eq!(facts(&before, "127.0.0.9").udp_bound, Some(true));
        assert_eq!(facts(&before, "127.0.0.10").udp_bound, Some(false));
        assert_eq!(facts(&before, "127.0.0.9").tcp_bound, Some(false));
        // More than a buffer holds, which nobody reads.
        let client = std::net::UdpSocket::bind("127.0.0.9:0").expect("a socket");
        for _ in 0..2_000 {
            let _ = client.send_to(&[0; 1_000], ("127.0.0.9", port));
        }
        let after = facts(&reader.read(), "127.0.0.9");
        assert!(after.socket_drops > 100, "{after:?}");
        assert!(after.rcvbuf_errors >= after.socket_drops, "{after:?}");
        assert!(after.queued > 1_000, "{after:?}");
        let mut buffer = [0; 1_000];
        for _ in 0..20 {
            socket.recv(&mut buffer).expect("what was sent");
        }
        let read = facts(&reader.read(), "127.0.0.9");
        assert!(read.queued < after.queued, "{read:?}");
        assert!(read.read >= after.read + 20, "{read:?}");
        let v6 = std::net::UdpSocket::bind("[::1]:0").expect("a socket");
        let of_v6 = HostReader::new(&[v6.local_addr().expect("bound").port()]).read();
        assert_eq!(of_v6.about(ip("::1"), &of_v6).udp_bound, Some(true));
        drop(socket);
        assert_eq!(facts(&reader.read(), "127.0.0.9").udp_bound, Some(false));
    }
}
