//! Alerts reach their receivers, and a receiver that is slow, broken or silent holds nobody up.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sensor::host::probe::{self, Said, Source};
use sensor::incident::Change;
use sensor::incident::record::Record;
use sensor::measure::clock::WallClock;
use sensor::notify::{Alert, Alerts, Receivers};
use sensor::stage::responder::answer;
use serde_json::Value;
use support::wait_for;

/// As `sensor report --output json` writes one.
const RECORD: &str = r#"{
    "schema": 2, "kind": "incident", "id": "1700000020500-192-0-2-53", "server": "192.0.2.53",
    "ports": [53], "vantage": "server", "watched": ["eth0"], "stage": "open", "level": "warning",
    "onset_ms": 1700000020000, "detected_ms": 1700000020500, "last_symptom_ms": 1700000021000, "updated_ms": 1700000021000,
    "symptoms": [], "names": [], "icmp_senders": [], "causes": [], "findings": [],
    "first_cause": ["service_down"],
    "before": {"seconds": 20.0, "queries": 1, "asked": 1, "responses": 1, "answered": 1, "late": 0, "errored": 0,
      "unanswered": 0, "waiting": 0, "retransmitted": 0, "rcodes": {}, "truncated": 0,
      "query_bytes": 0, "response_bytes": 0, "unmatched": 0, "backscatter": 0, "icmp_errors": {},
      "icmp_from_server": 0, "tcp": [0, 0, 0]},
    "during": {"seconds": 1.0, "queries": 9, "asked": 9, "responses": 0, "answered": 0, "late": 0, "errored": 9,
      "unanswered": 0, "waiting": 0, "retransmitted": 0, "rcodes": {}, "truncated": 0,
      "query_bytes": 0, "response_bytes": 0, "unmatched": 0, "backscatter": 0,
      "icmp_errors": {"port_unreachable": 9}, "icmp_from_server": 9, "tcp": [0, 0, 0]},
    "clients": {"addresses": 1, "networks": 1, "rejected": [], "served": 0, "heaviest": [], "sources": [],
      "distinct": {"usual": null, "worst": 1.0}, "rate": {"usual": null, "worst": 9.0},
      "distinct_names": {"usual": null, "worst": 1.0}},
    "sampling": {"shift": 0, "packets": 0, "lost": 0},
    "series": {"step_ms": 1000, "points": []}
}"#;

fn alert(change: Change) -> Alert {
    let record: Record = serde_json::from_str(RECORD).expect("a record");
    Alert {
        change: Some(change),
        json: format!("{{\"change\":\"{}\"}}", change.name()),
        record,
        packets: Vec::new(),
        calendar: WallClock::default(),
    }
}

/// A command that no other test runs.
const SLEEP: &str = "sleep 7654.25";

fn alerts(receivers: Receivers) -> Alerts {
    Alerts::new(receivers).expect("threads")
}

fn file(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("sensor-alerts-{name}-{}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

#[test]
fn a_file_gets_a_line_for_each_change() {
    let path = file("lines");
    let mut alerts = alerts(Receivers {
        file: Some(path.clone()),
        ..Receivers::default()
    });
    for change in [Change::Opened, Change::Worsened, Change::Closed] {
        alerts.send(alert(change));
    }
    alerts.finish();
    let text = fs::read_to_string(&path).expect("written");
    let changes: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["change"].clone())
        .collect();
    assert_eq!(changes, ["opened", "worsened", "closed"]);
    fs::remove_file(path).expect("removed");
}

#[test]
fn the_journal_gets_an_entry_of_fields() {
    let path = file("journal");
    let journal = UnixDatagram::bind(&path).expect("a socket");
    journal
        .set_read_timeout(Some(support::PATIENCE))
        .expect("a limit");
    let mut alerts = alerts(Receivers {
        journal: Some(path.clone()),
        ..Receivers::default()
    });
    alerts.send(alert(Change::Opened));
    alerts.finish();
    let mut entry = [0; 4096];
    let length = journal.recv(&mut entry).expect("an entry");
    let entry = String::from_utf8_lossy(&entry[..length]).into_owned();
    let fields: Vec<(&str, &str)> = entry
        .lines()
        .map(|line| line.split_once('=').expect("a field"))
        .collect();
    for field in [
        ("MESSAGE", "INCIDENT 192.0.2.53 warning: service down"),
        ("PRIORITY", "4"),
        ("SYSLOG_IDENTIFIER", "sensor"),
        ("SENSOR_CHANGE", "opened"),
        ("SENSOR_INCIDENT", "1700000020500-192-0-2-53"),
        ("SENSOR_CAUSE", "service_down"),
    ] {
        assert!(fields.contains(&field), "{field:?} is not in {entry}");
    }
    fs::remove_file(path).expect("removed");
}

#[test]
fn a_command_reads_the_record_and_its_environment() {
    let path = file("command");
    let line = format!(
        "echo \"$SENSOR_CHANGE $SENSOR_LEVEL $SENSOR_CAUSE\" > {0}.env; cat > {0}",
        path.display()
    );
    let mut alerts = alerts(Receivers {
        commands: vec![line],
        ..Receivers::default()
    });
    alerts.send(alert(Change::Opened));
    alerts.finish();
    let object: Value = serde_json::from_str(&fs::read_to_string(&path).expect("written"))
        .expect("the object of the incident");
    assert_eq!(object["change"], "opened");
    let environment = format!("{}.env", path.display());
    let said = fs::read_to_string(&environment).expect("written");
    assert_eq!(said.trim(), "opened warning service_down");
    fs::remove_file(path).expect("removed");
    fs::remove_file(environment).expect("removed");
}

#[test]
fn a_command_that_hangs_holds_nobody_up_and_what_is_lost_is_counted() {
    let mut alerts = alerts(Receivers {
        commands: vec![SLEEP.into()],
        ..Receivers::default()
    });
    let start = Instant::now();
    for _ in 0..200 {
        alerts.send(alert(Change::Symptom));
    }
    assert!(start.elapsed() < Duration::from_secs(1), "it waited");
    // 64 wait, one is at work.
    assert!((135..=136).contains(&alerts.lost()), "{}", alerts.lost());
    alerts.finish();
    assert!(start.elapsed() < Duration::from_secs(6), "the end waited");
    let left = std::process::Command::new("pgrep")
        .args(["-f", SLEEP])
        .output();
    assert!(
        !left.is_ok_and(|left| left.status.success()),
        "it still runs"
    );
}

/// Answers requests with these statuses; gives their bodies.
fn receiver(statuses: &'static [&'static str]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
    let server = std::thread::spawn(move || {
        let mut bodies = Vec::new();
        for status in statuses {
            let (mut stream, _) = listener.accept().expect("a request");
            let mut reader = BufReader::new(stream.try_clone().expect("the same"));
            let mut length = 0;
            loop {
                let mut header = String::new();
                reader.read_line(&mut header).expect("a header");
                let header = header.trim().to_ascii_lowercase();
                if header.is_empty() {
                    break;
                }
                if let Some(value) = header.strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a number");
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            bodies.push(String::from_utf8(body).expect("text"));
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).expect("answered");
        }
        bodies
    });
    (url, server)
}

