//! Live interfaces, counted in the kernel.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aya_log::EbpfLogger;
use sensor_common::sample::Sample;
use sensor_common::server::{SETS, WAYS};
use sensor_common::settings::{DIRECTIONS, Direction, MAX_INGRESS, MAX_INTERFACES, Settings};
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use super::attach::{Attached, attach, programs};
use super::clsact::name;
use super::counts::{Counts, monotonic};
use super::hook::{AttachError, AttachOptions, HookChoice, TcFlavour};
use super::interface::{Interface, InterfaceError, Kind};
use super::leftover::Leftover;
use super::links::Links;
use super::load::{LoadError, LoadOptions, Loaded, chain, load, map_bytes};
use crate::engine::ledger::Ledger;
use crate::engine::maintenance::TICK;
use crate::engine::settings::{SettingsError, slots};
use crate::engine::status::{Status, Watched};
use crate::engine::{Engine, Tick};
use crate::measure::clock::WallClock;
use crate::measure::reading::Lane;
use crate::measure::window::Reading;

/// Why interfaces cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The interface.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Loading.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Attaching.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// A thread.
    #[error("cannot start the thread that looks at the interfaces")]
    Thread(#[from] std::io::Error),
}

/// What to watch and how.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// Names of interfaces.
    pub interfaces: Vec<String>,
    /// Ingress hook.
    pub hook: HookChoice,
    /// Leave egress alone.
    pub ingress_only: bool,
    /// Ports and the like; the interfaces are filled in.
    pub settings: Box<Settings>,
    /// See [`LoadOptions::log_level`].
    pub log_level: Option<log::Level>,
    /// How TC programs are attached; `None` for what the kernel offers.
    pub tc: Option<TcFlavour>,
    /// Take the place of another sensor, where there is only one.
    pub take_over: bool,
}

/// Interfaces under watch. Dropping it detaches from all of them.
pub struct KernelEngine {
    attached: Vec<Attached>,
    counts: Counts,
    started: Instant,
    loaded: Loaded,
    links: Links,
    status: Status,
    /// None before the first tick: timers belong to the runtime that waits for them.
    ticks: Option<Interval>,
    log: Option<EbpfLogger<&'static dyn log::Log>>,
}

impl KernelEngine {
    /// Loads the program and attaches it to interfaces of this thread's network namespace.
    ///
    /// # Errors
    /// Nothing is attached then.
    pub async fn watch(options: &WatchOptions) -> Result<Self, KernelError> {
        let given = options.interfaces.len();
        if given > MAX_INTERFACES {
            return Err(SettingsError::TooManyInterfaces(given).into());
        }
        let interfaces = Interface::find(&options.interfaces).await?;
        let all = Interface::all().await?;
        let ingress = Interface::with_uppers(&interfaces, &all)?;
        let settings = with_interfaces(&options.settings, &interfaces, &ingress)?;
        let attach_options = AttachOptions {
            hook: options.hook,
            ingress_only: options.ingress_only,
            // Where the kernel may not be asked, it refuses to attach too, and says why.
            tc: options
                .tc
                .or_else(TcFlavour::probe)
                .unwrap_or(TcFlavour::Tcx),
            take_over: options.take_over,
        };
        let mut loaded = load(LoadOptions {
            programs: programs(&interfaces, &attach_options),
            settings,
            log_level: options.log_level,
        })?;
        let mut counts = Counts::of(&mut loaded)?;
        // Loopback has both directions on ingress.
        let loopback = |interface: &Interface| interface.kind == Kind::Loopback;
        if options.ingress_only && !interfaces.iter().all(loopback) {
            counts.see_one_direction();
        }
        let addresses = Interface::addresses();
        counts.set_own_addresses(&addresses);
        Leftover::remove_all(&all);
        let started = Instant::now();
        let attached = interfaces
            .into_iter()
            .map(|interface| attach(&mut loaded, interface, &attach_options))
            .collect::<Result<Vec<_>, _>>()?;
        for attached in &attached {
            let slot = Settings::slot(loaded.settings.slot_multiplier, attached.interface.index);
            let name = &attached.interface.name;
            counts.add_lane(slot, name, Direction::Ingress);
            if attached.egress {
                counts.add_lane(slot, name, Direction::Egress);
            }
        }
        let log = match options.log_level {
            Some(level) if level >= log::Level::Debug => Some(kernel_log(&mut loaded)?),
            _ => None,
        };
        let watched = attached.iter().map(|attached| Watched {
            name: attached.interface.name.clone(),
            hook: attached.hooks(attach_options.tc),
            state: attached.interface.state,
            detached: None,
        });
        let status = Status {
            engine: "kernel",
            interfaces: watched.collect(),
            lost: Vec::new(),
            addresses: Arc::new(addresses),
            server_places: SETS * WAYS * loaded.cpus as usize,
            map_bytes: map_bytes(loaded.cpus, loaded.settings.lanes),
        };
        let links = Links::watch(
            attached
                .iter()
                .map(|attached| attached.interface.index)
                .collect(),
        )?;
        Ok(Self {
            attached,
            counts,
            started,
            loaded,
            links,
            status,
            ticks: None,
            log,
        })
    }

