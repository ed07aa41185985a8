//! `sensor watch`: live counters.

use std::time::Duration;

use anyhow::{Context, Result};

use super::lines::Lines;
use super::screen::face::Behind;
use super::screen::{self, Options, Screen};
use super::stop::Stop;
use super::{Outcome, detection};
use crate::cli::WatchArguments;
use crate::engine::kernel::engine::{KernelEngine, WatchOptions};
use crate::engine::settings::{for_ports, set_timeout};
use crate::host::watch::HostWatch;
use crate::present::incident;
use crate::present::output::{self, Format, Lines as Output, Reader};
use crate::session::Session;

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
    let host = HostWatch::new(&about.ports).context("cannot start a thread")?;
    let engine = KernelEngine::watch(&options).await?;
    let place = detection::place(&engine, arguments.ingress_only);
    let detection = detection::options(&arguments.detection, place, about)?;
    announce(&engine, arguments.ingress_only);
    let mut session = Session::new(engine, &options.settings, detection)
        .with_alerts(alerts)
        .with_host(host);
    if arguments.verify {
        session = session.with_probes();
    }
    let mut stop = Stop::new()?;
    if !arguments.plain && arguments.output == Format::Text && screen::is_possible() {
        return on_screen(arguments, &mut session, &mut stop).await;
    }
    let interval = Duration::from_secs_f64(arguments.interval);
    let out = Output::new()?;
    let mut lines = Lines::new(arguments.output, arguments.details, interval, out)
        .kept_in(arguments.alerts.state.as_deref());
    let ran = session.run(&mut lines, stop.asked()).await;
    session.finish(&mut lines)?;
    lines.finish()?;
    ran.map(|()| Outcome::Fine)
}

/// On the full screen, until the user leaves or a signal.
async fn on_screen(
    arguments: &WatchArguments,
    session: &mut Session<KernelEngine>,
    stop: &mut Stop,
) -> Result<Outcome> {
    let state = arguments.alerts.state.as_deref();
    let options = Options {
        ascii: arguments.ascii,
        state: state.map(Into::into),
        pace: None,
    };
    let mut screen = Screen::start(session.live().view, options)?;
    let mut behind = Behind::default();
    let until = async {
        tokio::select! {
            () = stop.asked() => {}
            () = screen.left() => {}
        }
    };
    let ran = session.run(&mut behind, until).await;
    // What is said from here on is said on the normal screen.
    let reader = screen.end()?;
    session.finish(&mut behind)?;
    if reader == Reader::Gone {
        return Ok(Outcome::Fine);
    }
    for lost in behind.lost {
        eprintln!("{lost}");
    }
    for record in behind.unfinished {
        output::line(&incident::unfinished(&record, state))?;
    }
    ran.map(|()| Outcome::Fine)
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