fn hook(url: String) -> Alerts {
    alerts(Receivers {
        webhooks: vec![url],
        ..Receivers::default()
    })
}

fn counts(alerts: &Alerts) -> (u64, u64) {
    let counts = alerts.counts();
    let [count] = counts.as_slice() else {
        panic!("{counts:?}");
    };
    assert_eq!(count.way, "webhook");
    (count.sent, count.failed)
}

#[test]
fn a_webhook_gets_each_change_in_its_order() {
    let (url, server) = receiver(&["200 OK", "200 OK"]);
    let mut alerts = hook(url);
    alerts.send(alert(Change::Opened));
    alerts.send(alert(Change::Closed));
    let bodies = server.join().expect("two requests");
    assert_eq!(bodies, [r#"{"change":"opened"}"#, r#"{"change":"closed"}"#]);
    wait_for("both counts", || counts(&alerts) == (2, 0));
    assert_eq!(alerts.lost(), 0);
    alerts.finish();
}

#[test]
fn a_webhook_that_fails_at_first_gets_it_again() {
    let (url, server) = receiver(&["503 Service Unavailable", "200 OK"]);
    let mut alerts = hook(url);
    alerts.send(alert(Change::Opened));
    let bodies = server.join().expect("two requests");
    assert_eq!(bodies, [r#"{"change":"opened"}"#; 2]);
    wait_for("its count", || counts(&alerts) == (1, 0));
    alerts.finish();
}

#[test]
fn a_webhook_that_was_away_gets_the_newest_state() {
    let (url, server) = receiver(&["503 Service Unavailable", "200 OK"]);
    let mut alerts = hook(url);
    alerts.send(alert(Change::Opened));
    alerts.send(alert(Change::Worsened));
    alerts.send(alert(Change::Closed));
    let bodies = server.join().expect("two requests");
    assert_eq!(bodies, [r#"{"change":"opened"}"#, r#"{"change":"closed"}"#]);
    // The other two were overtaken.
    wait_for("the counts", || counts(&alerts) == (1, 2));
    alerts.finish();
}

/// One thread answers over UDP, one refuses over TCP.
#[tokio::test]
async fn a_server_that_is_asked_says_what_it_says() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("bound");
    let (send, from) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        let mut buffer = [0; 512];
        let (length, client) = socket.recv_from(&mut buffer).expect("a query");
        send.send(client.port()).expect("awaited");
        let mut response = answer(&buffer[..length]).expect("a whole query");
        // REFUSED.
        response[3] = response[3] & 0xf0 | 5;
        socket.send_to(&response, client).expect("answered");
    });
    let source = Source::take().expect("a port");
    let (udp, tcp) = probe::ask(address, source.port()).await;
    server.join().expect("asked");
    assert_eq!(udp, Said::Answer("Query Refused".into()));
    assert_eq!(from.recv(), Ok(source.port()));
    assert!(
        matches!(&tcp, Said::Refused(why) if why.contains("refused")),
        "{tcp:?}"
    );
    // Now nothing listens: ICMP says so at once.
    let (udp, _) = probe::ask(address, source.port()).await;
    assert!(
        matches!(&udp, Said::Refused(why) if why.contains("refused")),
        "{udp:?}"
    );
}

#[test]
fn records_are_brought_up_to_date_without_alerts() {
    let (lines, state) = (file("updates"), file("state"));
    let store = sensor::incident::store::Store::new(Some(&state));
    let mut alerts = alerts(Receivers {
        store: Some(store.clone()),
        file: Some(lines.clone()),
        ..Receivers::default()
    });
    alerts.send(Alert {
        change: None,
        ..alert(Change::Opened)
    });
    wait_for("the record", || store.newest().is_ok());
    alerts.finish();
    assert!(!lines.exists(), "nothing has changed");
    fs::remove_dir_all(state).expect("removed");
}
