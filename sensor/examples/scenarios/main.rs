//! Failures and floods on a real kernel, with real sockets and the kernel's own ICMP: does the sensor see
//! them, soon, and does it name the cause? `cargo xtask scenarios` runs it.

mod load;
mod real;
mod sensor;
mod table;
mod world;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::Value;

use load::{Load, Names, Server};
use real::Unbound;
use sensor::{Recording, Watching, now_ms, replay};
use table::{About, Expected, Scenario, Stage};
use world::World;

#[derive(Parser)]
struct Options {
    /// The sensor's binary.
    #[arg(long)]
    sensor: PathBuf,
    /// Only these; may be given several times.
    #[arg(long)]
    only: Vec<u32>,
    /// The short set.
    #[arg(long)]
    short: bool,
    /// Runs of each.
    #[arg(long, default_value_t = 1)]
    runs: u32,
    /// Those that do not flood side by side.
    #[arg(long)]
    parallel: bool,
    /// Seconds of healthy traffic at the end of scenario 2, instead of its own.
    #[arg(long)]
    day: Option<u64>,
    /// Then undo what was done, and wait until each incident is over: one to two minutes more for each run.
    #[arg(long)]
    clear: bool,
    /// `text` or `json`.
    #[arg(long, default_value = "text")]
    output: String,
}

/// Scenarios at once.
const AT_ONCE: usize = 6;
/// So that a scenario ends within half a minute: a baseline is believed after so long.
const LEARNING: &str = "learning = \"8s\"\n";
/// Live and replayed, an incident is detected within a tick of each other, but their ticks do not fall
/// together, and frames are stamped later than they are counted.
const TICK_MS: u64 = 2 * 250 + 50;
/// Longest wait for the end of an incident: half a minute of calm, behind two minutes of history where few ask.
const CLEARED: Duration = Duration::from_secs(220);
/// Before the sensor starts.
const SETTLING: Duration = Duration::from_millis(2_500);

