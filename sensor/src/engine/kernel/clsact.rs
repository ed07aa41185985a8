//! TC programs on kernels without TCX: as filters of the clsact queueing discipline.
//!
//! Such a filter belongs to nobody: it outlives the process that added it, and whoever may configure the
//! network can replace it. So each filter's name says whose it is, and a socket with that name in it says
//! whether its process runs. That socket is in the network namespace of the interface, and the kernel
//! closes it with the process, however that ends.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use sensor_common::settings::Direction;

use super::filter::{Filter, HANDLE, PRIORITY};
use super::interface::Interface;
use super::netlink::{Netlink, NetlinkError};

/// Whose a filter is, as its name says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// Of the process, in its own namespace of processes.
    pid: u32,
    /// Random, and in the name of its socket.
    token: u64,
    /// The queueing discipline was added for it, and goes with it.
    pub(super) added_clsact: bool,
}

impl Owner {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split(':');
        let owner = Self {
            pid: parts
                .by_ref()
                .skip_while(|part| *part != "sensor")
                .nth(1)?
                .parse()
                .ok()?,
            token: u64::from_str_radix(parts.next()?, 16).ok()?,
            added_clsact: match parts.next() {
                None => false,
                Some("clsact") => true,
                Some(_) => return None,
            },
        };
        (owner.to_string() == name).then_some(owner)
    }

    fn socket(&self) -> io::Result<SocketAddr> {
        SocketAddr::from_abstract_name(format!("sensor:{:016x}", self.token))
    }

    /// Whether its process runs. What cannot be found out counts as running.
    pub(super) fn runs(&self) -> bool {
        let connected =
            UnixDatagram::unbound().and_then(|socket| socket.connect_addr(&self.socket()?));
        connected.map_or_else(
            |error| error.kind() != io::ErrorKind::ConnectionRefused,
            |()| true,
        )
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sensor:{}:{:016x}", self.pid, self.token)?;
        f.write_str(if self.added_clsact { ":clsact" } else { "" })
    }
}

/// Why a filter cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum ClsactError {
    /// Another sensor is there. This kernel has one place in each direction.
    #[error(
        "{direction} is held by another sensor (pid {pid}, filter handle {HANDLE:#x} at priority {PRIORITY}, \
         program id {program}); stop that one, or take its place with --take-over"
    )]
    Held {
        /// `ingress` or `egress`.
        direction: &'static str,
        /// Of the sensor that runs.
        pid: u32,
        /// Of its program.
        program: u32,
    },
    /// A filter that is no sensor's.
    #[error(
        "the place of our {direction} filter (handle {HANDLE:#x} at priority {PRIORITY}) is taken by \
         {name:?}, program id {program}; remove that one with `tc filter del dev {interface} {direction} \
         pref {PRIORITY} handle {HANDLE:#x} bpf`"
    )]
    Foreign {
        /// Name.
        interface: String,
        /// `ingress` or `egress`.
        direction: &'static str,
        /// Of the filter.
        name: String,
        /// Of its program.
        program: u32,
    },
    /// Neither TCX nor clsact.
    #[error(
        "this kernel has neither TCX nor the clsact queueing discipline (modules sch_ingress and cls_bpf)"
    )]
    Missing,
    /// The kernel refuses.
    #[error(transparent)]
    System(#[from] NetlinkError),
}

/// The name of a direction, as tc(8) has it.
#[must_use]
pub fn name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}

/// Our filters on one interface. Dropping it removes them.
pub struct Clsact {
    netlink: Netlink,
    interface: Interface,
    owner: Owner,
    /// Open as long as this sensor runs.
    _socket: UnixDatagram,
    /// Ids of our programs.
    filters: Vec<(Direction, u32)>,
}

impl Clsact {
    /// For an interface of this thread's network namespace; adds nothing yet.
    ///
    /// # Errors
    /// From the system.
    pub fn new(interface: &Interface) -> Result<Self, NetlinkError> {
        let owner = Owner {
            pid: std::process::id(),
            token: RandomState::new().hash_one("sensor"),
            added_clsact: false,
        };
        Ok(Self {
            netlink: Netlink::open()?,
            interface: interface.clone(),
            _socket: UnixDatagram::bind_addr(&owner.socket()?)?,
            owner,
            filters: Vec::new(),
        })
    }

