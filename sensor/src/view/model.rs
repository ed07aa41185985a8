//! The model itself; see [`crate::view`].

use std::sync::Arc;
use std::time::Duration;

use sensor_common::settings::Direction;
use sensor_common::totals::Totals;

use super::server::{Point, Rates, ServerView, Usual};
use super::state::{Missing, State};
use crate::host::totals::HostTotals;
use crate::incident::Record;
use crate::measure::window::ServerWindow;

/// Servers that are shown one by one; the rest is in [`View::others`].
pub const SERVERS: usize = 256;
/// Incidents that are shown: those that go on, then those that ended last.
pub const INCIDENTS: usize = 64;
/// Sources and names that are shown.
pub const TOP: usize = 10;
/// Seconds of history.
pub const HISTORY: usize = 300;
/// Of the network: a quarter of an hour, the longest span that is charted.
pub const NETWORK_HISTORY: usize = 900;

/// See the module.
#[derive(Clone)]
pub struct View {
    /// When, in milliseconds since 1970: of a capture, the time of its packets.
    pub at_ms: u64,
    /// Since the session began.
    pub uptime: Duration,
    /// What is watched.
    pub interfaces: Vec<InterfaceView>,
    /// Hooks that have lost our program, a sentence each, the oldest first.
    pub lost_hooks: Vec<String>,
    /// All servers together.
    pub network: NetworkView,
    /// The worst first, then the busiest.
    pub servers: Vec<Arc<ServerView>>,
    /// Of servers that are not among them, monotone.
    pub others: ServerWindow,
    /// Those that go on, the worst first; then those that ended, the latest first.
    pub incidents: Vec<Arc<Record>>,
    /// What the sensor's own host says; none where it is not read.
    pub host: Option<HostTotals>,
    /// What the sensor itself spends and loses.
    pub sensor: SensorView,
}

impl View {
    /// Before the first tick: it is too early to tell anything, and [`Self::at_ms`] is 0.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            at_ms: 0,
            uptime: Duration::ZERO,
            interfaces: Vec::new(),
            lost_hooks: Vec::new(),
            network: NetworkView::empty(),
            servers: Vec::new(),
            others: ServerWindow::empty(),
            incidents: Vec::new(),
            host: None,
            sensor: SensorView::default(),
        }
    }
}

/// An interface, or a capture.
#[derive(Clone)]
pub struct InterfaceView {
    /// Its name.
    pub name: String,
    /// Where packets are counted, as `xdp+tcx`; `capture` of a file.
    pub hook: String,
    /// `up`, `down`, `no_carrier`, `gone` or `detached`.
    pub link: &'static str,
    /// A direction in which nothing is counted any more.
    pub detached: Option<Direction>,
    /// Monotone, by direction.
    pub totals: Vec<(Direction, Totals)>,
}

/// All servers together.
#[derive(Clone, Debug)]
pub struct NetworkView {
    /// The worst state of any server, or of the network itself.
    pub state: State,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// Of incidents of the network itself, and of no server: a resolver's path, reflection.
    pub own: State,
    /// Why it cannot be told, where it cannot.
    pub missing: Option<Missing>,
    /// Of the last two seconds.
    pub now: Rates,
    /// The last second of each server summed, fifteen minutes back, the newest last.
    pub history: Arc<Vec<Point>>,
    /// What is usual.
    pub usual: Usual,
    /// Different sources of queries a second, within 3 %.
    pub sources: u64,
    /// How many are usual.
    pub usual_sources: Option<f64>,
    /// By how much a count of a source may be too high, with a probability of 98 %.
    pub sources_error: u64,
    /// The heaviest sources of the last ten seconds.
    pub heaviest_sources: Vec<Heaviest>,
    /// The heaviest networks of sources, /24 and /56.
    pub heaviest_networks: Vec<Heaviest>,
    /// Different names in questions a second, within 3 %.
    pub names: u64,
    /// How many are usual.
    pub usual_names: Option<f64>,
    /// Samples in which the names below were counted.
    pub name_samples: u64,
    /// The most frequent names of the last five to ten seconds.
    pub heaviest_names: Vec<Heaviest>,
    /// The most frequent parent names.
    pub heaviest_suffixes: Vec<Heaviest>,
    /// Seconds that are learnt already, and that have to be, while it is too early to tell.
    pub learning: Option<(u64, u64)>,
}

impl NetworkView {
    fn empty() -> Self {
        Self {
            state: State::Learning,
            since_ms: 0,
            own: State::Ok,
            missing: None,
            now: Rates::default(),
            history: Arc::default(),
            usual: Usual::default(),
            sources: 0,
            usual_sources: None,
            sources_error: 0,
            heaviest_sources: Vec::new(),
            heaviest_networks: Vec::new(),
            names: 0,
            usual_names: None,
            name_samples: 0,
            heaviest_names: Vec::new(),
            heaviest_suffixes: Vec::new(),
            learning: None,
        }
    }
}

/// Something that is counted by a sketch: the count is an interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heaviest {
    /// An address, a network or a name.
    pub what: String,
    /// At most.
    pub at_most: u64,
    /// At least.
    pub at_least: u64,
}

/// What the sensor itself spends and loses. Counters are monotone.
#[derive(Clone, Debug, Default)]
pub struct SensorView {
    /// `kernel` or `host`.
    pub engine: &'static str,
    /// Of one core, over the last ten seconds, by the loader.
    pub cpu_percent: f64,
    /// Resident memory of the loader.
    pub rss_bytes: u64,
    /// Memory of all maps.
    pub map_bytes: u64,
    /// One in so many transactions is followed; the counts of outcomes are estimates unless it is 1.
    pub one_in: u64,
    /// One in so many transactions is sampled.
    pub samples_one_in: u64,
    /// Places of the server table: taken, and all.
    pub server_places: (usize, usize),
    /// What was lost, by the codes of [`super::Loss`], all of them in their order, since the session began.
    pub lost: Vec<(&'static str, u64)>,
    /// Symptoms that are not followed now because there are too many incidents.
    pub incidents_unfollowed: usize,
    /// Incidents that were opened, by their level then: warning, critical.
    pub opened: [u64; 2],
    /// Alerts that were sent, by way, and those that failed.
    pub alerts: Vec<AlertCount>,
}

/// Alerts of one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertCount {
    /// `file`, `command`, `webhook` or `journal`.
    pub way: &'static str,
    /// Taken by the receiver.
    pub sent: u64,
    /// Not taken.
    pub failed: u64,
}

impl SensorView {
    /// All that was lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.iter().map(|(_, count)| count).sum()
    }
}
