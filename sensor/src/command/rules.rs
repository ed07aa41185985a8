//! `sensor rules`: what every rule reads, and how far it is from firing.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::MissedTickBehavior;

use super::live::Live;
use super::watch::Stop;
use super::{Outcome, detection, replay};
use crate::alerts::Alerts;
use crate::cli::RulesArguments;
use crate::kernel::attach::HookChoice;
use crate::kernel::engine::WatchOptions;
use crate::monitor::Monitor;
use crate::present::output::{self, Format, Reader};
use crate::present::rules::{self, RuleObject};
use crate::samples::Names;
use crate::settings::for_ports;
use crate::upkeep::TICK;

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
        let monitor = replay::monitor(path, &arguments.ports, &arguments.detection)?;
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
    let mut live = Live::watch(&options, &arguments.detection, about, Alerts::default()).await?;
    let mut stop = Stop::new()?;
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(arguments.interval));
    ticks.tick().await;
    let mut upkeep = tokio::time::interval(TICK);
    upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = upkeep.tick() => {
                live.tick(&mut Names::default());
                for lost in live.engine.take_lost() {
                    eprintln!("{lost}");
                }
            }
            _ = ticks.tick() => {
                if show(&live.monitor, arguments.output)? == Reader::Gone {
                    return Ok(());
                }
            }
            () = stop.asked() => return Ok(()),
        }
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
    match format {
        Format::Text => output::line(&rules::table(&readings)),
        Format::Json => write(&rules::objects(&readings)),
    }
}