    /// Makes sure that our place in a direction is free: removes what a killed sensor left there, and with
    /// `take_over` the filter of one that runs.
    ///
    /// # Errors
    /// It is not free.
    pub fn vacate(&mut self, direction: Direction, take_over: bool) -> Result<(), ClsactError> {
        let index = self.interface.index;
        let there = self.netlink.filters(index, direction)?;
        let Some(filter) = there.into_iter().find(Filter::is_at_our_place) else {
            return Ok(());
        };
        let program = filter.program.unwrap_or(0);
        let Some(owner) = Owner::parse(&filter.name) else {
            return Err(ClsactError::Foreign {
                interface: self.interface.name.clone(),
                direction: name(direction),
                name: filter.name,
                program,
            });
        };
        if owner.runs() && !take_over {
            return Err(ClsactError::Held {
                direction: name(direction),
                pid: owner.pid,
                program,
            });
        }
        self.netlink.remove_filter(index, direction)?;
        // What was added for it is now for us.
        self.owner.added_clsact |= owner.added_clsact;
        Ok(())
    }

    /// Adds a filter. It runs first: within a priority the newest does.
    ///
    /// # Errors
    /// Our place is not free, or the kernel refuses.
    pub fn attach(
        &mut self,
        direction: Direction,
        program: BorrowedFd<'_>,
        id: u32,
    ) -> Result<(), ClsactError> {
        let index = self.interface.index;
        self.owner.added_clsact |=
            self.netlink
                .add_clsact(index)
                .map_err(|error| match error.raw_os_error() {
                    Some(libc::ENOENT | libc::EOPNOTSUPP) => ClsactError::Missing,
                    _ => error.into(),
                })?;
        let name = self.owner.to_string();
        self.netlink.add_filter(index, direction, program, &name)?;
        self.filters.push((direction, id));
        Ok(())
    }

    /// Why our filter of a direction is no longer there, if so.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn lost(&self, direction: Direction) -> Result<Option<String>, NetlinkError> {
        let ours = self.filters.iter().find(|(of, _)| *of == direction);
        let found = self.netlink.filter(self.interface.index, direction)?;
        Ok(match found {
            None => Some("its filter was removed".into()),
            Some(filter) if filter.program == ours.map(|(_, id)| *id) => None,
            Some(filter) => Some(format!(
                "its filter was replaced by program id {} ({})",
                filter.program.unwrap_or(0),
                match Owner::parse(&filter.name) {
                    Some(owner) => format!("a sensor, pid {}", owner.pid),
                    None => filter.name,
                }
            )),
        })
    }
}

impl Drop for Clsact {
    fn drop(&mut self) {
        let index = self.interface.index;
        for (direction, id) in std::mem::take(&mut self.filters) {
            // Another's at our place is not ours to remove.
            let there = self.netlink.filter(index, direction).ok().flatten();
            if there.is_some_and(|filter| filter.program == Some(id)) {
                let removed = self.netlink.remove_filter(index, direction);
                self.warn("the filter stays", removed);
            }
        }
        if self.owner.added_clsact {
            let removed = self.netlink.remove_unused_clsact(index);
            self.warn("the clsact queueing discipline stays", removed);
        }
    }
}

impl Clsact {
    fn warn(&self, what: &str, result: Result<(), NetlinkError>) {
        match result {
            // The interface or what was on it is gone already.
            Err(error)
                if !matches!(
                    error.raw_os_error(),
                    Some(libc::ENOENT | libc::EINVAL | libc::ENODEV)
                ) =>
            {
                log::warn!("{}: {what}: {error}", self.interface.name);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_a_filter_is_and_others_do_not() {
        for added_clsact in [false, true] {
            let owner = Owner {
                pid: 4711,
                token: 0xbeef,
                added_clsact,
            };
            assert_eq!(Owner::parse(&owner.to_string()), Some(owner));
        }
        for other in [
            "",
            "sensor",
            "sensor_ingress",
            "sensor:1",
            "sensor:1:x",
            "sensor:1:000000000000beef:other",
            "sensor:1:beef",
            "a:sensor:1:000000000000beef",
            "sensor:1:000000000000beef:clsact:",
        ] {
            assert_eq!(Owner::parse(other), None, "{other}");
        }
    }

    #[test]
    fn an_owner_runs_as_long_as_its_socket_is_open() {
        let owner = Owner {
            pid: 1,
            token: RandomState::new().hash_one(0),
            added_clsact: false,
        };
        assert!(!owner.runs());
        let socket = UnixDatagram::bind_addr(&owner.socket().expect("a name")).expect("bound");
        assert!(owner.runs());
        drop(socket);
        assert!(!owner.runs());
    }
}
