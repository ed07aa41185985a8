//! How an engine stands.

use std::collections::BTreeSet;
use std::sync::Arc;

use sensor_common::server::ServerKey;
use sensor_common::settings::Direction;

/// Whether packets can cross an interface. One that is down or gone counts nothing, and that must not
/// look like silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Up.
    Up,
    /// Taken down.
    Down,
    /// Up, but without a carrier: no cable, or the other end is down.
    NoCarrier,
    /// Deleted, or moved to another network namespace.
    Gone,
    /// There, but none of our programs is at its hook any more: somebody removed or replaced them.
    Detached,
}

impl LinkState {
    /// The name used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::NoCarrier => "no_carrier",
            Self::Gone => "gone",
            Self::Detached => "detached",
        }
    }

    /// How an interface is, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NoCarrier => "without a carrier",
            other => other.name(),
        }
    }
}

/// An interface under watch, or a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Its name.
    pub name: String,
    /// Where packets are counted: `xdp+tcx`, `xdp_generic`, `tcx+tcx`, `clsact+clsact`; of a file `capture`.
    pub hook: String,
    /// As of the last look.
    pub state: LinkState,
    /// A direction in which nothing is counted any more.
    pub detached: Option<Direction>,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// What counts: `kernel` or `host`.
    pub engine: &'static str,
    /// What is watched.
    pub interfaces: Vec<Watched>,
    /// Hooks that have lost our program, a sentence each, the oldest first.
    pub lost: Vec<String>,
    /// Addresses of this host, as of the last look; none where they are not known.
    pub addresses: Arc<BTreeSet<ServerKey>>,
    /// Places of the server table, on all CPUs together.
    pub server_places: usize,
    /// Memory of all maps, in bytes.
    pub map_bytes: usize,
}

impl Status {
    /// Of a capture by this name, and what counts its packets.
    #[must_use]
    pub fn of_capture(name: &str, engine: &'static str) -> Self {
        Self {
            engine,
            interfaces: vec![Watched {
                name: name.into(),
                hook: "capture".into(),
                state: LinkState::Up,
                detached: None,
            }],
            ..Self::default()
        }
    }

    /// An interface by its name.
    #[must_use]
    pub fn interface(&self, name: &str) -> Option<&Watched> {
        self.interfaces.iter().find(|watched| watched.name == name)
    }

    /// Whether a hook has lost our program: what is not counted may only be unseen.
    #[must_use]
    pub fn is_partly_blind(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Whether nothing is left to watch: all interfaces were deleted or moved away.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        let mut all = self.interfaces.iter();
        all.all(|watched| watched.state == LinkState::Gone)
    }

    /// Whether nothing is left to watch, because our programs were detached from what is still there.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        let mut all = self.interfaces.iter();
        let blind =
            |watched: &Watched| matches!(watched.state, LinkState::Gone | LinkState::Detached);
        !self.is_gone() && all.all(blind)
    }
}
