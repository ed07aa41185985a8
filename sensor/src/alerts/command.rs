//! A command for each alert, with the record on its standard input.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::Alert;

/// A command that runs longer is killed.
const LIMIT: Duration = Duration::from_secs(10);

/// Runs the command for each alert, one after the other.
pub fn run(line: &str, queue: &Receiver<Arc<Alert>>, over: &AtomicBool) {
    for alert in queue {
        if over.load(Ordering::Relaxed) {
            return;
        }
        if let Err(what) = once(line, &alert, over) {
            log::error!("the command {line:?} {what}");
        }
    }
}

fn once(line: &str, alert: &Alert, over: &AtomicBool) -> Result<(), String> {
    let change = alert.change.map_or("", super::Change::name);
    let mut child = Command::new("sh")
        .args(["-c", line])
        .env("SENSOR_CHANGE", change)
        .env("SENSOR_ID", &alert.record.id)
        .env("SENSOR_LEVEL", &alert.record.level)
        .env("SENSOR_CAUSE", &alert.record.first_cause)
        .stdin(Stdio::piped())
        // Standard output has the sensor's own lines.
        .stdout(std::io::stderr())
        // With its children, so that they end with it.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot be started: {error}"))?;
    let text = serde_json::to_vec(&alert.record).map_err(|error| error.to_string())?;
    // On a thread of its own: a command that does not read must not hold this one up.
    let mut input = child.stdin.take();
    std::thread::spawn(move || {
        if let Some(input) = &mut input {
            // A command need not read.
            let _ = input.write_all(&text);
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
