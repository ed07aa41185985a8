//! `watch --listen` as a user runs it: what is served is what was counted, and clients that misbehave change no count.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sensor::stage::client::query;
use sensor::stage::namespace::Namespace;
use support::lab::{Pair, SERVER_DEVICE, addresses, dns, socket};
use support::wait_for;

const SENSOR: &str = env!("CARGO_BIN_EXE_sensor");
const QUERIES: u64 = 2_000;
/// More than may be served at once.
const IDLE: usize = 100;

struct Watch {
    child: Child,
    socket: PathBuf,
    state: PathBuf,
}

impl Watch {
    fn start(namespace: &Namespace) -> Self {
        let state = std::env::temp_dir().join(format!("sensor-served-{}", std::process::id()));
        // Sockets with a path are of no network namespace.
        let socket = state.with_extension("sock");
        let mut child = namespace
            .enter(|| {
                Command::new(SENSOR)
                    .args(["watch", "-i", SERVER_DEVICE, "--listen"])
                    .arg(format!("unix:{}", socket.display()))
                    .arg("--state")
                    .arg(&state)
                    .stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
            })
            .expect("entered")
            .expect("sensor runs");
        let mut words = BufReader::new(child.stderr.take().expect("piped")).lines();
        let served = words.find(|line| {
            line.as_ref()
                .is_ok_and(|line| line.starts_with("serving at "))
        });
        assert!(served.is_some(), "it says where it serves");
        Self {
            child,
            socket,
            state,
        }
    }

    fn get(&self, path: &str) -> Option<(String, String)> {
        let mut stream = UnixStream::connect(&self.socket).ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: sensor\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some((head.lines().next()?.to_owned(), body.to_owned()))
    }

    fn metric(&self, name: &str) -> Option<u64> {
        let (_, body) = self.get("/metrics")?;
        let mut lines = body.lines();
        lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.state);
    }
}

/// Connections that ask and never read, and such that never ask.
fn misbehave(socket: &Path) -> Vec<UnixStream> {
    let connect = || UnixStream::connect(socket).expect("it listens");
    let mut streams: Vec<UnixStream> = (0..16)
        .map(|_| {
            let mut stream = connect();
            let _ = stream.write_all(b"GET /events HTTP/1.1\r\nHost: sensor\r\n\r\n");
            stream
        })
        .collect();
    streams.extend((0..IDLE).map(|_| connect()));
    streams
}

fn send(from: &Namespace, source: IpAddr, server: IpAddr) {
    let socket = socket(from, (source, 0));
    for id in 0..QUERIES {
        let query = query(id as u16, "www.example.org");
        socket.send_to(&query, dns(server)).expect("sent");
    }
}

#[test]
#[ignore = "needs a kernel"]
fn what_is_served_is_what_was_counted_whatever_clients_do() {
    let pair = Pair::new();
    let watch = Watch::start(&pair.server);
    wait_for("it is ready", || {
        let ready = watch.get("/readyz");
        ready.is_some_and(|(status, _)| status == "HTTP/1.1 200 OK")
    });
    let streams = misbehave(&watch.socket);
    for family in [4, 6] {
        let addresses = addresses(family);
        send(&pair.client, addresses.client, addresses.server);
    }
    drop(streams);
    let class = |class: &str| {
        format!(
            "sensor_packets_total{{interface=\"{SERVER_DEVICE}\",direction=\"ingress\",class=\"{class}\"}}"
        )
    };
    let counted = || watch.metric(&class("dns_query"));
    wait_for("all was counted", || counted() >= Some(2 * QUERIES));
    assert_eq!(counted(), Some(2 * QUERIES));
    for family in [4, 6] {
        let server = addresses(family).server;
        let queries = format!("sensor_dns_queries_total{{server=\"{server}\"}}");
        assert_eq!(watch.metric(&queries), Some(QUERIES));
        let (_, page) = watch.get("/").expect("a page");
        assert!(page.contains(&format!("data-server=\"{server}\"")));
    }
    let refused = "sensor_lost_total{what=\"connections_refused\"}";
    assert!(
        watch.metric(refused) > Some(0),
        "there were more than places"
    );
    let pid = i32::try_from(watch.child.id()).expect("a process");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("sent");
    wait_for("the socket is removed", || !watch.socket.exists());
}
