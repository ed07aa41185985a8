//! Sockets on the DNS ports of this host, from the kernel (`sock_diag(7)`): it is asked for these ports alone, so a host
//! with many sockets costs no more.
//!
//! Of the network namespace of the calling thread.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;

use bytemuck::{Pod, Zeroable};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

/// A socket that anybody may send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// To which it is bound.
    pub address: IpAddr,
    /// Bytes that wait to be read.
    pub queued: u64,
    /// Datagrams for which it had no room, since it was opened.
    pub drops: u64,
}

impl Socket {
    /// Whether it takes what is sent to an address: it is its own, or it takes all. Whether one of `::` is
    /// for IPv6 only is not said.
    fn takes(&self, server: IpAddr) -> bool {
        let own = self.address.to_canonical();
        own == server || (own.is_unspecified() && (own.is_ipv6() || server.is_ipv4()))
    }
}

/// Those on the DNS ports; none where the kernel does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sockets {
    /// UDP.
    pub udp: Option<Vec<Socket>>,
    /// TCP, listening.
    pub tcp: Option<Vec<Socket>>,
}

/// What they say of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// One is bound to its address, or to all (UDP).
    pub udp_bound: Option<bool>,
    /// The same for TCP.
    pub tcp_bound: Option<bool>,
    /// Bytes that wait in those UDP sockets.
    pub queued: u64,
    /// Datagrams for which they had no room.
    pub drops: u64,
}

impl Sockets {
    /// As they are now, on these ports.
    #[must_use]
    pub fn read(ports: &[u16]) -> Self {
        let of = |protocol: u8, state: u32| -> io::Result<Vec<Socket>> {
            let mut all = Vec::new();
            for port in ports {
                for family in FAMILIES {
                    all.extend(ask(family, protocol, state, *port)?);
                }
            }
            Ok(all)
        };
        Self {
            udp: of(UDP, UNCONNECTED).ok(),
            tcp: of(TCP, LISTEN).ok(),
        }
    }

    /// What they say of a server.
    #[must_use]
    pub fn about(&self, server: IpAddr) -> About {
        let of = |sockets: &Option<Vec<Socket>>| -> Option<Vec<Socket>> {
            let sockets = sockets.as_ref()?.iter();
            Some(
                sockets
                    .filter(|socket| socket.takes(server))
                    .copied()
                    .collect(),
            )
        };
        let (udp, tcp) = (of(&self.udp), of(&self.tcp));
        let sum = |count: fn(&Socket) -> u64| udp.iter().flatten().map(count).sum();
        About {
            udp_bound: udp.as_ref().map(|sockets| !sockets.is_empty()),
            tcp_bound: tcp.map(|sockets| !sockets.is_empty()),
            queued: sum(|socket| socket.queued),
            drops: sum(|socket| socket.drops),
        }
    }
}

/// As the request has them, in one byte each.
const FAMILIES: [u8; 2] = [libc::AF_INET as u8, libc::AF_INET6 as u8];
const UDP: u8 = libc::IPPROTO_UDP as u8;
const TCP: u8 = libc::IPPROTO_TCP as u8;
/// States of `net/tcp_states.h`, as bits; UDP sockets have them too.
const UNCONNECTED: u32 = 1 << 7;
const LISTEN: u32 = 1 << 10;
/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `INET_DIAG_SKMEMINFO`, an attribute of 32-bit words; the last of those that all kernels have counts drops.
const MEMORY: u16 = 7;
const DROPS: usize = 8;
/// Answers are pieces of at most so many bytes.
const PIECE: usize = 32 * 1024;

/// `struct nlmsghdr`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Header {
    length: u32,
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
}

/// `struct inet_diag_sockid`; ports and addresses in network byte order.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Id {
    source_port: u16,
    destination_port: u16,
    source: [u8; 16],
    destination: [u8; 16],
    interface: u32,
    cookie: [u32; 2],
}

/// `struct inet_diag_req_v2`, behind its header.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Request {
    header: Header,
    family: u8,
    protocol: u8,
    extensions: u8,
    pad: u8,
    states: u32,
    id: Id,
}

/// `struct inet_diag_msg`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Answer {
    family: u8,
    state: u8,
    timer: u8,
    retransmits: u8,
    id: Id,
    expires: u32,
    receive_queue: u32,
    send_queue: u32,
    user: u32,
    inode: u32,
}

fn ask(family: u8, protocol: u8, states: u32, port: u16) -> io::Result<Vec<Socket>> {
    let channel = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )?;
    // The kernel answers at once, or not at all.
    setsockopt(&channel, sockopt::ReceiveTimeout, &TimeVal::seconds(1))?;
    let mut request = Request::zeroed();
    request.header = Header {
        length: size_of::<Request>() as u32,
        kind: BY_FAMILY,
        flags: (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16,
        sequence: 1,
        port: 0,
    };
    (request.family, request.protocol, request.states) = (family, protocol, states);
    request.extensions = 1 << (MEMORY - 1);
    request.id.source_port = port.to_be();
    send(
        channel.as_raw_fd(),
        bytemuck::bytes_of(&request),
        MsgFlags::empty(),
    )?;
    let mut found = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        let length = recv(channel.as_raw_fd(), &mut piece, MsgFlags::empty())?;
        if length == 0 || take(&piece[..length], port, &mut found)? {
            return Ok(found);
        }
    }
}

