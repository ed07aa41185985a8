//! Frames through the host engine and the monitor, by the time of the packets.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Result;
use sensor::detect::{Place, Thresholds};
use sensor::engine::maintenance::TICK;
use sensor::engine::replay::counting::Counting;
use sensor::engine::replay::host_engine::HostEngine;
use sensor::engine::settings::for_ports;
use sensor::host::probe::{Said, Verified};
use sensor::incident::About;
use sensor::incident::Record;
use sensor::incident::record::Placed;
use sensor::measure::address::key;
use sensor::measure::clock::WallClock;
use sensor::monitor::{Monitor, MonitorOptions};
use sensor_common::settings::Direction;
use sensor_ebpf::parse::Link;

use crate::format::kernel::{HALF, reading};
use crate::format::{self, Kernel, Probe};
use crate::frames;
use crate::judged::{self, said};
use crate::report;

/// What the sensor says, in the order in which it says it; at the end, how each incident stands.
#[derive(Clone, Debug, Default)]
pub struct Spoken {
    pub changes: Vec<judged::Said>,
    pub last: Vec<judged::Said>,
    /// What is wrong with the report of each incident: it contradicts its record, or itself.
    pub reports: Vec<String>,
}

/// A sensor that reads frames.
pub struct Sensor {
    engine: HostEngine,
    monitor: Option<Monitor>,
    host: Vec<IpAddr>,
    ports: Vec<u16>,
    /// What times of what is said count from: the first frame, where nothing else is given.
    origin: Option<Duration>,
    begun: Duration,
    /// What probed servers say, and when.
    probes: Vec<(Duration, IpAddr, Verified)>,
    /// What the kernel says, and half seconds that it has said.
    kernel: Vec<Kernel>,
    halves: u64,
    spoken: Spoken,
}

impl Sensor {
    /// On a host with these addresses; on the path where there are none.
    ///
    /// # Errors
    /// The settings do not fit.
    pub fn new(host: Vec<IpAddr>, ports: &[u16], origin: Option<Duration>) -> Result<Self> {
        Ok(Self {
            engine: HostEngine::new("casebook", for_ports(ports)?),
            monitor: None,
            host,
            ports: ports.to_vec(),
            origin,
            begun: Duration::ZERO,
            probes: Vec::new(),
            kernel: Vec::new(),
            halves: 0,
            spoken: Spoken::default(),
        })
    }

    /// It knows which frames come in, and so which of them are forged. It does not of a capture.
    pub fn tell_directions(&mut self) {
        let own = self.host.iter().copied().map(key).collect();
        self.engine.set_own_addresses(own);
    }

    /// It probes servers, with these results; their times are from the origin.
    pub fn probes(&mut self, probes: &[Probe], origin: Duration) {
        let said = |said: format::Said| match said {
            format::Said::Answers => Said::Answer("NOERROR".into()),
            format::Said::Connects => Said::Connected("no answer within 1 s".into()),
            format::Said::Refuses => Said::Refused("connection refused".into()),
            format::Said::Nothing => Said::Nothing("no answer within 1 s".into()),
        };
        self.probes = probes
            .iter()
            .map(|probe| {
                let at = origin + probe.at;
                let at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
                let (udp, tcp) = (said(probe.udp), said(probe.tcp));
                (at, probe.server.nth(0), Verified { at_ms, udp, tcp })
            })
            .collect();
    }

    /// What a kernel says is said of a live sensor alone; the rest is as `replay` has it.
    fn placed(&self) -> Placed {
        match (self.kernel.is_empty(), self.host.is_empty()) {
            (false, _) => Placed::Live,
            (true, false) => Placed::Given,
            (true, true) => Placed::Assumed,
        }
    }

    /// The kernel of its host says this.
    pub fn kernel(&mut self, kernel: &[Kernel]) {
        self.kernel = kernel.to_vec();
    }

    /// A frame of the situation.
    ///
    /// # Errors
    /// The settings do not fit.
    pub fn directed(&mut self, at: Duration, bytes: &[u8]) -> Result<()> {
        self.engine.set_direction(match frames::direction(bytes) {
            frames::Direction::In => Direction::Ingress,
            frames::Direction::Out => Direction::Egress,
        });
        self.frame(at, bytes)
    }

    /// Counts a frame.
    ///
    /// # Errors
    /// The settings do not fit.
    pub fn frame(&mut self, at: Duration, bytes: &[u8]) -> Result<()> {
        if self.monitor.is_none() {
            self.begun = at;
            self.origin.get_or_insert(at);
            self.monitor = Some(monitor(&self.host, &self.ports, self.placed(), at)?);
        }
        self.pass(at);
        self.engine.count(bytes, Link::Ethernet);
        Ok(())
    }

    /// The time is this now.
    fn pass(&mut self, at: Duration) {
        let (begun, spoken, probes) = (self.begun, &mut self.spoken, &mut self.probes);
        let (kernel, halves) = (&self.kernel, &mut self.halves);
        let origin = self.origin.unwrap_or_default();
        let Some(monitor) = &mut self.monitor else {
            return;
        };
        self.engine.set_time_with(at, |engine, at| {
            for (_, server, verified) in probes.extract_if(.., |(due, ..)| *due <= at) {
                monitor.set_verified(server, verified);
            }
            let samples: Vec<_> = engine.samples().collect();
            let now = at.saturating_sub(begun);
            while !kernel.is_empty() && at.saturating_sub(origin) >= HALF * (*halves as u32 + 1) {
                monitor.set_host(at.saturating_sub(begun), &reading(kernel, *halves));
                *halves += 1;
            }
            for (_, record) in monitor.observe(&engine.reading(now), &samples) {
                spoken.changes.push(said(at, origin, &record));
                spoken.reports.extend(report_faults(&record));
            }
        });
    }

    /// Nothing comes after this time.
    pub fn finish(mut self, at: Duration) -> Spoken {
        self.pass(at + TICK);
        let origin = self.origin.unwrap_or_default();
        let mut last: Vec<judged::Said> = Vec::new();
        for change in &self.spoken.changes {
            last.retain(|other| other.id != change.id);
            last.push(change.clone());
        }
        if let Some(monitor) = &mut self.monitor {
            for (record, _) in monitor.finish() {
                last.retain(|other| other.id != record.id);
                last.push(said(at, origin, &record));
                self.spoken.reports.extend(report_faults(&record));
            }
        }
        last.sort_by_key(|incident| incident.detected);
        self.spoken.last = last;
        self.spoken
    }
}

fn report_faults(record: &Record) -> impl Iterator<Item = String> {
    let name = format!("{}, {}", record.id, record.stage.name());
    report::faults(record)
        .into_iter()
        .map(move |fault| format!("{name}: {fault}"))
}

fn monitor(host: &[IpAddr], ports: &[u16], placed: Placed, begun: Duration) -> Result<Monitor> {
    let options = MonitorOptions {
        thresholds: Thresholds::default(),
        place: Place {
            addresses: host.iter().copied().map(key).collect(),
            ..Place::default()
        },
        about: About {
            ports: ports.to_vec(),
            watched: vec!["casebook".into()],
            placed,
        },
        shadow: std::collections::BTreeSet::default(),
    };
    let calendar = WallClock {
        begun,
        samples: begun,
    };
    Ok(Monitor::new(&*for_ports(ports)?, calendar, options))
}
