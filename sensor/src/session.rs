//! The loop: at each tick the engine is read once, the monitor observes, those who are to be told of incidents
//! are told, and a face shows what it will of it.
//!
//! `watch`, `replay`, `demo` and `rules` run this loop and nothing else. What a face shows, and how often,
//! changes nothing that is detected.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;

use anyhow::Result;
use sensor_common::sample::Sample;
use sensor_common::server::ServerKey;
use sensor_common::settings::Settings;
use tokio::sync::mpsc;

use crate::engine::status::Status;
use crate::engine::{Engine, Tick};
use crate::host::probe::{self, Source, Verified};
use crate::host::watch::HostWatch;
use crate::incident::tracker::Shadow;
use crate::incident::{Change, Past, Record};
use crate::measure::clock::WallClock;
use crate::measure::window::Reading;
use crate::monitor::{Monitor, MonitorOptions};
use crate::notify::{Alert, Alerts, Count};
use crate::view::AlertCount;
use crate::view::build::Input;
use crate::view::publish::{Live, Publisher};

/// Each record of what goes on is brought up to date once in so many ticks, five seconds: a part of them at
/// each tick, so that they do not fill the queues on which changes wait.
const UPDATE: usize = 20;
/// Answers of probed servers that may wait for the next tick.
const PROBES: usize = 16;

/// What a tick brought: all that a face may show.
pub struct Published<'a> {
    /// Which kind of tick it was.
    pub tick: Tick,
    /// What was counted.
    pub reading: &'a Reading,
    /// What was sampled.
    pub samples: &'a [Sample],
    /// What happened to incidents.
    pub changes: &'a [(Change, Record)],
    /// Rules that fire and open no incident.
    pub shadows: &'a [Shadow],
    /// What detects; none where no packet had a time.
    pub monitor: Option<&'a Monitor>,
    /// How the engine stands.
    pub status: &'a Status,
    /// Alerts whose receiver was too slow, since the session began.
    pub alerts_lost: u64,
}

/// Shows what happens.
pub trait Face {
    /// A tick has passed; `Break` where nobody looks any more.
    ///
    /// # Errors
    /// It cannot be shown, or it makes no sense to go on.
    fn show(&mut self, now: &Published<'_>) -> Result<ControlFlow<()>>;

    /// An incident goes on where time ends: the session was ended, or the clock of a capture was set back.
    ///
    /// # Errors
    /// It cannot be shown.
    fn unfinished(&mut self, record: Record) -> Result<()>;
}

/// See the module.
pub struct Session<E> {
    engine: E,
    settings: Box<Settings>,
    options: MonitorOptions,
    /// None before time begins.
    monitor: Option<Monitor>,
    /// Of this host, as the monitor has them.
    addresses: Arc<BTreeSet<ServerKey>>,
    alerts: Alerts,
    /// What is known of incidents from before, until time begins.
    past: Past,
    host: Option<HostWatch>,
    probes: Option<Probes>,
    ticks: usize,
    samples: Vec<Sample>,
    publisher: Option<Publisher>,
}

/// Servers that are probed, and what they answer.
struct Probes {
    source: Source,
    send: mpsc::Sender<(IpAddr, Verified)>,
    receive: mpsc::Receiver<(IpAddr, Verified)>,
}

impl<E: Engine> Session<E> {
    /// A session of an engine with these settings. Nobody is told, no host is read and no server probed.
    pub fn new(engine: E, settings: &Settings, options: MonitorOptions) -> Self {
        Self {
            engine,
            settings: Box::new(*settings),
            options,
            monitor: None,
            addresses: Arc::default(),
            alerts: Alerts::default(),
            past: Past::default(),
            host: None,
            probes: None,
            ticks: 0,
            samples: Vec::new(),
            publisher: None,
        }
    }

    /// Tells of incidents.
    #[must_use]
    pub fn with_alerts(mut self, alerts: Alerts) -> Self {
        self.alerts = alerts;
        self
    }

    /// Goes on with what an earlier sensor left open.
    #[must_use]
    pub fn with_past(mut self, past: Past) -> Self {
        self.past = past;
        self
    }

    /// Reads the host where the sensor runs.
    #[must_use]
    pub fn with_host(mut self, host: HostWatch) -> Self {
        self.host = Some(host);
        self
    }

    /// Probes servers that fail, from here.
    #[must_use]
    pub fn with_probes(mut self, source: Source) -> Self {
        let (send, receive) = mpsc::channel(PROBES);
        self.probes = Some(Probes {
            source,
            send,
            receive,
        });
        self
    }

    /// The live model, from the next tick on. Without a call of this nothing is built.
    pub fn live(&mut self) -> Live {
        self.publisher.get_or_insert_with(Publisher::new).live()
    }

    /// What counts, and what detects; that there is none of where time has not begun.
    pub fn into_parts(self) -> (E, Option<Monitor>) {
        (self.engine, self.monitor)
    }

    /// Runs until the engine has no more ticks, the face breaks off, or `until` ends.
    ///
    /// # Errors
    /// The face fails.
    pub async fn run(
        &mut self,
        face: &mut impl Face,
        until: impl Future<Output = ()>,
    ) -> Result<()> {
        let mut until = pin!(until);
        loop {
            let tick = tokio::select! {
                biased;
                () = &mut until => return Ok(()),
                tick = self.engine.tick() => tick,
            };
            let Some(tick) = tick else {
                return Ok(());
            };
            if self.observe(tick, face)?.is_break() {
                return Ok(());
            }
        }
    }

