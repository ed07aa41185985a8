//! `sensor replay`: a capture through the same counting.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use sensor_common::settings::{Direction, Settings};
use sensor_ebpf::parse::Link;

use super::Outcome;
use crate::cli::{EngineChoice, ReplayArguments};
use crate::host::capture::{Capture, Frame};
use crate::host::engine::HostEngine;
use crate::kernel::load::LoadError;
use crate::kernel::test_run::TestRunEngine;
use crate::present::details;
use crate::present::objects::{NamesObject, ServerObject, SourcesObject};
use crate::present::output::{self, Format};
use crate::present::summary::summary;
use crate::present::totals::{About, TotalsObject};
use crate::samples::Names;
use crate::settings::{for_ports, set_timeout};
use crate::snapshot::Snapshot;
use crate::window::{Sources, Window};

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

    fn count(&mut self, frame: &Frame<'_>, names: &mut Names) -> Result<(), LoadError> {
        match self {
            Self::Host(engine) => {
                if let Some(time) = frame.time {
                    engine.set_time(time);
                }
                engine.count(frame.bytes, Link::Ethernet);
                engine.samples().for_each(|sample| names.add(&sample));
            }
            Self::Kernel(engine) => {
                if let Some(time) = frame.time {
                    engine.set_time(time);
                }
                engine.count(frame.bytes)?;
                engine.samples().for_each(|sample| names.add(&sample));
            }
        }
        Ok(())
    }

    /// All that was seen, after the time in which the last queries could have been answered.
    fn finish(&mut self, at: Duration, last: Duration, timeout: Duration) -> Snapshot {
        let end = last + timeout + SETTLED;
        match self {
            Self::Host(engine) => {
                engine.set_time(end);
                engine.flush();
                engine.snapshot(at)
            }
            Self::Kernel(engine) => {
                engine.set_time(end);
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
    let mut engine = Engine::new(arguments.engine, &name, settings)?;
    let (mut first, mut last, mut cut) = (None::<Duration>, Duration::ZERO, 0);
    let mut refused = None;
    let mut names = Names::default();
    let read = capture.for_each(|frame: Frame<'_>| {
        if let Some(time) = frame.time {
            first = Some(first.map_or(time, |first| first.min(time)));
            last = last.max(time);
        }
        cut += u64::from(frame.is_cut);
        if let Err(error) = engine.count(&frame, &mut names) {
            refused.get_or_insert(error);
        }
    });
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
    let snapshot = engine.finish(at, last, arguments.timeout);
    show(&snapshot, &names, about, arguments.output)?;
    if let Some(error) = refused {
        return Err(error.into());
    }
    read?;
    Ok(Outcome::Fine)
}

fn show(snapshot: &Snapshot, names: &Names, about: About, format: Format) -> Result<()> {
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
