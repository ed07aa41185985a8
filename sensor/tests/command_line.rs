//! The program as a user meets it: output, exit codes and what errors say.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output};

const SENSOR: &str = env!("CARGO_BIN_EXE_sensor");

fn sensor(arguments: &[&str]) -> Output {
    Command::new(SENSOR)
        .args(arguments)
        .output()
        .expect("sensor runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A file of this process's own.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("sensor-test-{}-{name}", std::process::id()));
    std::fs::File::create(&path)
        .and_then(|mut file| file.write_all(bytes))
        .expect("a temporary file");
    path
}

/// A pcap header of this link type.
fn pcap(link: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, link] {
        bytes.extend(word.to_le_bytes());
    }
    bytes
}

fn packet(bytes: &mut Vec<u8>, captured: &[u8], original: u32) {
    packet_at(1_000, bytes, captured, original);
}

fn packet_at(ms: u32, bytes: &mut Vec<u8>, captured: &[u8], original: u32) {
    let microseconds = ms % 1_000 * 1_000;
    for word in [ms / 1_000, microseconds, captured.len() as u32, original] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(captured);
}

/// An IPv4 packet with a DNS query.
fn query() -> Vec<u8> {
    let mut packet = vec![
        0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 7, 192, 0, 2, 53,
    ];
    let dns = sensor::stage::client::query(1, "www.example.org");
    packet.extend([0x9c, 0x40, 0, 53, 0, 8 + dns.len() as u8, 0, 0]);
    packet.extend(dns);
    packet[3] = packet.len() as u8;
    packet
}

/// The server's host says that nobody listens.
fn port_unreachable() -> Vec<u8> {
    let mut packet = vec![
        0x45, 0, 0, 0, 0, 1, 0, 0, 64, 1, 0, 0, 192, 0, 2, 53, 192, 0, 2, 7,
    ];
    packet.extend([3, 3, 0, 0, 0, 0, 0, 0]);
    packet.extend(query());
    packet[3] = packet.len() as u8;
    packet
}

fn replayed(path: &std::path::Path) -> serde_json::Value {
    let output = sensor(&["replay", "--output", "json", &path.display().to_string()]);
    assert!(output.status.success(), "{}", stderr(&output));
    last_object(&output)
}

/// The totals are the last line; servers come before.
fn last_object(output: &Output) -> serde_json::Value {
    let text = stdout(output);
    serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
}

#[test]
fn every_link_layer_is_read() {
    let ipv6_family_of_bsd = 30_u32;
    let mut ethernet = vec![0; 12];
    ethernet.extend([8, 0]);
    let mut cooked = vec![0; 14];
    cooked.extend([8, 0]);
    let mut cooked2 = vec![8, 0];
    cooked2.resize(20, 0);
    let headers: [(u32, Vec<u8>); 7] = [
        (1, ethernet),
        (101, vec![]),
        (228, vec![]),
        (113, cooked),
        (276, cooked2),
        (0, 2_u32.to_le_bytes().to_vec()),
        (108, 2_u32.to_be_bytes().to_vec()),
    ];
    for (link, header) in headers {
        let mut bytes = pcap(link);
        let frame = [header, query()].concat();
        packet(&mut bytes, &frame, frame.len() as u32);
        let totals = replayed(&file(&format!("link-{link}.pcap"), &bytes));
        assert_eq!(totals["classes"]["dns_query"], 1, "link type {link}");
        assert_eq!(totals["qtype"]["A"], 1, "link type {link}");
    }
    // IPv6 has another number on each BSD; the packet is too short, but it is IPv6.
    let mut bytes = pcap(0);
    packet(&mut bytes, &ipv6_family_of_bsd.to_le_bytes(), 4);
    let totals = replayed(&file("null6.pcap", &bytes));
    assert_eq!(totals["malformed"]["ip_header"], 1);
}

