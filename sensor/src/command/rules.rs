//! `sensor rules`: what every rule reads, and how far it is from firing.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Context, Result};

use super::lines::{tell_lost, ticks};
use super::stop::Stop;
use super::{Outcome, detection, replay};
use crate::cli::RulesArguments;
use crate::detect::server::believed_after;
use crate::engine::Tick;
use crate::engine::kernel::engine::{KernelEngine, WatchOptions};
use crate::engine::kernel::hook::HookChoice;
use crate::engine::settings::for_ports;
use crate::incident::Record;
use crate::monitor::Monitor;
use crate::present::output::{self, Format, Reader};
use crate::present::rules::{self, RuleObject};
use crate::session::{Face, Published, Session};

/// Runs the command.
///
/// # Errors
/// The interfaces or the capture cannot be read.
pub async fn run(arguments: &RulesArguments) -> Result<Outcome> {
    let thresholds = detection::thresholds(&arguments.detection)?;
    if arguments.toml {
        let text = rules::commented(&thresholds).context("cannot write the thresholds")?;
        output::line(text.trim_end())?;
    } else if let Some(path) = &arguments.capture {
        let monitor = replay::monitor(path, arguments).await?;
        show(&monitor, arguments.output)?;
    } else if arguments.interfaces.is_empty() {
        match arguments.output {
            Format::Text => output::line(&rules::list())?,
            Format::Json => write(&rules::objects(&[]))?,
        };
    } else {
        live(arguments).await?;
    }
    Ok(Outcome::Fine)
}

async fn live(arguments: &RulesArguments) -> Result<()> {
    let options = WatchOptions {
        interfaces: arguments.interfaces.clone(),
        hook: HookChoice::Auto,
        ingress_only: false,
        settings: for_ports(&arguments.ports)?,
        log_level: None,
        tc: None,
        take_over: arguments.take_over,
    };
    let about = detection::about(&arguments.ports, arguments.interfaces.clone());
    let engine = KernelEngine::watch(&options).await?;
    let place = detection::place(&engine, options.ingress_only);
    let detection = detection::options(&arguments.detection, place, about)?;
    let mut session = Session::new(engine, &options.settings, detection);
    let mut stop = Stop::new()?;
    let mut table = Table {
        format: arguments.output,
        ticks: ticks(Duration::from_secs_f64(arguments.interval)),
        passed: 0,
        lost: 0,
    };
    session.run(&mut table, stop.asked()).await
}

/// The readings, every so many ticks.
struct Table {
    format: Format,
    ticks: u32,
    passed: u32,
    /// Lost hooks that were told.
    lost: usize,
}

impl Face for Table {
    fn show(&mut self, now: &Published<'_>) -> Result<ControlFlow<()>> {
        tell_lost(&mut self.lost, now.status);
        self.passed += u32::from(now.tick == Tick::Next);
        if now.tick != Tick::Next || !self.passed.is_multiple_of(self.ticks) {
            return Ok(ControlFlow::Continue(()));
        }
        if let Some(monitor) = now.monitor
            && show(monitor, self.format)? == Reader::Gone
        {
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    }

    fn unfinished(&mut self, _: Record) -> Result<()> {
        Ok(())
    }
}

fn write(objects: &[RuleObject<'_>]) -> std::io::Result<Reader> {
    let mut reader = Reader::There;
    for object in objects {
        reader = output::json(object)?;
    }
    Ok(reader)
}

fn show(monitor: &Monitor, format: Format) -> std::io::Result<Reader> {
    let readings: Vec<_> = monitor
        .detector()
        .readings()
        .iter()
        .map(|(subject, readings)| (*subject, readings.as_slice()))
        .collect();
    let history = &monitor.detector().network().history;
    let have = history.now().saturating_sub(history.begun());
    let need = believed_after(monitor.detector().thresholds());
    let learning = (have < need).then_some((have, need));
    match format {
        Format::Text => output::line(&rules::table(&readings, learning)),
        Format::Json => write(&rules::objects(&readings)),
    }
}
