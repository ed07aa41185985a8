//! `cargo xtask test`: every test that can run here, and a list of those that cannot.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::process::{output, run};
use crate::workspace;

/// Options of the task.
#[derive(Args)]
pub struct Options {
    /// Fail where a test that needs a kernel and its privileges cannot run.
    #[arg(long)]
    require_kernel: bool,
}

/// Something that tests need beyond a compiler.
struct Need {
    /// As part of the reason in `#[ignore = "needs ..."]`.
    name: &'static str,
    /// Why it is missing; `None` where it is there.
    missing: Option<String>,
}

/// Runs the task.
///
/// # Errors
/// A test failed, or could not run although it must.
pub fn run_tests(options: &Options) -> Result<()> {
    let needs = [
        Need {
            name: "a kernel",
            missing: no_kernel(),
        },
        Need {
            name: "captures",
            missing: no_captures(),
        },
        Need {
            name: "nft",
            missing: no_nft(),
        },
    ];
    println!("building the tests, which takes some minutes at first");
    let mut skipped = Vec::new();
    for (test, reason) in ignored()? {
        let missing: Vec<&str> = needs
            .iter()
            .filter(|need| reason.contains(need.name))
            .filter_map(|need| need.missing.as_deref())
            .collect();
        if missing.is_empty() {
            continue;
        }
        skipped.push((test, missing.join(" and ")));
    }
    // Said first too: a test that fails ends the task before the list at the end.
    list_skipped("will not run", &skipped);
    println!("\n== tests that need nothing but a compiler");
    run(cargo_test().args(["--workspace", "--no-fail-fast"]))?;
    println!("\n== tests that need a kernel, privileges or captures");
    // Those that can run do, all at once; the others are left out by name.
    let mut rest = cargo_test();
    // Of the whole workspace again: another selection would be built with other features.
    rest.args(["--workspace", "--no-fail-fast", "--", "--ignored"]);
    for (test, _) in &skipped {
        rest.args(["--skip", test]);
    }
    run(&mut rest)?;
    if skipped.is_empty() {
        println!("\nall tests ran");
        return Ok(());
    }
    list_skipped("did not run", &skipped);
    if options.require_kernel && needs[0].missing.is_some() {
        bail!("tests that need a kernel did not run");
    }
    Ok(())
}

fn list_skipped(what: &str, skipped: &[(String, String)]) {
    if !skipped.is_empty() {
        println!("\n{} tests {what}:", skipped.len());
    }
    for (test, reason) in skipped {
        println!("  {test}: {reason}");
    }
}

fn cargo_test() -> Command {
    let mut command = Command::new("cargo");
    command
        .current_dir(workspace::root())
        .args(["test", "--quiet"]);
    command
}

/// Ignored tests of the program and the reasons in their sources.
fn ignored() -> Result<Vec<(String, String)>> {
    let folder = workspace::root().join("sensor/tests");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(ignored_in(&path)?);
        }
    }
    found.sort();
    Ok(found)
}

fn ignored_in(path: &Path) -> Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(path)?;
    let mut found = Vec::new();
    let (mut reason, mut module) = (None, "");
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("mod ") {
            module = rest.trim_end_matches([' ', '{', ';']);
        } else if let Some(rest) = line.strip_prefix("#[ignore = \"") {
            reason = rest.strip_suffix("\"]");
        } else if let Some(rest) = line
            .strip_prefix("async ")
            .unwrap_or(line)
            .strip_prefix("fn ")
            && let Some(reason) = reason.take()
        {
            let name = rest.split('(').next().context("a function has a name")?;
            // A macro that makes tests for both engines: they share a module.
            let name = if name.starts_with('$') { module } else { name };
            found.push((name.to_string(), reason.to_string()));
        }
    }
    Ok(found)
}

fn no_kernel() -> Option<String> {
    if output(Command::new("uname").arg("-s"))?.trim() != "Linux" {
        return Some("this is not Linux".into());
    }
    // The tests make network namespaces and load programs: root has both, a container may not.
    if !crate::setup::is_root() {
        return Some("not root (run it with sudo)".into());
    }
    if output(Command::new("unshare").args(["--net", "true"])).is_none() {
        return Some("this root may not make network namespaces (a container?)".into());
    }
    None
}

fn no_nft() -> Option<String> {
    let found = output(Command::new("nft").arg("--version"));
    found
        .is_none()
        .then(|| "nft is not installed (Debian: nftables)".into())
}

fn no_captures() -> Option<String> {
    let folder = std::env::var_os("SENSOR_CAPTURES").map_or_else(
        || workspace::root().join("../shared/captures"),
        std::path::PathBuf::from,
    );
    let expected = folder.join("EXPECTED.tsv");
    (!expected.is_file()).then(|| format!("{} is not there", expected.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ignored_test_says_what_it_needs() {
        let ignored = ignored().expect("readable");
        assert!(ignored.len() > 20, "found {}", ignored.len());
        for (test, reason) in &ignored {
            assert!(reason.starts_with("needs "), "{test}: {reason}");
        }
        let sources = std::fs::read_dir(workspace::root().join("sensor/tests")).expect("readable");
        let marks: usize = sources
            .flatten()
            .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
            .map(|text| text.matches("#[ignore").count())
            .sum();
        assert_eq!(marks, ignored.len(), "a mark that is not understood");
        // `--skip` leaves out by part of the name, so no name may be part of another.
        for (test, _) in &ignored {
            let like = ignored
                .iter()
                .filter(|(other, _)| other.contains(test.as_str()));
            assert_eq!(like.count(), 1, "{test} is part of another test's name");
        }
    }
}
