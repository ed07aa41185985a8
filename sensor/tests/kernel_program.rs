//! The program itself with a real kernel: signals, privileges, output, nothing left behind.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sensor::engine::kernel::interface::Interface;
use sensor::stage::client::query;
use serde_json::Value;
use support::lab::{CLIENT_DEVICE, Pair, SERVER_DEVICE, addresses, dns, socket};
use support::{PATIENCE, wait_for};

const SENSOR: &str = env!("CARGO_BIN_EXE_sensor");

fn spawn(pair: &Pair, arguments: &[&str]) -> Child {
    // Incidents of tests are not those of this host.
    let state = std::env::temp_dir()
        .join("sensor-tests")
        .display()
        .to_string();
    let kept = arguments.first() == Some(&"watch") && !arguments.contains(&"--state");
    let state: &[&str] = if kept { &["--state", &state] } else { &[] };
    pair.server
        .enter(|| {
            Command::new(SENSOR)
                .args(arguments)
                .args(state)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        })
        .expect("entered")
        .expect("sensor runs")
}

fn xdp(pair: &Pair) -> Option<u32> {
    let found = pair
        .server
        .block_on(|| async { Interface::find(&[SERVER_DEVICE.to_string()]).await })
        .expect("entered");
    found.expect("the device")[0].xdp
}

fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).expect("a process");
    kill(Pid::from_raw(pid), signal).expect("signalled");
}

#[test]
#[ignore = "needs a kernel"]
fn watch_writes_an_object_an_interval_and_detaches_on_a_signal() {
    for stop in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let pair = Pair::new();
        let mut child = spawn(
            &pair,
            &[
                "watch",
                "-i",
                SERVER_DEVICE,
                "--hook",
                "xdp",
                "--interval",
                "0.1",
                "--output",
                "json",
            ],
        );
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        // Queries to a closed port are an incident, too: told in between, after some intervals.
        let mut next = || -> Value {
            loop {
                let line = lines.next().expect("a line").expect("text");
                let object: Value = serde_json::from_str(&line).expect("JSON");
                if object["kind"] != "incident" {
                    return object;
                }
            }
        };
        next();
        assert!(xdp(&pair).is_some());
        let client = socket(&pair.client, (addresses(4).client, 0));
        for id in 0..30 {
            let query = query(id, "example.org");
            client
                .send_to(&query, dns(addresses(4).server))
                .expect("sent");
        }
        let mut queries = 0;
        while queries < 30 {
            let object = next();
            assert_eq!(object["schema"], 2);
            // Nobody listens, which the same tick may tell first.
            if object["kind"] == "incident" {
                continue;
            }
            assert_eq!(object["kind"], "totals");
            assert_eq!(object["engine"], "kernel");
            assert_eq!(object["source"], SERVER_DEVICE);
            queries += object["classes"]["dns_query"].as_u64().expect("a count");
        }
        assert_eq!(queries, 30);
        signal(&child, stop);
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{stop}");
        wait_for("detached", || xdp(&pair).is_none());
    }
}

#[test]
#[ignore = "needs a kernel"]
fn a_killed_watch_leaves_nothing_attached() {
    let pair = Pair::new();
    let mut child = spawn(
        &pair,
        &[
            "watch",
            "-i",
            SERVER_DEVICE,
            "--hook",
            "xdp",
            "--interval",
            "0.1",
        ],
    );
    wait_for("attached", || xdp(&pair).is_some());
    signal(&child, Signal::SIGKILL);
    child.wait().expect("it ends");
    wait_for("detached", || xdp(&pair).is_none());
}

#[test]
#[ignore = "needs a kernel"]
fn errors_say_what_to_do() {
    let pair = Pair::new();
    let run = |arguments: &[&str]| -> Output {
        spawn(&pair, arguments).wait_with_output().expect("it ends")
    };
    let unknown = run(&["watch", "-i", "server9"]);
    assert_eq!(unknown.status.code(), Some(1));
    let text = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(
        text.contains("no interface \"server9\"; did you mean server0?"),
        "{text}"
    );

    let _held = Held(spawn(
        &pair,
        &["watch", "-i", SERVER_DEVICE, "--hook", "xdp"],
    ));
    wait_for("attached", || xdp(&pair).is_some());
    let taken = run(&["watch", "-i", SERVER_DEVICE, "--hook", "xdp"]);
    assert_eq!(taken.status.code(), Some(1));
    let text = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert!(
        text.contains("already has an XDP program") && text.contains("--hook tc"),
        "{text}"
    );
}

