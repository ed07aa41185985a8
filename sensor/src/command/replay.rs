//! `sensor replay`: a capture through the same counting.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use sensor_common::server::{ServerCounters, ServerKey};
use sensor_common::settings::{Direction, Settings};
use sensor_ebpf::parse::Link;

use super::Outcome;
use crate::cli::{EngineChoice, ReplayArguments};
use crate::host::capture::{Capture, Frame};
use crate::host::engine::HostEngine;
use crate::kernel::load::LoadError;
use crate::kernel::test_run::TestRunEngine;
use crate::present::output::{self, Format};
use crate::present::summary::summary;
use crate::present::totals::{About, ServerObject, TotalsObject};
use crate::settings::for_ports;
use crate::snapshot::Snapshot;
use crate::window::Window;

/// Either engine, fed with frames.
enum Engine {
    Host(HostEngine),
    Kernel(Box<TestRunEngine>),
}

impl Engine {
    fn new(choice: EngineChoice, name: &str, settings: Box<Settings>) -> Result<Self> {
        Ok(match choice {
            // The host engine needs no privileges, and counts the same.
            EngineChoice::Auto | EngineChoice::Host => Self::Host(HostEngine::new(name, settings)),
            EngineChoice::Kernel => Self::Kernel(Box::new(TestRunEngine::new(name, settings)?)),
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Host(_) => "host",
            Self::Kernel(_) => "kernel",
        }
    }

    fn count(&mut self, frame: &[u8]) -> Result<(), LoadError> {
        match self {
            Self::Host(engine) => engine.count(frame, Link::Ethernet),
            Self::Kernel(engine) => {
                engine.count(frame)?;
            }
        }
        Ok(())
    }

    fn snapshot(&self, at: Duration) -> Snapshot {
        match self {
            Self::Host(engine) => engine.snapshot(at),
            Self::Kernel(engine) => engine.snapshot(at, Direction::Ingress),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// The capture cannot be read to its end, or the kernel engine cannot run. What was counted until
/// then is shown.
pub fn run(arguments: &ReplayArguments) -> Result<Outcome> {
    let settings = for_ports(&arguments.ports)?;
    let name = file_name(&arguments.file);
    let capture = Capture::open(&arguments.file)?;
    let mut engine = Engine::new(arguments.engine, &name, settings)?;
    let (mut first, mut last, mut cut) = (None::<Duration>, Duration::ZERO, 0);
    let mut refused = None;
    let read = capture.for_each(|frame: Frame<'_>| {
        if let Some(time) = frame.time {
            first = Some(first.map_or(time, |first| first.min(time)));
            last = last.max(time);
        }
        cut += u64::from(frame.is_cut);
        if let Err(error) = engine.count(frame.bytes) {
            refused.get_or_insert(error);
        }
    });
    let at = last.saturating_sub(first.unwrap_or_default());
    let complete = read.is_ok() && refused.is_none();
    show(&engine, at, &name, cut, complete, arguments.output)?;
    if let Some(error) = refused {
        return Err(error.into());
    }
    read?;
    Ok(Outcome::Fine)
}

fn show(
    engine: &Engine,
    at: Duration,
    name: &str,
    cut: u64,
    complete: bool,
    format: Format,
) -> Result<()> {
    let snapshot = engine.snapshot(at);
    let totals = snapshot.totals();
    match format {
        Format::Json => {
            let about = About {
                engine: engine.name(),
                source: Some(name.into()),
                at_ms: Some(u64::try_from(at.as_millis()).unwrap_or(u64::MAX)),
                cut: Some(cut),
                complete: Some(complete),
                evicted_servers: Some(snapshot.evicted),
                ..About::default()
            };
            let window = Window::between(&Snapshot::empty(Duration::ZERO), &snapshot);
            for (key, server) in &window.servers {
                let sender = server.error_sender.as_ref();
                output::json(&ServerObject::new(key, &server.counters, sender))?;
            }
            output::json(&TotalsObject::new(&totals, about))?;
        }
        Format::Text => {
            output::line(&summary(&totals, &busiest(&snapshot), cut))?;
        }
    }
    Ok(())
}

/// Servers, those with most packets first.
fn busiest(snapshot: &Snapshot) -> Vec<(ServerKey, ServerCounters)> {
    let mut servers: Vec<_> = snapshot.servers().into_iter().collect();
    servers.sort_by_key(|(_, counters)| {
        let errors: u64 = counters.errors.iter().sum();
        std::cmp::Reverse(counters.queries + counters.responses + errors)
    });
    servers
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.display().to_string(),
    )
}
