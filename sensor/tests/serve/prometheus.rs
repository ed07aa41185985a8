//! Debian's Prometheus and Alertmanager with a served view: the alert arrives with its cause and its link, and is resolved.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sensor::view::View;
use serde_json::Value;
use tokio::sync::watch;

use crate::client::serve;
use crate::tools::is_there;
use crate::views::{SERVER, failing, healthy, now_ms};

/// Far longer than the few seconds that all of it takes.
const PATIENCE: Duration = Duration::from_mins(2);

/// A program that is ended with the test.
struct Daemon(Child);

impl Daemon {
    fn start(program: &str, folder: &Path, arguments: &[String]) -> Self {
        let log = fs::File::create(folder.join(format!("{program}.log"))).expect("a file");
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("it runs");
        Self(child)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Keeps a view fresh, as a session does.
struct Ticking {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticking {
    fn start(view: watch::Sender<Arc<View>>) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                view.send_modify(|view| {
                    let mut next = (**view).clone();
                    next.at_ms = now_ms();
                    *view = Arc::new(next);
                });
                std::thread::sleep(Duration::from_millis(250));
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound")
}

/// Takes what is posted to it.
fn receiver() -> (SocketAddr, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let (send, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
            let mut length = 0;
            for line in reader.by_ref().lines() {
                let line = line.unwrap_or_default().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.parse().expect("a number");
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            let read = reader.read_exact(&mut body);
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            if read.is_ok()
                && let Ok(value) = serde_json::from_slice(&body)
                && send.send(value).is_err()
            {
                return;
            }
        }
    });
    (address, received)
}

/// The shipped rules and configuration with short times.
fn configure(folder: &Path, sensor: SocketAddr, manager: SocketAddr, hook: SocketAddr) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus");
    let read = |name: &str| fs::read_to_string(shipped.join(name)).expect("there");
    let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("written");
    write(
        "alerts.yml",
        read("alerts.yml").replace("for: 1m", "for: 2s"),
    );
    let prometheus = read("prometheus.yml")
        .replace("15s", "1s")
        .replace("127.0.0.1:9093", &manager.to_string())
        .replace("127.0.0.1:9053", &sensor.to_string());
    write("prometheus.yml", prometheus);
    let times = "group_by: [alertname, server]\n  group_wait: 0s\n  group_interval: 1s\n  repeat_interval: 1h";
    let manager = read("alertmanager.yml")
        .replace("group_by: [alertname, server]", times)
        .replace("127.0.0.1:9099", &hook.to_string());
    write("alertmanager.yml", manager);
}

fn logs(folder: &Path) -> String {
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    read("prometheus.log") + &read("prometheus-alertmanager.log")
}

/// Waits for the alert in this state.
fn wait_for(received: &Receiver<Value>, status: &str, folder: &Path) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let message = received.recv_timeout(left);
        let message = message.unwrap_or_else(|_| panic!("nothing is {status}: {}", logs(folder)));
        let alerts = message["alerts"].as_array().cloned().unwrap_or_default();
        let ours = alerts.into_iter().find(|alert| {
            alert["labels"]["alertname"] == "ServerFailing" && alert["status"] == status
        });
        if let Some(alert) = ours {
            return alert;
        }
    }
}

#[test]
fn an_alert_fires_with_its_cause_and_link_and_is_resolved() {
    if !(is_there("prometheus", "prometheus")
        && is_there("prometheus-alertmanager", "prometheus-alertmanager"))
    {
        return;
    }
    let served = serve(healthy(2, now_ms()));
    let folder: PathBuf =
        std::env::temp_dir().join(format!("sensor-prometheus-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let (web, manager) = (free_port(), free_port());
    let (hook, received) = receiver();
    configure(&folder, served.address, manager, hook);
    let _manager = Daemon::start(
        "prometheus-alertmanager",
        &folder,
        &[
            "--config.file=alertmanager.yml".into(),
            "--storage.path=manager".into(),
            "--cluster.listen-address=".into(),
            format!("--web.listen-address={manager}"),
        ],
    );
    let _prometheus = Daemon::start(
        "prometheus",
        &folder,
        &[
            "--config.file=prometheus.yml".into(),
            "--storage.tsdb.path=data".into(),
            format!("--web.listen-address={web}"),
        ],
    );
    let _ticking = Ticking::start(served.view.clone());
    let view = failing(2, now_ms());
    let id = view.incidents[0].id.clone();
    served.view.send_replace(Arc::new(view));
    let start = Instant::now();
    let alert = wait_for(&received, "firing", &folder);
    println!("firing after {:?}", start.elapsed());
    assert_eq!(alert["labels"]["server"], SERVER);
    assert_eq!(alert["annotations"]["cause"], "service_down");
    let link = alert["annotations"]["link"].as_str().expect("a link");
    assert_eq!(link, format!("http://{}/incidents/{id}", served.address));
    let path = link.strip_prefix(&format!("http://{}", served.address));
    assert_eq!(served.get(path.expect("ours")).status, 200);
    served.view.send_replace(Arc::new(healthy(2, now_ms())));
    let start = Instant::now();
    let alert = wait_for(&received, "resolved", &folder);
    println!("resolved after {:?}", start.elapsed());
    assert_eq!(alert["labels"]["server"], SERVER);
    fs::remove_dir_all(folder).expect("ours");
}
