//! What `watch` and `run` have in common: the session over live interfaces, and what it serves.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::status_socket::StatusSocket;
use super::{detection, serve};
use crate::cli::LiveArguments;
use crate::detect::Place;
use crate::engine::kernel::engine::{KernelEngine, WatchOptions};
use crate::engine::kernel::memory;
use crate::engine::kernel::preflight::Host;
use crate::engine::settings::{for_ports, set_timeout};
use crate::engine::status::{Status, Watched};
use crate::host::drops::Drops;
use crate::host::probe::Source;
use crate::host::watch::HostWatch;
use crate::monitor::MonitorOptions;
use crate::present::output;
use crate::serve::Server;
use crate::session::Session;
use crate::view::publish::Live;

/// Attaches to the interfaces, and says how; serves the live model. What the command line has wrong is refused before
/// anything is attached.
///
/// # Errors
/// They cannot be watched, somebody who is to be told of incidents cannot be, or `--listen` asks for what cannot be had
/// or would be open to others.
pub async fn start(arguments: &LiveArguments) -> Result<(Session<KernelEngine>, Served)> {
    // What is missing for all of it is told before what is missing for a part.
    Host::look().check()?;
    let mut settings = for_ports(&arguments.ports)?;
    set_timeout(&mut settings, arguments.timeout);
    let probes = arguments.verify.then(Source::take).transpose();
    let probes = probes.context("cannot take a port to probe servers from")?;
    settings.probe_port = probes.as_ref().map_or(0, |source| source.port().to_be());
    let options = WatchOptions {
        interfaces: arguments.interfaces.clone(),
        hook: arguments.hook,
        ingress_only: arguments.ingress_only,
        settings,
        log_level: log::max_level().to_level(),
        tc: None,
        take_over: arguments.take_over,
    };
    let about = detection::about(&arguments.ports, arguments.interfaces.clone());
    let ports = about.ports.clone();
    let watched = about.watched.clone();
    let detection = detection::options(&arguments.detection, Place::default(), about)?;
    let sockets = serve::bind(&arguments.serve)?;
    let (alerts, past) = detection::alerts(&arguments.alerts, &arguments.interfaces)?;
    let engine = KernelEngine::watch(&options).await?;
    let drops = if arguments.no_drops {
        None
    } else {
        drop_program(&ports)
    };
    let host = HostWatch::new(&ports, &watched, drops).context("cannot start a thread")?;
    memory::give_back();
    let detection = MonitorOptions {
        place: Place {
            trusted: detection.place.trusted,
            ..detection::place(&engine, arguments.ingress_only)
        },
        ..detection
    };
    announce(&engine, arguments.ingress_only);
    let mut session = Session::new(engine, &options.settings, detection)
        .with_alerts(alerts)
        .with_past(past)
        .with_host(host);
    if let Some(source) = probes {
        session = session.with_probes(source);
    }
    let live = session.live();
    let served = Served {
        _status: status(&arguments.run_dir, &arguments.interfaces, &live),
        _server: sockets
            .map(|sockets| serve::start(sockets, &live))
            .transpose()?,
    };
    Ok((session, served))
}

/// What counts dropped packets. Where the kernel lacks it, that evidence is lost and nothing else.
fn drop_program(ports: &[u16]) -> Option<Drops> {
    Drops::attach(ports)
        .map_err(|error| {
            output::note(format_args!(
                "why packets are dropped is not known here: {error}"
            ));
        })
        .ok()
}

/// What is served beside the command's own face, for as long as this is kept.
pub struct Served {
    _status: Option<StatusSocket>,
    _server: Option<Server>,
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
        output::note(format_args!(
            "watching {} with {directions}: {}",
            attached.interface.name, attached.reason
        ));
    }
    if ingress_only {
        output::note(format_args!(
            "only received packets are counted: whether a query was answered, and whether a response \
             was asked for, cannot be known"
        ));
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
