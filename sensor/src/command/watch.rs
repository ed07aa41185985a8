//! `sensor watch`: live counters.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use sensor_common::settings::Direction;
use sensor_common::totals::Totals;
use tokio::time::MissedTickBehavior;

use super::live::Live;
use super::{Outcome, detection};
use crate::cli::WatchArguments;
use crate::counters::Counters;
use crate::incident::book::Shadow;
use crate::incident::{Change, Record};
use crate::kernel::attach::Attached;
use crate::kernel::clsact;
use crate::kernel::engine::{KernelEngine, WatchOptions};
use crate::kernel::interface::LinkState;
use crate::own_cost::Meter;
use crate::present::incident::{self, IncidentObject, ShadowObject};
use crate::present::objects::{
    DetachedObject, Losses, NamesObject, SensorObject, ServerObject, SourcesObject,
};
use crate::present::output::{Format, Lines, Reader};
use crate::present::totals::{About, TotalsObject};
use crate::present::{details, line};
use crate::samples::Names;
use crate::settings::{for_ports, set_timeout};
use crate::snapshot::{Lane, Snapshot};
use crate::upkeep::TICK;
use crate::window::Window;

/// Lines between two headers.
const HEADER_EVERY: usize = 20;
/// Servers that are listed in text.
const SERVERS: usize = 3;
/// Servers that are listed in JSON.
const SERVERS_IN_JSON: usize = 256;

/// Runs the command until a signal or a closed pipe.
///
/// # Errors
/// The interfaces cannot be watched.
pub async fn run(arguments: &WatchArguments) -> Result<Outcome> {
    let mut settings = for_ports(&arguments.ports)?;
    set_timeout(&mut settings, arguments.timeout);
    let options = WatchOptions {
        interfaces: arguments.interfaces.clone(),
        hook: arguments.hook,
        ingress_only: arguments.ingress_only,
        settings,
        log_level: log::max_level().to_level(),
        tc: None,
        take_over: arguments.take_over,
    };
    let alerts = detection::alerts(&arguments.alerts)?;
    let about = detection::about(&arguments.ports, arguments.interfaces.clone());
    let mut live = Live::watch(&options, &arguments.detection, about, alerts).await?;
    if arguments.verify {
        live.verify();
    }
    let mut kernel_log = if log::max_level() >= log::LevelFilter::Debug {
        Some(live.engine.log()?)
    } else {
        None
    };
    announce(&live.engine, arguments.ingress_only);
    let mut stop = Stop::new()?;
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(arguments.interval));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut upkeep = tokio::time::interval(TICK);
    upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    upkeep.tick().await;
    let mut then = live.engine.snapshot();
    let mut screen = Screen {
        format: arguments.output,
        details: arguments.details,
        lines: 0,
        names: Names::default(),
        meter: Meter::new(),
        out: Lines::new()?,
    };
    let outcome = loop {
        tokio::select! {
            _ = upkeep.tick() => {
                for (change, record) in live.tick(&mut screen.names) {
                    screen.tell(change, &record)?;
                }
                for lost in live.engine.take_lost() {
                    eprintln!("{lost}");
                }
                let at_ms = live.monitor.now_ms();
                for shadow in live.monitor.book().take_shadows() {
                    screen.shadow(&shadow, at_ms)?;
                }
                continue;
            }
            _ = ticks.tick() => {}
            () = stop.asked() => break Ok(Outcome::Fine),
        }
        if let Some(log) = &mut kernel_log {
            log.flush();
        }
        let losses = live.losses();
        let engine = &mut live.engine;
        let states: Vec<LinkState> = engine.attached().iter().map(|a| a.state).collect();
        engine.look_at_links().await?;
        for lost in engine.take_lost() {
            eprintln!("{lost}");
        }
        for (before, attached) in states.iter().zip(engine.attached()) {
            if *before != attached.state {
                eprintln!("{} is {}", attached.interface.name, attached.state.words());
            }
        }
        // So that different sources and names are those of this interval, and of no other.
        engine.flush();
        let now = engine.snapshot();
        let window = Window::between(&then, &now);
        if screen.show(&window, &now, engine, losses)? == Reader::Gone {
            break Ok(Outcome::Fine);
        }
        if let Some(error) = nothing_left(engine) {
            break Err(error);
        }
        then = now;
    };
    for record in live.finish() {
        screen.unfinished(&record, arguments.alerts.state.as_deref())?;
    }
    screen.out.finish()?;
    outcome
}

/// Why nothing is left to watch, if so.
fn nothing_left(engine: &KernelEngine) -> Option<anyhow::Error> {
    let is = |state| move |attached: &Attached| attached.state == state;
    let (gone, detached) = (is(LinkState::Gone), is(LinkState::Detached));
    let attached = engine.attached();
    if attached.iter().all(gone) {
        return Some(anyhow!(
            "nothing is left to watch: the interfaces were deleted or moved away"
        ));
    }
    let nothing = attached
        .iter()
        .all(|attached| gone(attached) || detached(attached));
    nothing.then(|| {
        anyhow!(
            "nothing is left to watch: the programs were detached by somebody else (see above); start again to \
             attach them"
        )
    })
}

/// Says what is watched, and how.
fn announce(engine: &KernelEngine, ingress_only: bool) {
    for attached in engine.attached() {
        let directions = if attached.egress {
            format!("{} and TC egress", attached.hook)
        } else {
            format!("{} only", attached.hook)
        };
        eprintln!(
            "watching {} with {directions}: {}",
            attached.interface.name, attached.reason
        );
    }
    if ingress_only {
        eprintln!(
            "only received packets are counted: whether a query was answered, and whether a response \
             was asked for, cannot be known"
        );
    }
}

