//! JSON objects, as programs get them.

use std::process::Command;
use std::time::Duration;

use sensor::detect::{Level, Reading, Rule, State, Subject, Unit};
use sensor::engine::kernel::cost::ProgramCost;
use sensor::engine::own_cost::Spent;
use sensor::incident::record::Record;
use sensor::incident::tracker::Shadow;
use sensor::incident::{Cause, Change};
use sensor::measure::address;
use sensor::measure::window::Window;
use sensor::present::causes;
use sensor::present::incident::{IncidentObject, ShadowObject};
use sensor::present::objects::{CostObject, DetachedObject, Losses, SensorObject};
use serde::Serialize;
use serde_json::Value;

use crate::{golden, stories};

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("JSON")
}

/// With two points of the series: they are all alike.
fn short(mut record: Record) -> Record {
    record.series.points.truncate(2);
    record
}

#[test]
fn an_incident_has_one_form() {
    let record = short(stories::of(Cause::FirewallRejects));
    golden::holds(
        "objects/incident.json",
        &pretty(&IncidentObject::new(&record, Some(Change::Opened))),
    );
    let network = short(stories::of(Cause::AttackReflection));
    golden::holds(
        "objects/incident_network.json",
        &pretty(&IncidentObject::new(&network, None)),
    );
}

#[test]
fn what_programs_get_reads_back_as_the_record() {
    for cause in Cause::ALL {
        let record = stories::of(cause);
        let json = serde_json::to_string(&IncidentObject::new(&record, Some(Change::Closed)))
            .expect("JSON");
        let value: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(value["schema"], 2);
        assert_eq!(value["kind"], "incident");
        assert_eq!(value["change"], "closed");
        assert_eq!(value["first_cause"][0], cause.code());
        let symptom = &value["symptoms"][0];
        for field in ["rule", "title", "level", "since_ms", "detail"] {
            assert!(!symptom[field].is_null(), "{field}: {symptom}");
        }
        let read: Record = serde_json::from_str(&json).expect("a record");
        assert!(
            read == record,
            "{} reads back as another record",
            cause.code()
        );
    }
}

#[test]
fn weights_and_terms_are_objects() {
    let table = causes::table_objects();
    golden::holds("objects/weight.json", &pretty(&table[0]));
    let record = stories::of(Cause::ServiceDown);
    let terms = causes::arithmetic_objects(&record);
    golden::holds("objects/term.json", &pretty(&terms[0]));
}

/// What `sensor` writes, an object a line.
fn written(arguments: &[&str]) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_sensor"))
        .args(arguments)
        .output()
        .expect("sensor runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect()
}

fn of_kind<'v>(values: &'v [Value], kind: &str) -> &'v Value {
    values
        .iter()
        .find(|value| value["kind"] == kind)
        .unwrap_or_else(|| panic!("no {kind}"))
}

#[test]
fn a_capture_gives_objects_of_known_form() {
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.pcap");
    let values = written(&["replay", demo, "--output", "json"]);
    for kind in ["server", "sources", "names", "totals"] {
        let object = of_kind(&values, kind);
        assert_eq!(object["schema"], 2);
        golden::holds(&format!("objects/{kind}.json"), &pretty(object));
    }
    // What it says is held elsewhere; that it is the same form, here.
    let incident = of_kind(&values, "incident");
    let record: Record = serde_json::from_value(incident.clone()).expect("a record");
    assert!(
        incident["summary"]
            .as_str()
            .is_some_and(|text| text.contains("192.0.2.53"))
    );
    let reports = written(&["replay", demo, "--report", "--output", "json"]);
    assert_eq!(&reports[0], incident);
    assert_eq!(record.schema, 2);
    let rules = written(&["rules", "--output", "json"]);
    golden::holds("objects/rule.json", &pretty(&rules[0]));
    let readings = written(&["rules", "--capture", demo, "--output", "json"]);
    golden::holds(
        "objects/reading.shape.json",
        &pretty(&golden::shape(of_kind(&readings, "rule"))),
    );
}

#[test]
fn objects_of_a_live_sensor_have_known_forms() {
    let key = address::key("192.0.2.53".parse().expect("an address"));
    let shadow = Shadow {
        subject: Subject::Server(key),
        reading: Reading {
            rule: Rule::Slow,
            value: 0.9,
            unit: Unit::Share,
            baseline: Some(0.01),
            warning: 0.5,
            critical: None,
            state: State::Fires(Level::Warning),
            detail: "90 of 100 answers took more than 200 ms".into(),
        },
    };
    golden::holds(
        "objects/shadow.json",
        &pretty(&ShadowObject::new(&shadow, 1_795_435_200_000)),
    );
    let cost = ProgramCost {
        id: 41,
        name: "sensor_ingress".into(),
        packets: 1_000,
        time: Duration::from_micros(180),
        over: Duration::from_secs(3),
    };
    golden::holds(
        "objects/program_cost.json",
        &pretty(&CostObject::new(&cost)),
    );
    let second = Duration::from_secs(1);
    golden::holds(
        "objects/detached.json",
        &pretty(&DetachedObject::new("eth0", 5 * second, second)),
    );
    let mut window = Window::empty();
    window.elapsed = Duration::from_secs(1);
    let spent = Spent {
        cpu_percent: 1.25,
        rss_kib: 20_480,
    };
    let losses = Losses {
        servers_forgotten: 1,
        incidents_unfollowed: 2,
        alerts_lost: 3,
        lines_lost: 4,
    };
    let sensor = SensorObject::new(&window, (3, 8_192), 1_048_576, spent, losses);
    golden::holds("objects/sensor.json", &pretty(&sensor));
}
