//! `sensor replay`: a capture through the same counting.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use sensor_common::sample::Sample;
use sensor_common::settings::{Direction, Settings};
use sensor_ebpf::parse::Link;

use super::{Outcome, detection};
use crate::cli::{DetectionArguments, EngineChoice, ReplayArguments};
use crate::detect::Place;
use crate::engine::kernel::load::LoadError;
use crate::engine::kernel::test_run::TestRunEngine;
use crate::engine::maintenance::TICK;
use crate::engine::replay::capture::{Capture, Frame};
use crate::engine::replay::host_engine::{DISORDER, HostEngine};
use crate::engine::settings::{for_ports, set_timeout};
use crate::incident::{Change, Record};
use crate::measure::address::key;
use crate::measure::clock::WallClock;
use crate::measure::reading::Snapshot;
use crate::measure::samples::Names;
use crate::measure::window::{Sources, Window};
use crate::monitor::{Monitor, MonitorOptions};
use crate::present::incident::{self, IncidentObject};
use crate::present::objects::{NamesObject, ServerObject, SourcesObject};
use crate::present::output::{self, Format};
use crate::present::summary::summary;
use crate::present::totals::{About, TotalsObject};
use crate::present::{details, report};

/// Longer than the ticks that a time-out is told in, and together with it shorter than what the ring
/// of ticks holds.
const SETTLED: Duration = Duration::from_secs(1);

/// Either engine, fed with frames.
enum Engine {
    Host(Box<HostEngine>),
    Kernel(Box<TestRunEngine>),
}

impl Engine {
    fn new(choice: EngineChoice, name: &str, settings: Box<Settings>) -> Result<Self> {
        Ok(match choice {
            // The host engine needs no privileges, and counts the same.
            EngineChoice::Auto | EngineChoice::Host => {
                Self::Host(Box::new(HostEngine::new(name, settings)))
            }
            EngineChoice::Kernel => Self::Kernel(Box::new(TestRunEngine::new(name, settings)?)),
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Host(_) => "host",
            Self::Kernel(_) => "kernel",
        }
    }

    fn count(&mut self, frame: &Frame<'_>) -> Result<(), LoadError> {
        match self {
            Self::Host(engine) => engine.count(frame.bytes, Link::Ethernet),
            Self::Kernel(engine) => {
                engine.count(frame.bytes)?;
            }
        }
        Ok(())
    }

    /// Moves the clock, and hands over what is known at each tick.
    fn set_time(&mut self, time: Duration, sight: &mut Sight) {
        let first = sight.origin(time);
        match self {
            Self::Host(engine) => engine.set_time_with(time, |engine, at| {
                let samples: Vec<Sample> = engine.samples().collect();
                sight.tick(engine.snapshot(at.saturating_sub(first)), &samples);
            }),
            Self::Kernel(engine) => engine.set_time_with(time, |engine, at| {
                let samples: Vec<Sample> = engine.samples().collect();
                let at = at.saturating_sub(first);
                sight.tick(engine.snapshot(at, Direction::Ingress), &samples);
            }),
        }
    }

    /// Hands over the tick that the last packets lie in.
    fn end_tick(&mut self, sight: &mut Sight) {
        if sight.monitor.is_some() {
            self.set_time(sight.latest.saturating_add(TICK), sight);
        }
    }

    /// All that was seen.
    fn finish(&mut self, at: Duration) -> Snapshot {
        match self {
            Self::Host(engine) => {
                engine.flush();
                engine.snapshot(at)
            }
            Self::Kernel(engine) => {
                engine.flush();
                engine.snapshot(at, Direction::Ingress)
            }
        }
    }
}

/// Runs the command.
///
/// # Errors
/// The capture cannot be read to its end, or the kernel engine cannot run. What was counted until
/// then is shown.
pub fn run(arguments: &ReplayArguments) -> Result<Outcome> {
    let mut settings = for_ports(&arguments.ports)?;
    set_timeout(&mut settings, arguments.timeout);
    let name = file_name(&arguments.file);
    let capture = Capture::open(&arguments.file)?;
    let mut engine = Engine::new(arguments.engine, &name, settings.clone())?;
    let (mut first, mut last, mut cut) = (None::<Duration>, Duration::ZERO, 0);
    let mut refused = None;
    let place = Place {
        addresses: arguments.hosts.iter().copied().map(key).collect(),
        ..Place::default()
    };
    let of = detection::about(&arguments.ports, vec![name.clone()]);
    let options = detection::options(&arguments.detection, place, of, false)?;
    let mut sight = Sight::new(options, &settings);
    let read = capture.for_each(|frame: Frame<'_>| {
        if let Some(time) = frame.time {
            first.get_or_insert(time);
            last = last.max(time);
            engine.set_time(time, &mut sight);
        }
        cut += u64::from(frame.is_cut);
        if let Err(error) = engine.count(&frame) {
            refused.get_or_insert(error);
        }
    });
    engine.end_tick(&mut sight);
    // The last queries could be answered until then.
    let end = sight.latest.saturating_add(arguments.timeout + SETTLED);
    // What happens to queries behind the end of the capture is not known, and no sign of anything.
    sight.is_over = true;
    engine.set_time(end, &mut sight);
    let at = last.saturating_sub(first.unwrap_or_default());
    let complete = read.is_ok() && refused.is_none();
    let about = About {
        engine: engine.name(),
        source: Some(name),
        at_ms: Some(u64::try_from(at.as_millis()).unwrap_or(u64::MAX)),
        cut: Some(cut),
        complete: Some(complete),
        ..About::default()
    };
    let snapshot = engine.finish(at);
    let incidents = sight.finish();
    if arguments.report {
        show_reports(&incidents, arguments.output)?;
    } else {
        show(&snapshot, &sight.names, &incidents, about, arguments.output)?;
    }
    if sight.restarts != 0 {
        eprintln!(
            "the times in {} go back {} times, by more than {} s: what was usual before is forgotten there, \
             and incidents that went on are unfinished",
            arguments.file.display(),
            sight.restarts,
            DISORDER.as_secs()
        );
    }
    if let Some(error) = refused {
        return Err(error.into());
    }
    read?;
    if arguments.fail_on_incident && !incidents.is_empty() {
        return Ok(Outcome::Incident);
    }
    Ok(Outcome::Fine)
}

