//! A small DNS server for the private network: real sockets, one address for every name.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use tokio::task::JoinHandle;

use super::StageError;
use super::namespace::Namespace;

/// DNS header.
const HEADER: usize = 12;
/// Longest query over UDP without EDNS (RFC 1035, 2.3.4).
const LONGEST: usize = 512;
/// QR, RD and RA.
const RESPONSE_FLAGS: u16 = 0x8180;

/// A DNS server that runs until it is dropped. Then its socket is closed, and the kernel answers in
/// its stead with ICMP "port unreachable".
pub struct Responder {
    task: JoinHandle<()>,
    address: SocketAddr,
}

impl Responder {
    /// Binds in a namespace and answers from then on, with NOERROR and one address record.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn start(namespace: &Namespace, address: SocketAddr) -> Result<Self, StageError> {
        let bound = namespace.enter(|| {
            let socket = UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })?;
        let bind = format!("bind {address}");
        let socket = bound
            .and_then(|socket| {
                let address = socket.local_addr()?;
                Ok((tokio::net::UdpSocket::from_std(socket)?, address))
            })
            .map_err(StageError::system::<io::Error>(bind))?;
        let (socket, address) = socket;
        Ok(Self {
            task: tokio::spawn(serve(socket)),
            address,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops and waits until the socket is closed.
    pub async fn stop(mut self) {
        self.task.abort();
        // Ends with "cancelled", as it should.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: tokio::net::UdpSocket) {
    let mut buffer = [0; LONGEST];
    loop {
        // An error here is about an earlier answer (ICMP); the next query may well arrive.
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        if let Some(answer) = answer(&buffer[..length]) {
            let _ = socket.send_to(&answer, client).await;
        }
    }
}

/// The query's own question, and 192.0.2.80 as its answer; `None` for what is no query.
#[must_use]
pub fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let header = query.first_chunk::<HEADER>()?;
    if header[2] & 0x80 != 0 || header[4..6] != [0, 1] {
        return None;
    }
    let mut end = HEADER;
    loop {
        let label = usize::from(*query.get(end)?);
        end += 1 + label;
        if label == 0 {
            break;
        }
    }
    let question = query.get(HEADER..end + 4)?;
    let mut answer = Vec::with_capacity(end + 20);
    answer.extend(&header[..2]);
    answer.extend(RESPONSE_FLAGS.to_be_bytes());
    // One question, one answer.
    answer.extend([0, 1, 0, 1, 0, 0, 0, 0]);
    answer.extend(question);
    // A pointer to the name, type A, class IN, 60 s, four bytes.
    answer.extend([0xc0, HEADER as u8, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
    answer.extend([192, 0, 2, 80]);
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::client::query;
    use hickory_proto::op::{Message, MessageType, ResponseCode};
    use hickory_proto::serialize::binary::BinDecodable;

    #[test]
    fn the_answer_is_a_real_dns_message() {
        let answer = answer(&query(7, "www.example.org")).expect("a query");
        let message = Message::from_bytes(&answer).expect("hickory reads it");
        assert_eq!(message.id(), 7);
        assert_eq!(message.message_type(), MessageType::Response);
        assert_eq!(message.response_code(), ResponseCode::NoError);
        assert_eq!(message.answers().len(), 1);
        assert_eq!(message.queries()[0].name().to_utf8(), "www.example.org.");
    }

    #[test]
    fn what_is_no_query_gets_no_answer() {
        assert_eq!(answer(&[0; 11]), None);
        let own = answer(&query(7, "a.b")).expect("a query");
        assert_eq!(answer(&own), None);
    }
}
