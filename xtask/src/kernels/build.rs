//! The program and its test binaries.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::workspace;

/// What runs in a guest.
pub struct Binaries {
    /// The program.
    pub sensor: PathBuf,
    /// Test binaries with their names.
    pub tests: Vec<(String, PathBuf)>,
}

impl Binaries {
    /// Builds them, in release mode; of the tests those of these names, or all that need a kernel.
    ///
    /// # Errors
    /// The build failed.
    pub fn build(names: &[&str]) -> Result<Self> {
        println!("building the program and its tests");
        let mut command = Command::new("cargo");
        command
            .current_dir(workspace::root())
            .args(["test", "--quiet", "--release", "--package", "sensor"])
            .args(["--no-run", "--message-format=json"])
            .stderr(Stdio::inherit());
        if names.is_empty() {
            command.arg("--tests");
        }
        for name in names {
            command.args(["--test", name]);
        }
        let build = command.output()?;
        ensure!(build.status.success(), "the build failed");
        let text = String::from_utf8(build.stdout)?;
        let mut tests = Vec::new();
        for line in text.lines() {
            let message: Message = serde_json::from_str(line)?;
            if let (Some(target), Some(path)) = (message.target, message.executable)
                && target.kind == ["test"]
                && needs_a_kernel(&target.name)?
            {
                tests.push((target.name, path));
            }
        }
        let mut folder = tests.first().context("no test binaries")?.1.clone();
        // .../release/deps/name
        folder.pop();
        folder.pop();
        tests.sort();
        Ok(Self {
            sensor: folder.join("sensor"),
            tests,
        })
    }

    /// Paths of all.
    pub fn all(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.sensor).chain(self.tests.iter().map(|(_, path)| path))
    }
}

/// Whether a test file has tests that need a kernel and nothing else; the others say the same on any.
fn needs_a_kernel(test: &str) -> Result<bool> {
    let source = workspace::root().join(format!("sensor/tests/{test}.rs"));
    if !source.is_file() {
        return Ok(false);
    }
    Ok(fs::read_to_string(source)?.contains("#[ignore = \"needs a kernel\"]"))
}

/// One of cargo's messages, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}
