//! Programs that somebody else takes off their hooks: it is told, and it is no incident.

mod support;

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Result;
use aya::programs::{SchedClassifier, TcAttachType, loaded_links};
use sensor::detect::{Place, Thresholds};
use sensor::engine::Engine;
use sensor::engine::kernel::engine::{KernelEngine, WatchOptions};
use sensor::engine::kernel::hook::{HookChoice, TcFlavour};
use sensor::engine::kernel::interface::Interface;
use sensor::engine::settings::set_timeout;
use sensor::engine::status::LinkState;
use sensor::incident::About;
use sensor::incident::Record;
use sensor::monitor::MonitorOptions;
use sensor::session::{Face, Published, Session};
use sensor::stage::client::Client;
use sensor::stage::responder::Responder;
use sensor_common::settings::Direction;
use serde_json::Value;
use support::clsact::{clsact, remove_filters};
use support::exchange::{detached, look};
use support::lab::{Pair, SERVER_DEVICE, addresses, dns, options, watch};
use tokio::time::{Instant, interval};

/// Commands of bpf(2).
const BPF_LINK_GET_FD_BY_ID: libc::c_long = 30;
const BPF_LINK_DETACH: libc::c_long = 34;

/// A command of bpf(2) whose argument is one number.
fn bpf(command: libc::c_long, argument: u32) -> io::Result<i32> {
    let mut attributes = [0_u32; 4];
    attributes[0] = argument;
    let size = size_of_val(&attributes);
    // SAFETY: the attributes are as long as is said and outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), size) };
    match i32::try_from(result) {
        Ok(result) if result >= 0 => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Detaches the links of a program by force, as `bpftool link detach` does.
fn detach_links(program: u32) {
    let mut found = 0;
    for link in loaded_links() {
        // Those of other tests come and go meanwhile.
        let Ok(link) = link else { continue };
        if link.program_id() == program {
            let link = bpf(BPF_LINK_GET_FD_BY_ID, link.id()).expect("the link");
            // SAFETY: the kernel has just given it to us.
            let link = unsafe { OwnedFd::from_raw_fd(link) };
            bpf(BPF_LINK_DETACH, link.as_raw_fd().cast_unsigned()).expect("detached");
            found += 1;
        }
    }
    assert_eq!(found, 1, "links of program {program}");
}

/// Takes the program of a hook off the server's device, however it is held there.
fn detach(pair: &Pair, direction: Direction) {
    let all = pair.server.block_on(Interface::all).expect("entered");
    let all = all.expect("told");
    let server = all.iter().find(|interface| interface.name == SERVER_DEVICE);
    let xdp = server.expect("the device").xdp;
    if let (Direction::Ingress, Some(xdp)) = (direction, xdp) {
        detach_links(xdp);
    } else if TcFlavour::probe() == Some(TcFlavour::Tcx) {
        let attach_type = match direction {
            Direction::Ingress => TcAttachType::Ingress,
            Direction::Egress => TcAttachType::Egress,
        };
        let query = || SchedClassifier::query_tcx(SERVER_DEVICE, attach_type);
        let (_, programs) = pair.server.enter(query).expect("entered").expect("told");
        detach_links(programs.first().expect("a program").id());
    } else {
        remove_filters(&pair.server, direction);
    }
}

#[test]
#[ignore = "needs a kernel"]
fn a_hook_that_is_lost_is_told_whatever_holds_it() {
    for hook in [HookChoice::Xdp, HookChoice::Tc] {
        let pair = Pair::new();
        let mut engine = watch(&pair.server, &options(SERVER_DEVICE, hook)).expect("watching");
        look(&mut engine, LinkState::Up);
        assert_eq!(detached(&engine), [], "{hook:?}");
        detach(&pair, Direction::Ingress);
        look(&mut engine, LinkState::Up);
        assert_eq!(detached(&engine), [Direction::Ingress], "{hook:?}");
        let lost = &engine.status().lost;
        assert!(lost[0].contains("server0: ingress is detached"), "{lost:?}");
        detach(&pair, Direction::Egress);
        look(&mut engine, LinkState::Detached);
    }
}

#[test]
#[ignore = "needs a kernel"]
fn watch_shows_what_is_detached_and_never_zeros() {
    for format in ["json", "text"] {
        let pair = Pair::new();
        let spawned = pair.server.enter(|| {
            Command::new(env!("CARGO_BIN_EXE_sensor"))
                .args([
                    "watch",
                    "-i",
                    SERVER_DEVICE,
                    "--hook",
                    "xdp",
                    "--interval",
                    "0.1",
                ])
                .args(["--output", format, "--state"])
                .arg(std::env::temp_dir().join("sensor-tests"))
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        });
        let mut child = spawned.expect("entered").expect("it runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut wait_for_line = |what: &str, is: &dyn Fn(&str) -> bool| {
            let found = lines
                .by_ref()
                .take(200)
                .any(|line| is(&line.expect("text")));
            assert!(found, "never {what} in {format}");
        };
        let json = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_default();
        wait_for_line("an interval", &|line| line.contains("server0"));
        detach(&pair, Direction::Egress);
        wait_for_line("the direction", &|line| match format {
            "json" => json(line)["detached"] == "egress" && json(line)["link"] == "up",
            _ => {
                line.contains("egress is detached") && line.contains(" - ") && !line.contains("0.0")
            }
        });
        detach(&pair, Direction::Ingress);
        wait_for_line("the end", &|line| match format {
            "json" => json(line)["kind"] == "detached" && json(line)["source"] == SERVER_DEVICE,
            _ => line.contains("detached: nothing is counted"),
        });
        let output = child.wait_with_output().expect("it ends by itself");
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains("server0: egress is detached"), "{text}");
        assert!(
            text.contains("sent packets are no longer counted"),
            "{text}"
        );
        assert!(text.contains("nothing is left to watch"), "{text}");
    }
}

/// Asks a hundred times a second.
async fn ask(client: &mut Client, time: Duration) {
    let mut queries = interval(Duration::from_millis(10));
    let end = Instant::now() + time;
    while queries.tick().await < end {
        client.ask("www.example.org");
    }
}

/// A healthy server, asked a hundred times a second. Its sensor has learnt what is usual when one of its hooks
/// is lost. Returns what changes from then on.
fn changes_without(options: &WatchOptions, take_away: fn(&Pair)) -> Vec<String> {
    const USUAL: Duration = Duration::from_secs(4);
    const LOST: Duration = Duration::from_secs(5);
    let thresholds = Thresholds {
        learning: Duration::from_secs(2),
        collapse_lasting: Duration::from_secs(1),
        collapse_clients: 1.0,
        ..Thresholds::default()
    };
    let mut options = options.clone();
    set_timeout(&mut options.settings, Duration::from_millis(300));
    let pair = Pair::new();
    let (server, client): (IpAddr, IpAddr) = (addresses(4).server, addresses(4).client);
    let told = pair.server.block_on(|| async {
        let engine = KernelEngine::watch(&options).await.expect("watching");
        let detection = MonitorOptions {
            thresholds,
            place: Place {
                addresses: (*engine.status().addresses).clone(),
                ..Place::default()
            },
            about: About {
                ports: vec![53],
                watched: vec![SERVER_DEVICE.into()],
                ..About::default()
            },
            shadow: BTreeSet::new(),
        };
        let mut session = Session::new(engine, &options.settings, detection);
        let _responder = Responder::start(&pair.server, dns(server)).expect("a server");
        let mut client = Client::new(&pair.client, client, dns(server)).expect("a client");
        let mut told = Told::default();
        let usual = ask(&mut client, USUAL);
        session.run(&mut told, usual).await.expect("nothing fails");
        assert_eq!(told.changes, [""; 0], "before anything was lost");
        take_away(&pair);
        let lost = ask(&mut client, LOST);
        session.run(&mut told, lost).await.expect("nothing fails");
        told
    });
    let told = told.expect("entered");
    // What nobody has noticed becomes an incident, so this comes second.
    if told.changes.is_empty() {
        assert!(told.blind, "it was lost");
    }
    told.changes
}

/// What happens to incidents.
#[derive(Default)]
struct Told {
    changes: Vec<String>,
    blind: bool,
}

impl Face for Told {
    fn show(&mut self, now: &Published<'_>) -> Result<ControlFlow<()>> {
        let changes = now.changes.iter();
        self.changes
            .extend(changes.map(|(change, record)| format!("{change:?} {record:?}")));
        self.blind = now.status.is_partly_blind();
        Ok(ControlFlow::Continue(()))
    }

    fn unfinished(&mut self, _: Record) -> Result<()> {
        Ok(())
    }
}

#[test]
#[ignore = "needs a kernel"]
fn answers_that_are_no_longer_seen_are_no_outage() {
    let egress = |pair: &Pair| remove_filters(&pair.server, Direction::Egress);
    let changes = changes_without(&clsact(HookChoice::Xdp), egress);
    assert_eq!(changes, [""; 0]);
}

#[test]
#[ignore = "needs a kernel"]
fn queries_that_are_no_longer_seen_are_no_collapse() {
    let ingress = |pair: &Pair| detach(pair, Direction::Ingress);
    let changes = changes_without(&options(SERVER_DEVICE, HookChoice::Xdp), ingress);
    assert_eq!(changes, [""; 0]);
}