/// What the rules know at the end of a capture.
///
/// # Errors
/// The capture cannot be read.
pub fn monitor(path: &Path, ports: &[u16], arguments: &DetectionArguments) -> Result<Monitor> {
    let settings = for_ports(ports)?;
    let name = file_name(path);
    let about = detection::about(ports, vec![name.clone()]);
    let options = detection::options(arguments, Place::default(), about, false)?;
    let mut sight = Sight::new(options, &settings);
    let mut engine = Engine::new(EngineChoice::Host, &name, settings)?;
    Capture::open(path)?.for_each(|frame: Frame<'_>| {
        if let Some(time) = frame.time {
            engine.set_time(time, &mut sight);
        }
        // The host engine takes every frame.
        let _ = engine.count(&frame);
    })?;
    engine.end_tick(&mut sight);
    sight
        .monitor
        .context("the capture has no packet with a time")
}

/// What looks at the ticks of a capture.
struct Sight {
    names: Names,
    /// None before the first packet.
    monitor: Option<Monitor>,
    options: MonitorOptions,
    settings: Box<Settings>,
    /// As they were when they ended.
    ended: Vec<Record>,
    /// The capture is.
    is_over: bool,
    /// When the monitor began, and the latest time since then.
    begun: Duration,
    latest: Duration,
    /// Times that the capture's clock was set back.
    restarts: u64,
}

impl Sight {
    fn new(options: MonitorOptions, settings: &Settings) -> Self {
        Self {
            names: Names::default(),
            monitor: None,
            options,
            settings: Box::new(*settings),
            ended: Vec::new(),
            is_over: false,
            begun: Duration::ZERO,
            latest: Duration::ZERO,
            restarts: 0,
        }
    }

    /// The time from which on detection counts. What was learnt means nothing once the clock is set back.
    fn origin(&mut self, time: Duration) -> Duration {
        let goes_back = time.saturating_add(DISORDER) < self.latest;
        if self.monitor.is_none() || goes_back {
            self.restarts += u64::from(goes_back);
            self.end();
            let calendar = WallClock {
                begun: time,
                samples: time,
            };
            let options = self.options.clone();
            self.monitor = Some(Monitor::new(&self.settings, calendar, options));
            (self.begun, self.latest) = (time, time);
        }
        self.latest = self.latest.max(time);
        self.begun
    }

    /// What goes on is unfinished.
    fn end(&mut self) {
        let open = self.monitor.as_mut().map(Monitor::finish);
        let open = open.into_iter().flatten().map(|(record, _)| record);
        self.ended.extend(open);
    }

    fn tick(&mut self, now: Snapshot, samples: &[Sample]) {
        for sample in samples {
            self.names.add(sample);
        }
        let Some(monitor) = self.monitor.as_mut().filter(|_| !self.is_over) else {
            return;
        };
        for (change, record) in monitor.observe(now, samples) {
            if matches!(change, Change::Closed | Change::Stale) {
                self.ended.push(record);
            }
        }
    }

    /// All incidents, in the order of their detection.
    fn finish(&mut self) -> Vec<Record> {
        self.end();
        let mut records = std::mem::take(&mut self.ended);
        records.sort_by_key(|record| record.detected_ms);
        records
    }
}

fn show_reports(incidents: &[Record], format: Format) -> Result<()> {
    for record in incidents {
        match format {
            Format::Json => output::json(&IncidentObject::new(record, None))?,
            Format::Text => output::line(&report::markdown(record, None))?,
        };
    }
    if incidents.is_empty() && format == Format::Text {
        output::line("No incident.")?;
    }
    Ok(())
}

fn show(
    snapshot: &Snapshot,
    names: &Names,
    incidents: &[Record],
    about: About,
    format: Format,
) -> Result<()> {
    let totals = snapshot.totals();
    let window = Window::between(&Snapshot::empty(Duration::ZERO), snapshot);
    // Of the whole capture, and not of its last seconds.
    let sources = Sources {
        distinct: snapshot.all_sources.estimate(),
        ..window.sources.clone()
    };
    let distinct_names = snapshot.all_names.estimate();
    match format {
        Format::Json => {
            for (key, server) in &window.servers {
                output::json(&ServerObject::new(key, server))?;
            }
            output::json(&SourcesObject::new(&sources))?;
            output::json(&NamesObject::new(names, distinct_names))?;
            for record in incidents {
                output::json(&IncidentObject::new(record, None))?;
            }
            let about = About {
                evicted_servers: Some(snapshot.evicted),
                ..about
            };
            output::json(&TotalsObject::new(&totals, about))?;
        }
        Format::Text => {
            let cut = about.cut.unwrap_or(0);
            output::line(&summary(&totals, &window.busiest(), cut))?;
            output::line(&details::sources(&sources))?;
            output::line(&details::names(names, distinct_names))?;
            for record in incidents {
                output::line(&incident::told(record))?;
            }
        }
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.display().to_string(),
    )
}
