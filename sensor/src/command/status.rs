//! `sensor status`: one line and an exit code, of a running sensor or measured.

use std::fs;
use std::io::{ErrorKind, Read, Take};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::unistd::{Gid, Group};

use super::status_socket::{sockets, watches};
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
/// None: standard output that cannot be written is such an outcome too.
pub async fn run(arguments: &StatusArguments) -> Result<Outcome> {
    let told = match find(arguments).await {
        Ok(answers) => tell(&answers, arguments.output).context("cannot write the status"),
        Err(error) => Err(error),
    };
    // An exit code of 1 would say that DNS fails.
    Ok(told.unwrap_or_else(|error| {
        output::note(format_args!("cannot tell: {error:#}"));
        Outcome::CannotTell
    }))
}

fn tell(answers: &Answers, format: Format) -> std::io::Result<Outcome> {
    let mut worst = Outcome::Fine;
    for status in &answers.found {
        match format {
            Format::Json => output::json(status)?,
            Format::Text => output::line(&status.line())?,
        };
        worst = worse(worst, outcome(status.state()));
    }
    for silent in &answers.silent {
        output::note(format_args!("cannot tell: {silent}"));
        worst = worse(worst, Outcome::CannotTell);
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

/// What running sensors say, and why some say nothing.
#[derive(Default)]
struct Answers {
    found: Vec<StatusObject>,
    silent: Vec<String>,
}

async fn find(arguments: &StatusArguments) -> Result<Answers> {
    let interface = arguments.interface.as_deref();
    let answers = ask_all(&arguments.run_dir, interface)?;
    if !answers.found.is_empty() || !answers.silent.is_empty() {
        return Ok(answers);
    }
    let Some(interface) = interface else {
        bail!(
            "no sensor runs on this host ({} has no socket of one); `sensor status -i NAME` measures an interface, and \
             --run-dir DIR names the directory that a sensor was started with",
            arguments.run_dir.display()
        );
    };
    let measured = measure(interface)
        .await
        .with_context(|| format!("no sensor watches {interface}, and it cannot be measured"))?;
    Ok(Answers {
        found: vec![measured],
        ..Answers::default()
    })
}

/// What each running sensor says, of those that watch the interface where one is named.
fn ask_all(directory: &Path, interface: Option<&str>) -> Result<Answers> {
    let sockets = sockets(directory).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => anyhow!(
            "{} cannot be read by this user: run `sensor status` as root",
            directory.display()
        ),
        _ => anyhow::Error::from(error)
            .context(format!("cannot read {} (--run-dir)", directory.display())),
    })?;
    let mut answers = Answers::default();
    for path in sockets {
        let is_meant = |status: &StatusObject| {
            interface.is_none_or(|interface| status.interfaces.iter().any(|one| one == interface))
        };
        match ask(&path) {
            Ok(status) if is_meant(&status) => answers.found.push(status),
            Err(Silent::Gone) => log::info!("{}: left by a killed sensor", path.display()),
            Err(silent) if interface.is_none_or(|interface| watches(&path, interface)) => {
                answers.silent.push(silent.of(&path));
            }
            // Of another interface.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(answers)
}

/// Why a socket gives no status.
enum Silent {
    /// Nobody listens there: a killed sensor has left it, and the next one that starts removes it.
    Gone,
    /// This user may not connect.
    Forbidden,
    /// Anything else.
    Failed(anyhow::Error),
}

impl From<std::io::Error> for Silent {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::NotFound => Self::Gone,
            ErrorKind::PermissionDenied => Self::Forbidden,
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                Self::Failed(anyhow!("no answer within {} s", PATIENCE.as_secs()))
            }
            _ => Self::Failed(error.into()),
        }
    }
}

impl Silent {
    /// For people: what happened, why, and what to do.
    fn of(&self, path: &Path) -> String {
        let socket = path.display();
        match self {
            Self::Gone => format!("nobody listens at {socket}"),
            Self::Forbidden => {
                format!(
                    "this user may not ask the sensor at {socket}, {}",
                    who_may(path)
                )
            }
            Self::Failed(error) => format!("the sensor at {socket} gives no status: {error:#}"),
        }
    }
}

/// Who may connect to a socket, and what others can do.
fn who_may(path: &Path) -> String {
    let group = fs::metadata(path).map_or(0, |data| data.gid());
    if group == 0 {
        let directory = path.parent().unwrap_or(path).display();
        return format!(
            "which is for root: run `sensor status` as root, or give {directory} to a group (`chgrp GROUP \
             {directory}`) and start the sensor again, which gives its socket to that group"
        );
    }
    let named = Group::from_gid(Gid::from_raw(group)).ok().flatten();
    let name = named.map_or_else(|| group.to_string(), |group| group.name);
    format!(
        "which is for root and the group {name}: run `sensor status` as root, or as a member of {name}"
    )
}

fn ask(path: &Path) -> Result<StatusObject, Silent> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = String::new();
    let mut limited: Take<UnixStream> = stream.take(LONGEST);
    limited.read_to_string(&mut text)?;
    let status: StatusObject = serde_json::from_str(&text)
        .map_err(|_| Silent::Failed(anyhow!("its answer is of another version of sensor")))?;
    if status.at_ms == 0 {
        return Err(Silent::Failed(anyhow!("it has only just started")));
    }
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
    output::note(format_args!(
        "no sensor watches {interface}: measuring for {} s",
        MEASURED.as_secs()
    ));
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
