//! Which DNS packets this host's kernel dropped, and for which reason: its own word, in every network namespace.

mod btf;
mod layout;
pub mod program;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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
/// Packets a second that are dropped and not read, above which the program would slow the host more than what it tells
/// is worth: each costs it about 50 ns.
const HEAVY: u32 = 100_000;
/// For so long nothing is counted then; that is all but a twentieth of the time.
const REST: Duration = Duration::from_secs(10);

/// What was dropped between two readings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// DNS packets.
    pub drops: BTreeMap<Drop, u64>,
    /// Packets of which it is not known what they were.
    pub unparsed: u64,
    /// Time in which nothing was counted, because there was too much.
    pub paused: Duration,
}

impl Seen {
    /// Whether nothing was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.drops.is_empty() && self.unparsed == 0 && self.paused.is_zero()
    }

    /// Adds what was read later.
    pub fn add(&mut self, other: Self) {
        self.unparsed += other.unparsed;
        self.paused += other.paused;
        for (dropped, packets) in other.drops {
            *self.drops.entry(dropped).or_default() += packets;
        }
    }
}

/// The drop program, and what its numbers mean.
pub struct Drops {
    program: DropProgram,
    namespaces: Namespaces,
    /// When it was last read.
    read: Instant,
    /// It rests until then.
    rests: Option<Instant>,
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
            read: Instant::now(),
            rests: None,
        })
    }

    /// What was dropped since the last call. Takes some milliseconds.
    ///
    /// # Errors
    /// From the system.
    pub fn read(&mut self) -> Result<Seen, DropsError> {
        let now = Instant::now();
        let since = now.saturating_duration_since(std::mem::replace(&mut self.read, now));
        if let Some(until) = self.rests {
            if now >= until {
                self.rests = None;
                self.program.resume()?;
            }
            return Ok(Seen {
                paused: since,
                ..Seen::default()
            });
        }
        self.program.turn()?;
        std::thread::sleep(MOMENT);
        let counted = self.program.read()?;
        let mut seen = Seen {
            unparsed: counted.unparsed + counted.full,
            ..Seen::default()
        };
        if Duration::from_secs(seen.unparsed) > since * HEAVY {
            self.program.rest()?;
            self.rests = Some(now + REST);
        }
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