#[test]
#[ignore = "needs a kernel"]
fn an_interface_that_goes_away_is_not_taken_for_silence() {
    let pair = Pair::new();
    let mut child = spawn(
        &pair,
        &[
            "watch",
            "-i",
            SERVER_DEVICE,
            "--interval",
            "0.1",
            "--output",
            "json",
        ],
    );
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut wait_for_link = |state: &str| {
        let seen = lines.by_ref().take(200).any(|line| {
            let object: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
            object["link"] == state
        });
        assert!(seen, "never {state}");
    };
    wait_for_link("up");
    pair.server.down(SERVER_DEVICE).expect("taken down");
    wait_for_link("down");
    pair.server.up(SERVER_DEVICE).expect("taken up");
    wait_for_link("up");
    pair.client.down(CLIENT_DEVICE).expect("taken down");
    wait_for_link("no_carrier");
    pair.client.up(CLIENT_DEVICE).expect("taken up");
    wait_for_link("up");
    pair.server.delete(SERVER_DEVICE).expect("deleted");
    wait_for_link("gone");
    let output = child.wait_with_output().expect("it ends by itself");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("server0 is gone"), "{text}");
    assert!(text.contains("nothing is left to watch"), "{text}");
}

#[test]
#[ignore = "needs a kernel"]
fn an_interface_given_twice_is_wrong_usage() {
    let output = Command::new(SENSOR)
        .args(["watch", "-i", "lo", "-i", "lo"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(64));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("interface lo was given twice"), "{text}");
}

#[test]
#[ignore = "needs a kernel"]
fn malformed_packets_are_logged_when_asked_for() {
    let pair = Pair::new();
    let mut child = spawn(
        &pair,
        &[
            "watch",
            "-i",
            SERVER_DEVICE,
            "--interval",
            "0.1",
            "--log",
            "debug",
        ],
    );
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    for _ in 0..2 {
        lines.next().expect("a line").expect("text");
    }
    let client = socket(&pair.client, (addresses(4).client, 0));
    client
        .send_to(b"abc", dns(addresses(4).server))
        .expect("sent");
    let told = lines
        .by_ref()
        .take(100)
        .any(|line| line.expect("text").contains("1 malformed"));
    assert!(told, "not counted");
    lines.next().expect("another interval").expect("text");
    signal(&child, Signal::SIGINT);
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("malformed packet, reason 10"), "{text}");
}

#[test]
#[ignore = "needs a kernel"]
fn who_does_not_read_the_output_stops_neither_detection_nor_the_end() {
    let pair = Pair::new();
    let (reader, mut full) = std::io::pipe().expect("a pipe");
    fcntl(&full, FcntlArg::F_SETPIPE_SZ(4096)).expect("a small one");
    full.write_all(&[0; 4096]).expect("filled");
    let directory = std::env::temp_dir().join(format!("sensor-unread-{}", std::process::id()));
    let alerts = directory.join("alerts");
    std::fs::create_dir_all(&directory).expect("a directory");
    let mut command = Command::new(SENSOR);
    command
        .args(["watch", "-i", SERVER_DEVICE, "--hook", "xdp"])
        .args(["--interval", "0.1", "--state"])
        .arg(&directory)
        .arg("--alerts")
        .arg(&alerts)
        .stdout(full)
        .stderr(Stdio::piped());
    let child = pair.server.enter(|| command.spawn()).expect("entered");
    let mut child = Held(child.expect("sensor runs"));
    // It holds the other end of the pipe, too.
    drop(command);
    wait_for("attached", || xdp(&pair).is_some());
    let client = socket(&pair.client, (addresses(4).client, 0));
    let mut id = 0;
    wait_for("an incident", || {
        id += 1;
        // Errors are about earlier queries (ICMP).
        let _ = client.send_to(&query(id, "www.example.org"), dns(addresses(4).server));
        std::fs::read_to_string(&alerts).is_ok_and(|text| text.contains("opened"))
    });
    signal(&child.0, Signal::SIGTERM);
    let mut status = None;
    wait_for("the end", || {
        status = child.0.try_wait().expect("a child");
        status.is_some()
    });
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    let mut text = String::new();
    let mut errors = child.0.stderr.take().expect("piped");
    errors.read_to_string(&mut text).expect("text");
    assert!(
        text.contains("the reader of standard output is too slow"),
        "{text}"
    );
    drop(reader);
    std::fs::remove_dir_all(&directory).expect("removed");
}

