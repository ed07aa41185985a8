//! Detection over an engine's readings: the same for a live one, by the clock, and for one that reads a
//! capture, by the time of its packets.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sensor_common::latency::UNIT_BITS;
use sensor_common::sample::Sample;
use sensor_common::server::ServerKey;
use sensor_common::settings::Settings;

use crate::detect::{Detector, Observation, Place, Rule, Subject, Thresholds, Vantage};
use crate::host::facts::{HostLog, HostReading};
use crate::host::probe::Verified;
use crate::host::totals::HostTotals;
use crate::incident::About;
use crate::incident::open::Tick;
use crate::incident::tracker::Shadow;
use crate::incident::{Change, Past, Record, Tracker};
use crate::measure::address::{ip, key};
use crate::measure::clock::WallClock;
use crate::measure::sampled::Sampled;
use crate::measure::second::{Second, Seconds};
use crate::measure::window::{Reading, Sources, Window};

/// Sources are counted over so many seconds.
const SOURCES: usize = 10;
const SOURCES_TIME: Duration = Duration::from_secs(10);

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
}

/// See the module.
pub struct Monitor {
    settings: Box<Settings>,
    detector: Detector,
    tracker: Tracker,
    calendar: WallClock,
    seconds: VecDeque<Arc<Second>>,
    /// Who asked in all of them, while that has not changed.
    summed: Option<Sources>,
    /// Where servers are asked.
    port: u16,
    /// What this host said lately.
    host: HostLog,
    /// There was a reading.
    begun: bool,
    /// The engine follows and samples everything.
    is_whole: bool,
    now: Duration,
}

impl Monitor {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(settings: &Settings, calendar: WallClock, options: MonitorOptions) -> Self {
        let units = |units: u64| Duration::from_nanos(units << UNIT_BITS);
        let timeout = units(u64::from(settings.timeout));
        let port = options.about.ports.first().copied().unwrap_or(53);
        Self {
            settings: Box::new(*settings),
            detector: Detector::new(options.thresholds, options.place, timeout),
            tracker: Tracker::new(calendar, options.about, options.shadow),
            calendar,
            seconds: VecDeque::new(),
            summed: None,
            port,
            host: HostLog::default(),
            begun: false,
            is_whole: false,
            now: Duration::ZERO,
        }
    }

    /// With what is known of incidents from before.
    #[must_use]
    pub fn with_past(mut self, past: Past) -> Self {
        self.tracker.set_past(past);
        self
    }

    /// What is known of incidents from before, for a monitor that comes after.
    pub fn take_past(&mut self) -> Past {
        self.tracker.take_past()
    }

    /// Takes what was counted in a tick, and what was sampled in it. Gives what has changed. The first reading is
    /// where time begins: what was counted before is of no tick.
    pub fn observe(&mut self, reading: &Reading, samples: &[Sample]) -> Vec<(Change, Record)> {
        let window = &reading.window;
        if !std::mem::replace(&mut self.begun, true) {
            self.now = reading.at;
            return Vec::new();
        }
        let origin = self.calendar.samples;
        let seen: Vec<(Sampled, Sample)> = samples
            .iter()
            .filter_map(|sample| Some((Sampled::of(sample, &self.settings, origin)?, *sample)))
            .collect();
        let packets: Vec<Sampled> = seen.iter().map(|(sampled, _)| sampled.clone()).collect();
        let sources = reading
            .second
            .as_ref()
            .map(|second| self.sources(second, window));
        self.now = reading.at;
        self.is_whole = window.cost.shift == 0 && window.cost.sample_shift == 0;
        self.detector.observe(&Observation {
            now: reading.at,
            window,
            sources: sources.as_ref().map(|(sources, over)| (sources, *over)),
            sampled: &packets,
        });
        self.tracker.look(&seen);
        let tick = Tick {
            now: reading.at,
            elapsed: window.elapsed,
            shift: window.cost.shift,
            lost: window.cost.samples_lost,
        };
        self.tracker.update(&self.detector, &tick, &self.host)
    }

