//! An outage that is staged on a private network, as `watch` sees it on the host where it happens.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use sensor::stage::client::query;
use sensor::stage::namespace::Namespace;
use sensor::stage::responder::answer;
use serde_json::Value;

use super::drops::{Routed, SERVER, ip};
use super::lab::{UnlimitIcmp, dns, socket};

const SENSOR: &str = env!("CARGO_BIN_EXE_sensor");
/// Healthy traffic before anything is staged: shares are usual by then.
const HEALTHY: Duration = Duration::from_secs(4);
/// From the fault to the right cause, on a busy machine.
const SOON: Duration = Duration::from_secs(12);
const EVERY: Duration = Duration::from_millis(20);
const DNS: u16 = 53;
const ANY: (Ipv4Addr, u16) = (Ipv4Addr::UNSPECIFIED, 0);

/// All have the same server address, and drops are seen in every namespace.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs until it is dropped.
pub struct Background {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    fn new(mut step: impl FnMut() + Send + 'static) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let ended = ends.clone();
        let thread = spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                step();
            }
        });
        Self {
            ends,
            thread: Some(thread),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// How the service works.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Mood {
    Well,
    /// What it does not read stays in its buffer.
    DoesNotRead,
    /// It reads a third of what is asked.
    Slow,
    /// It reads all, and answers 7 of 10.
    AnswersMost,
}

/// The mood of a running service.
#[derive(Clone)]
pub struct Moods(Arc<AtomicU8>);

impl Moods {
    pub fn set(&self, mood: Mood) {
        self.0.store(mood as u8, Ordering::Relaxed);
    }

    fn is(&self, mood: Mood) -> bool {
        self.0.load(Ordering::Relaxed) == mood as u8
    }
}

/// A service with a small buffer.
fn serve(namespace: &Namespace, port: u16, moods: Moods) -> Background {
    let socket = socket(namespace, (ip(SERVER), port));
    socket.set_read_timeout(Some(EVERY)).expect("set");
    nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBuf, &2_048)
        .expect("a small buffer");
    let mut read = 0_u32;
    Background::new(move || {
        if moods.is(Mood::DoesNotRead) {
            sleep(EVERY);
            return;
        }
        if moods.is(Mood::Slow) {
            sleep(EVERY * 3);
        }
        let mut buffer = [0; 512];
        if let Ok((length, from)) = socket.recv_from(&mut buffer)
            && let Some(answer) = answer(&buffer[..length])
        {
            read += 1;
            // Spread over all clients.
            if !(moods.is(Mood::AnswersMost) && read * 7 % 10 < 3) {
                let _ = socket.send_to(&answer, from);
            }
        }
    })
}

/// Datagrams of another kind, as many as queries, that a program reads.
pub fn other_traffic(routed: &Routed) -> [Background; 2] {
    const OTHER: u16 = 9_999;
    let reader = socket(&routed.server, (ip(SERVER), OTHER));
    reader.set_read_timeout(Some(EVERY)).expect("set");
    let sender = socket(&routed.client, ANY);
    [
        Background::new(move || {
            let _ = reader.recv(&mut [0; 512]);
        }),
        Background::new(move || {
            let _ = sender.send_to(&[7; 40], (ip(SERVER), OTHER));
            sleep(EVERY);
        }),
    ]
}

fn clients(namespace: &Namespace) -> Background {
    let sockets: Vec<UdpSocket> = (0..20)
        .map(|_| {
            let socket = socket(namespace, ANY);
            socket.set_nonblocking(true).expect("set");
            socket
        })
        .collect();
    let mut id = 0_u16;
    Background::new(move || {
        let socket = &sockets[usize::from(id) % sockets.len()];
        id = id.wrapping_add(1);
        while socket.recv(&mut [0; 512]).is_ok() {}
        let _ = socket.send_to(&query(id, "www.example.org"), dns(ip(SERVER)));
        sleep(EVERY);
    })
}

/// A running `watch`; killed when dropped.
pub struct Watch {
    child: Child,
    incidents: Receiver<Value>,
    state: std::path::PathBuf,
}

impl Watch {
    fn start(namespace: &Namespace, device: &str, name: &str) -> Self {
        let state = std::env::temp_dir().join(format!("sensor-host-{}-{name}", std::process::id()));
        let mut child = namespace
            .enter(|| {
                Command::new(SENSOR)
                    .args(["watch", "-i", device, "--output", "json", "--state"])
                    .arg(&state)
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
            })
            .expect("entered")
            .expect("sensor runs");
        let said = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut said = said.map(|line| line.expect("text"));
        let announced = said.find(|line| {
            assert!(
                !line.starts_with("why packets are dropped is not known"),
                "{line}"
            );
            line.starts_with("watching ")
        });
        announced.expect("it watches");
        spawn(move || said.for_each(drop));
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (send, incidents) = channel();
        spawn(move || {
            for line in lines.map_while(Result::ok) {
                let object: Value = serde_json::from_str(&line).expect("JSON");
                if object["kind"] == "incident" && send.send(object).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            incidents,
            state,
        }
    }

    /// The next state of an incident.
    pub fn next(&self) -> Value {
        self.incidents.recv_timeout(SOON).expect("a change")
    }

    /// Waits until one cause is likely, and it is this one.
    pub fn expect(&self, cause: &str) -> Value {
        let begun = Instant::now();
        let mut last = Value::Null;
        while let Some(left) = SOON.checked_sub(begun.elapsed()) {
            match self.incidents.recv_timeout(left) {
                Ok(incident) => {
                    last = incident;
                    if last["first_cause"] == serde_json::json!([cause]) {
                        println!("{cause} after {:.1} s", begun.elapsed().as_secs_f64());
                        return last;
                    }
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => panic!("watch ended"),
            }
        }
        panic!(
            "not {cause} but {} for {:#} with {:#}",
            last["first_cause"], last["findings"], last["host"]
        );
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.state);
    }
}

/// Where `watch` runs.
#[derive(Clone, Copy)]
pub enum Place {
    Client,
    Router,
    Server,
}

/// Clients, a router, a server, and `watch` on one of them.
pub struct Stage {
    pub routed: Routed,
    pub moods: Moods,
    pub service: Option<Background>,
    pub watch: Watch,
    _clients: Background,
    _alone: MutexGuard<'static, ()>,
}

impl Stage {
    /// Healthy traffic.
    pub fn new(place: Place, name: &str) -> Self {
        Self::of(place, name, DNS, |_| ())
    }

    /// Healthy traffic to a service at another port than that which is asked, in a network that was changed before.
    pub fn of(place: Place, name: &str, port: u16, prepare: impl FnOnce(&Routed)) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let routed = Routed::new();
        routed.server.unlimit_icmp();
        routed.router.unlimit_icmp();
        routed.meet();
        prepare(&routed);
        let moods = Moods(Arc::new(AtomicU8::new(Mood::Well as u8)));
        let service = Some(serve(&routed.server, port, moods.clone()));
        let (namespace, device) = match place {
            Place::Client => (&routed.client, "client0"),
            Place::Router => (&routed.router, "to_client"),
            Place::Server => (&routed.server, "server0"),
        };
        let watch = Watch::start(namespace, device, name);
        let clients = clients(&routed.client);
        sleep(HEALTHY);
        Self {
            routed,
            moods,
            service,
            watch,
            _clients: clients,
            _alone: alone,
        }
    }
}
