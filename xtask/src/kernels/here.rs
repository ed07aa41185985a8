//! The kernel that runs here, without another machine.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::guest::{DONE, END, STEP, Step};

/// Runs the steps and returns what they printed, as a guest would.
///
/// # Errors
/// A shell cannot be started.
pub fn run(sensor: &Path, steps: &[Step], mut on_line: impl FnMut(&str)) -> Result<String> {
    let mut said = String::new();
    let mut path = sensor
        .parent()
        .unwrap_or(Path::new("/"))
        .as_os_str()
        .to_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    for step in steps {
        let mut say = |line: &str| {
            on_line(line);
            said.push_str(line);
            said.push('\n');
        };
        say(&format!("{STEP} {}", step.name));
        let mut shell = Command::new("sh")
            .args(["-c", &format!("exec 2>&1\n{}", step.command)])
            .env("PATH", &path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = shell.stdout.take().context("piped")?;
        for line in BufReader::new(output).split(b'\n') {
            say(String::from_utf8_lossy(&line?).trim_end());
        }
        let code = shell.wait()?.code();
        say(&format!("{END} {}", code.unwrap_or(-1)));
    }
    said.push_str(DONE);
    Ok(said)
}

/// `uname -r`.
///
/// # Errors
/// It cannot be read.
pub fn release() -> Result<String> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(release.trim().into())
}