/// Where intervals are written.
struct Screen {
    format: Format,
    details: bool,
    lines: usize,
    /// Of the interval that is running.
    names: Names,
    meter: Meter,
    out: Lines,
}

impl Screen {
    /// What happens to an incident.
    fn tell(&mut self, change: Change, record: &Record) -> std::io::Result<Reader> {
        match self.format {
            Format::Json => self.out.json(&IncidentObject::new(record, Some(change))),
            Format::Text => {
                // The columns are explained again behind it.
                self.lines = 0;
                self.out.line(incident::change(change, record))
            }
        }
    }

    /// A rule that fires and opens no incident.
    fn shadow(&mut self, shadow: &Shadow, at_ms: u64) -> std::io::Result<Reader> {
        match self.format {
            Format::Json => self.out.json(&ShadowObject::new(shadow, at_ms)),
            Format::Text => {
                self.lines = 0;
                self.out.line(incident::shadow(shadow))
            }
        }
    }

    /// An incident that goes on when the sensor ends.
    fn unfinished(&mut self, record: &Record, state: Option<&Path>) -> std::io::Result<Reader> {
        match self.format {
            Format::Json => self.out.json(&IncidentObject::new(record, None)),
            Format::Text => self.out.line(incident::unfinished(record, state)),
        }
    }

    fn show(
        &mut self,
        window: &Window,
        now: &Snapshot,
        engine: &KernelEngine,
        losses: Losses,
    ) -> std::io::Result<Reader> {
        let losses = Losses {
            lines_lost: self.out.lost(),
            ..losses
        };
        let spent = self.meter.spent();
        let places = (now.places.len(), engine.server_places());
        let names = std::mem::take(&mut self.names);
        let mut reader = Reader::There;
        if self.details && self.format == Format::Json {
            for (key, server) in window.busiest().into_iter().take(SERVERS_IN_JSON) {
                self.out.json(&ServerObject::new(key, server))?;
            }
            self.out.json(&SourcesObject::new(&window.sources))?;
            self.out.json(&NamesObject::new(&names, window.names))?;
        }
        let mut is_first = true;
        for (interface, totals) in by_interface(&window.lanes) {
            let attached = engine
                .attached()
                .iter()
                .find(|a| a.interface.name == interface);
            let state = attached.map_or(LinkState::Gone, |attached| attached.state);
            if state == LinkState::Detached {
                reader = match self.format {
                    Format::Text => self.out.line(line::detached(now.at, interface)),
                    Format::Json => {
                        let object = DetachedObject::new(interface, now.at, window.elapsed);
                        self.out.json(&object)
                    }
                }?;
                continue;
            }
            let detached = attached.and_then(|attached| attached.detached().next());
            let detached = detached.filter(|_| state != LinkState::Gone);
            // What is not of one interface goes with the first that has counters.
            let with_all = std::mem::take(&mut is_first);
            reader = match self.format {
                Format::Text => {
                    if self.lines.is_multiple_of(HEADER_EVERY) {
                        self.out.line(line::HEADER.into())?;
                    }
                    self.lines += 1;
                    let mut line = line::interval(now.at, interface, &totals, window, detached);
                    if state != LinkState::Up {
                        line = format!("{line}  interface is {}", state.words());
                    }
                    self.out.line(line)?
                }
                Format::Json => self.out.json(&TotalsObject::new(
                    &totals,
                    About {
                        engine: "kernel",
                        source: Some(interface.into()),
                        at_ms: u64::try_from(now.at.as_millis()).ok(),
                        interval_ms: u64::try_from(window.elapsed.as_millis()).ok(),
                        link: Some(state.name()),
                        detached: detached.map(clsact::name),
                        cut: None,
                        complete: None,
                        sensor: with_all.then(|| {
                            let bytes = engine.map_bytes();
                            SensorObject::new(window, places, bytes, spent, losses)
                        }),
                        evicted_servers: with_all.then_some(window.evicted),
                    },
                ))?,
            };
        }
        if self.details && self.format == Format::Text && !window.servers.is_empty() {
            let servers = window.busiest();
            if !servers.is_empty() {
                self.out
                    .line(format!("          {}", details::SERVER_HEADER))?;
            }
            for (key, server) in servers.iter().take(SERVERS) {
                self.out
                    .line(format!("          {}", details::server(key, server)))?;
            }
            if servers.len() > SERVERS {
                let more = servers.len() - SERVERS;
                self.out
                    .line(format!("          and {more} more servers"))?;
            }
            for line in [
                details::sources(&window.sources),
                details::names(&names, window.names),
                details::own_cost(window, places, engine.map_bytes(), spent, losses),
            ] {
                reader = self.out.line(format!("          {line}"))?;
            }
        }
        Ok(reader)
    }
}

/// Both directions of each interface together.
fn by_interface(lanes: &[Lane]) -> Vec<(&str, Totals)> {
    let mut interfaces: Vec<(&str, Totals)> = Vec::new();
    for lane in lanes {
        match interfaces.last_mut() {
            Some((name, totals))
                if lane.direction == Direction::Egress && *name == lane.interface =>
            {
                totals.add(&lane.totals);
            }
            _ => interfaces.push((&lane.interface, lane.totals)),
        }
    }
    interfaces
}

/// SIGINT, SIGTERM and SIGHUP.
pub struct Stop {
    signals: [tokio::signal::unix::Signal; 3],
}

impl Stop {
    /// Takes the signals over from their default, which would end the process at once.
    ///
    /// # Errors
    /// From the system.
    pub fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            signals: [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            ],
        })
    }

    /// Waits for one of them.
    pub async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