/// One run of one scenario.
#[derive(Debug, Serialize)]
struct Outcome {
    kind: &'static str,
    id: u32,
    name: &'static str,
    run: u32,
    detected: bool,
    delay_ms: Option<i64>,
    first_cause: String,
    expected_cause: String,
    symptoms: Vec<String>,
    summary: String,
    level: String,
    false_alarms: usize,
    /// Whether each incident was over when all was well again; none where that was not waited for.
    cleared: Option<bool>,
    /// Whether a replay of the capture gives the same incident; none where it is not compared.
    replayed: Option<bool>,
    ok: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let mut scenarios = table::all();
    scenarios.retain(|scenario| {
        (options.only.is_empty() || options.only.contains(&scenario.id))
            && (!options.short || scenario.short)
    });
    if !real::is_installed() {
        let all = scenarios.len();
        scenarios.retain(|scenario| !scenario.real);
        if scenarios.len() != all {
            eprintln!(
                "{} scenarios are NOT RUN: unbound is not installed",
                all - scenarios.len()
            );
        }
    }
    let runs = (1..=options.runs).flat_map(|run| scenarios.iter().map(move |s| (run, s)));
    let (alone, together): (Vec<_>, Vec<_>) =
        runs.partition(|(_, scenario)| scenario.flood || !options.parallel);
    let outcomes = Mutex::new(Vec::new());
    // Nothing of it is written where standard error is no terminal.
    let bar = ProgressBar::new(together.len() as u64 + alone.len() as u64);
    bar.enable_steady_tick(Duration::from_secs(1));
    let play = |run: u32, scenario: &Scenario| {
        let outcome = play(&options, run, scenario);
        let outcome = outcome.with_context(|| format!("scenario {}", scenario.id));
        bar.inc(1);
        bar.suspend(|| match outcome {
            Ok(outcome) => {
                if options.output == "json" {
                    println!("{}", serde_json::to_string(&outcome).unwrap_or_default());
                } else {
                    println!("{}", line(&outcome));
                }
                if let Ok(mut outcomes) = outcomes.lock() {
                    outcomes.push(outcome);
                }
            }
            Err(error) => eprintln!("{error:#}"),
        });
    };
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((run, scenario)) = together.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    play(*run, scenario);
                }
            });
        }
    });
    for (run, scenario) in &alone {
        play(*run, scenario);
    }
    bar.finish_and_clear();
    let outcomes = outcomes.into_inner().unwrap_or_default();
    if options.output != "json" {
        println!("\n{}", score(&outcomes));
    }
    let expected = scenarios.len() * options.runs as usize;
    let good = outcomes.iter().filter(|outcome| outcome.ok).count();
    if good != expected {
        eprintln!(
            "{} of {expected} runs were not as they should be",
            expected - good
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn play(options: &Options, run: u32, scenario: &Scenario) -> Result<Outcome> {
    let state = std::env::temp_dir().join(format!(
        "sensor-scenario-{}-{}-{run}",
        std::process::id(),
        scenario.id
    ));
    std::fs::create_dir_all(&state)?;
    let outcome = in_directory(options, run, scenario, &state);
    std::fs::remove_dir_all(&state)?;
    outcome
}

/// The stage before anybody asks.
fn set(scenario: &Scenario, directory: &Path) -> Result<Stage> {
    let (networks, each) = scenario.clients;
    let world = World::new(scenario.family, networks, each)?;
    if scenario.id == 25 {
        world.asymmetric()?;
    }
    let family = scenario.family;
    Ok(Stage {
        server: match scenario.server {
            Some(does) => {
                let server = Server::start(&world.server, family.server())?;
                server.does(does);
                Some(server)
            }
            None => None,
        },
        unbound: if scenario.real {
            Some(Unbound::start(&world.server, family, directory)?)
        } else {
            None
        },
        other: Some(Server::start(&world.other, family.other())?),
        world,
        loads: Vec::new(),
        floods: Vec::new(),
        chatter: None,
    })
}

fn in_directory(
    options: &Options,
    run: u32,
    scenario: &Scenario,
    directory: &Path,
) -> Result<Outcome> {
    let (networks, each) = scenario.clients;
    let family = scenario.family;
    let mut stage = set(scenario, directory)?;
    let thresholds = directory.join("thresholds.toml");
    std::fs::write(&thresholds, LEARNING)?;
    let thresholds = thresholds.display().to_string();
    let more = ["--thresholds", thresholds.as_str()];
    let usual = stage.clients(1..=networks.min(6), each);
    let start = |stage: &mut Stage| -> Result<()> {
        let clients = &stage.world.clients;
        for (server, rate) in [
            (family.server(), scenario.rate),
            (family.other(), if scenario.id == 12 { 30.0 } else { 0.0 }),
        ] {
            if rate > 0.0 {
                let load = Load::start(clients, &usual, server, Names::Usual, rate)?;
                stage.loads.push(load);
            }
        }
        Ok(())
    };
    let (before, mut after) = scenario.seconds;
    start(&mut stage)?;
    // Until neighbours are known; without a lead, the server is down before the sensor starts.
    std::thread::sleep(SETTLING);
    let (device, namespace) = (scenario.stands.device(), scenario.stands);
    let watching = Watching::start(
        &options.sensor,
        namespace.namespace(&stage.world),
        device,
        &more,
        directory,
    )?;
    let recording = if scenario.flood {
        None
    } else {
        Some(Recording::start(namespace.namespace(&stage.world), device)?)
    };
    let mut onset = now_ms();
    if before != 0 {
        std::thread::sleep(Duration::from_secs(before));
        onset = now_ms();
    }
    let usual_loads = stage.loads.len();
    (scenario.onset)(&mut stage)?;
    if scenario.id == 2 {
        after = options.day.unwrap_or(after);
    }
    let end = Instant::now() + Duration::from_secs(after);
    if scenario.id == 2 {
        day(&stage, end);
    }
    std::thread::sleep(end.saturating_duration_since(Instant::now()));
    let mut cleared = None;
    if options.clear {
        let loads = stage.loads.len().min(usual_loads);
        stage.mend(scenario, loads, directory)?;
        cleared = Some(is_cleared(&watching));
    }
    let said = watching.stop()?;
    drop(std::mem::take(&mut stage.floods));
    drop(std::mem::take(&mut stage.loads));
    let mut outcome = judge(scenario, run, onset, &said);
    outcome.cleared = cleared;
    outcome.ok &= cleared != Some(false);
    if !outcome.ok && debug() {
        for one in last_of_each(&said) {
            eprintln!("onset {onset}: {one}");
        }
    }
    // With what came after it, the capture has ended where the sensor has.
    if let Some(recording) = recording {
        let capture = recording.write(directory.join("capture.pcap"))?;
        let hosts: Vec<IpAddr> = match scenario.stands {
            table::Stands::Server => vec![family.server()],
            table::Stands::Client => usual.clone(),
            table::Stands::Router => Vec::new(),
        };
        let replayed = replay(&options.sensor, &capture, &hosts, &more)?;
        let same_cause = !scenario.host_decides;
        let same = is_same(&last_of_each(&said), &replayed, before != 0, same_cause);
        outcome.replayed = Some(same);
        outcome.ok &= same;
    }
    Ok(outcome)
}

/// Whether all incidents end.
fn is_cleared(watching: &Watching) -> bool {
    let end = Instant::now() + CLEARED;
    while Instant::now() < end {
        let open = last_of_each(&watching.incidents());
        if open.iter().all(|incident| incident["stage"] == "closed") {
            return true;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    false
}

/// A day in a minute or more: the rate swings, bursts come and go, one client is busy.
fn day(stage: &Stage, end: Instant) {
    let [_, busy, others] = stage.loads.as_slice() else {
        return;
    };
    let begun = Instant::now();
    busy.rate(150.0);
    while Instant::now() < end {
        let at = begun.elapsed().as_secs_f64();
        let second = begun.elapsed().as_secs();
        let swing = 60.0 + 50.0 * (at / 20.0 * std::f64::consts::TAU).sin();
        let burst = if second % 13 == 7 { 300.0 } else { 0.0 };
        others.rate(swing + burst);
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn last_of_each(said: &[Value]) -> Vec<Value> {
    let mut last: Vec<Value> = Vec::new();
    for value in said {
        match last.iter_mut().find(|known| known["id"] == value["id"]) {
            Some(known) => *known = value.clone(),
            None => last.push(value.clone()),
        }
    }
    last
}

fn rules(incident: &Value) -> BTreeSet<String> {
    let symptoms = incident["symptoms"].as_array().into_iter().flatten();
    symptoms
        .filter_map(|symptom| symptom["rule"].as_str().map(Into::into))
        .collect()
}

/// Whether to tell all of what is not as it should be.
fn debug() -> bool {
    std::env::var_os("SCENARIO_DEBUG").is_some()
}

/// Same servers, symptoms and first cause, where both know enough for that; and detected within a tick, where both saw
/// the beginning.
fn is_same(live: &[Value], replayed: &[Value], same_time: bool, same_cause: bool) -> bool {
    let same = |a: &Value, b: &Value| {
        let at = |value: &Value| value["detected_ms"].as_u64().unwrap_or(0);
        a["server"] == b["server"]
            && (!same_cause || a["first_cause"] == b["first_cause"])
            && rules(a) == rules(b)
            && (!same_time || at(a).abs_diff(at(b)) <= TICK_MS)
    };
    let equal = live.len() == replayed.len()
        && live
            .iter()
            .all(|one| replayed.iter().any(|other| same(one, other)));
    if !equal && debug() {
        let show = |all: &[Value]| {
            for one in all {
                eprintln!("  {one}");
            }
        };
        eprintln!("live:");
        show(live);
        eprintln!("replayed:");
        show(replayed);
    }
    equal
}

fn judge(scenario: &Scenario, run: u32, onset: u64, said: &[Value]) -> Outcome {
    let server = scenario.family.server().to_string();
    let mut incidents = last_of_each(said);
    // Where its upstream is gone, that is an incident of its own.
    let upstream = scenario.family.other().to_string();
    incidents.retain(|incident| scenario.id != 32 || incident["server"] != upstream.as_str());
    let is_it = |incident: &&Value| match scenario.about {
        About::Server => incident["server"] == server.as_str(),
        About::Network => incident["server"].is_null(),
    };
    let at = |incident: &Value| incident["detected_ms"].as_u64().unwrap_or(0);
    let found = incidents
        .iter()
        .filter(is_it)
        .find(|i| at(i) + 300 >= onset);
    let others = incidents.len() - usize::from(found.is_some());
    let text = |key: &str| {
        found
            .and_then(|incident| incident[key].as_str())
            .unwrap_or("")
            .to_string()
    };
    let first: Vec<&str> = found
        .and_then(|incident| incident["first_cause"].as_array())
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let (expected_cause, good) = match scenario.expected {
        Expected::Quiet => (String::new(), found.is_none()),
        Expected::ShortWarning => (String::new(), text("level") != "critical"),
        Expected::Cause(causes) => (
            causes[0].to_string(),
            !first.is_empty() && first.iter().all(|cause| causes.contains(cause)),
        ),
    };
    let false_alarms = match scenario.expected {
        Expected::Quiet => incidents.len(),
        Expected::ShortWarning => others + usize::from(!good),
        Expected::Cause(_) => others,
    };
    let delay = found.map(|incident| at(incident).cast_signed() - onset.cast_signed());
    Outcome {
        kind: "scenario",
        id: scenario.id,
        name: scenario.name,
        run,
        detected: found.is_some(),
        delay_ms: delay,
        level: text("level"),
        symptoms: found
            .map(|i| rules(i).into_iter().collect())
            .unwrap_or_default(),
        summary: text("summary"),
        first_cause: first.join(" or "),
        expected_cause,
        false_alarms,
        cleared: None,
        replayed: None,
        ok: good && false_alarms == 0,
    }
}

fn line(outcome: &Outcome) -> String {
    let delay = outcome
        .delay_ms
        .map_or_else(|| "-".into(), |ms| format!("{ms} ms"));
    let cleared = match outcome.cleared {
        None => "",
        Some(true) => "; cleared",
        Some(false) => "; NOT CLEARED",
    };
    let replayed = match outcome.replayed {
        None => "",
        Some(true) => "; replay: same",
        Some(false) => "; REPLAY DIFFERS",
    };
    format!(
        "{} {:>2} {:<58} run {} {:>9}  {} ({}) false alarms {}{cleared}{replayed}",
        if outcome.ok { "ok  " } else { "FAIL" },
        outcome.id,
        outcome.name,
        outcome.run,
        delay,
        if outcome.first_cause.is_empty() {
            "nothing"
        } else {
            &outcome.first_cause
        },
        outcome.symptoms.join(", "),
        outcome.false_alarms
    )
}

/// A row for each scenario, over all its runs.
fn score(outcomes: &[Outcome]) -> String {
    let ids: BTreeSet<u32> = outcomes.iter().map(|outcome| outcome.id).collect();
    let mut text = String::from(
        "| scenario | runs | detected | cause right | median delay | cleared | false alarms | replay same |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for id in ids {
        let runs: Vec<&Outcome> = outcomes.iter().filter(|o| o.id == id).collect();
        let count = |is: &dyn Fn(&Outcome) -> bool| runs.iter().filter(|o| is(o)).count();
        let mut delays: Vec<i64> = runs.iter().filter_map(|o| o.delay_ms).collect();
        delays.sort_unstable();
        let median = delays.get(delays.len() / 2);
        let expects = !runs[0].expected_cause.is_empty();
        let share = |part: usize| format!("{part} of {}", runs.len());
        let replayed = count(&|o| o.replayed == Some(true));
        let _ = writeln!(
            text,
            "| {id} {} | {} | {} | {} | {} | {} | {} | {} |",
            runs[0].name,
            runs.len(),
            if expects {
                share(count(&|o| o.detected))
            } else {
                "-".into()
            },
            if expects {
                share(count(&|o| o.ok || o.first_cause == o.expected_cause))
            } else {
                "-".into()
            },
            median.map_or_else(|| "-".into(), |ms| format!("{ms} ms")),
            if runs[0].cleared.is_some() {
                share(count(&|o| o.cleared == Some(true)))
            } else {
                "-".into()
            },
            runs.iter().map(|o| o.false_alarms).sum::<usize>(),
            if runs[0].replayed.is_some() {
                share(replayed)
            } else {
                "-".into()
            },
        );
    }
    text
}
