//! Asks a server itself, once over UDP and once over TCP.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinEncodable};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Longest wait for each.
const LIMIT: Duration = Duration::from_secs(1);

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

/// What the server says to a query for the root's name servers, over UDP and over TCP.
pub async fn ask(server: SocketAddr) -> (Said, Said) {
    let id: u16 = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), server) as u16;
    let mut message = Message::new();
    message
        .set_id(id)
        .set_message_type(MessageType::Query)
        .set_op_code(OpCode::Query)
        .set_recursion_desired(true)
        .add_query(Query::query(Name::root(), RecordType::NS));
    let Ok(query) = message.to_bytes() else {
        let why = "the query cannot be written".to_string();
        return (Said::Nothing(why.clone()), Said::Nothing(why));
    };
    tokio::join!(
        said(id, over_udp(server, &query), Said::Nothing),
        over_tcp(id, server, &query)
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

async fn over_udp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    // So that only its answers, and ICMP errors about it, come back.
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut answer = vec![0; 4096];
    let length = socket.recv(&mut answer).await?;
    answer.truncate(length);
    Ok(answer)
}

async fn over_tcp(id: u16, server: SocketAddr, query: &[u8]) -> Said {
    match timeout(LIMIT, TcpStream::connect(server)).await {
        Err(_) => Said::Nothing(format!("no connection within {} s", LIMIT.as_secs())),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Said::Refused(error.to_string())
        }
        Ok(Err(error)) => Said::Nothing(error.to_string()),
        // The kernel accepts for a program that hangs: that it was connected says nothing of the program.
        Ok(Ok(stream)) => said(id, exchange(stream, query), Said::Connected).await,
    }
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
