//! A command for each alert, with the incident as JSON on its standard input.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::alert::Alert;
use super::tally::Tally;
use crate::incident::Change;
use crate::present::words;

/// A command that runs longer is killed.
const LIMIT: Duration = Duration::from_secs(10);

/// Runs the command for each alert, one after the other.
pub fn run(line: &str, queue: &Receiver<Arc<Alert>>, over: &AtomicBool, tally: &Tally) {
    for alert in queue {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let ran = once(line, &alert, over);
        tally.note(ran.is_ok());
        if let Err(what) = ran {
            log::error!("the command {line:?} {what}");
        }
    }
}

/// Why a command can never be run.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The shell does not understand it.
    #[error("sh does not understand it: {0}")]
    Syntax(String),
    /// Its first word is no command.
    #[error("there is no command {0:?} here")]
    Unknown(String),
    /// There is no shell.
    #[error("sh cannot be started: {0}")]
    Shell(#[from] std::io::Error),
}

/// Whether a line may be run, as far as that is known without running it: the shell understands it, and where it
/// begins with a plain word, that is a command.
///
/// # Errors
/// It can never be run.
pub fn check(line: &str) -> Result<(), Unusable> {
    let read = Command::new("sh")
        .args(["-n", "-c", line])
        .stdin(Stdio::null())
        .output()?;
    if !read.status.success() {
        let said = String::from_utf8_lossy(&read.stderr);
        return Err(Unusable::Syntax(said.trim().into()));
    }
    let first = line.split_whitespace().next().unwrap_or("");
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_./+-".contains(letter);
    if !first.chars().all(is_plain) {
        return Ok(());
    }
    let known = Command::new("sh")
        .args(["-c", "command -v -- \"$1\"", "sh", first])
        .stdin(Stdio::null())
        .output()?;
    if known.status.success() {
        Ok(())
    } else {
        Err(Unusable::Unknown(first.into()))
    }
}

fn once(line: &str, alert: &Alert, over: &AtomicBool) -> Result<(), String> {
    let change = alert.change.map_or("", Change::name);
    let mut child = Command::new("sh")
        .args(["-c", line])
        .env("SENSOR_CHANGE", change)
        .env("SENSOR_ID", &alert.record.id)
        .env("SENSOR_LEVEL", alert.record.level.name())
        .env("SENSOR_CAUSE", words::cause::codes(&alert.record))
        .stdin(Stdio::piped())
        // Standard output has the sensor's own lines.
        .stdout(std::io::stderr())
        // With its children, so that they end with it.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot be started: {error}"))?;
    let text = alert.json.clone();
    // On a thread of its own: a command that does not read must not hold this one up.
    let mut input = child.stdin.take();
    std::thread::spawn(move || {
        if let Some(input) = &mut input {
            // A command need not read.
            let _ = input.write_all(text.as_bytes());
        }
    });
    wait(&mut child, over)
}

fn wait(child: &mut Child, over: &AtomicBool) -> Result<(), String> {
    let end = Instant::now() + LIMIT;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("failed: {status}")),
            Ok(None) if Instant::now() < end && !over.load(Ordering::Relaxed) => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Ok(None) => {
                let group = Pid::from_raw(child.id() as i32);
                // Both may have ended meanwhile.
                let _ = killpg(group, Signal::SIGKILL);
                let _ = child.wait();
                return Err("ran for too long and was killed".into());
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_never_be_run_is_known_before() {
        for good in [
            "true",
            "cat > /dev/null",
            "if true; then cat; fi",
            "A=1 env",
            "$SHELL -c true",
            "/bin/sh -c true",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "no-such-command-here --now",
            "/no/such/file",
            "if true; then",
            "echo 'open",
            "",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
