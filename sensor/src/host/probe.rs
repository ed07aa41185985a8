//! Asks a server itself, once over UDP and once over TCP.
//!
//! All probes are sent from one port, by which the packet program knows them and keeps them out of every count but one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinEncodable};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, getsockname, setsockopt, socket,
    sockopt,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;

/// Longest wait for each.
const LIMIT: Duration = Duration::from_secs(1);

/// Ports that are tried.
const TRIES: usize = 16;

/// The port of this host that probes are sent from. Nobody else gets it while this is kept.
#[derive(Debug)]
pub struct Source {
    port: u16,
    _held: Vec<OwnedFd>,
}

impl Source {
    /// Takes one that is free over UDP and TCP, IPv4 and IPv6.
    ///
    /// # Errors
    /// There is none, or no socket can be made.
    pub fn take() -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..TRIES {
            match Self::try_take() {
                Ok(source) => return Ok(source),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn try_take() -> io::Result<Self> {
        let first = bound(Ipv4Addr::UNSPECIFIED.into(), 0, SockType::Datagram)?;
        let name: SockaddrStorage = getsockname(first.as_raw_fd())?;
        let port = name
            .as_sockaddr_in()
            .map(nix::sys::socket::SockaddrIn::port)
            .ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mut held = vec![first];
        let v4 = Ipv4Addr::UNSPECIFIED.into();
        held.push(bound(v4, port, SockType::Stream)?);
        for kind in [SockType::Datagram, SockType::Stream] {
            match bound(Ipv6Addr::UNSPECIFIED.into(), port, kind) {
                Ok(socket) => held.push(socket),
                // A host without IPv6.
                Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { port, _held: held })
    }

    /// In host byte order.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// A socket that shares its port with others of this program.
fn bound(address: IpAddr, port: u16, kind: SockType) -> io::Result<OwnedFd> {
    let family = match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, kind, flags, None)?;
    if address.is_ipv6() {
        setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    }
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    let address = SocketAddr::new(address, port);
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(socket)
}

fn any(server: SocketAddr) -> IpAddr {
    match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// What the server said when it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// Over UDP.
    pub udp: Said,
    /// Over TCP.
    pub tcp: Said,
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It answered, with this rcode.
    Answer(String),
    /// It took the connection and did not answer.
    Connected(String),
    /// It refused the connection.
    Refused(String),
    /// Nothing came back, and why.
    Nothing(String),
}

impl Said {
    /// Whether it answered.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Answer(_))
    }

    /// Whether it took the connection and did not answer.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected(_))
    }

    /// Whether it refused.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// What the server says to a query for the root's name servers, over UDP and over TCP, sent from this port.
pub async fn ask(server: SocketAddr, port: u16) -> (Said, Said) {
    let id: u16 = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), server) as u16;
    let mut message = Message::new();
    message
        .set_id(id)
        .set_message_type(MessageType::Query)
        .set_op_code(OpCode::Query)
        // What it says is its own: a resolver whose upstreams are gone still answers this, if it works.
        .set_recursion_desired(false)
        .add_query(Query::query(Name::root(), RecordType::NS));
    let Ok(query) = message.to_bytes() else {
        let why = "the query cannot be written".to_string();
        return (Said::Nothing(why.clone()), Said::Nothing(why));
    };
    tokio::join!(
        said(id, over_udp(server, port, &query), Said::Nothing),
        over_tcp(id, server, port, &query)
    )
}

/// `nothing` says what it means where no answer comes.
async fn said(
    id: u16,
    answer: impl Future<Output = io::Result<Vec<u8>>>,
    nothing: fn(String) -> Said,
) -> Said {
    match timeout(LIMIT, answer).await {
        Err(_) => nothing(format!("no answer within {} s", LIMIT.as_secs())),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Said::Refused(error.to_string())
        }
        Ok(Err(error)) => nothing(error.to_string()),
        Ok(Ok(bytes)) => match Message::from_bytes(&bytes) {
            Ok(message) if message.id() == id => Said::Answer(message.response_code().to_string()),
            Ok(_) => Said::Nothing("an answer to another query".into()),
            Err(error) => Said::Nothing(format!("no DNS message: {error}")),
        },
    }
}

async fn over_udp(server: SocketAddr, port: u16, query: &[u8]) -> io::Result<Vec<u8>> {
    let socket = bound(any(server), port, SockType::Datagram)?;
    let socket = UdpSocket::from_std(socket.into())?;
    // So that only its answers, and ICMP errors about it, come back.
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut answer = vec![0; 4096];
    let length = socket.recv(&mut answer).await?;
    answer.truncate(length);
    Ok(answer)
}

async fn over_tcp(id: u16, server: SocketAddr, port: u16, query: &[u8]) -> Said {
    match timeout(LIMIT, connected(server, port)).await {
        Err(_) => Said::Nothing(format!("no connection within {} s", LIMIT.as_secs())),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Said::Refused(error.to_string())
        }
        Ok(Err(error)) => Said::Nothing(error.to_string()),
        // The kernel accepts for a program that hangs: that it was connected says nothing of the program.
        Ok(Ok(stream)) => said(id, exchange(stream, query), Said::Connected).await,
    }
}

async fn connected(server: SocketAddr, port: u16) -> io::Result<TcpStream> {
    let socket = match server {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    // Ended by a reset: the same two addresses and ports are used again in a minute.
    socket.set_zero_linger()?;
    socket.bind((any(server), port).into())?;
    socket.connect(server).await
}

async fn exchange(mut stream: TcpStream, query: &[u8]) -> io::Result<Vec<u8>> {
    // RFC 1035, 4.2.2: two bytes of length first.
    let mut framed = Vec::from((query.len() as u16).to_be_bytes());
    framed.extend(query);
    stream.write_all(&framed).await?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).await?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}
