//! The program and its test binaries.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::workspace;

/// What `--load` runs: every program under every setting, and every frame of the corpus.
pub const LOAD: [&str; 2] = ["kernel_verifier", "kernel_frames"];

/// What runs in a guest.
pub struct Binaries {
    /// The program.
    pub sensor: PathBuf,
    /// Test binaries with their names.
    pub tests: Vec<(String, PathBuf)>,
}

impl Binaries {
    /// Builds the program and these tests, as `cargo xtask test` does: so it is done once.
    ///
    /// # Errors
    /// The build failed.
    pub fn build(names: &[String]) -> Result<Self> {
        println!("building the program and its tests");
        let mut command = Command::new("cargo");
        command
            .current_dir(workspace::root())
            .args(["test", "--quiet", "--workspace"])
            .args(["--no-run", "--message-format=json"])
            .stderr(Stdio::inherit());
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
            {
                tests.push((target.name, path));
            }
        }
        let mut folder = tests.first().context("no test binaries")?.1.clone();
        // .../debug/deps/name
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

/// Test files with tests that need a kernel and nothing else; the others say the same on any.
///
/// # Errors
/// One cannot be read.
pub fn all_tests() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(workspace::root().join("sensor/tests"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && fs::read_to_string(&path)?.contains("#[ignore = \"needs a kernel\"]")
        {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            names.push(name.into_owned());
        }
    }
    names.sort();
    Ok(names)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_files_that_need_a_kernel_are_found() {
        let names = all_tests().expect("readable");
        for needed in LOAD {
            assert!(names.iter().any(|name| name == needed), "{names:?}");
        }
        assert!(!names.contains(&"incidents".to_string()), "{names:?}");
    }
}