    /// The interfaces and how they are watched.
    #[must_use]
    pub fn attached(&self) -> &[Attached] {
        &self.attached
    }

    /// Where the clocks of readings and samples stand against the calendar.
    fn calendar(&self) -> WallClock {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let elapsed = self.started.elapsed();
        WallClock {
            begun: since_1970.unwrap_or_default().saturating_sub(elapsed),
            samples: Duration::from_nanos(monotonic()).saturating_sub(elapsed),
        }
    }

    /// Whether all that is watched is loopback, which has both directions on ingress.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let mut interfaces = self.attached.iter().map(|attached| &attached.interface);
        interfaces.all(|interface| interface.kind == Kind::Loopback)
    }

    /// Programs and maps, for what reads more than counters.
    pub fn loaded(&mut self) -> &mut Loaded {
        &mut self.loaded
    }

    /// Does what is to be done every [`TICK`].
    pub fn maintain(&mut self) {
        self.counts.maintain();
        if let Some(log) = &mut self.log {
            log.flush();
        }
        if let Some(links) = self.links.news() {
            let watched = self.status.interfaces.iter_mut().zip(&self.attached);
            for ((watched, attached), state) in watched.zip(links.states) {
                watched.state = attached.state(state, links.at);
            }
            if links.addresses != self.status.addresses {
                self.counts.set_own_addresses(&links.addresses);
            }
            self.status.addresses = links.addresses;
        }
    }

    /// Looks whether our programs are still at their hooks. Where one is not, nothing can be said of answers
    /// any more: from then on no query is unanswered, and no response unmatched.
    pub fn look_at_hooks(&mut self) {
        let known = self.status.lost.len();
        for (attached, watched) in self.attached.iter_mut().zip(&mut self.status.interfaces) {
            for (direction, why) in attached.look() {
                self.counts.see_one_direction();
                watched.detached.get_or_insert(direction);
                self.status.lost.push(format!(
                    "{}: {} is detached: {why}; {} packets are no longer counted",
                    attached.interface.name,
                    name(direction),
                    match direction {
                        Direction::Ingress => "received",
                        Direction::Egress => "sent",
                    }
                ));
            }
        }
        if self.status.lost.len() != known {
            self.links.look();
        }
    }

    /// Ends the second that is running, so that the next reading has all that was seen.
    pub fn flush(&mut self) {
        self.counts.flush();
    }

    /// What each hook has counted since it was attached, as of the last reading.
    pub fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.counts.lanes()
    }
}

impl Engine for KernelEngine {
    async fn tick(&mut self) -> Option<Tick> {
        let Some(ticks) = &mut self.ticks else {
            let mut ticks = interval_at(tokio::time::Instant::now() + TICK, TICK);
            // A loader that was held up has one long tick.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            self.ticks = Some(ticks);
            self.maintain();
            return Some(Tick::Begin(self.calendar()));
        };
        ticks.tick().await;
        self.maintain();
        Some(Tick::Next)
    }

    fn samples(&mut self, samples: &mut Vec<Sample>) {
        samples.extend(self.counts.samples());
    }

    fn reading(&mut self) -> Reading {
        let reading = self.counts.reading(self.started.elapsed());
        // Behind the reading: where all is still attached, it is whole.
        self.look_at_hooks();
        reading
    }

    fn ledger(&self) -> &Ledger {
        self.counts.ledger()
    }

    fn status(&self) -> &Status {
        &self.status
    }
}

/// Reader of the lines that the kernel half logs. `flush` hands them to the logger of this process.
fn kernel_log(loaded: &mut Loaded) -> Result<EbpfLogger<&'static dyn log::Log>, LoadError> {
    EbpfLogger::init(&mut loaded.ebpf).map_err(|error| LoadError::Other(chain(&error)))
}

/// Index of the loopback interface, in every network namespace (`LOOPBACK_IFINDEX` of the kernel).
const LOOPBACK: u32 = 1;

/// Fills in what the program must know of its interfaces, and a fresh hash key.
fn with_interfaces(
    settings: &Settings,
    interfaces: &[Interface],
    ingress: &[u32],
) -> Result<Box<Settings>, SettingsError> {
    let indexes: Vec<u32> = interfaces.iter().map(|interface| interface.index).collect();
    let (slot_multiplier, slots) = slots(&indexes)?;
    let mut ingress_interfaces = [0; MAX_INGRESS];
    for (place, index) in ingress_interfaces.iter_mut().zip(ingress) {
        *place = *index;
    }
    let layer3_slots = interfaces
        .iter()
        .filter(|interface| !interface.has_ethernet)
        .fold(0, |bits, interface| {
            bits | 1 << Settings::slot(slot_multiplier, interface.index)
        });
    Ok(Box::new(Settings {
        hash_key: random_key(),
        slot_multiplier,
        lanes: slots * DIRECTIONS as u32,
        layer3_slots,
        loopback: LOOPBACK,
        ingress_interfaces,
        ..*settings
    }))
}

/// A key from the same source as the standard library's hash maps.
fn random_key() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one("sensor")
}