/// Killed when the test is over, however it ends.
struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the program as nobody, with these capabilities and no others.
fn unprivileged(arguments: &[&str], capabilities: &str) -> Output {
    Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args([
            format!("--inh-caps=-all{capabilities}"),
            format!("--ambient-caps=-all{capabilities}"),
        ])
        .arg(SENSOR)
        .args(arguments)
        .output()
        .expect("setpriv runs (package util-linux)")
}

#[test]
#[ignore = "needs a kernel"]
fn without_privileges_it_names_what_is_missing() {
    let output = unprivileged(&["watch", "-i", "lo"], "");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("missing CAP_BPF") && text.contains("run as root"),
        "{text}"
    );
    let doctor = unprivileged(&["doctor", "--output", "json"], "");
    assert_eq!(doctor.status.code(), Some(1));
    let text = String::from_utf8_lossy(&doctor.stdout).into_owned();
    let failed: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .filter(|check: &Value| check["ok"] == false)
        .collect();
    assert!(
        failed.iter().any(|check| check["check"] == "privileges"),
        "{text}"
    );
}

#[test]
#[ignore = "needs a kernel"]
fn three_capabilities_are_enough() {
    let output = unprivileged(&["doctor"], ",+bpf,+perfmon,+net_admin");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("the kernel accepts the programs"), "{text}");
}

#[test]
#[ignore = "needs a kernel"]
fn doctor_says_what_an_attach_would_change() {
    let pair = Pair::new();
    let output = spawn(&pair, &["doctor", "-i", SERVER_DEVICE])
        .wait_with_output()
        .expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("veth") && text.contains("TC ingress"),
        "{text}"
    );
    drop(pair);
    // The other end exists in the other namespace only.
    let pair = Pair::new();
    let wrong = spawn(&pair, &["doctor", "-i", CLIENT_DEVICE])
        .wait_with_output()
        .expect("it ends");
    assert_eq!(wrong.status.code(), Some(1));
}

