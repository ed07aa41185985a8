//! Healthy traffic of any rate, with a little loss, that falls at any time: never a word.

use anyhow::{Context, Result, ensure};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::Check;
use crate::{load, speak, traffic};

/// Each is a run of half a minute; more are for a quiet hour (`PROPTEST_CASES`).
const RUNS: u32 = 24;

pub fn all() -> Vec<Check> {
    vec![(
        "a little loss and then less traffic is no symptom, at any rate",
        quiet,
    )]
}

fn quiet() -> Result<()> {
    let cases = std::env::var("PROPTEST_CASES");
    let config = Config {
        cases: cases.ok().and_then(|n| n.parse().ok()).unwrap_or(RUNS),
        failure_persistence: None,
        ..Config::default()
    };
    let rates = (1_u32..600, 0_u32..6, 8_u32..25);
    let rest = (0.0_f64..0.008, 1_u32..30, any::<bool>(), any::<u64>());
    TestRunner::new(config)
        .run(&(rates, rest), |(rates, rest)| {
            let text = situation(rates, rest);
            said_nothing(&text).map_err(|error| TestCaseError::fail(format!("{error:#}\n{text}")))
        })
        .map_err(|error| anyhow::anyhow!("{error}"))
}

/// So many queries a second, then fewer, from some second on; a share is lost.
fn situation(
    (many, few, falls): (u32, u32, u32),
    (lost, clients, on_server, seed): (f64, u32, bool, u64),
) -> String {
    let host = if on_server {
        "host = \"192.0.2.53\""
    } else {
        ""
    };
    // On the server's host a fall to nearly nothing is a collapse.
    let few = if on_server {
        few.max(many.div_ceil(4))
    } else {
        few
    };
    let seed = seed >> 1;
    format!(
        "title = \"loss\"\n{host}\nlasts = \"40s\"\nseed = {seed}\n\
         [expect]\nfirst_cause = [\"none\"]\n\
         [[ask]]\nclients = \"198.51.100.10 x{clients}\"\nservers = \"192.0.2.53\"\nretry = [\"2s\", \"4s\"]\n\
         rate = [[\"0s\", {many}], [\"{falls}s\", {many}], [\"{falls}s\", {few}], [\"40s\", {few}]]\n\
         [[fate]]\nshare = {lost:.4}\ndrop = true\n"
    )
}

fn said_nothing(text: &str) -> Result<()> {
    let situation = load::situations(text)?
        .pop()
        .context("a text has a situation")?;
    let spoken = speak(&situation, &traffic::frames(&situation))?;
    let said: Vec<String> = spoken.changes.iter().map(ToString::to_string).collect();
    ensure!(said.is_empty(), "{}", said.join("\n"));
    Ok(())
}