    /// Whether ticks in which nothing happens may be left out before something is seen again: nothing goes on, and
    /// time alone makes no rule fire.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.is_whole && self.detector.is_at_rest() && self.tracker.is_at_rest()
    }

    /// The sources of the last ten seconds, of which the newest ended in this window.
    fn sources(&mut self, second: &Arc<Second>, window: &Window) -> (Sources, Duration) {
        let mut kept: Duration = self.seconds.iter().map(|second| second.elapsed).sum();
        kept += second.elapsed;
        // Seconds in which nothing happened may be one long second.
        while let Some(first) = self.seconds.front()
            && (self.seconds.len() >= SOURCES || kept >= SOURCES_TIME + first.elapsed)
        {
            kept -= first.elapsed;
            if !first.is_empty() {
                self.summed = None;
            }
            self.seconds.pop_front();
        }
        if !second.is_empty() {
            self.summed = None;
        }
        self.seconds.push_back(second.clone());
        let sources = self.summed.get_or_insert_with(|| {
            let counted = self.seconds.iter().filter(|second| !second.is_empty());
            let counted: Vec<&Arc<Second>> = counted.collect();
            if let [one] = &counted[..] {
                let is_newest = Arc::ptr_eq(one, second);
                return if is_newest {
                    window.sources.clone()
                } else {
                    one.sources()
                };
            }
            let mut sum = Seconds::default();
            for second in counted {
                sum.add(second);
            }
            sum.sources()
        });
        (sources.clone(), kept)
    }

    /// Whether what this host says of its sockets, counters and cgroups is of interest now: there is an incident.
    #[must_use]
    pub fn asks_host(&self) -> bool {
        self.tracker.subjects().next().is_some()
    }

    /// What this host said since the session began; none where it is not read.
    #[must_use]
    pub fn host(&self) -> Option<&HostTotals> {
        self.host.totals()
    }

    /// What this host said at a time, before what was counted up to then is observed.
    pub fn set_host(&mut self, now: Duration, reading: &HostReading) {
        self.host.add(now, reading);
        let subjects: Vec<Subject> = self.tracker.subjects().copied().collect();
        for subject in subjects {
            let here = match subject {
                Subject::Server(key) => self.detector.vantage(&key) == Vantage::Server,
                Subject::Network => false,
            };
            if let Some(case) = self.tracker.incident(&subject) {
                case.set_host(&self.host, reading, here);
            }
        }
    }

    /// Servers with a sign now that is not followed, because there are too many incidents.
    #[must_use]
    pub fn unfollowed(&self) -> usize {
        self.tracker.unfollowed()
    }

    /// Packets of an incident that goes on, by its id.
    #[must_use]
    pub fn packets(&self, id: &str) -> Option<&[Sample]> {
        self.tracker.packets(id)
    }

    /// Rules that would have been signs, since this was last asked.
    pub fn take_shadows(&mut self) -> Vec<Shadow> {
        self.tracker.take_shadows()
    }

    /// Whether a rule opens no incident.
    #[must_use]
    pub fn is_in_shadow(&self, rule: Rule) -> bool {
        self.tracker.is_in_shadow(rule)
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

    /// Servers that fail, without a flood, and were not asked in the last minute; they are now.
    pub fn to_be_verified(&mut self) -> Vec<SocketAddr> {
        let now = self.now;
        let port = self.port;
        let servers: Vec<Subject> = self.tracker.subjects().copied().collect();
        let mut due = Vec::new();
        for subject in servers {
            if let Subject::Server(key) = subject
                && let Some(case) = self.tracker.incident(&subject)
                && case.may_be_asked(now)
            {
                due.push(SocketAddr::new(ip(&key), port));
            }
        }
        due
    }

    /// What a server said.
    pub fn set_verified(&mut self, server: IpAddr, said: Verified) {
        if let Some(case) = self.tracker.incident(&Subject::Server(key(server))) {
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
        self.tracker.records(self.now, part, of)
    }

    /// Ends what goes on.
    pub fn finish(&mut self) -> Vec<(Record, Vec<Sample>)> {
        self.tracker.finish(self.now)
    }

    /// Where the engine's clock stands against the calendar.
    #[must_use]
    pub fn calendar(&self) -> &WallClock {
        &self.calendar
    }
}
