//! Real captures, counted by other tools: `replay` agrees, with both engines.
//!
//! They are not part of the project and are looked for beside it; see `sensor/docs/ARCHITECTURE.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn folder() -> PathBuf {
    std::env::var_os("SENSOR_CAPTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures"),
        PathBuf::from,
    )
}

/// The rows of EXPECTED.tsv by column name.
fn expected() -> Vec<BTreeMap<String, String>> {
    let path = folder().join("EXPECTED.tsv");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a header").split('\t').collect();
    lines
        .map(|line| {
            names
                .iter()
                .map(ToString::to_string)
                .zip(line.split('\t').map(String::from))
                .collect()
        })
        .collect()
}

fn replay(file: &str, engine: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_sensor"))
        .args(["replay", "--output", "json", "--engine", engine])
        .arg(folder().join(file))
        .output()
        .expect("sensor runs");
    assert!(
        output.status.success(),
        "{file}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn sum(value: &Value) -> u64 {
    match value {
        Value::Object(entries) => entries.values().map(sum).sum(),
        other => number(other),
    }
}

/// `1:3,13:4`, and `-` for nothing.
fn codes(text: &str) -> BTreeMap<String, u64> {
    text.split(',')
        .filter_map(|entry| entry.split_once(':'))
        .map(|(code, count)| (code.to_string(), count.parse().expect("a count")))
        .collect()
}

/// Counts by code of one type, summed over some objects.
fn by_code(objects: &[&Value], family: &str, number_of_type: &str) -> BTreeMap<String, u64> {
    let mut codes = BTreeMap::new();
    for object in objects {
        if let Some(counts) = object[family][number_of_type].as_object() {
            for (code, count) in counts {
                *codes.entry(code.clone()).or_default() += number(count);
            }
        }
    }
    codes
}

fn check(engine: &str) {
    let rows = expected();
    assert!(rows.len() >= 29, "only {} captures", rows.len());
    for row in rows {
        let file = row["file"].as_str();
        let totals = replay(file, engine);
        let want = |column: &str| -> u64 { row[column].parse().expect(column) };
        let same = |what: &str, got: u64, column: &str| {
            assert_eq!(got, want(column), "{file}, {engine}: {what}");
        };
        let classes = &totals["classes"];
        let short = number(&totals["malformed"]["dns_header"]);
        assert_eq!(totals["engine"], engine);
        same("seen", number(&totals["seen"]), "packets");
        same("the sum of classes", sum(classes), "packets");
        same(
            "udp53",
            number(&classes["dns_query"]) + number(&classes["dns_response"]) + short,
            "udp53",
        );
        same("short DNS", short, "udp53_lt12");
        // EXPECTED counts queries among messages that are too short for their header, if their flags
        // are there; here those are malformed, and only their flags are counted.
        let flags = sum(&totals["opcode"]);
        let responses = sum(&totals["rcode"]);
        same("queries", flags - responses, "q");
        same("responses", responses, "r");
        assert!(flags - number(&classes["dns_query"]) - number(&classes["dns_response"]) <= short);
        for (column, name) in [
            ("rc0", "NOERROR"),
            ("rc1", "FORMERR"),
            ("rc2", "SERVFAIL"),
            ("rc3", "NXDOMAIN"),
            ("rc4", "NOTIMP"),
            ("rc5", "REFUSED"),
            ("rc9", "NOTAUTH"),
        ] {
            same(name, number(&totals["rcode"][name]), column);
        }
        same("TC", number(&totals["truncated"]), "tc");
        same("TCP", number(&classes["dns_tcp"]), "tcp53");
        same("later fragments", number(&classes["fragment"]), "nonfirst");
        same(
            "first fragments",
            number(&totals["first_fragment"]),
            "udp53_firstfrag",
        );
        same("VLAN", number(&totals["vlan"]), "udp53_vlan");
        same("ANY", number(&totals["qtype"]["ANY"]), "any_q");
        let opcodes: u64 = codes(&row["opcodes"]).values().sum();
        assert_eq!(
            flags - number(&totals["opcode"]["QUERY"]),
            opcodes,
            "{file}: opcodes"
        );
        let errors = &totals["icmp_error"];
        assert_eq!(
            by_code(&[errors], "v4", "3"),
            codes(&row["i4_codes"]),
            "{file}"
        );
        assert_eq!(
            by_code(&[errors], "v6", "1"),
            codes(&row["i6_codes"]),
            "{file}"
        );
        let (query, response) = (
            &totals["quoting_dns"]["query"],
            &totals["quoting_dns"]["response"],
        );
        let both = [query, response];
        assert_eq!(
            by_code(&both, "v4", "3"),
            codes(&row["i4dns_codes"]),
            "{file}"
        );
        assert_eq!(
            by_code(&both, "v6", "1"),
            codes(&row["i6dns_codes"]),
            "{file}"
        );
        let quoting = |object: &Value| sum(&object["v4"]["3"]) + sum(&object["v6"]["1"]);
        same("quoted queries", quoting(query), "emb_dst53");
        same("quoted responses", quoting(response), "emb_src53");
    }
}

#[test]
#[ignore = "needs the captures beside the project"]
fn the_host_engine_agrees() {
    check("host");
}

#[test]
#[ignore = "needs a kernel and the captures beside the project"]
fn the_kernel_engine_agrees() {
    check("kernel");
}
