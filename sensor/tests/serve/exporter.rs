//! `/metrics`, `/healthz`, `/readyz` and `/api/v1`.
#![expect(
    clippy::float_cmp,
    clippy::cast_precision_loss,
    reason = "samples are floating-point numbers, and counts of a test are whole ones below 2^53"
)]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use sensor::serve::metrics::{Format, Metrics};
use sensor::view::{State, View};
use serde_json::Value;

use crate::client::serve;
use crate::tools::is_there;
use crate::views::{SERVER, failing, healthy, now_ms, window};

const OPEN_METRICS: &str = "Accept: application/openmetrics-text; version=1.0.0";

/// Samples by name and labels.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.filter_map(|line| {
        let line = line.split(" # ").next()?;
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    });
    samples.collect()
}

fn write(metrics: &Metrics, view: View) -> BTreeMap<String, f64> {
    let text = metrics.write(&Arc::new(view), &[], Format::Text);
    samples(std::str::from_utf8(&text.expect("written")).expect("text"))
}

#[test]
fn counters_of_a_failing_server_are_what_the_view_has() {
    let served = serve(failing(3, now_ms()));
    let answer = served.get("/metrics");
    assert_eq!(
        answer.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let samples = samples(&answer.body);
    let of = |name: &str, labels: &str| {
        let key = format!("sensor_{name}{{server=\"{SERVER}\"{labels}}}");
        *samples
            .get(&key)
            .unwrap_or_else(|| panic!("no {key} in {}", answer.body))
    };
    assert_eq!(of("dns_queries_total", ""), 5_300.0);
    assert_eq!(of("dns_responses_total", ",rcode=\"NXDOMAIN\""), 530.0);
    assert_eq!(of("dns_outcomes_total", ",outcome=\"answered\""), 5_300.0);
    assert_eq!(of("dns_outcomes_total", ",outcome=\"unanswered\""), 3_000.0);
    assert_eq!(of("dns_latency_seconds_count", ""), 5_300.0);
    assert_eq!(of("dns_latency_seconds_bucket", ",le=\"0.000524288\""), 0.0);
    assert_eq!(
        of("dns_latency_seconds_bucket", ",le=\"0.001048576\""),
        5_300.0
    );
    assert_eq!(
        of("dns_latency_seconds_bucket", ",le=\"8.589934592\""),
        5_300.0
    );
    assert_eq!(of("dns_latency_seconds_bucket", ",le=\"+Inf\""), 5_300.0);
    assert!((of("dns_latency_seconds_sum", "") - 5.3).abs() < 0.4);
    assert_eq!(
        of(
            "dns_icmp_errors_total",
            ",kind=\"port_unreachable\",matched=\"true\""
        ),
        340.0
    );
    assert_eq!(of("server_state", ",state=\"failing\""), 1.0);
    assert_eq!(of("server_state", ",state=\"ok\""), 0.0);
    assert_eq!(of("server_bad_seconds_total", ",state=\"failing\""), 68.0);
    assert_eq!(of("server_state_changes_total", ",to=\"failing\""), 1.0);
    assert_eq!(samples["sensor_incidents_open{level=\"critical\"}"], 1.0);
    assert_eq!(samples["sensor_dns_queries_total{server=\"other\"}"], 30.0);
    assert_eq!(
        samples["sensor_alerts_total{way=\"webhook\",result=\"failed\"}"],
        1.0
    );
    assert!(samples["process_resident_memory_bytes"] > 1e6);
    let packets =
        "sensor_packets_total{interface=\"eth0\",direction=\"egress\",class=\"dns_query\"}";
    assert_eq!(samples[packets], 400_000.0);
}

#[test]
fn what_the_host_dropped_and_held_back_is_told_by_the_kernels_own_reasons() {
    let samples = write(&Metrics::default(), failing(3, now_ms()));
    let drops = "sensor_host_dns_drops_total{reason=\"NO_SOCKET\",stage=\"input\",way=\"to_server\",\
                 transport=\"udp\",namespace=\"\"}";
    assert_eq!(samples[drops], 3_345.0);
    let errors =
        |result: &str| samples[&format!("sensor_host_icmp_errors_total{{result=\"{result}\"}}")];
    assert_eq!((errors("sent"), errors("held_back")), (345.0, 3_000.0));
    assert_eq!(samples["sensor_host_unread_total{what=\"drops\"}"], 2.0);
    assert_eq!(samples["sensor_host_drops_paused_seconds_total"], 3.0);
    // Of a host that is not read nothing is told, rather than nothing that happened.
    let elsewhere = write(&Metrics::default(), healthy(3, now_ms()));
    assert!(
        !elsewhere
            .keys()
            .any(|name| name.starts_with("sensor_host_"))
    );
}

#[test]
fn an_exemplar_names_the_incident_and_only_open_metrics_has_it() {
    let view = failing(2, now_ms());
    let id = view.incidents[0].id.clone();
    let served = serve(view);
    let text = served.get("/metrics").body;
    assert!(!text.contains(" # {") && !text.contains("# EOF"));
    let answer = served.get_with("/metrics", &[OPEN_METRICS]);
    assert!(
        answer
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    let failed = format!(
        "sensor_dns_outcomes_total{{server=\"{SERVER}\",outcome=\"unanswered\"}} 3000 # {{incident=\"{id}\"}}"
    );
    assert!(answer.body.contains(&failed), "{}", answer.body);
    assert!(answer.body.ends_with("# EOF\n"));
}

#[test]
fn an_incident_is_counted_once_when_it_is_over() {
    let metrics = Metrics::default();
    let key = format!("sensor_incidents_total{{server=\"{SERVER}\",cause=\"service_down\"}}");
    let open = failing(1, now_ms());
    assert!(!write(&metrics, open.clone()).contains_key(&key));
    let mut over = open;
    let mut record = (*over.incidents[0]).clone();
    record.stage = sensor::incident::record::Stage::Closed;
    record.ended_ms = Some(over.at_ms);
    over.incidents = vec![Arc::new(record)];
    assert_eq!(write(&metrics, over.clone())[&key], 1.0);
    assert_eq!(write(&metrics, over)[&key], 1.0);
}

#[test]
fn the_64_busiest_or_bad_have_labels_and_all_that_was_counted_is_in_one_of_them() {
    let metrics = Metrics::default();
    let start = now_ms();
    let labels = |samples: &BTreeMap<String, f64>| {
        let all = samples.keys().filter_map(|key| {
            let key = key.strip_prefix("sensor_dns_queries_total{server=\"")?;
            Some(key.trim_end_matches("\"}").to_owned())
        });
        all.collect::<Vec<String>>()
    };
    let sum = |samples: &BTreeMap<String, f64>| -> f64 {
        let all = samples.iter();
        all.filter(|(key, _)| key.starts_with("sensor_dns_queries_total"))
            .map(|(_, value)| value)
            .sum()
    };
    let all = |view: &View| -> f64 {
        let own: u64 = view
            .servers
            .iter()
            .map(|server| server.totals.counters.queries)
            .sum();
        (own + view.others.counters.queries) as f64
    };
    let mut view = healthy(256, start);
    let first = write(&metrics, view.clone());
    assert_eq!(labels(&first).len(), 65);
    assert_eq!(sum(&first), all(&view));
    let other = first["sensor_dns_queries_total{server=\"other\"}"];
    // One without a label fails: it gets one, and what it had counted stays where it was counted.
    let hidden = view
        .servers
        .iter()
        .position(|server| !labels(&first).contains(&server.address.to_string()))
        .expect("most of 256");
    let mut failing = (*view.servers[hidden]).clone();
    failing.state = State::Failing;
    failing.totals = window(
        101,
        u64::from(53 + u32::try_from(hidden).expect("small") % 50),
    );
    let asked_since =
        failing.totals.counters.queries - view.servers[hidden].totals.counters.queries;
    let name = failing.address.to_string();
    view.servers[hidden] = Arc::new(failing);
    view.at_ms += 15_000;
    let samples = write(&metrics, view.clone());
    assert_eq!(labels(&samples).len(), 65);
    let key = format!("sensor_dns_queries_total{{server=\"{name}\"}}");
    assert_eq!(samples[&key], asked_since as f64);
    let other_then = samples["sensor_dns_queries_total{server=\"other\"}"];
    assert!(other_then >= other);
    // The series of the one that gave way ends; what it counted is not counted again elsewhere.
    let (before, after) = (labels(&first), labels(&samples));
    let gone = before
        .iter()
        .find(|label| !after.contains(label))
        .expect("one");
    let gone = first[&format!("sensor_dns_queries_total{{server=\"{gone}\"}}")];
    assert_eq!(sum(&samples) + gone, all(&view));
    // It is well again and no longer busy: it keeps its label for an hour, and no longer.
    let mut well = (*view.servers[hidden]).clone();
    well.state = State::Ok;
    well.minute.queries = 0.0;
    view.servers[hidden] = Arc::new(well);
    view.at_ms += 3_500_000;
    assert!(labels(&write(&metrics, view.clone())).contains(&name));
    view.at_ms += 200_000;
    let samples = write(&metrics, view.clone());
    assert!(!labels(&samples).contains(&name));
    assert!(samples["sensor_dns_queries_total{server=\"other\"}"] >= other_then);
}

/// Of this thread: others use the machine, too.
fn cpu_time() -> Duration {
    let clock = ClockId::CLOCK_THREAD_CPUTIME_ID;
    clock_gettime(clock).expect("Linux has it").into()
}

#[test]
fn a_scrape_of_64_servers_takes_under_10_ms_and_500_kb() {
    let metrics = Metrics::default();
    let mut bytes = 0;
    let mut times = Vec::new();
    for _ in 0..20 {
        // A view of its own each time: nothing is taken from what was written before.
        let view = Arc::new(failing(256, now_ms()));
        let start = cpu_time();
        let text = metrics
            .write(&view, &[], Format::OpenMetrics)
            .expect("written");
        times.push(cpu_time().saturating_sub(start));
        bytes = bytes.max(text.len());
    }
    times.sort();
    let median = times[times.len() / 2];
    println!("/metrics of 64 servers: {median:?}, {bytes} bytes");
    assert!(median < Duration::from_millis(10), "{median:?}");
    assert!(bytes < 500_000, "{bytes} bytes");
}

#[test]
fn promtool_finds_nothing_to_say_about_the_metrics() {
    if !is_there("promtool", "prometheus") {
        return;
    }
    let served = serve(failing(3, now_ms()));
    let text = served.get("/metrics").body;
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut input = promtool.stdin.take().expect("piped");
    input.write_all(text.as_bytes()).expect("it reads");
    drop(input);
    let output = promtool.wait_with_output().expect("it ends");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && words.is_empty(), "{words}");
}

#[test]
fn alive_is_always_and_ready_is_attached_and_fresh() {
    let mut view = healthy(1, now_ms());
    let served = serve(view.clone());
    assert_eq!(served.get("/healthz").status, 200);
    assert_eq!(served.get("/readyz").status, 200);
    let unready = |view: View, word: &str| {
        served.view.send_replace(Arc::new(view));
        let answer = served.get("/readyz");
        assert_eq!(answer.status, 503);
        assert!(answer.body.contains(word), "{}", answer.body);
        assert_eq!(served.get("/healthz").status, 200);
    };
    let mut old = view.clone();
    old.at_ms -= 60_000;
    unready(old, "60 s ago");
    unready(View::empty(), "ago");
    let mut lost = view.clone();
    lost.lost_hooks = vec!["eth0 lost its TC egress hook".into()];
    unready(lost, "TC egress");
    view.interfaces.clear();
    view.at_ms = now_ms();
    unready(view, "attached");
}

#[test]
fn incidents_are_the_json_that_alerts_have() {
    let view = failing(2, now_ms());
    let id = view.incidents[0].id.clone();
    let served = serve(view);
    let read = |path: &str| -> Value {
        let answer = served.get(path);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, "application/json")
        );
        serde_json::from_str(&answer.body).expect("JSON")
    };
    let one = read(&format!("/api/v1/incidents/{id}"));
    assert_eq!(
        (&one["schema"], &one["kind"], &one["id"]),
        (&2.into(), &"incident".into(), &(*id).into())
    );
    assert_eq!(
        read("/api/v1/incidents")["incidents"],
        Value::Array(vec![one])
    );
    let status = read("/api/v1/status");
    assert_eq!(
        (&status["schema"], &status["verdict"]["state"]),
        (&2.into(), &"failing".into())
    );
    assert_eq!(
        status["network"]["history"].as_array().map(Vec::len),
        Some(300)
    );
    assert_eq!(served.get("/api/v1/incidents/none").status, 404);
}

#[test]
fn no_answer_is_large_however_many_servers_there_are() {
    let served = serve(failing(256, now_ms()));
    for path in ["/", "/metrics", "/api/v1/status", "/api/v1/incidents"] {
        let answer = served.get(path);
        let bytes = answer.body.len();
        println!("{path} of 256 servers: {bytes} bytes");
        assert_eq!(
            (answer.status, answer.header("content-length")),
            (200, &*bytes.to_string())
        );
        assert!(bytes < 1_000_000, "{path}: {bytes}");
    }
}