/// Takes the sockets of a piece; whether it is the last.
fn take(mut piece: &[u8], port: u16, found: &mut Vec<Socket>) -> io::Result<bool> {
    while let Some(header) = piece.get(..size_of::<Header>()) {
        let header: Header = bytemuck::pod_read_unaligned(header);
        let length = header.length as usize;
        let Some(message) = piece.get(size_of::<Header>()..length) else {
            break;
        };
        match i32::from(header.kind) {
            libc::NLMSG_DONE => return Ok(true),
            libc::NLMSG_ERROR => {
                let number = message.get(..4).and_then(|bytes| bytes.try_into().ok());
                let number = number.map_or(0, i32::from_ne_bytes);
                return Err(io::Error::from_raw_os_error(-number));
            }
            _ => found.extend(one(message, port)),
        }
        piece = piece.get(aligned(length)..).unwrap_or_default();
    }
    Ok(false)
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn one(message: &[u8], port: u16) -> Option<Socket> {
    let answer: Answer = bytemuck::pod_read_unaligned(message.get(..size_of::<Answer>())?);
    if u16::from_be(answer.id.source_port) != port {
        return None;
    }
    let address: IpAddr = if i32::from(answer.family) == libc::AF_INET {
        let [a, b, c, d, ..] = answer.id.source;
        Ipv4Addr::new(a, b, c, d).into()
    } else {
        Ipv6Addr::from(answer.id.source).into()
    };
    let mut attributes = &message[size_of::<Answer>()..];
    let mut drops = 0;
    while let [a, b, c, d, ..] = *attributes {
        let (length, kind) = (u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d]));
        let value = attributes.get(4..usize::from(length))?;
        if kind == MEMORY
            && let Some(word) = value.get(4 * DROPS..4 * DROPS + 4)
        {
            drops = u32::from_ne_bytes(word.try_into().ok()?);
        }
        attributes = attributes.get(aligned(length.into())..).unwrap_or_default();
    }
    Some(Socket {
        address,
        queued: answer.receive_queue.into(),
        drops: drops.into(),
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

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
        let socket = UdpSocket::bind("127.0.0.9:0").expect("a socket");
        let port = socket.local_addr().expect("bound").port();
        let about = |server: &str| Sockets::read(&[port]).about(ip(server));
        let bound = about("127.0.0.9");
        assert_eq!(
            (bound.udp_bound, bound.tcp_bound),
            (Some(true), Some(false))
        );
        assert_eq!(about("127.0.0.10").udp_bound, Some(false));
        // More than a buffer holds, which nobody reads.
        let client = UdpSocket::bind("127.0.0.9:0").expect("a socket");
        for _ in 0..2_000 {
            let _ = client.send_to(&[0; 1_000], ("127.0.0.9", port));
        }
        let after = about("127.0.0.9");
        assert!(after.drops > 100, "{after:?}");
        assert!(after.queued > 1_000, "{after:?}");
        let mut buffer = [0; 1_000];
        for _ in 0..20 {
            socket.recv(&mut buffer).expect("what was sent");
        }
        assert!(about("127.0.0.9").queued < after.queued);
        drop(socket);
        assert_eq!(about("127.0.0.9").udp_bound, Some(false));
    }

    #[test]
    fn listening_sockets_of_both_families_are_found_by_their_port() {
        let v6 = TcpListener::bind("[::1]:0").expect("a socket");
        let port = v6.local_addr().expect("bound").port();
        assert_eq!(
            Sockets::read(&[port]).about(ip("::1")).tcp_bound,
            Some(true)
        );
        let other = Sockets::read(&[port ^ 1]).about(ip("::1"));
        assert_eq!(other.tcp_bound, Some(false));
    }

    #[test]
    fn a_piece_that_is_cut_off_is_no_panic() {
        let mut piece = bytemuck::bytes_of(&Header {
            length: (size_of::<Header>() + size_of::<Answer>() + 8) as u32,
            kind: BY_FAMILY,
            flags: 0,
            sequence: 1,
            port: 0,
        })
        .to_vec();
        piece.extend(bytemuck::bytes_of(&Answer::zeroed()));
        piece.extend([40, 0, 7, 0, 0, 0, 0, 0]);
        for length in 0..piece.len() {
            let mut found = Vec::new();
            assert!(!take(&piece[..length], 0, &mut found).expect("no error"));
            assert!(found.is_empty());
        }
    }
}
