//! `sensor status`: one line and an exit code, of a running sensor or measured.

use std::io::{Read, Take};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::status_socket::sockets;
use super::stop::Stop;
use super::{Outcome, detection};
use crate::cli::{DetectionArguments, StatusArguments};
use crate::engine::kernel::engine::{KernelEngine, WatchOptions};
use crate::engine::kernel::hook::HookChoice;
use crate::engine::settings::for_ports;
use crate::incident::Record;
use crate::present::output::{self, Format};
use crate::present::status::StatusObject;
use crate::present::verdict;
use crate::session::{Face, Published, Session};
use crate::view::State;

/// How long is measured where no sensor runs.
const MEASURED: Duration = Duration::from_secs(3);
/// Longest wait for a running sensor.
const PATIENCE: Duration = Duration::from_secs(2);
/// An answer is no longer.
const LONGEST: u64 = 1 << 20;

/// Runs the command. What cannot be asked and cannot be measured cannot be told, and that is an outcome.
///
/// # Errors
/// Standard output cannot be written.
pub async fn run(arguments: &StatusArguments) -> Result<Outcome> {
    let found = match find(arguments).await {
        Ok(found) => found,
        Err(error) => {
            eprintln!("cannot tell: {error:#}");
            return Ok(Outcome::CannotTell);
        }
    };
    let mut worst = Outcome::Fine;
    for status in &found {
        match arguments.output {
            Format::Json => output::json(status)?,
            Format::Text => output::line(&status.line())?,
        };
        worst = worse(worst, outcome(status.state()));
    }
    Ok(worst)
}

fn outcome(state: Option<State>) -> Outcome {
    match state {
        Some(State::Ok) => Outcome::Fine,
        Some(State::Failing | State::Flooded) => Outcome::NotFine,
        Some(State::Degraded) => Outcome::Degraded,
        Some(State::Learning | State::OneWay) | None => Outcome::CannotTell,
    }
}

/// A failure is worse than anything else, and all is well only where it is known.
fn worse(one: Outcome, other: Outcome) -> Outcome {
    let order = [Outcome::NotFine, Outcome::Degraded, Outcome::CannotTell];
    let mut order = order.into_iter();
    order
        .find(|outcome| *outcome == one || *outcome == other)
        .unwrap_or(Outcome::Fine)
}

async fn find(arguments: &StatusArguments) -> Result<Vec<StatusObject>> {
    let asked = ask_all(&arguments.run_dir)?;
    let is_meant = |status: &StatusObject| {
        let interface = arguments.interface.as_ref();
        interface.is_none_or(|interface| status.interfaces.contains(interface))
    };
    let found: Vec<_> = asked.into_iter().filter(is_meant).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let Some(interface) = &arguments.interface else {
        bail!(
            "no sensor runs on this host that may be asked ({}); `sensor status -i NAME` measures an interface",
            arguments.run_dir.display()
        );
    };
    Ok(vec![measure(interface).await?])
}

/// What each running sensor says.
fn ask_all(directory: &Path) -> Result<Vec<StatusObject>> {
    let sockets =
        sockets(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut found = Vec::new();
    for path in sockets {
        match ask(&path) {
            Ok(status) => found.push(status),
            // What a killed sensor has left; the next one that starts removes it.
            Err(error) => log::info!("{}: {error:#}", path.display()),
        }
    }
    Ok(found)
}

fn ask(path: &Path) -> Result<StatusObject> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = String::new();
    let mut limited: Take<UnixStream> = stream.take(LONGEST);
    limited.read_to_string(&mut text)?;
    let status: StatusObject =
        serde_json::from_str(&text).context("an answer of another version")?;
    ensure!(status.at_ms != 0, "it has only just started");
    Ok(status)
}

/// Watches an interface for a while.
async fn measure(interface: &str) -> Result<StatusObject> {
    let options = WatchOptions {
        interfaces: vec![interface.into()],
        hook: HookChoice::Auto,
        ingress_only: false,
        settings: for_ports(&[])?,
        log_level: None,
        tc: None,
        take_over: false,
    };
    let engine = KernelEngine::watch(&options).await?;
    let about = detection::about(&[], options.interfaces.clone());
    let place = detection::place(&engine, false);
    let detection = detection::options(&DetectionArguments::default(), place, about)?;
    let mut session = Session::new(engine, &options.settings, detection);
    let live = session.live();
    let mut stop = Stop::new()?;
    let until = async {
        tokio::select! {
            () = tokio::time::sleep(MEASURED) => {}
            () = stop.asked() => {}
        }
    };
    session.run(&mut Nobody, until).await?;
    let view = live.view.borrow().clone();
    Ok(StatusObject::with(&view, verdict::brief(&view)))
}

/// Shows nothing.
struct Nobody;

impl Face for Nobody {
    fn show(&mut self, _: &Published<'_>) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }

    fn unfinished(&mut self, _: Record) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_all_is_told() {
        use Outcome::{CannotTell, Degraded, Fine, NotFine};
        for (one, other, worst) in [
            (Fine, Fine, Fine),
            (Fine, CannotTell, CannotTell),
            (CannotTell, Degraded, Degraded),
            (Degraded, NotFine, NotFine),
            (NotFine, CannotTell, NotFine),
        ] {
            assert_eq!(worse(one, other), worst);
            assert_eq!(worse(other, one), worst);
        }
    }
}
