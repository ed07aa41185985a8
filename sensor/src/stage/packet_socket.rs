//! Whole frames on a device of the private network (packet(7)).

use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrLike, bind, recv,
    send, setsockopt, socket, sockopt,
};

use super::StageError;
use super::namespace::Namespace;

/// Bytes of frames that wait to be received: those of seconds, on a busy machine.
const BUFFER: usize = 16 << 20;

/// Sends and receives frames of one device, with their Ethernet headers.
pub struct PacketSocket {
    socket: OwnedFd,
}

impl PacketSocket {
    /// Opens it on a device of a namespace. It does not block.
    ///
    /// # Errors
    /// There is no such device.
    pub fn open(namespace: &Namespace, device: &str) -> Result<Self, StageError> {
        let index = namespace.index(device)?;
        namespace.enter(|| {
            let failed = || StageError::system(format!("open a packet socket on {device}"));
            let socket = socket(
                AddressFamily::Packet,
                SockType::Raw,
                SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
                SockProtocol::EthAll,
            )
            .map_err(failed())?;
            setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).map_err(failed())?;
            bind(socket.as_raw_fd(), &link_address(index)).map_err(failed())?;
            Ok(Self { socket })
        })?
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// The device does not take it.
    pub fn send(&self, frame: &[u8]) -> Result<(), StageError> {
        send(self.socket.as_raw_fd(), frame, MsgFlags::empty())
            .map(drop)
            .map_err(StageError::system("send a frame"))
    }

    /// The next frame that has crossed the device, either way; `None` if there is none.
    #[must_use]
    pub fn receive(&self) -> Option<Vec<u8>> {
        let mut frame = vec![0; 65_536];
        let length = recv(self.socket.as_raw_fd(), &mut frame, MsgFlags::empty()).ok()?;
        frame.truncate(length);
        Some(frame)
    }

    /// Frames that found the buffer full, since the last time that this was asked (`PACKET_STATISTICS`).
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn lost(&self) -> Result<u32, StageError> {
        let mut told = libc::tpacket_stats {
            tp_packets: 0,
            tp_drops: 0,
        };
        let mut length = size_of_val(&told) as libc::socklen_t;
        // SAFETY: a record of the option's type, and its length.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut told).cast(),
                &raw mut length,
            )
        };
        nix::errno::Errno::result(result)
            .map_err(StageError::system("ask a packet socket what it lost"))?;
        Ok(told.tp_drops)
    }
}

/// The address of a device for `bind`.
fn link_address(index: u32) -> LinkAddr {
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
        sll_ifindex: index as i32,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: a whole, initialised address of the family that LinkAddr is for.
    let address = unsafe {
        LinkAddr::from_raw(
            (&raw const address).cast(),
            Some(size_of::<libc::sockaddr_ll>() as libc::socklen_t),
        )
    };
    address.unwrap_or_else(|| unreachable!("the family is AF_PACKET"))
}
