//! What `watch` and `run` have in common: the session over live interfaces, and what it serves.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::status_socket::StatusSocket;
use super::{detection, serve};
use crate::cli::LiveArguments;
use crate::engine::kernel::engine::{KernelEngine, WatchOptions};
use crate::engine::kernel::memory;
use crate::engine::kernel::preflight::Host;
use crate::engine::settings::{for_ports, set_timeout};
use crate::engine::status::{Status, Watched};
use crate::host::drops::Drops;
use crate::host::watch::HostWatch;
use crate::serve::Server;
use crate::session::Session;
use crate::view::publish::Live;

/// Attaches to the interfaces, and says how.
///
/// # Errors
/// They cannot be watched, or somebody who is to be told of incidents cannot be.
pub async fn start(arguments: &LiveArguments) -> Result<Session<KernelEngine>> {
    // What is missing for all of it is told before what is missing for a part.
    Host::look().check()?;
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
    let (alerts, past) = detection::alerts(&arguments.alerts, &arguments.interfaces)?;
    let about = detection::about(&arguments.ports, arguments.interfaces.clone());
    let drops = if arguments.no_drops {
        None
    } else {
        drop_program(&about.ports)
    };
    let host =
        HostWatch::new(&about.ports, &about.watched, drops).context("cannot start a thread")?;
    let engine = KernelEngine::watch(&options).await?;
    memory::give_back();
    let place = detection::place(&engine, arguments.ingress_only);
    let detection = detection::options(&arguments.detection, place, about)?;
    announce(&engine, arguments.ingress_only);
    let session = Session::new(engine, &options.settings, detection)
        .with_alerts(alerts)
        .with_past(past)
        .with_host(host);
    Ok(if arguments.verify {
        session.with_probes()
    } else {
        session
    })
}

/// What counts dropped packets. Where the kernel lacks it, that evidence is lost and nothing else.
fn drop_program(ports: &[u16]) -> Option<Drops> {
    Drops::attach(ports)
        .map_err(|error| eprintln!("why packets are dropped is not known here: {error}"))
        .ok()
}

/// What is served beside the command's own face, for as long as this is kept.
pub struct Served {
    _status: Option<StatusSocket>,
    _server: Option<Server>,
}

/// Serves the live model to others.
///
/// # Errors
/// `--listen` asks for what cannot be had, or would be open to others.
pub fn serve(arguments: &LiveArguments, live: &Live) -> Result<Served> {
    Ok(Served {
        _status: status(&arguments.run_dir, &arguments.interfaces, live),
        _server: serve::start(&arguments.serve, live)?,
    })
}

/// Nobody's counting ends because nobody can ask how it is.
fn status(directory: &Path, interfaces: &[String], live: &Live) -> Option<StatusSocket> {
    match StatusSocket::serve(directory, interfaces, live.view.clone()) {
        Ok(socket) => Some(socket),
        Err(error) => {
            log::warn!(
                "`sensor status` will not find this sensor: cannot listen in {}: {error}; --run-dir DIR names another \
                 directory",
                directory.display()
            );
            None
        }
    }
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

/// Interfaces that are no longer as they were, a line each.
pub fn changed_links(before: &[Watched], now: &[Watched]) -> Vec<String> {
    let pairs = before.iter().zip(now);
    pairs
        .filter(|(before, now)| before.state != now.state)
        .map(|(_, now)| format!("{} is {}", now.name, now.state.words()))
        .collect()
}

/// Ends a command that has nothing left to count.
///
/// # Errors
/// There is nothing left to watch, and why.
pub fn anything_left(status: &Status) -> Result<()> {
    ensure!(
        !status.is_gone(),
        "nothing is left to watch: the interfaces were deleted or moved away"
    );
    ensure!(
        !status.is_detached(),
        "nothing is left to watch: the programs were detached by somebody else (see above); start again to \
         attach them"
    );
    Ok(())
}
