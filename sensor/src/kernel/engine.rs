//! Live interfaces, counted in the kernel.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aya::maps::{Array, MapData, RingBuf};
use aya_log::EbpfLogger;
use sensor_common::names;
use sensor_common::sample::Sample;
use sensor_common::server::{SETS, ServerKey, WAYS};
use sensor_common::settings::{DIRECTIONS, Direction, MAX_INGRESS, MAX_INTERFACES, Settings};
use sensor_common::shard::Shard;
use sensor_common::totals::Totals;
use sensor_common::transactions::Control;

use super::attach::{AttachError, AttachOptions, Attached, HookChoice, TcFlavour, attach};
use super::clsact::name;
use super::interface::{Interface, InterfaceError, Kind, LinkState};
use super::leftover::Leftover;
use super::load::{LoadError, LoadOptions, Loaded, chain, load, map_bytes, map_data};
use super::maps::MappedArray;
use crate::calendar::Calendar;
use crate::counters::Counters;
use crate::settings::{SettingsError, slots};
use crate::snapshot::{Lane, Snapshot};
use crate::upkeep::{Servers, State, Upkeep};

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
    /// Mapping the maps.
    #[error("cannot map the kernel's counters into memory")]
    Map(#[from] std::io::Error),
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

/// Counters of loaded programs.
pub struct Counts {
    totals: MappedArray<Totals>,
    shards: Shards,
    upkeep: Upkeep,
    samples: RingBuf<MapData>,
    cpus: u32,
    lanes: u32,
}

/// The shards, and what the programs share.
struct Shards {
    memory: MappedArray<Shard>,
    control: Array<MapData, PodControl>,
    cpus: u32,
}

/// `Control` as aya wants it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct PodControl(Control);

// SAFETY: `Control` is bytemuck::Pod, which asks for more.
unsafe impl aya::Pod for PodControl {}

impl State for Shards {
    fn cpus(&self) -> u32 {
        self.cpus
    }

    fn read(&self, cpu: u32, offset: usize, words: &mut [u64]) {
        self.memory.read(cpu, offset, words);
    }

    fn write(&mut self, cpu: u32, offset: usize, words: &[u64]) {
        self.memory.write(cpu, offset, words);
    }

    fn servers(&self, cpu: u32) -> Servers {
        self.memory.servers(cpu)
    }

    fn control(&self) -> Control {
        // The one entry of an array is always there.
        self.control
            .get(&0, 0)
            .map_or(Control::DEFAULT, |control| control.0)
    }

    fn set_control(&mut self, control: Control) {
        if let Err(error) = self.control.set(0, PodControl(control), 0) {
            log::error!("the kernel refuses new sampling rates: {}", chain(&error));
        }
    }

    fn clock(&self) -> u64 {
        match self.control().clock {
            0 => monotonic(),
            clock => clock,
        }
    }
}

/// The clock of `bpf_ktime_get_ns`, in nanoseconds.
fn monotonic() -> u64 {
    let clock = nix::time::ClockId::CLOCK_MONOTONIC;
    let now = clock.now().map_or(Duration::ZERO, Duration::from);
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

impl Counts {
    /// Maps the counters of loaded programs.
    ///
    /// # Errors
    /// The system refuses.
    pub fn of(loaded: &mut Loaded) -> Result<Self, KernelError> {
        let (cpus, lanes) = (loaded.cpus, loaded.settings.lanes);
        let totals = map_data(&loaded.ebpf, names::TOTALS)?;
        let totals = MappedArray::new(totals.fd(), cpus * lanes)?;
        let shards = map_data(&loaded.ebpf, names::SHARDS)?;
        let memory = MappedArray::new(shards.fd(), cpus)?;
        let mut taken = |name: &'static str| {
            let map = loaded.ebpf.take_map(name);
            map.ok_or_else(|| LoadError::Other(format!("the object has no map {name}")))
        };
        let wrong = |error: aya::maps::MapError| LoadError::Other(chain(&error));
        let mut counts = Self {
            totals,
            shards: Shards {
                memory,
                control: taken(names::CONTROL)?.try_into().map_err(wrong)?,
                cpus,
            },
            upkeep: Upkeep::new(&loaded.settings),
            samples: taken(names::SAMPLES)?.try_into().map_err(wrong)?,
            cpus,
            lanes,
        };
        counts.tick();
        Ok(counts)
    }

    /// See [`Upkeep::see_one_direction`].
    pub fn see_one_direction(&mut self) {
        self.upkeep.see_one_direction();
    }

    /// Does what is to be done every [`crate::upkeep::TICK`].
    pub fn tick(&mut self) {
        self.upkeep.tick(&mut self.shards);
    }

    /// Ends the second that is running.
    pub fn flush(&mut self) {
        self.upkeep.flush(&mut self.shards);
    }

    /// The time that the programs take for now; they have the kernel's clock until this is called.
    pub fn set_clock(&mut self, nanoseconds: u64) {
        let mut control = self.shards.control();
        control.clock = nanoseconds;
        self.shards.set_control(control);
    }

    /// Samples taken since this was last asked.
    pub fn samples(&mut self) -> impl Iterator<Item = Sample> {
        std::iter::from_fn(|| {
            let item = self.samples.next()?;
            bytemuck::try_pod_read_unaligned(&item).ok()
        })
    }

    /// Totals of one lane, over all CPUs.
    #[must_use]
    pub fn lane(&self, slot: u32, direction: Direction) -> Totals {
        let lane = slot * DIRECTIONS as u32 + direction as u32;
        let mut sum: Totals = bytemuck::Zeroable::zeroed();
        for cpu in 0..self.cpus {
            sum.add(&self.totals.get(cpu * self.lanes + lane));
        }
        sum
    }

    /// Adds all that is not of one lane to a snapshot.
    pub fn read(&self, snapshot: &mut Snapshot) {
        self.upkeep.read(&self.shards, snapshot);
    }
}

/// Interfaces under watch. Dropping it detaches from all of them.
pub struct KernelEngine {
    attached: Vec<Attached>,
    counts: Counts,
    started: Instant,
    loaded: Loaded,
    addresses: BTreeSet<ServerKey>,
    /// What was lost and not yet told, as sentences.
    lost: Vec<String>,
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
        let mut loaded = load(LoadOptions {
            settings,
            log_level: options.log_level,
        })?;
        let mut counts = Counts::of(&mut loaded)?;
        // Loopback has both directions on ingress.
        let loopback = |interface: &Interface| interface.kind == Kind::Loopback;
        if options.ingress_only && !interfaces.iter().all(loopback) {
            counts.see_one_direction();
        }
        Leftover::remove_all(&all);
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
        let started = Instant::now();
        let attached = interfaces
            .into_iter()
            .map(|interface| attach(&mut loaded, interface, &attach_options))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            attached,
            counts,
            started,
            loaded,
            addresses: Interface::addresses(),
            lost: Vec::new(),
        })
    }

    /// The interfaces and how they are watched.
    #[must_use]
    pub fn attached(&self) -> &[Attached] {
        &self.attached
    }

    /// Where the clocks of snapshots and samples stand against the calendar.
    #[must_use]
    pub fn calendar(&self) -> Calendar {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let elapsed = self.started.elapsed();
        Calendar {
            begun: since_1970.unwrap_or_default().saturating_sub(elapsed),
            samples: Duration::from_nanos(monotonic()).saturating_sub(elapsed),
        }
    }

    /// Addresses of this host, as they were when the links were last looked at.
    #[must_use]
    pub fn addresses(&self) -> &BTreeSet<ServerKey> {
        &self.addresses
    }

    /// Whether all that is watched is loopback, which has both directions on ingress.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let mut interfaces = self.attached.iter().map(|attached| &attached.interface);
        interfaces.all(|interface| interface.kind == Kind::Loopback)
    }

    /// The time of a snapshot that would be taken now.
    #[must_use]
    pub fn snapshot_time(&self) -> Duration {
        self.started.elapsed()
    }

    /// Looks whether our programs are still at their hooks. Where one is not, nothing can be said of answers
    /// any more: from then on no query is unanswered, and no response unmatched.
    pub fn look_at_hooks(&mut self) {
        for attached in &mut self.attached {
            for (direction, why) in attached.look() {
                self.counts.see_one_direction();
                self.lost.push(format!(
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
    }

    /// Whether one of our programs is no longer at its hook.
    #[must_use]
    pub fn is_partly_blind(&self) -> bool {
        let mut attached = self.attached.iter();
        attached.any(|attached| attached.detached().next().is_some())
    }

    /// What was detached since this was last asked, a sentence each.
    pub fn take_lost(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lost)
    }

    /// Looks whether the interfaces are still there and up and have our programs, and for the addresses of this
    /// host.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub async fn look_at_links(&mut self) -> Result<(), InterfaceError> {
        let all = Interface::all().await?;
        self.addresses = Interface::addresses();
        self.look_at_hooks();
        for attached in &mut self.attached {
            let found = all
                .iter()
                .find(|interface| interface.index == attached.interface.index);
            attached.state = match found {
                None => LinkState::Gone,
                Some(_) if attached.is_detached() => LinkState::Detached,
                Some(interface) => interface.state,
            };
        }
        Ok(())
    }

    /// Places of the server table, on all CPUs together.
    #[must_use]
    pub fn server_places(&self) -> usize {
        SETS * WAYS * self.loaded.cpus as usize
    }

    /// Memory of all maps, in bytes.
    #[must_use]
    pub fn map_bytes(&self) -> usize {
        map_bytes(self.loaded.cpus, self.loaded.settings.lanes)
    }

    /// Reader of the lines that the kernel half logs. `flush` hands them to the logger of this process.
    ///
    /// # Errors
    /// The ring buffer cannot be read.
    pub fn log(&mut self) -> Result<EbpfLogger<&'static dyn log::Log>, KernelError> {
        EbpfLogger::init(&mut self.loaded.ebpf)
            .map_err(|error| LoadError::Other(chain(&error)).into())
    }

    /// Programs and maps, for what reads more than counters.
    pub fn loaded(&mut self) -> &mut Loaded {
        &mut self.loaded
    }

    /// Does what is to be done every [`crate::upkeep::TICK`].
    pub fn tick(&mut self) {
        self.counts.tick();
    }

    /// Ends the second that is running, so that the next snapshot has all that was seen.
    pub fn flush(&mut self) {
        self.counts.flush();
    }

    /// Samples taken since this was last asked.
    pub fn samples(&mut self) -> impl Iterator<Item = Sample> {
        self.counts.samples()
    }

    /// All counters now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::empty(self.started.elapsed());
        let multiplier = self.loaded.settings.slot_multiplier;
        for attached in &self.attached {
            let slot = Settings::slot(multiplier, attached.interface.index);
            let mut lane = |direction| {
                snapshot.lanes.push(Lane {
                    interface: attached.interface.name.clone(),
                    direction,
                    totals: self.counts.lane(slot, direction),
                });
            };
            lane(Direction::Ingress);
            if attached.egress {
                lane(Direction::Egress);
            }
        }
        self.counts.read(&mut snapshot);
        snapshot
    }
}

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
        ingress_interfaces,
        ..*settings
    }))
}

/// A key from the same source as the standard library's hash maps.
fn random_key() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one("sensor")
}