#[test]
fn frames_cut_by_the_snapshot_length_are_counted_as_such() {
    let whole = query();
    let mut bytes = pcap(101);
    packet(&mut bytes, &whole, whole.len() as u32);
    packet(&mut bytes, &whole[..45], whole.len() as u32);
    packet(&mut bytes, &whole[..30], whole.len() as u32);
    let totals = replayed(&file("cut.pcap", &bytes));
    assert_eq!(totals["cut"], 2);
    assert_eq!(totals["seen"], 3);
    // What is left of the second still shows that it is a query.
    assert_eq!(totals["classes"]["dns_query"], 2);
    assert_eq!(totals["malformed"]["dns_header"], 1);
}

#[test]
fn a_capture_that_breaks_off_says_where_and_shows_what_it_had() {
    let whole = query();
    let mut bytes = pcap(101);
    packet(&mut bytes, &whole, whole.len() as u32);
    let second = bytes.len();
    packet(&mut bytes, &whole, whole.len() as u32);
    bytes.truncate(bytes.len() - 5);
    let path = file("broken.pcap", &bytes);
    let output = sensor(&["replay", "--output", "json", &path.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    assert!(
        error.contains(&format!(
            "the file ends inside a packet at byte {second}, after 1 frame;"
        )),
        "{error}"
    );
    let totals = last_object(&output);
    assert_eq!(totals["seen"], 1);
    assert_eq!(totals["complete"], false);
}

#[test]
fn each_server_of_a_capture_has_an_object() {
    let mut bytes = pcap(101);
    for _ in 0..3 {
        packet(&mut bytes, &query(), query().len() as u32);
    }
    let path = file("servers.pcap", &bytes);
    let output = sensor(&["replay", "--output", "json", &path.display().to_string()]);
    let text = stdout(&output);
    let first = text.lines().next().expect("a line");
    let server: serde_json::Value = serde_json::from_str(first).expect("JSON");
    assert_eq!(server["kind"], "server");
    assert_eq!(server["address"], "192.0.2.53");
    assert_eq!(server["queries"], 3);
    assert_eq!(last_object(&output)["complete"], true);
}

#[test]
fn the_last_packets_of_a_capture_are_looked_at() {
    // Five failures are enough, and nothing comes after the fifth.
    for (failures, code) in [(4, 0), (5, 3)] {
        let mut bytes = pcap(101);
        for number in 0..failures {
            let at = 1_000 + number * 29_000;
            for (ms, sent) in [(at, query()), (at + 1, port_unreachable())] {
                packet_at(ms, &mut bytes, &sent, sent.len() as u32);
            }
        }
        let path = file(&format!("last-{failures}.pcap"), &bytes);
        let output = sensor(&["replay", "--fail-on-incident", &path.display().to_string()]);
        assert_eq!(output.status.code(), Some(code), "{}", stdout(&output));
    }
}

/// A pcapng block: type, body, and the length around it.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = 12 + body.len() as u32;
    [
        &kind.to_le_bytes()[..],
        &length.to_le_bytes(),
        body,
        &length.to_le_bytes(),
    ]
    .concat()
}

#[test]
fn pcapng_with_several_interfaces_is_read() {
    let section = [
        &0x1a2b_3c4d_u32.to_le_bytes()[..],
        &[1, 0, 0, 0],
        &[0xff; 8],
    ]
    .concat();
    let interface =
        |link: u16| [&link.to_le_bytes()[..], &[0, 0], &65_535_u32.to_le_bytes()].concat();
    let enhanced = |interface: u32| {
        let packet = query();
        let mut body = Vec::new();
        for word in [
            interface,
            0,
            1_000_000,
            packet.len() as u32,
            packet.len() as u32,
        ] {
            body.extend(word.to_le_bytes());
        }
        body.extend(&packet);
        body.resize(body.len().next_multiple_of(4), 0);
        body
    };
    // USB, of which there is no packet, and raw IP.
    let start = [
        block(0x0a0d_0d0a, &section),
        block(1, &interface(189)),
        block(1, &interface(101)),
        block(6, &enhanced(1)),
    ]
    .concat();
    let totals = replayed(&file("two.pcapng", &start));
    assert_eq!(totals["qtype"]["A"], 1);

    // What cannot be read is skipped and told; what follows is read.
    for (name, more, says) in [
        (
            "usb",
            block(6, &enhanced(0)),
            "skipped 1 frame of link type 189 (USB_LINUX), which is not supported; it carries no IP packets",
        ),
        (
            "undescribed",
            block(6, &enhanced(7)),
            "skipped 1 frame of an interface that the capture does not describe",
        ),
    ] {
        let bytes = [start.clone(), more, block(6, &enhanced(1))].concat();
        let path = file(&format!("{name}.pcapng"), &bytes);
        let output = sensor(&["replay", "--output", "json", &path.display().to_string()]);
        assert_eq!(output.status.code(), Some(0), "{name}");
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
        assert_eq!(last_object(&output)["seen"], 2, "{name}");
    }
    // The packet block of old files has the number of its interface in 16 bits, and drops in the others.
    let mut old = enhanced(1);
    old[2] = 7;
    let bytes = [start, block(2, &old)].concat();
    let totals = replayed(&file("obsolete.pcapng", &bytes));
    assert_eq!(totals["qtype"]["A"], 2);
}

#[test]
fn what_is_no_capture_is_refused() {
    let path = file(
        "text.pcap",
        b"this is a text, and long enough for a header of any kind",
    );
    let output = sensor(&["replay", &path.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("is not a capture file"),
        "{}",
        stderr(&output)
    );
    let output = sensor(&["replay", "/nowhere.pcap"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output).trim(),
        "error: cannot open /nowhere.pcap: No such file or directory (os error 2)"
    );
    for (name, bytes, says) in [
        ("empty.pcap", &b""[..], "is empty"),
        (
            "gzip.pcap",
            &[0x1f, 0x8b, 8, 0, 0],
            "the gzip data breaks off at byte 0 of the uncompressed data, after 0 frames",
        ),
        (
            "snoop.pcap",
            b"snoop\0\0\0\0\0\0\x02\0\0\0\x04",
            "is a capture in snoop format; convert it with `editcap -F pcap",
        ),
    ] {
        let output = sensor(&["replay", &file(name, bytes).display().to_string()]);
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    }
    let output = sensor(&["replay", "/tmp"]);
    assert!(
        stderr(&output).contains("is a directory"),
        "{}",
        stderr(&output)
    );
    let path = file("slip.pcap", &pcap(8));
    let output = sensor(&["replay", &path.display().to_string()]);
    assert!(
        stderr(&output).contains("link type 8 (SLIP) is not supported; if its packets"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn wrong_usage_exits_with_64_apart_from_every_result() {
    for arguments in [
        &["watch"][..],
        &["watch", "-i", "lo", "--interval", "0"],
        &["watch", "-i", "lo", "--interval", "-1"],
        &["--log", "silly", "doctor"],
        &["replay", "x.pcap", "--port", "0"],
        &["watch", "-i", "lo", "--hook", "magic"],
        &["replay"],
        &["nonsense"],
        &["status", "--nonsense"],
        &["status", "eth0"],
        &["replay", "-", "x.pcap"],
        &["replay", "--screen", "-"],
        &["replay", "--follow", "-"],
    ] {
        assert_eq!(sensor(arguments).status.code(), Some(64), "{arguments:?}");
    }
}

#[test]
fn help_and_the_version_are_no_errors() {
    for arguments in [&["--help"][..], &["--version"], &["status", "--help"]] {
        let output = sensor(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(stderr(&output), "");
    }
    assert!(stdout(&sensor(&["--help"])).contains("64 wrong usage"));
    assert!(stdout(&sensor(&["status", "--help"])).contains("64 wrong usage"));
}

#[test]
fn help_teaches_by_example() {
    for command in ["demo", "watch", "replay", "doctor"] {
        let output = sensor(&[command, "--help"]);
        assert!(output.status.success());
        assert!(stdout(&output).contains("Example"), "{command}");
    }
}

#[test]
fn too_many_ports_and_interfaces_are_refused() {
    let ports: Vec<String> = (1..=9).map(|port| format!("--port={port}")).collect();
    let mut arguments = vec!["replay", "/nowhere.pcap"];
    arguments.extend(ports.iter().map(String::as_str));
    let output = sensor(&arguments);
    assert!(stderr(&output).contains("at most 8"), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(64));
    let mut arguments = vec!["watch".to_string()];
    arguments.extend((1..=9).map(|number| format!("-i{number}")));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = sensor(&arguments);
    assert!(stderr(&output).contains("at most 8"), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn a_clock_that_goes_back_begins_detection_anew() {
    let mut bytes = pcap(101);
    for begin in [200_000, 100_000] {
        for number in 0..150 {
            let mut query = query();
            query[28..30].copy_from_slice(&u16::to_be_bytes(number));
            let at = begin + u32::from(number) * 100;
            packet_at(at, &mut bytes, &query, query.len() as u32);
        }
    }
    let path = file("clock.pcap", &bytes);
    let path = path.to_str().expect("text");
    let output = sensor(&["replay", path, "--host", "192.0.2.7", "--output", "json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("goes back 1 time,"), "{said}");
    let incidents: Vec<(u64, String)> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .filter(|object| object["kind"] == "incident")
        .map(|object| {
            let stage = object["stage"].as_str().expect("a stage").to_string();
            (object["onset_ms"].as_u64().expect("a time"), stage)
        })
        .collect();
    let unfinished = |at| (at, "unfinished".to_string());
    assert_eq!(incidents, [unfinished(100_000), unfinished(200_000)]);
}

#[test]
fn the_rules_of_a_capture_can_be_read_as_its_host() {
    let mut bytes = pcap(101);
    for number in 0..150 {
        let mut query = query();
        query[28..30].copy_from_slice(&u16::to_be_bytes(number));
        packet_at(
            100_000 + u32::from(number) * 100,
            &mut bytes,
            &query,
            query.len() as u32,
        );
    }
    let path = file("host.pcap", &bytes);
    let path = path.to_str().expect("text");
    let silent = |more: &[&str]| {
        let mut arguments = vec!["rules", "--capture", path, "--output", "json"];
        arguments.extend(more);
        let output = sensor(&arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        let objects = stdout(&output);
        let mut objects = objects
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        let rule = objects.find(|object| object["rule"] == "silent");
        rule.expect("a rule")["reading"]["state"]
            .as_str()
            .expect("a state")
            .to_owned()
    };
    assert_eq!(silent(&[]), "unknown", "only queries pass");
    assert_eq!(silent(&["--host", "192.0.2.7"]), "fires");
    let alone = sensor(&["rules", "--host", "192.0.2.7"]);
    assert_eq!(alone.status.code(), Some(64));
}

#[test]
fn thresholds_that_no_rule_can_compare_with_are_refused() {
    let bytes = pcap(101);
    let capture = file("thresholds.pcap", &bytes);
    for (text, why) in [
        ("usual_rise = nan", "usual_rise must be a number above 0"),
        ("usual_rise = -1", "usual_rise must be a number above 0"),
        ("usual_rize = 1", "did you mean usual_rise?"),
        ("slow = { warnng = 1 }", "unknown field `warnng`"),
        ("failed_back = 3", "failed_back"),
        ("failed_back = \"1h\"", "failed_back must not be"),
    ] {
        let thresholds = file("bad.toml", text.as_bytes());
        let output = sensor(&[
            "replay",
            capture.to_str().expect("text"),
            "--thresholds",
            thresholds.to_str().expect("text"),
        ]);
        assert!(!output.status.success());
        let said = stderr(&output);
        assert!(said.contains(why) && said.contains("bad.toml"), "{said}");
    }
}

#[test]
fn a_part_of_a_pair_of_thresholds_is_enough() {
    let thresholds = file(
        "part.toml",
        b"slow = { warning = 0.5 }\nflood_ceiling = 9000\n",
    );
    let thresholds = thresholds.to_str().expect("text");
    let output = sensor(&["rules", "--toml", "--thresholds", thresholds]);
    let text = stdout(&output);
    assert!(
        text.contains("slow = { critical = 1.0, warning = 0.5 }"),
        "{text}"
    );
    assert!(text.contains("\nflood_ceiling = 9000.0"), "{text}");
}

#[test]
fn a_capture_comes_through_a_pipe_too() {
    let mut bytes = pcap(101);
    packet(&mut bytes, &query(), query().len() as u32);
    let path = file("piped.pcap", &bytes);
    let output = Command::new("sh")
        .args(["-c", "cat \"$1\" | \"$2\" replay --output json -", "sh"])
        .args([path.as_os_str(), SENSOR.as_ref()])
        .output()
        .expect("sensor runs");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(last_object(&output)["classes"]["dns_query"], 1);
}

#[test]
fn where_alerts_cannot_go_is_told_at_once() {
    for (arguments, why) in [
        (["--state", "/proc/nope"], "--state"),
        (
            ["--state", "/etc/passwd"],
            "/etc/passwd is a file; --state takes a directory",
        ),
        (["--alerts", "/nonexistent/alerts"], "--alerts"),
        (["--alerts", "/tmp"], "--alerts"),
        (
            ["--on-incident", "/nonexistent/notify --now"],
            "--on-incident",
        ),
        (["--webhook", "notaurl"], "--webhook"),
        (["--webhook", "ftp://192.0.2.1/"], "--webhook"),
    ] {
        let state = std::env::temp_dir()
            .join("sensor-tests")
            .display()
            .to_string();
        let mut all = vec!["watch", "-i", "lo"];
        if arguments[0] != "--state" {
            all.extend(["--state", &state]);
        }
        all.extend(arguments);
        // What is not refused watches until it is told to end.
        let output = Command::new("timeout")
            .args(["10", SENSOR])
            .args(&all)
            .output()
            .expect("sensor runs");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}

#[test]
#[ignore = "needs a kernel"]
fn what_the_command_line_has_wrong_is_refused_before_anything_is_attached() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("bound").to_string();
    let wrong = file("wrong.toml", b"usual_rise = -1");
    let wrong = wrong.to_str().expect("text");
    for (arguments, code, why) in [
        (["--listen", "0.0.0.0:0"], 64, "--listen-token"),
        (["--listen", &taken], 1, "cannot listen at"),
        (["--thresholds", wrong], 1, "wrong.toml"),
    ] {
        for command in ["watch", "run"] {
            let output = Command::new("timeout")
                .args(["10", SENSOR, command, "-i", "lo"])
                .args(arguments)
                .output()
                .expect("sensor runs");
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(code), "{said}");
            assert!(said.contains(why), "{said}");
            assert!(!said.contains("watching"), "{said}");
        }
    }
}

#[test]
fn a_broken_record_hides_no_other() {
    let state = file("state", b"");
    std::fs::remove_file(&state).expect("a file");
    std::fs::create_dir_all(&state).expect("a directory");
    let broken = state.join("1795419560000-192-0-2-1.json");
    std::fs::write(&broken, "{").expect("written");
    let state = state.to_str().expect("text");
    let output = sensor(&["report", "--list", "--state", state]);
    assert!(output.status.success());
    assert!(
        stderr(&output).contains("move it away"),
        "{}",
        stderr(&output)
    );
    let output = sensor(&["report", "--state", state]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is no incident of this version"));
    let nothing = sensor(&["report", "--list", "--state", "/nonexistent"]);
    assert!(stderr(&nothing).contains("no incident in /nonexistent"));
    let no_directory = sensor(&["report", "--state", "/etc/passwd"]);
    assert!(
        stderr(&no_directory).contains("/etc/passwd is a file; --state takes a directory"),
        "{}",
        stderr(&no_directory)
    );
}

#[test]
fn nothing_is_said_of_names_and_sources_that_there_are_none_of() {
    let path = file("nothing.pcap", &pcap(101));
    let output = sensor(&["replay", path.to_str().expect("text")]);
    let text = stdout(&output);
    assert!(text.contains("Nothing to detect"), "{text}");
    assert!(
        !text.contains("names:") && !text.contains("sources:"),
        "{text}"
    );
}

#[test]
fn texts_agree_on_when_usual_rates_are_believed() {
    let limits = sensor::detect::Thresholds::default();
    let after = sensor::detect::server::believed_after(&limits).as_secs();
    let says = format!("{after} s after");
    for (name, text) in [
        ("README.md", include_str!("../../README.md")),
        ("DETECTION.md", include_str!("../docs/DETECTION.md")),
        ("ARCHITECTURE.md", include_str!("../docs/ARCHITECTURE.md")),
        ("rules --toml", &stdout(&sensor(&["rules", "--toml"]))),
    ] {
        let one_line = text
            .replace("\n# ", " ")
            .replace("\n  ", " ")
            .replace('\n', " ");
        assert!(one_line.contains(&says), "{name} does not say {says:?}");
    }
    let mut bytes = pcap(101);
    for second in 0..5 {
        packet_at(
            100_000 + second * 1_000,
            &mut bytes,
            &query(),
            query().len() as u32,
        );
    }
    let path = file("young.pcap", &bytes);
    let rules = stdout(&sensor(&[
        "rules",
        "--capture",
        path.to_str().expect("text"),
    ]));
    let says = format!("too early for usual rates: 4 s of {after};");
    assert!(rules.contains(&says), "{rules}");
}

#[test]
fn doctor_says_of_a_webhook_whether_it_needs_dns() {
    for (url, finding) in [
        (
            "http://192.0.2.1:8080/dns",
            "an address, which needs no DNS",
        ),
        ("http://localhost:8080/dns", "warning: localhost is a name"),
        (
            "http://hooks.invalid/dns",
            "hooks.invalid cannot be looked up",
        ),
        ("notaurl", "\"notaurl\" cannot be posted to"),
    ] {
        let output = sensor(&["doctor", "--webhook", url]);
        assert!(stdout(&output).contains(finding), "{}", stdout(&output));
        if !finding.starts_with("warning") && !finding.starts_with("an address") {
            assert_eq!(output.status.code(), Some(1));
        }
    }
}

#[test]
fn a_closed_pipe_is_the_end_and_no_error() {
    let mut bytes = pcap(101);
    packet(&mut bytes, &query(), 100);
    let path = file("pipe.pcap", &bytes);
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "({SENSOR} replay {}; echo $? >&2) | true",
            path.display()
        ))
        .output()
        .expect("sh runs");
    assert_eq!(stderr(&output).trim(), "0");
}

#[test]
fn nobody_who_reads_errors_is_no_panic() {
    for arguments in [
        &["replay", "/nowhere.pcap"][..],
        &["report", "--list", "--state", "/nowhere"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let status = Command::new(SENSOR)
            .args(arguments)
            .stderr(writer)
            .status()
            .expect("sensor runs");
        let expected = i32::from(arguments[0] == "replay");
        assert_eq!(status.code(), Some(expected), "{arguments:?}");
    }
}

#[test]
fn the_recorded_demo_tells_the_same_story() {
    let output = sensor(&["demo", "--recorded"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    let at = text.find("# DNS incident").expect("a report");
    let (lines, report) = text.split_at(at);
    assert!(
        lines.contains("INCIDENT 192.0.2.53 warning: service down"),
        "{lines}"
    );
    assert!(
        lines.contains("INCIDENT 192.0.2.53 now critical: service down"),
        "{lines}"
    );
    for fact in [
        "# DNS incident: 192.0.2.53, service down",
        "5 of 615 queries answered (0.8 %), 85 more pending",
        "95 ICMP port unreachable errors about queries came from the server's own address",
        "**Likely cause: service down**",
        "firewall rejects",
        "`systemctl --failed`",
    ] {
        assert!(report.contains(fact), "{fact}: {report}");
    }
    // Nothing of it is kept.
    for command in ["sensor causes", "sensor report"] {
        assert!(!text.contains(command), "{command}: {text}");
    }
}