#[test]
#[ignore = "needs a kernel"]
fn doctor_measures_what_a_running_sensor_costs() {
    let pair = Pair::new();
    let alone = Command::new(SENSOR)
        .args(["doctor", "--cost", "1"])
        .output();
    let alone = alone.expect("it runs");
    let _held = Held(spawn(
        &pair,
        &["watch", "-i", SERVER_DEVICE, "--hook", "xdp"],
    ));
    wait_for("attached", || xdp(&pair).is_some());
    let mut doctor = Command::new(SENSOR)
        .args(["doctor", "--cost", "1", "--output", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let client = socket(&pair.client, (addresses(4).client, 0));
    let query = query(1, "example.org");
    wait_for("the end of the measurement", || {
        for _ in 0..100 {
            client
                .send_to(&query, dns(addresses(4).server))
                .or_else(|_| client.send_to(&query, dns(addresses(4).server)))
                .expect("sent");
        }
        doctor.try_wait().expect("a child").is_some()
    });
    let output = doctor.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    let measured = text.lines().any(|line| {
        let object: Value = serde_json::from_str(line).expect("JSON");
        object["program"] == "sensor_xdp"
            && object["ns_per_packet"].as_u64().is_some_and(|ns| ns > 0)
    });
    assert!(measured, "{text}");
    // Other tests may run sensors of their own meanwhile.
    let text = String::from_utf8_lossy(&alone.stdout).into_owned();
    assert!(
        text.contains("sensor_") || text.contains("start `sensor watch`"),
        "{text}"
    );
}

#[test]
#[ignore = "needs a kernel"]
fn watch_tells_details_and_its_own_cost() {
    let pair = Pair::new();
    let mut child = spawn(
        &pair,
        &[
            "watch",
            "-i",
            SERVER_DEVICE,
            "--interval",
            "1.5",
            "--details",
            "--output",
            "json",
        ],
    );
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut interval = || -> Vec<Value> {
        let mut objects: Vec<Value> = Vec::new();
        while objects
            .last()
            .is_none_or(|object| object["kind"] != "totals")
        {
            let line = lines.next().expect("a line").expect("text");
            objects.push(serde_json::from_str(&line).expect("JSON"));
        }
        objects
    };
    interval();
    let client = socket(&pair.client, (addresses(4).client, 0));
    for id in 0..50 {
        let query = query(id, "www.example.org");
        // The closed port's ICMP errors come back here.
        for _ in 0..2 {
            if client.send_to(&query, dns(addresses(4).server)).is_ok() {
                break;
            }
        }
    }
    let mut all = interval();
    all.extend(interval());
    let of = |kind: &'static str| all.iter().filter(move |object| object["kind"] == kind);
    let sum = |kind: &'static str, path: &'static str| -> u64 {
        of(kind)
            .filter_map(|object| object.pointer(path)?.as_u64())
            .sum()
    };
    assert_eq!(sum("server", "/queries"), 50);
    assert_eq!(sum("server", "/transactions/sent"), 50);
    assert_eq!(sum("server", "/transactions/errored"), 50);
    assert!(sum("sources", "/distinct") >= 1);
    let source = addresses(4).client.to_string();
    let asked: u64 = of("sources")
        .filter_map(|object| object["addresses"].as_array())
        .flatten()
        .filter(|heavy| heavy["source"] == *source)
        .filter_map(|heavy| heavy["queries_at_most"].as_u64())
        .sum();
    assert_eq!(asked, 50);
    assert!(of("names").any(|object| object["names"][0]["name"] == "www.example.org"));
    assert!(of("names").any(|object| object["suffixes"][0]["name"] == "example.org"));
    let sensor = &of("totals").next_back().expect("totals")["sensor"];
    assert_eq!(sensor["transactions_one_in"], 1);
    assert_eq!(sensor["samples_lost"], 0);
    for positive in ["map_bytes", "rss_kib"] {
        assert!(sensor[positive].as_u64().is_some_and(|n| n > 0), "{sensor}");
    }
    signal(&child, Signal::SIGINT);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

/// Names of all interfaces of this network namespace.
fn interfaces() -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let all = runtime.block_on(Interface::all()).expect("interfaces");
    all.into_iter().map(|interface| interface.name).collect()
}

/// Network namespaces with a name (ip-netns(8)).
fn named_namespaces() -> usize {
    std::fs::read_dir("/run/netns")
        .into_iter()
        .flatten()
        .count()
}

/// Network namespaces that a process is in or holds open.
fn namespaces_of(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("net:["))
        .count()
}

#[test]
#[ignore = "needs a kernel"]
fn the_demo_ends_by_itself_and_tells_what_it_saw() {
    let before = interfaces();
    let start = Instant::now();
    let output = Command::new(SENSOR).arg("demo").output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(start.elapsed() < PATIENCE);
    assert!(
        text.contains("native XDP and TC egress"),
        "not live: {text}"
    );
    for fact in [
        "INCIDENT 192.0.2.53 warning: service down",
        "# DNS incident: 192.0.2.53, service down",
        "ICMP port unreachable errors about queries came from the server's own address",
        "othing listens on",
    ] {
        assert!(text.contains(fact), "{fact}: {text}");
    }
    assert_eq!(interfaces(), before);
}

#[test]
#[ignore = "needs a kernel"]
fn a_demo_that_is_stopped_or_killed_leaves_nothing_behind() {
    for (stop, code) in [(Signal::SIGINT, Some(0)), (Signal::SIGKILL, None)] {
        let (before, named) = (interfaces(), named_namespaces());
        let mut child = Command::new(SENSOR)
            .arg("demo")
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        // The introduction, the header, and the first interval: the network is up.
        for _ in 0..3 {
            lines.next().expect("a line").expect("text");
        }
        assert_eq!(namespaces_of(child.id()), 2);
        assert_eq!(interfaces(), before, "it must not touch this namespace");
        signal(&child, stop);
        assert_eq!(child.wait().expect("it ends").code(), code);
        // Nothing has a name, so nothing can outlive the process.
        assert_eq!(interfaces(), before);
        assert_eq!(named_namespaces(), named, "a named namespace");
    }
}
