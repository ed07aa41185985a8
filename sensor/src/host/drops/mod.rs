//! Which DNS packets this host's kernel dropped, and for which reason: its own word, in every network namespace.

mod btf;
mod layout;
pub mod program;

use std::collections::BTreeMap;
use std::time::Duration;

use nix::net::if_::if_indextoname;
use sensor_common::drops as abi;
use sensor_common::server::ServerKey;

use super::dropped::{Drop, DropKind, Stage, Way};
use super::namespaces::Namespaces;
use crate::measure::address::ip;
use program::{DropProgram, DropsError, own_namespace};

/// A program that begins before the other bank is in use has ended by then.
const MOMENT: Duration = Duration::from_millis(10);
const TCP: u8 = 6;

/// What was dropped between two readings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// DNS packets.
    pub drops: BTreeMap<Drop, u64>,
    /// Packets of which it is not known what they were.
    pub unparsed: u64,
}

impl Seen {
    /// Whether nothing was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.drops.is_empty() && self.unparsed == 0
    }

    /// Adds what was read later.
    pub fn add(&mut self, other: Self) {
        self.unparsed += other.unparsed;
        for (dropped, packets) in other.drops {
            *self.drops.entry(dropped).or_default() += packets;
        }
    }
}

/// The drop program, and what its numbers mean.
pub struct Drops {
    program: DropProgram,
    namespaces: Namespaces,
}

impl Drops {
    /// Loads and attaches the program; what it counts is seen from the network namespace of the calling thread.
    ///
    /// # Errors
    /// What the kernel lacks, or why it refuses.
    pub fn attach(ports: &[u16]) -> Result<Self, DropsError> {
        Ok(Self {
            program: DropProgram::attach(ports)?,
            namespaces: Namespaces::new(own_namespace()),
        })
    }

    /// What was dropped since the last call. Takes some milliseconds.
    ///
    /// # Errors
    /// From the system.
    pub fn read(&mut self) -> Result<Seen, DropsError> {
        self.program.turn()?;
        std::thread::sleep(MOMENT);
        let counted = self.program.read()?;
        let mut seen = Seen {
            unparsed: counted.unparsed + counted.full,
            ..Seen::default()
        };
        for (dropped, packets) in counted.dns {
            let server = ServerKey {
                address: dropped.server,
                family: dropped.family,
                reserved: [0; 7],
            };
            let dropped = Drop {
                server: ip(&server),
                kind: self.kind(&dropped),
            };
            *seen.drops.entry(dropped).or_default() += packets;
        }
        Ok(seen)
    }

    fn kind(&mut self, dropped: &abi::Dropped) -> DropKind {
        let namespace = self.namespaces.other(dropped.namespace);
        let interface = if namespace.is_none() && dropped.interface != 0 {
            if_indextoname(dropped.interface).ok()
        } else {
            None
        };
        DropKind {
            reason: self.program.name(dropped.reason),
            stage: match dropped.stage {
                abi::STAGE_INPUT => Stage::Input,
                abi::STAGE_FORWARD => Stage::Forward,
                abi::STAGE_OUTPUT => Stage::Output,
                _ => Stage::Early,
            },
            way: if dropped.direction == abi::FROM_SERVER {
                Way::FromServer
            } else {
                Way::ToServer
            },
            tcp: dropped.protocol == TCP,
            namespace,
            interface: interface.and_then(|name| name.into_string().ok()),
        }
    }
}
