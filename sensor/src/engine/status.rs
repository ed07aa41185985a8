//! How an engine stands.

use std::collections::BTreeSet;
use std::sync::Arc;

use sensor_common::server::ServerKey;

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
        }
    }

    /// How an interface is, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NoCarrier => "without carrier",
            other => other.name(),
        }
    }
}

/// An interface under watch, or a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Its name.
    pub name: String,
    /// As of the last look.
    pub state: LinkState,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// What is watched.
    pub interfaces: Vec<Watched>,
    /// Addresses of this host, as of the last look; none where they are not known.
    pub addresses: Arc<BTreeSet<ServerKey>>,
    /// Places of the server table, on all CPUs together.
    pub server_places: usize,
    /// Memory of all maps, in bytes.
    pub map_bytes: usize,
}

impl Status {
    /// Of a capture by this name.
    #[must_use]
    pub fn of_capture(name: &str) -> Self {
        Self {
            interfaces: vec![Watched {
                name: name.into(),
                state: LinkState::Up,
            }],
            ..Self::default()
        }
    }

    /// How an interface is.
    #[must_use]
    pub fn state(&self, interface: &str) -> LinkState {
        let mut all = self.interfaces.iter();
        all.find(|watched| watched.name == interface)
            .map_or(LinkState::Gone, |watched| watched.state)
    }

    /// Whether nothing is left to watch.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        let mut all = self.interfaces.iter();
        all.all(|watched| watched.state == LinkState::Gone)
    }
}
