//! Requests to rtnetlink that wait for their answer. Destructors cannot await, and a socket stays in the
//! network namespace in which it was opened, whichever thread uses it.

use std::io;

use netlink_packet_route::RouteNetlinkMessage;
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer, NetlinkMessage,
    NlasIterator,
};
use rtnetlink::sys::Socket;
use rtnetlink::sys::protocols::NETLINK_ROUTE;

/// Messages are aligned to this many bytes (netlink(7)).
const ALIGNMENT: usize = 4;
/// Bytes of the header of a message.
const HEADER: usize = 16;
/// Attribute of an acknowledgement: a sentence (linux/netlink.h).
const NLMSGERR_ATTR_MSG: u16 = 1;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
#[error("{system}{said}")]
pub struct NetlinkError {
    system: io::Error,
    /// In parentheses, where the kernel gives a reason.
    said: String,
}

impl NetlinkError {
    /// The kernel's error number.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        self.system.raw_os_error()
    }
}

impl From<io::Error> for NetlinkError {
    fn from(system: io::Error) -> Self {
        Self {
            system,
            said: String::new(),
        }
    }
}

/// A result of this module.
pub type Result<T> = std::result::Result<T, NetlinkError>;

/// A socket in the network namespace of the thread that opened it.
pub struct Netlink {
    socket: Socket,
}

impl Netlink {
    /// Opens it.
    ///
    /// # Errors
    /// From the system.
    pub fn open() -> Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        // Refusals come with a sentence, and without a copy of the request.
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        Ok(Self { socket })
    }

    /// Asks for something to be done, or for one object. Returns the payloads of the answers.
    ///
    /// # Errors
    /// The kernel's refusal, with its error number.
    pub fn request(&self, message: RouteNetlinkMessage, flags: u16) -> Result<Vec<Vec<u8>>> {
        self.exchange(message, NLM_F_REQUEST | NLM_F_ACK | flags)
    }

    /// Asks for all objects of a kind. Returns the payloads of the answers.
    ///
    /// # Errors
    /// The kernel's refusal, with its error number.
    pub fn dump(&self, message: RouteNetlinkMessage) -> Result<Vec<Vec<u8>>> {
        self.exchange(message, NLM_F_REQUEST | NLM_F_DUMP)
    }

    fn exchange(&self, message: RouteNetlinkMessage, flags: u16) -> Result<Vec<Vec<u8>>> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = flags;
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        let mut payloads = Vec::new();
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            if collect(&datagram, &mut payloads)? {
                return Ok(payloads);
            }
        }
    }
}

/// Adds the payloads of the messages of a datagram. Returns whether one of them ends the answer.
fn collect(datagram: &[u8], payloads: &mut Vec<Vec<u8>>) -> Result<bool> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, format!("{error}"));
    let mut rest = datagram;
    while !rest.is_empty() {
        let message = NetlinkBuffer::new_checked(rest).map_err(invalid)?;
        match message.message_type() {
            NLMSG_ERROR | NLMSG_DONE => return status(message.payload()).map(|()| true),
            _ => payloads.push(message.payload().to_vec()),
        }
        let length = (message.length() as usize).next_multiple_of(ALIGNMENT);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(false)
}

/// The negative error number with which an acknowledgement or the end of a dump begins; 0 for none. An
/// acknowledgement goes on with the header of the request and the kernel's sentence.
fn status(payload: &[u8]) -> Result<()> {
    let code = payload
        .first_chunk()
        .map_or(0, |code| i32::from_ne_bytes(*code));
    if code == 0 {
        return Ok(());
    }
    let attributes = payload.get(4 + HEADER..).unwrap_or_default();
    let mut attributes = NlasIterator::new(attributes).flatten();
    let said = attributes.find(|attribute| attribute.kind() == NLMSGERR_ATTR_MSG);
    let said = said.map(|said| String::from_utf8_lossy(said.value()).into_owned());
    Err(NetlinkError {
        system: io::Error::from_raw_os_error(-code),
        said: said.map_or_else(String::new, |said| {
            format!(" ({})", said.trim_end_matches('\0'))
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = (16 + payload.len() as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        bytes
    }

    #[test]
    fn messages_are_collected_until_the_end() {
        let mut payloads = Vec::new();
        let datagram = [message(44, &[1, 2, 3]), message(44, &[4])].concat();
        assert!(!collect(&datagram, &mut payloads).expect("two messages"));
        assert!(collect(&message(3, &[0; 4]), &mut payloads).expect("the end"));
        assert_eq!(payloads, [vec![1, 2, 3], vec![4]]);
    }

    #[test]
    fn a_refusal_has_its_error_number() {
        let refusal = message(2, &(-libc::ENOENT).to_ne_bytes());
        let error = collect(&refusal, &mut Vec::new()).expect_err("a refusal");
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        // With the header of the request, and an attribute of 4 + 8 bytes.
        let mut payload = (-libc::EINVAL).to_ne_bytes().to_vec();
        payload.extend([0; HEADER]);
        payload.extend([12, 0, 1, 0]);
        payload.extend(b"because\0");
        let error = collect(&message(2, &payload), &mut Vec::new()).expect_err("a refusal");
        assert!(error.to_string().ends_with(" (because)"), "{error}");
        let cut = collect(&refusal[..10], &mut Vec::new()).expect_err("cut short");
        assert_eq!(cut.raw_os_error(), None);
    }
}