    fn observe(&mut self, tick: Tick, face: &mut impl Face) -> Result<ControlFlow<()>> {
        self.samples.clear();
        self.engine.samples(&mut self.samples);
        let reading = self.engine.reading();
        let changes = match tick {
            Tick::Begin(clock) => {
                self.begin(clock, face)?;
                self.detect(&reading)
            }
            Tick::Next => self.detect(&reading),
            Tick::Rest => Vec::new(),
        };
        let at_rest = self.monitor.as_ref().is_some_and(Monitor::is_at_rest);
        self.engine.rest(at_rest);
        let shadows = self.monitor.as_mut().map(Monitor::take_shadows);
        if let (Some(publisher), Some(monitor)) = (&mut self.publisher, &self.monitor) {
            let counts = self.alerts.counts();
            publisher.publish(&Input {
                reading: &reading,
                samples: &self.samples,
                monitor,
                status: self.engine.status(),
                changes: &changes,
                shadows: shadows.as_deref().unwrap_or_default(),
                alerts: counts.into_iter().map(alert_count).collect(),
                alerts_lost: self.alerts.lost(),
            });
        }
        face.show(&Published {
            tick,
            reading: &reading,
            samples: &self.samples,
            changes: &changes,
            shadows: &shadows.unwrap_or_default(),
            monitor: self.monitor.as_ref(),
            status: self.engine.status(),
            alerts_lost: self.alerts.lost(),
        })
    }

    /// Time begins. What goes on from before is unfinished.
    fn begin(&mut self, clock: WallClock, face: &mut impl Face) -> Result<()> {
        let before = self.monitor.as_mut().map(Monitor::finish);
        for (record, _) in before.into_iter().flatten() {
            self.note_unfinished(&record);
            face.unfinished(record)?;
        }
        if let Some(publisher) = &mut self.publisher {
            publisher.begin();
        }
        let mut past = std::mem::take(&mut self.past);
        if let Some(before) = &mut self.monitor {
            past = before.take_past();
        }
        let monitor = Monitor::new(&self.settings, clock, self.options.clone());
        self.monitor = Some(monitor.with_past(past));
        self.addresses = Arc::default();
        Ok(())
    }

    fn note_unfinished(&mut self, record: &Record) {
        if let Some(publisher) = &mut self.publisher {
            publisher.unfinished(record);
        }
    }

    fn detect(&mut self, reading: &Reading) -> Vec<(Change, Record)> {
        let Some(monitor) = &mut self.monitor else {
            return Vec::new();
        };
        let addresses = &self.engine.status().addresses;
        if !addresses.is_empty() && !Arc::ptr_eq(addresses, &self.addresses) {
            monitor.set_addresses(addresses);
            self.addresses = addresses.clone();
        }
        if let Some(probes) = &mut self.probes {
            while let Ok((server, answer)) = probes.receive.try_recv() {
                monitor.set_verified(server, answer);
            }
        }
        if self.engine.status().is_partly_blind() {
            monitor.lose_sight();
        }
        if let Some(said) = self.host.as_ref().and_then(HostWatch::take) {
            monitor.set_host(reading.at, &said);
        }
        let changes = monitor.observe(reading, &self.samples);
        if let Some(host) = &self.host
            && monitor.asks_host()
        {
            host.ask();
        }
        for (change, record) in &changes {
            self.alerts
                .send(alert(monitor, Some(*change), record.clone()));
        }
        self.ticks += 1;
        for record in monitor.records(self.ticks % UPDATE, UPDATE) {
            self.alerts.send(alert(monitor, None, record));
        }
        if self.ticks.is_multiple_of(UPDATE)
            && let Some(probes) = &self.probes
        {
            for server in monitor.to_be_verified() {
                let at_ms = monitor.now_ms();
                let port = probes.source.port();
                tokio::spawn(ask(server, port, at_ms, probes.send.clone()));
            }
        }
        changes
    }

    /// Ends what goes on, keeps it, waits a little for those who are told, and shows it.
    ///
    /// # Errors
    /// The face fails.
    pub fn finish(&mut self, face: &mut impl Face) -> Result<()> {
        let mut alerts = std::mem::take(&mut self.alerts);
        let mut shown = Ok(());
        let open = self
            .monitor
            .as_mut()
            .map(|monitor| (*monitor.calendar(), monitor.finish()));
        let mut unfinished = Vec::new();
        if let Some((clock, records)) = open {
            for (record, packets) in records {
                self.note_unfinished(&record);
                alerts.send(Alert::new(None, record.clone(), packets, clock));
                unfinished.push(record);
            }
        }
        // Before they are shown: then it is known whether they could be kept.
        alerts.finish();
        for record in unfinished {
            shown = shown.and(face.unfinished(record));
        }
        shown
    }
}

fn alert_count(count: Count) -> AlertCount {
    AlertCount {
        way: count.way,
        sent: count.sent,
        failed: count.failed,
    }
}

fn alert(monitor: &Monitor, change: Option<Change>, record: Record) -> Alert {
    let packets = monitor.packets(&record.id).map(Into::into);
    Alert::new(
        change,
        record,
        packets.unwrap_or_default(),
        *monitor.calendar(),
    )
}

async fn ask(server: SocketAddr, port: u16, at_ms: u64, send: mpsc::Sender<(IpAddr, Verified)>) {
    let (udp, tcp) = probe::ask(server, port).await;
    // The session may have ended meanwhile.
    let _ = send.send((server.ip(), Verified { at_ms, udp, tcp })).await;
}
