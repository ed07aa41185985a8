//! `sensor watch`: live counters.

use std::time::Duration;

use anyhow::{Result, bail};
use sensor_common::settings::Direction;
use sensor_common::totals::Totals;
use tokio::time::MissedTickBehavior;

use super::Outcome;
use crate::cli::WatchArguments;
use crate::counters::Counters;
use crate::kernel::engine::{KernelEngine, WatchOptions};
use crate::kernel::interface::LinkState;
use crate::present::line;
use crate::present::output::{self, Format, Reader};
use crate::present::totals::{About, TotalsObject};
use crate::settings::for_ports;
use crate::snapshot::{Lane, Snapshot};
use crate::window::Window;

/// Lines between two headers.
const HEADER_EVERY: usize = 20;

/// Runs the command until a signal or a closed pipe.
///
/// # Errors
/// The interfaces cannot be watched.
pub async fn run(arguments: &WatchArguments) -> Result<Outcome> {
    let mut engine = KernelEngine::watch(&WatchOptions {
        interfaces: arguments.interfaces.clone(),
        hook: arguments.hook,
        ingress_only: arguments.ingress_only,
        settings: for_ports(&arguments.ports)?,
        log_level: log::max_level().to_level(),
        tc: None,
    })
    .await?;
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
    let mut kernel_log = if log::max_level() >= log::LevelFilter::Debug {
        Some(engine.log()?)
    } else {
        None
    };
    let mut stop = Stop::new()?;
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(arguments.interval));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut then = engine.snapshot();
    let mut lines = 0;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.asked() => return Ok(Outcome::Fine),
        }
        if let Some(log) = &mut kernel_log {
            log.flush();
        }
        let states: Vec<LinkState> = engine.attached().iter().map(|a| a.state).collect();
        engine.look_at_links().await?;
        for (before, attached) in states.iter().zip(engine.attached()) {
            if *before != attached.state {
                eprintln!("{} is {}", attached.interface.name, attached.state.name());
            }
        }
        let now = engine.snapshot();
        let window = Window::between(&then, &now);
        if show(&window, &now, &engine, arguments.output, &mut lines)? == Reader::Gone {
            return Ok(Outcome::Fine);
        }
        if engine.attached().iter().all(|a| a.state == LinkState::Gone) {
            bail!("nothing is left to watch: the interfaces were deleted or moved away");
        }
        then = now;
    }
}

fn show(
    window: &Window,
    now: &Snapshot,
    engine: &KernelEngine,
    format: Format,
    lines: &mut usize,
) -> std::io::Result<Reader> {
    let mut reader = Reader::There;
    for (at, (interface, totals)) in by_interface(&window.lanes).into_iter().enumerate() {
        let attached = engine
            .attached()
            .iter()
            .find(|a| a.interface.name == interface);
        let state = attached.map_or(LinkState::Gone, |attached| attached.state);
        reader = match format {
            Format::Text => {
                if lines.is_multiple_of(HEADER_EVERY) {
                    output::line(line::HEADER)?;
                }
                *lines += 1;
                let mut line = line::interval(now.at, interface, &totals, window);
                if state != LinkState::Up {
                    line = format!("{line}  interface is {}", state.name());
                }
                output::line(&line)?
            }
            Format::Json => output::json(&TotalsObject::new(
                &totals,
                About {
                    engine: "kernel",
                    source: Some(interface.into()),
                    at_ms: u64::try_from(now.at.as_millis()).ok(),
                    interval_ms: u64::try_from(window.elapsed.as_millis()).ok(),
                    link: Some(state.name()),
                    cut: None,
                    complete: None,
                    server_places: (at == 0).then(|| (now.places.len(), engine.server_places())),
                    evicted_servers: (at == 0).then_some(window.evicted),
                },
            ))?,
        };
    }
    Ok(reader)
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
