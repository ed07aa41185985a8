//! Filters that killed sensors have left on interfaces.

use std::fmt;

use sensor_common::settings::Direction;

use super::clsact::{Owner, name};
use super::filter::{HANDLE, PRIORITY};
use super::interface::Interface;
use super::netlink::{Netlink, NetlinkError};

/// Both directions.
const DIRECTIONS: [Direction; 2] = [Direction::Ingress, Direction::Egress];

/// One of them. Every packet still pays for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Name of the interface.
    pub interface: String,
    /// Where.
    pub direction: Direction,
    /// Id of its program.
    pub program: u32,
    index: u32,
    added_clsact: bool,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            interface, program, ..
        } = self;
        let direction = name(self.direction);
        write!(
            f,
            "{interface} {direction}: filter handle {HANDLE:#x} at priority {PRIORITY}, program id {program}"
        )
    }
}

impl Leftover {
    /// All in the network namespace of this thread.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn all(interfaces: &[Interface]) -> Result<Vec<Self>, NetlinkError> {
        let netlink = Netlink::open()?;
        let mut found = Vec::new();
        for index in netlink.clsact_interfaces()? {
            let is = |interface: &&Interface| interface.index == index;
            let name = interfaces.iter().find(is).map(|interface| &interface.name);
            for direction in DIRECTIONS {
                let Some(filter) = netlink.filter(index, direction)? else {
                    continue;
                };
                if let Some(owner) = Owner::parse(&filter.name)
                    && !owner.runs()
                {
                    found.push(Self {
                        interface: name.cloned().unwrap_or_else(|| index.to_string()),
                        direction,
                        program: filter.program.unwrap_or(0),
                        index,
                        added_clsact: owner.added_clsact,
                    });
                }
            }
        }
        Ok(found)
    }

    /// Removes all in the network namespace of this thread, and says so in the log.
    pub(super) fn remove_all(interfaces: &[Interface]) {
        let leftovers = Self::all(interfaces).unwrap_or_else(|error| {
            log::warn!("cannot look for filters of killed sensors: {error}");
            Vec::new()
        });
        for leftover in leftovers {
            match leftover.remove() {
                Ok(()) => log::warn!("removed what a killed sensor left behind: {leftover}"),
                Err(error) => {
                    log::warn!(
                        "cannot remove what a killed sensor left behind: {leftover}: {error}"
                    );
                }
            }
        }
    }

    /// Removes it, and the queueing discipline that was added for it if nothing else is in it.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn remove(&self) -> Result<(), NetlinkError> {
        let netlink = Netlink::open()?;
        // A sensor that started meanwhile has removed it and has its own there.
        let there = netlink.filter(self.index, self.direction)?;
        if there.and_then(|filter| filter.program) != Some(self.program) {
            return Ok(());
        }
        netlink.remove_filter(self.index, self.direction)?;
        if self.added_clsact {
            netlink.remove_unused_clsact(self.index)?;
        }
        Ok(())
    }
}
