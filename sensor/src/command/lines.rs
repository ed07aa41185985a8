//! The lines that `sensor watch` writes: text, or an object of JSON each.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Result;
use sensor_common::settings::Direction;
use sensor_common::totals::Totals;

use super::live::{anything_left, changed_links};
use crate::engine::Tick;
use crate::engine::kernel::clsact;
use crate::engine::maintenance::TICK;
use crate::engine::own_cost::Meter;
use crate::engine::status::{LinkState, Status, Watched};
use crate::incident::store::Store;
use crate::incident::tracker::Shadow;
use crate::incident::{Change, Record};
use crate::measure::counted::counted;
use crate::measure::counters::Counters;
use crate::measure::interval::Interval;
use crate::measure::reading::Lane;
use crate::measure::samples::Names;
use crate::measure::window::Window;
use crate::monitor::Monitor;
use crate::present::incident::{self, IncidentObject, ShadowObject};
use crate::present::objects::{
    DetachedObject, Losses, NamesObject, SensorObject, ServerObject, SourcesObject,
};
use crate::present::output::{self, Format, Lines as Output, Reader};
use crate::present::totals::{About, TotalsObject};
use crate::present::{details, line};
use crate::session::{Face, Published};

/// Lines between two headers.
const HEADER_EVERY: usize = 20;
/// Servers that are listed in text.
const SERVERS: usize = 3;
/// Servers that are listed in JSON.
const SERVERS_IN_JSON: usize = 256;

/// See the module.
pub struct Lines {
    format: Format,
    details: bool,
    interval: Interval,
    /// Lines since the last header.
    since_header: usize,
    /// Of the interval that is running.
    names: Names,
    meter: Meter,
    out: Output,
    /// How the interfaces were.
    watched: Vec<Watched>,
    /// Lost hooks that were told.
    lost: usize,
    /// Where incidents are kept.
    store: Store,
}

impl Lines {
    /// A line for each interface an interval, which is rounded up to whole ticks.
    #[must_use]
    pub fn new(
        format: Format,
        details: bool,
        interval: Duration,
        out: Output,
        store: Store,
    ) -> Self {
        Self {
            format,
            details,
            interval: Interval::of(ticks(interval)),
            since_header: 0,
            names: Names::default(),
            meter: Meter::new(),
            out,
            watched: Vec::new(),
            lost: 0,
            store,
        }
    }

    /// Waits a little until all is written.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn finish(self) -> std::io::Result<()> {
        self.out.finish()
    }

    /// What happens to an incident.
    fn tell(&mut self, change: Change, record: &Record) -> std::io::Result<Reader> {
        match self.format {
            Format::Json => self.out.json(&IncidentObject::new(record, Some(change))),
            Format::Text => {
                // The columns are explained again behind it.
                self.since_header = 0;
                self.out.line(incident::change(change, record))
            }
        }
    }

    /// A rule that fires and opens no incident.
    fn shadow(&mut self, shadow: &Shadow, at_ms: u64) -> std::io::Result<Reader> {
        match self.format {
            Format::Json => self.out.json(&ShadowObject::new(shadow, at_ms)),
            Format::Text => {
                self.since_header = 0;
                self.out.line(incident::shadow(shadow))
            }
        }
    }

    /// The interval is over.
    fn interval(&mut self, window: &Window, now: &Published<'_>) -> std::io::Result<Reader> {
        let spent = self.meter.spent();
        let losses = Losses {
            servers_forgotten: now.monitor.map_or(0, |m| m.detector().forgotten()),
            incidents_unfollowed: now.monitor.map_or(0, Monitor::unfollowed),
            alerts_lost: now.alerts_lost,
            lines_lost: self.out.lost(),
        };
        let status = now.status;
        let places = (window.cost.places, status.server_places);
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
            let watched = status.interface(interface);
            let state = watched.map_or(LinkState::Gone, |watched| watched.state);
            if state == LinkState::Detached {
                reader = match self.format {
                    Format::Text => self.out.line(line::detached(now.reading.at, interface)),
                    Format::Json => {
                        let at = now.reading.at;
                        let object = DetachedObject::new(interface, at, window.elapsed);
                        self.out.json(&object)
                    }
                }?;
                continue;
            }
            let detached = watched.and_then(|watched| watched.detached);
            let detached = detached.filter(|_| state != LinkState::Gone);
            // What is not of one interface goes with the first that has counters.
            let with_all = std::mem::take(&mut is_first);
            reader = match self.format {
                Format::Text => {
                    if self.since_header.is_multiple_of(HEADER_EVERY) {
                        self.out.line(line::HEADER.into())?;
                    }
                    self.since_header += 1;
                    let mut line =
                        line::interval(now.reading.at, interface, &totals, window, detached);
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
                        at_ms: u64::try_from(now.reading.at.as_millis()).ok(),
                        interval_ms: u64::try_from(window.elapsed.as_millis()).ok(),
                        link: Some(state.name()),
                        detached: detached.map(clsact::name),
                        cut: None,
                        copies: None,
                        complete: None,
                        sensor: with_all.then(|| {
                            SensorObject::new(window, places, status.map_bytes, spent, losses)
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
                let more = counted((servers.len() - SERVERS) as u64, "more server");
                self.out.line(format!("          and {more}"))?;
            }
            let own = details::own_cost(window, places, status.map_bytes, spent, losses);
            let lines = [
                details::sources(&window.sources),
                details::names(&names, window.names),
                Some(own),
            ];
            for line in lines.into_iter().flatten() {
                reader = self.out.line(format!("          {line}"))?;
            }
            if let Some(host) = now.monitor.and_then(Monitor::host) {
                reader = self
                    .out
                    .line(format!("          {}", details::host(host)))?;
            }
        }
        Ok(reader)
    }
}

impl Face for Lines {
    fn show(&mut self, now: &Published<'_>) -> Result<ControlFlow<()>> {
        tell_lost(&mut self.lost, now.status);
        for (change, record) in now.changes {
            self.tell(*change, record)?;
        }
        let at_ms = now.monitor.map_or(0, Monitor::now_ms);
        for shadow in now.shadows {
            self.shadow(shadow, at_ms)?;
        }
        for sample in now.samples {
            self.names.add(sample);
        }
        if let Tick::Begin(_) = now.tick {
            self.interval.add(now.reading);
            return Ok(ControlFlow::Continue(()));
        }
        let Some(window) = self.interval.tick(now.reading) else {
            return Ok(ControlFlow::Continue(()));
        };
        if !self.watched.is_empty() {
            for line in changed_links(&self.watched, &now.status.interfaces) {
                output::note(format_args!("{line}"));
            }
        }
        self.watched.clone_from(&now.status.interfaces);
        if self.interval(&window, now)? == Reader::Gone {
            return Ok(ControlFlow::Break(()));
        }
        anything_left(now.status)?;
        Ok(ControlFlow::Continue(()))
    }

    fn unfinished(&mut self, record: Record) -> Result<()> {
        match self.format {
            Format::Json => self.out.json(&IncidentObject::new(&record, None))?,
            Format::Text => {
                let line = incident::unfinished(&record, self.store.kept(&record.id).as_ref());
                self.out.line(line)?
            }
        };
        Ok(())
    }
}

/// Ticks of an interval.
pub(super) fn ticks(interval: Duration) -> u32 {
    let ticks = interval.as_nanos().div_ceil(TICK.as_nanos());
    u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// Says which hooks have lost our program, beyond those that were told.
pub(super) fn tell_lost(told: &mut usize, status: &Status) {
    for lost in &status.lost[*told..] {
        output::note(format_args!("{lost}"));
    }
    *told = status.lost.len();
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
