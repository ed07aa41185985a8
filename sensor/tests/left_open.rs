//! Incidents on disk are true: what a killed sensor left open, and names that only one incident has.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::Result;
use sensor::detect::{Level, Place, Thresholds};
use sensor::engine::replay::capture::Capture;
use sensor::engine::replay::host_engine::HostEngine;
use sensor::engine::replay::player::Replay;
use sensor::engine::settings::{for_ports, timeout};
use sensor::incident::record::Stage;
use sensor::incident::store::{Left, Store};
use sensor::incident::{About, Cause, Past, Record};
use sensor::monitor::MonitorOptions;
use sensor::notify::keep::Keeper;
use sensor::notify::{Alerts, Receivers};
use sensor::session::{Face, Published, Session};
use serde_json::Value;
use support::outage_frames::{asked, outage};
use support::pcap::{self, BEGIN_US, Frames};
use support::wait_for;

fn directory(name: &str) -> PathBuf {
    let path = pcap::path(name);
    let _ = fs::remove_dir_all(&path);
    path
}

fn eth0() -> Vec<String> {
    vec!["eth0".into()]
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

/// A sensor on eth0 that sees these frames, keeps incidents there, and is then killed or ended.
async fn watch(frames: &Frames, state: &Path, is_killed: bool) {
    let store = Store::new(Some(state));
    let left = store.left_open(&eth0());
    let ids: BTreeSet<String> = store.ids().expect("readable").into_iter().collect();
    let past = Past::new(ids, records(&left), u64::MAX);
    let settings = for_ports(&[]).expect("port 53");
    let options = MonitorOptions {
        thresholds: Thresholds::default(),
        place: Place::default(),
        about: About {
            ports: vec![53],
            watched: eth0(),
            ..About::default()
        },
        shadow: BTreeSet::new(),
    };
    let alerts = Alerts::new(Receivers {
        store: Some(store.clone()),
        left,
        ..Receivers::default()
    });
    let bytes = Cursor::new(pcap::file(frames));
    let capture = Capture::new("eth0".into(), bytes).expect("a capture");
    let counting = HostEngine::new("eth0", settings.clone());
    let engine = Replay::new(capture, counting, "eth0", timeout(&settings));
    let mut session = Session::new(engine, &settings, options)
        .with_alerts(alerts.expect("a thread"))
        .with_past(past);
    let ran = session.run(&mut Nobody, std::future::pending()).await;
    ran.expect("to its end");
    if !is_killed {
        session.finish(&mut Nobody).expect("finished");
    }
}

fn records(left: &[Left]) -> Vec<Record> {
    left.iter().map(|left| left.record.clone()).collect()
}

/// Ids of that many records, once whoever wrote them is gone.
fn written(state: &Path, count: usize) -> Vec<String> {
    let store = Store::new(Some(state));
    wait_for("records without their writer", || {
        let ids = store.ids().expect("readable");
        let is_free = |id: &String| {
            let file = fs::File::open(state.join(format!("{id}.json")));
            file.is_ok_and(|file| file.try_lock().is_ok())
        };
        ids.len() >= count && ids.iter().all(is_free)
    });
    let ids = store.ids().expect("readable");
    assert_eq!(ids.len(), count, "{ids:?}");
    ids
}

/// The only record, as it lies on disk.
fn only(state: &Path) -> Record {
    let ids = written(state, 1);
    let text = fs::read(state.join(format!("{}.json", ids[0]))).expect("there");
    serde_json::from_slice(&text).expect("a record")
}

fn packets(state: &Path, id: &str) -> Vec<u64> {
    let mut times = Vec::new();
    let file = state.join(format!("{id}.pcap"));
    let capture = Capture::open(&file).expect("packets");
    let read = capture.for_each(|frame| {
        let us = frame.time.expect("a time").as_micros();
        times.push(u64::try_from(us).expect("small") - BEGIN_US);
    });
    read.expect("to their end");
    times
}

fn list(state: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sensor"))
        .args(["report", "--list", "--state"])
        .arg(state)
        .args(arguments)
        .output()
        .expect("sensor runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[tokio::test]
async fn what_a_killed_sensor_left_open_is_taken_up_again_if_it_goes_on() {
    let state = directory("goes-on");
    watch(&outage(20), &state, true).await;
    let before = only(&state);
    assert_eq!(before.stage, Stage::Open, "it had no time to say more");
    let store = Store::new(Some(&state));
    // Nobody watches it, so it is not open, whatever was written last.
    let read = store.read(&before.id).expect("readable");
    assert_eq!(read.stage, Stage::Unfinished);
    assert_eq!(store.left_open(&["eth1".into()]).len(), 0);
    // Five seconds later another one begins, ten seconds before the server is back.
    let mut frames = asked(45, 10, true);
    frames.extend(asked(55, 90, false));
    watch(&frames, &state, false).await;
    let after = only(&state);
    assert_eq!(after.id, before.id);
    assert_eq!(after.stage, Stage::Closed);
    assert_eq!(
        (after.onset_ms, after.detected_ms),
        (before.onset_ms, before.detected_ms)
    );
    let (unwatched, begin) = (&after.unwatched, BEGIN_US / 1_000);
    assert_eq!(unwatched.len(), 1, "{unwatched:?}");
    assert_eq!(unwatched[0].from_ms, before.updated_ms);
    assert_eq!(unwatched[0].until_ms, begin + 45_000);
    // 400 failed before, and 200 after.
    let failed = after.during.errored;
    assert!((560..=600).contains(&failed), "{failed}");
    assert_eq!(after.first_cause, [Cause::ServiceDown]);
    let times = packets(&state, &before.id);
    assert!(times.is_sorted());
    assert!(times[0] < 25_000_000 && times[times.len() - 1] > 45_000_000);
    let report = sensor::present::report::markdown(&after, None);
    assert!(
        report.contains("the incident is taken up again"),
        "{report}"
    );
    fs::remove_dir_all(&state).expect("removed");
}

#[tokio::test]
async fn what_is_not_found_again_has_ended_unseen() {
    for is_killed in [true, false] {
        let state = directory("not-found");
        watch(&outage(20), &state, is_killed).await;
        let before = only(&state);
        let store = Store::new(Some(&state));
        let mut keeper = Keeper::new(store.clone(), store.left_open(&eth0()));
        let now = before.updated_ms + 90_000;
        keeper.settle(now).expect("written");
        let after = only(&state);
        assert_eq!(after.stage, Stage::EndNotSeen);
        assert_eq!(after.ended_ms, Some(now));
        assert_eq!(after.updated_ms, before.updated_ms);
        assert_eq!(store.left_open(&eth0()).len(), 0, "once is enough");
        let listed = list(&state, &[]);
        assert!(text(&listed.stdout).contains("end not seen"), "{listed:?}");
        let report = sensor::present::report::markdown(&after, None);
        assert!(report.contains("the end was not seen"), "{report}");
        fs::remove_dir_all(&state).expect("removed");
    }
}

#[tokio::test]
async fn another_outage_much_later_is_another_incident() {
    let state = directory("later");
    watch(&outage(20), &state, true).await;
    let before = only(&state);
    watch(&asked(3_600, 20, true), &state, true).await;
    assert_eq!(written(&state, 2)[0], before.id);
    fs::remove_dir_all(&state).expect("removed");
}

#[tokio::test]
async fn what_a_running_sensor_watches_is_left_alone() {
    let state = directory("running");
    watch(&outage(20), &state, true).await;
    let record = only(&state);
    let store = Store::new(Some(&state));
    let running = store.write_record(&record).expect("written");
    assert_eq!(store.left_open(&eth0()).len(), 0);
    assert_eq!(store.read(&record.id).expect("there").stage, Stage::Open);
    drop(running);
    // One that has just begun holds what it may take up.
    let left = store.left_open(&eth0());
    assert_eq!(left.len(), 1);
    assert_eq!(store.left_open(&eth0()).len(), 0);
    drop(left);
    assert_eq!(store.left_open(&eth0()).len(), 1);
    fs::remove_dir_all(&state).expect("removed");
}

#[test]
fn a_capture_appended_to_itself_gives_no_two_incidents_with_one_id() {
    let frames = outage(40);
    // Three times, each with the same times.
    let path = pcap::write("appended.pcap", &[&frames[..], &frames, &frames].concat());
    let output = Command::new(env!("CARGO_BIN_EXE_sensor"))
        .args(["replay", "--output", "json"])
        .arg(&path)
        .output()
        .expect("sensor runs");
    let objects = text(&output.stdout).lines().map(|line| {
        let object: Value = serde_json::from_str(line).expect("JSON");
        object
    });
    let incidents = objects.filter(|object| object["kind"] == "incident");
    let ids: Vec<String> = incidents.map(|object| object["id"].to_string()).collect();
    let different: BTreeSet<&String> = ids.iter().collect();
    assert_eq!((ids.len(), different.len()), (3, 3), "{ids:?}");
    fs::remove_file(&path).expect("removed");
}

#[tokio::test]
async fn a_list_is_filtered_and_sorted() {
    let state = directory("list");
    watch(&outage(20), &state, false).await;
    let first = only(&state);
    let store = Store::new(Some(&state));
    let hour = 3_600_000;
    let record = |number: u64, server: &str, level, seconds: u64, causes: &[Cause]| {
        let begin = first.onset_ms + number * hour;
        let record = Record {
            id: format!("{begin}-{}", server.replace('.', "-")),
            server: Some(server.into()),
            level,
            onset_ms: begin,
            detected_ms: begin,
            last_symptom_ms: begin + seconds * 1_000,
            first_cause: causes.to_vec(),
            ..first.clone()
        };
        store.write_record(&record).expect("written");
        record.id
    };
    fs::remove_file(state.join(format!("{}.json", first.id))).expect("removed");
    let down = [Cause::ServiceDown];
    let a = record(1, "192.0.2.1", Level::Warning, 30, &down);
    let b = record(2, "192.0.2.2", Level::Critical, 10, &[]);
    let c = record(3, "192.0.2.1", Level::Warning, 90, &[Cause::Overload]);
    let ids = |arguments: &[&str]| -> Vec<String> {
        let output = list(&state, arguments);
        assert!(output.status.success(), "{output:?}");
        let id = |line: &str| line.split(' ').next().unwrap_or_default().to_string();
        text(&output.stdout).lines().map(id).collect()
    };
    assert_eq!(ids(&[]), [&*a, &*b, &*c]);
    assert_eq!(ids(&["--sort", "level"]), [&*b, &*a, &*c]);
    assert_eq!(ids(&["--sort", "length"]), [&*c, &*a, &*b]);
    assert_eq!(ids(&["--server", "192.0.2.1"]), [&*a, &*c]);
    assert_eq!(ids(&["--cause", "service_down"]), [&*a]);
    assert_eq!(ids(&["--cause", "unknown"]), [&*b]);
    // The captures begin on 28 May 2026 at 20:26:40.
    assert_eq!(ids(&["--since", "2026-05-28T22:00:00Z"]), [&*b, &*c]);
    assert_eq!(ids(&["--since", "36500d"]), [&*a, &*b, &*c]);
    let both = ["--server", "192.0.2.1", "--cause", "unknown"];
    assert!(ids(&both).is_empty());
    let none = list(&state, &both);
    let says = "None of 3 incidents matches";
    assert!(text(&none.stderr).contains(says), "{none:?}");
    let wrong = list(&state, &["--cause", "gremlins"]);
    assert_eq!(wrong.status.code(), Some(64));
    fs::remove_dir_all(&state).expect("removed");
}
