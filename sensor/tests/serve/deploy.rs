//! What is shipped beside the program: rules, their tests, the dashboard. Each name in them is one that exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::client::serve;
use crate::tools::is_there;
use crate::views::{failing, now_ms};

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(path)
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(deploy("prometheus"))
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
    text.into_owned()
}

/// Names of all metrics, each with its labels.
fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let text = serve(failing(3, now_ms())).get("/metrics").body;
    let mut metrics = BTreeMap::<String, BTreeSet<String>>::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            // Also one that has no series yet.
            let (name, kind) = rest.split_once(' ').expect("a type");
            metrics.entry(name.to_owned()).or_default();
            assert!(kind != "untyped", "{line}");
        } else if !line.starts_with('#') {
            let end = line.find(['{', ' ']).expect("a value");
            let labels = metrics.entry(line[..end].to_owned()).or_default();
            let inside = line[end..].split('}').next().unwrap_or_default();
            labels.extend(labels_of(inside));
        }
    }
    // An incident that is over has these.
    let incidents = metrics.entry("sensor_incidents_total".into()).or_default();
    incidents.extend(["server".into(), "cause".into()]);
    metrics
}

/// Words before a sign of comparison with a text.
fn labels_of(matchers: &str) -> Vec<String> {
    let mut labels = Vec::new();
    let mut rest = matchers;
    while let Some((before, after)) = rest.split_once('"') {
        let name = before.trim_end_matches(['=', '~', '!']);
        if name.len() < before.len() {
            labels.push(name.trim_start_matches(['{', ',', ' ']).to_owned());
        }
        rest = after.split_once('"').map_or("", |(_, behind)| behind);
    }
    labels
}

/// Metrics of ours in a query, with the labels that it demands of each.
fn used(query: &str) -> Vec<(String, Vec<String>)> {
    let mut used = Vec::new();
    let mut rest = query;
    while let Some(at) = ["sensor_", "process_"]
        .iter()
        .filter_map(|prefix| rest.find(prefix))
        .min()
    {
        let name = &rest[at..];
        let end = name
            .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .unwrap_or(name.len());
        let behind = &name[end..];
        let matchers = behind
            .strip_prefix('{')
            .and_then(|behind| behind.split('}').next());
        used.push((
            name[..end].to_owned(),
            labels_of(matchers.unwrap_or_default()),
        ));
        rest = behind;
    }
    used
}

fn exist(query: &str, metrics: &BTreeMap<String, BTreeSet<String>>) {
    for (name, labels) in used(query) {
        let known = metrics.get(&name);
        let known = known.unwrap_or_else(|| panic!("{name} in {query} is no metric of sensor"));
        for label in labels {
            // Prometheus adds these two.
            let added = ["instance", "job"].contains(&&*label);
            assert!(
                added || known.contains(&label),
                "{name} has no label {label}: {query}"
            );
        }
    }
}

#[test]
fn rules_are_valid_and_fire_when_they_must() {
    if !is_there("promtool", "prometheus") {
        return;
    }
    run("promtool", &["check", "rules", "alerts.yml"]);
    run("promtool", &["test", "rules", "alerts_test.yml"]);
    run("promtool", &["check", "config", "prometheus.yml"]);
    if is_there("amtool", "prometheus-alertmanager") {
        run("amtool", &["check-config", "alertmanager.yml"]);
    }
}

#[test]
fn rules_name_metrics_and_sections_that_exist_and_each_is_tested() {
    let metrics = metrics();
    let rules = fs::read_to_string(deploy("prometheus/alerts.yml")).expect("there");
    let tests = fs::read_to_string(deploy("prometheus/alerts_test.yml")).expect("there");
    let guide = fs::read_to_string(deploy("../docs/GUIDE.md")).expect("there");
    let rules: String = rules
        .lines()
        .filter(|line| !line.trim().starts_with('#'))
        .collect::<Vec<_>>()
        .join("\n");
    // In templates and texts beside selectors, percent signs stand for values.
    exist(&rules.replace("=%q", "=\"\""), &metrics);
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    assert_eq!(alerts.len(), 8);
    for alert in alerts {
        let name = alert.lines().next().expect("a name");
        for part in [
            "expr:",
            "severity:",
            "summary:",
            "cause:",
            "link:",
            "guide:",
        ] {
            assert!(alert.contains(part), "{name} has no {part}");
        }
        let section = format!("docs/GUIDE.md#{}", name.to_lowercase());
        assert!(alert.contains(&section), "{name} leads elsewhere");
        assert!(
            guide.contains(&format!("### {name}\n")),
            "GUIDE.md has no {name}"
        );
        // Once where it fires, once where it does not.
        let tested = tests.matches(&format!("- alertname: {name}\n")).count();
        assert!(tested >= 2, "{name} is not tested");
    }
}

#[test]
fn every_query_of_the_dashboard_is_valid_and_names_metrics_that_exist() {
    let metrics = metrics();
    let text = fs::read_to_string(deploy("grafana/dns-sensor.json")).expect("there");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut queries: Vec<&str> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().expect("targets"))
        .map(|target| target["expr"].as_str().expect("a query"))
        .collect();
    queries.extend(dashboard["annotations"]["list"][0]["expr"].as_str());
    assert!(queries.len() > 20);
    let mut shown = BTreeSet::new();
    for query in &queries {
        exist(query, &metrics);
        shown.extend(used(query).into_iter().map(|(name, _)| name));
    }
    for name in metrics.keys() {
        let is_shown = shown.contains(name) || name.starts_with("process_");
        // Parts of the histogram, and what its whole is called.
        let is_part = name.starts_with("sensor_dns_latency_seconds") || name == "sensor_build_info";
        assert!(is_shown || is_part, "{name} is on no panel");
    }
    for variable in dashboard["templating"]["list"]
        .as_array()
        .expect("variables")
    {
        exist(
            variable["definition"].as_str().unwrap_or_default(),
            &metrics,
        );
    }
    if !is_there("promtool", "prometheus") {
        return;
    }
    let rules: String = queries
        .iter()
        .enumerate()
        .map(|(at, query)| {
            let query = query.replace("$__rate_interval", "1m");
            format!("  - record: panel:{at}\n    expr: {}", Value::from(query))
        })
        .collect::<Vec<String>>()
        .join("\n");
    let path = std::env::temp_dir().join(format!("sensor-panels-{}.yml", std::process::id()));
    fs::write(
        &path,
        format!("groups:\n- name: panels\n  rules:\n{rules}\n"),
    )
    .expect("written");
    run(
        "promtool",
        &["check", "rules", path.to_str().expect("text")],
    );
    fs::remove_file(path).expect("ours");
}

#[test]
fn a_name_that_does_not_exist_is_found() {
    let metrics = metrics();
    let fails = |query: &str| std::panic::catch_unwind(|| exist(query, &metrics)).is_err();
    assert!(!fails(
        "rate(sensor_dns_queries_total{server=\"x\",instance=~\"y\"}[5m])"
    ));
    assert!(fails("rate(sensor_dns_query_total[5m])"));
    assert!(fails(
        "sensor_sources + sensor_dns_queries_total{client=\"x\"}"
    ));
}
