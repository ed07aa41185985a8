//! Detection over an engine's snapshots: the same for a live one, by the clock, and for one that reads a
//! capture, by the time of its packets.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sensor_common::latency::UNIT_BITS;
use sensor_common::sample::Sample;
use sensor_common::server::ServerKey;
use sensor_common::settings::Settings;

use crate::calendar::Calendar;
use crate::detect::{Detector, Observation, Place, Rule, Subject, Thresholds, Vantage};
use crate::host_facts::{EVERY, HostReader, HostReading};
use crate::incident::book::About;
use crate::incident::case::Tick;
use crate::incident::record::Verified;
use crate::incident::{Book, Change, Record};
use crate::ip::{ip, key};
use crate::sighting::Sighting;
use crate::snapshot::Snapshot;
use crate::window::{Sources, Window};

/// Sources are counted over so long.
const SOURCES: usize = 10;
/// And so often.
const SECOND: Duration = Duration::from_millis(990);

/// What a monitor must know from the outside.
#[derive(Clone)]
pub struct MonitorOptions {
    /// Numbers that the rules compare with.
    pub thresholds: Thresholds,
    /// Where the sensor stands.
    pub place: Place,
    /// For the records.
    pub about: About,
    /// Rules that open no incident.
    pub shadow: BTreeSet<Rule>,
    /// Whether this host may be asked about its sockets and drops.
    pub host: bool,
}

/// See the module.
pub struct Monitor {
    settings: Box<Settings>,
    detector: Detector,
    book: Book,
    calendar: Calendar,
    then: Option<Snapshot>,
    seconds: VecDeque<Snapshot>,
    host: Option<Host>,
    /// Where servers are asked.
    port: u16,
    now: Duration,
}

struct Host {
    reader: HostReader,
    /// When, and what it said.
    last: Option<(Duration, HostReading)>,
}

impl Monitor {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(settings: &Settings, calendar: Calendar, options: MonitorOptions) -> Self {
        let units = |units: u64| Duration::from_nanos(units << UNIT_BITS);
        let timeout = units(u64::from(settings.timeout));
        let slot = units(1 << settings.tick_bits);
        let port = options.about.ports.first().copied().unwrap_or(53);
        let host = options.host.then(|| Host {
            reader: HostReader::new(&options.about.ports),
            last: None,
        });
        Self {
            settings: Box::new(*settings),
            detector: Detector::new(options.thresholds, options.place, timeout, slot),
            book: Book::new(calendar, options.about, options.shadow),
            calendar,
            then: None,
            seconds: VecDeque::new(),
            host,
            port,
            now: Duration::ZERO,
        }
    }

    /// Takes the counters of a tick, and what was sampled in it. Gives what has changed.
    pub fn observe(&mut self, now: Snapshot, samples: &[Sample]) -> Vec<(Change, Record)> {
        let Some(then) = self.then.take() else {
            self.seconds.push_back(now.sources_alone());
            self.now = now.at;
            self.then = Some(now);
            return Vec::new();
        };
        let window = Window::between(&then, &now);
        let seen: Vec<(Sighting, Sample)> = samples
            .iter()
            .filter_map(|sample| Some((Sighting::of(sample, &self.settings)?, *sample)))
            .collect();
        let sightings: Vec<Sighting> = seen.iter().map(|(sighting, _)| *sighting).collect();
        let sources = self.sources(&now);
        self.now = now.at;
        self.detector.observe(&Observation {
            now: now.at,
            window: &window,
            sources: sources.as_ref().map(|(sources, over)| (sources, *over)),
            sightings: &sightings,
        });
        self.book.look(&seen);
        let tick = Tick {
            now: now.at,
            elapsed: window.elapsed,
            shift: now.cost.shift,
            lost: window.cost.samples_lost,
        };
        self.then = Some(now);
        self.ask_host();
        self.book.update(&self.detector, &tick)
    }

    /// Once a second: the sources of the last ten.
    fn sources(&mut self, now: &Snapshot) -> Option<(Sources, Duration)> {
        let last = self.seconds.back()?;
        if now.at.saturating_sub(last.at) < SECOND {
            return None;
        }
        let first = self.seconds.front()?;
        let sources = Sources::between(first, now);
        let over = now.at.saturating_sub(first.at);
        self.seconds.push_back(now.sources_alone());
        if self.seconds.len() > SOURCES {
            self.seconds.pop_front();
        }
        Some((sources, over))
    }

    /// While a server of this host has an incident, and at most once a second.
    fn ask_host(&mut self) {
        let Some(host) = &mut self.host else {
            return;
        };
        let is_here = |subject: &&Subject| match subject {
            Subject::Server(key) => self.detector.vantage(key) == Vantage::Server,
            Subject::Network => false,
        };
        let here: Vec<Subject> = self.book.subjects().filter(is_here).copied().collect();
        if here.is_empty() {
            return;
        }
        let last = host.last.take();
        let (at, reading) = match last.filter(|(at, _)| self.now < *at + EVERY) {
            Some(fresh) => fresh,
            None => (self.now, host.reader.read()),
        };
        for subject in here {
            if let Some(case) = self.book.case(&subject) {
                case.set_host(&reading);
            }
        }
        host.last = Some((at, reading));
    }

    /// Rules and what they read.
    #[must_use]
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// The addresses of this host have changed.
    pub fn set_addresses(&mut self, addresses: &BTreeSet<ServerKey>) {
        self.detector.set_addresses(addresses);
    }

    /// A hook was lost: what stays away from now on may only be unseen, and is no incident.
    pub fn lose_sight(&mut self) {
        self.detector.lose_sight();
    }

    /// Incidents that go on.
    pub fn book(&mut self) -> &mut Book {
        &mut self.book
    }

    /// Servers that fail, without a flood, and were not asked in the last minute; they are now.
    pub fn to_be_verified(&mut self) -> Vec<SocketAddr> {
        let now = self.now;
        let port = self.port;
        let servers: Vec<Subject> = self.book.subjects().copied().collect();
        let mut due = Vec::new();
        for subject in servers {
            if let Subject::Server(key) = subject
                && let Some(case) = self.book.case(&subject)
                && case.may_be_asked(now)
            {
                due.push(SocketAddr::new(ip(&key), port));
            }
        }
        due
    }

    /// What a server said.
    pub fn set_verified(&mut self, server: IpAddr, said: Verified) {
        if let Some(case) = self.book.case(&Subject::Server(key(server))) {
            case.verified = Some(said);
        }
    }

    /// Milliseconds since 1970 at the last tick.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.calendar.ms(self.now)
    }

    /// Records of what goes on: each `of`th, from number `part` on.
    #[must_use]
    pub fn records(&self, part: usize, of: usize) -> Vec<Record> {
        self.book.records(self.now, part, of)
    }

    /// Ends what goes on.
    pub fn finish(&mut self) -> Vec<(Record, Vec<Sample>)> {
        self.book.finish(self.now)
    }

    /// Where the engine's clock stands against the calendar.
    #[must_use]
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }
}
