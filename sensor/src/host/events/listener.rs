//! The socket over which the kernel tells.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send,
    socket,
};
use rtnetlink::packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};

use super::changes::Changes;
use super::event::Event;

/// Groups of multicast (`RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`, and those of IPv6).
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;
/// Messages come in pieces of at most so many bytes.
const PIECE: usize = 32 * 1024;
/// Events of one wait that are kept: of a routing daemon that removes all of its routes.
const EVENTS: usize = 64;

/// See the module.
pub struct Listener {
    socket: OwnedFd,
    changes: Changes,
    piece: Vec<u8>,
    /// Events that were not kept, and messages that the kernel had no room for.
    missed: u64,
}

impl Listener {
    /// Of the links with these names, and all addresses and routes.
    ///
    /// # Errors
    /// From the system.
    pub fn open(watched: &[String]) -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkRoute,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        // How links are now: what they were is the other half of a change.
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let all = RouteNetlinkMessage::GetLink(netlink_packet_route::link::LinkMessage::default());
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(all));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        send(socket.as_raw_fd(), &bytes, MsgFlags::empty())?;
        Ok(Self {
            socket,
            changes: Changes::new(watched),
            piece: vec![0; PIECE],
            missed: 0,
        })
    }

    /// Waits for so long; what happened meanwhile, and when.
    pub fn wait(&mut self, time: Duration) -> Vec<(Instant, Event)> {
        let until = Instant::now() + time;
        let mut events = Vec::new();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return events;
            }
            let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
            let mut polled = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            match poll(&mut polled, timeout) {
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => self.read(&mut events),
                // Nothing is known of events then, and time still passes.
                Err(_) => std::thread::sleep(left),
            }
        }
    }

    /// Events that are not known, since this was last asked.
    pub fn take_missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed)
    }

    fn read(&mut self, events: &mut Vec<(Instant, Event)>) {
        loop {
            let length = match recv(self.socket.as_raw_fd(), &mut self.piece, MsgFlags::empty()) {
                Ok(length) => length,
                Err(Errno::ENOBUFS) => {
                    self.missed += 1;
                    continue;
                }
                Err(_) => return,
            };
            let now = Instant::now();
            let mut rest = self.piece.get(..length).unwrap_or_default();
            while let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest) {
                if let NetlinkPayload::InnerMessage(inner) = &message.payload
                    && let Some(event) = self.changes.take(inner)
                {
                    if events.len() < EVENTS {
                        events.push((now, event));
                    } else {
                        self.missed += 1;
                    }
                }
                let used = (message.header.length as usize).next_multiple_of(4);
                match rest.get(used..) {
                    Some(next) if used != 0 && !next.is_empty() => rest = next,
                    _ => break,
                }
            }
        }
    }
}
