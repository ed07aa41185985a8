//! `run` and `status` as a user runs them: an outage is one line and an exit code, and a signal ends it cleanly.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sensor::stage::client::query;
use sensor::stage::namespace::Namespace;
use serde_json::Value;
use support::lab::{Addresses, Pair, SERVER_DEVICE, addresses, dns, socket};
use support::{PATIENCE, wait_for};

/// Between two queries.
const PACE: Duration = Duration::from_millis(25);
const SENSOR: &str = env!("CARGO_BIN_EXE_sensor");

/// A directory of its own, removed when dropped.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sensor-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn sub(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running `run`; killed when dropped.
struct Run {
    child: Child,
    lines: Receiver<String>,
}

impl Run {
    fn start(namespace: &Namespace, directory: &Directory) -> Self {
        let mut child = namespace
            .enter(|| {
                Command::new(SENSOR)
                    .args(["run", "-i", SERVER_DEVICE, "--run-dir"])
                    .arg(directory.sub("run"))
                    .arg("--state")
                    .arg(directory.sub("state"))
                    .stderr(Stdio::piped())
                    .spawn()
            })
            .expect("entered")
            .expect("sensor runs");
        let words = BufReader::new(child.stderr.take().expect("piped"));
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in words.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let run = Self { child, lines };
        run.says("watching ");
        run
    }

    /// Waits for a line.
    fn says(&self, what: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("it never says {what:?}"));
            if line.contains(what) {
                return line;
            }
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn status(namespace: &Namespace, directory: &Directory, arguments: &[&str]) -> Output {
    let run = || {
        Command::new(SENSOR)
            .args(["status", "--run-dir"])
            .arg(directory.sub("run"))
            .args(arguments)
            .output()
    };
    namespace.enter(run).expect("entered").expect("sensor runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8").trim()
}

/// Asks a closed port until it is dropped, forty times a second.
struct Asking {
    /// Its end tells the thread to stop.
    _stop: Sender<()>,
}

impl Asking {
    fn start(pair: &Pair, client: IpAddr, server: IpAddr) -> Self {
        let socket = socket(&pair.client, (client, 0));
        let (stop, stopped) = channel();
        std::thread::spawn(move || {
            let mut id = 0_u16;
            while stopped.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
                id = id.wrapping_add(1);
                // An ICMP error about the last one is reported here.
                let _ = socket.send_to(&query(id, "www.example.org"), dns(server));
            }
        });
        Self { _stop: stop }
    }
}

fn only_socket(directory: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(directory).expect("a directory");
    let first = entries.next().expect("a socket").expect("read").path();
    assert!(entries.next().is_none(), "more than one");
    first
}

#[test]
#[ignore = "needs a kernel"]
fn an_outage_is_one_line_and_an_exit_code() {
    let pair = Pair::new();
    let Addresses { client, server } = addresses(4);
    let directory = Directory::new("run-status");
    let mut run = Run::start(&pair.server, &directory);
    wait_for("the first answer", || {
        status(&pair.server, &directory, &[]).status.code() == Some(3)
    });
    // Nobody asks yet.
    let early = status(&pair.server, &directory, &[]);
    assert!(
        text(&early.stdout).contains(": too early to tell: "),
        "{early:?}"
    );
    let asking = Asking::start(&pair, client, server);
    let opened = run.says("INCIDENT");
    assert!(opened.contains(&server.to_string()), "{opened}");
    wait_for("the failure", || {
        status(&pair.server, &directory, &[]).status.code() == Some(1)
    });
    let failing = status(
        &pair.server,
        &directory,
        &["-i", SERVER_DEVICE, "--output", "json"],
    );
    let object: Value = serde_json::from_slice(&failing.stdout).expect("JSON");
    assert_eq!(object["state"], "failing");
    assert_eq!(object["bad"][0], server.to_string());
    let headline = object["headline"].as_str().expect("text");
    let begins = format!("DNS FAILS at {server} for ");
    assert!(headline.starts_with(&begins), "{headline}");
    drop(asking);

    // One that never reads, and many at once, hold nobody up.
    let socket = only_socket(&directory.sub("run"));
    let idle: Vec<UnixStream> = (0..100)
        .map_while(|_| UnixStream::connect(&socket).ok())
        .collect();
    assert!(idle.len() > 50, "{} connections", idle.len());
    let mut last = UnixStream::connect(&socket).expect("connected");
    last.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let _ = last.write_all(&vec![b'x'; 100_000]);
    let mut answer = String::new();
    let _ = last.read_to_string(&mut answer);
    drop(idle);

    kill(
        Pid::from_raw(i32::try_from(run.child.id()).expect("a process")),
        Signal::SIGTERM,
    )
    .expect("sent");
    run.says("still open");
    assert!(run.child.wait().expect("it ends").success());
    assert!(!socket.exists(), "its socket is left");
    let gone = status(&pair.server, &directory, &[]);
    assert_eq!(gone.status.code(), Some(3));
    assert!(
        text(&gone.stderr).contains("no sensor runs on this host"),
        "{gone:?}"
    );
}

#[test]
#[ignore = "needs a kernel"]
fn where_no_sensor_runs_it_is_measured() {
    let pair = Pair::new();
    let Addresses { client, server } = addresses(4);
    let directory = Directory::new("measured");
    let silent = status(&pair.server, &directory, &["-i", SERVER_DEVICE]);
    assert_eq!(silent.status.code(), Some(3), "{silent:?}");
    assert!(
        text(&silent.stdout).contains("no DNS query in "),
        "{silent:?}"
    );
    let _asking = Asking::start(&pair, client, server);
    let failing = status(&pair.server, &directory, &["-i", SERVER_DEVICE]);
    let line = text(&failing.stdout);
    assert!(line.contains("DNS FAILS at "), "{failing:?}");
    assert_eq!(failing.status.code(), Some(1), "{line}");
}

#[test]
#[ignore = "needs a kernel"]
fn a_link_that_goes_down_is_a_line() {
    let pair = Pair::new();
    let directory = Directory::new("run-link");
    let run = Run::start(&pair.server, &directory);
    let down = || {
        Command::new("ip")
            .args(["link", "set", SERVER_DEVICE, "down"])
            .status()
    };
    let down = pair.server.enter(down).expect("entered").expect("ip runs");
    assert!(down.success());
    run.says(&format!("{SERVER_DEVICE} is down"));
}
