//! Instructions that verifiers followed: kept in `sensor/bpf/verified.toml`, and shown in VERIFIER.md.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::workspace;

/// The least and the most of all settings.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct Verified {
    pub least: u32,
    pub most: u32,
}

/// By program.
pub type Programs = BTreeMap<String, Verified>;

/// Lines around the table in VERIFIER.md.
const BEGIN: &str = "<!-- instructions -->\n";
const END: &str = "<!-- end of instructions -->\n";

fn file() -> PathBuf {
    workspace::root().join("sensor/bpf/verified.toml")
}

fn document() -> PathBuf {
    workspace::root().join("sensor/docs/VERIFIER.md")
}

/// Major and minor of a release: `6.1` of `6.1.0-56-cloud-amd64`.
pub fn kernel(release: &str) -> String {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let (major, minor) = (numbers.next(), numbers.next());
    format!("{}.{}", major.unwrap_or("0"), minor.unwrap_or("0"))
}

/// Replaces what is kept of these kernels, here and in the document.
///
/// # Errors
/// A file cannot be read or written.
pub fn record(kernels: impl IntoIterator<Item = (String, Programs)>) -> Result<()> {
    let text = fs::read_to_string(file())?;
    let mut all: BTreeMap<String, Programs> = toml::from_str(&text).context("verified.toml")?;
    all.extend(kernels);
    fs::write(file(), written(&all))?;
    let text = fs::read_to_string(document())?;
    let text = replaced(&text, &table(&all)).context("VERIFIER.md has no place for the table")?;
    fs::write(document(), text)?;
    println!(
        "recorded in {} and {}",
        file().display(),
        document().display()
    );
    Ok(())
}

fn written(all: &BTreeMap<String, Programs>) -> String {
    let mut text = String::from(
        "# Written by `cargo xtask kernels --record`: instructions that the verifier of each kernel follows for\n\
         # each program, the least and the most of all settings. `kernel_verifier` fails where one grows by more\n\
         # than 15 %.\n",
    );
    for kernel in in_order(all) {
        let _ = writeln!(text, "\n[\"{kernel}\"]");
        for (program, Verified { least, most }) in &all[kernel] {
            let _ = writeln!(text, "{program} = {{ least = {least}, most = {most} }}");
        }
    }
    text
}

/// By number: 6.1 is older than 6.12.
fn in_order(all: &BTreeMap<String, Programs>) -> Vec<&String> {
    let mut kernels: Vec<&String> = all.keys().collect();
    kernels.sort_by_key(|kernel| {
        let numbers = kernel.split('.').map(|number| number.parse().unwrap_or(0));
        numbers.collect::<Vec<u32>>()
    });
    kernels
}

fn table(all: &BTreeMap<String, Programs>) -> String {
    let programs = super::PROGRAMS;
    let mut text = format!("| kernel | {} |\n", programs.join(" | "));
    text.push_str("| --- | ---: | ---: | ---: |\n");
    for kernel in in_order(all) {
        let counts = programs.map(|program| {
            let verified = all[kernel].get(program);
            verified.map_or_else(|| "-".into(), Verified::to_string)
        });
        let _ = writeln!(text, "| {kernel} | {} |", counts.join(" | "));
    }
    text
}

impl std::fmt::Display for Verified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", thousands(self.least), thousands(self.most))
    }
}

/// `134,000`.
fn thousands(number: u32) -> String {
    if number < 1_000 {
        return number.to_string();
    }
    format!("{},{:03}", number / 1_000, number % 1_000)
}

fn replaced(document: &str, table: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_and_the_file_say_the_same() {
        let text = fs::read_to_string(file()).expect("verified.toml");
        let all = toml::from_str(&text).expect("valid");
        assert_eq!(written(&all), text);
        let document = fs::read_to_string(document()).expect("VERIFIER.md");
        let expected = replaced(&document, &table(&all)).expect("a table");
        assert_eq!(document, expected, "run `cargo xtask kernels --record`");
    }

    #[test]
    fn kernels_are_told_by_their_numbers() {
        assert_eq!(kernel("6.1.0-56-cloud-amd64"), "6.1");
        assert_eq!(kernel("6.12.117+deb12-cloud-amd64"), "6.12");
        let programs = BTreeMap::new();
        let all = ["6.12", "6.1", "6.18"].map(|kernel| (kernel.to_string(), programs.clone()));
        let all = BTreeMap::from(all);
        assert_eq!(in_order(&all), ["6.1", "6.12", "6.18"]);
        assert_eq!(thousands(134_007), "134,007");
    }
}
