//! DNS clients of the private network.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use super::StageError;
use super::namespace::Namespace;

/// A client with a socket of its own.
pub struct Client {
    socket: UdpSocket,
    server: SocketAddr,
    sent: u16,
}

impl Client {
    /// Binds a socket in a namespace.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn new(
        namespace: &Namespace,
        address: IpAddr,
        server: SocketAddr,
    ) -> Result<Self, StageError> {
        let socket: io::Result<UdpSocket> = namespace.enter(|| {
            let socket = UdpSocket::bind((address, 0))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })?;
        Ok(Self {
            socket: socket.map_err(StageError::system(format!("bind {address}")))?,
            server,
            sent: 0,
        })
    }

    /// Sends one query for type A and reads what has arrived meanwhile.
    pub fn ask(&mut self, name: &str) {
        let mut buffer = [0; 512];
        // Errors here are what the demo is about: ICMP that came back.
        while self.socket.recv(&mut buffer).is_ok() {}
        self.sent = self.sent.wrapping_add(1);
        let _ = self.socket.send_to(&query(self.sent, name), self.server);
    }
}

/// A query for type A, class IN, with recursion desired.
#[must_use]
pub fn query(id: u16, name: &str) -> Vec<u8> {
    let mut query = Vec::from(id.to_be_bytes());
    query.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        // RFC 1035, 2.3.4: at most 63 bytes.
        let label = &label.as_bytes()[..label.len().min(63)];
        query.push(label.len() as u8);
        query.extend(label);
    }
    query.extend([0, 0, 1, 0, 1]);
    query
}
