//! `sensor demo`: a DNS outage, staged on a private network, detected live and reported.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use sensor_common::sample::Sample;
use sensor_ebpf::parse::Link;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use super::watch::Stop;
use super::{Outcome, detection};
use crate::calendar::Calendar;
use crate::cli::{DemoArguments, DetectionArguments};
use crate::detect::Place;
use crate::host::capture::Capture;
use crate::host::engine::HostEngine;
use crate::incident::{Change, Record};
use crate::ip::key;
use crate::kernel::attach::HookChoice;
use crate::kernel::engine::{KernelEngine, WatchOptions};
use crate::kernel::preflight::Host;
use crate::monitor::{Monitor, MonitorOptions};
use crate::present::output::{self, Reader};
use crate::present::{incident, line, report};
use crate::settings::for_ports;
use crate::snapshot::Snapshot;
use crate::stage::client::Client;
use crate::stage::namespace::Namespace;
use crate::stage::responder::Responder;
use crate::upkeep;
use crate::window::Window;

/// The same outage, recorded on this very network by `examples/record_demo.rs`.
static RECORDED: &[u8] = include_bytes!("../../assets/demo.pcap");

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);
const CLIENTS: [Ipv4Addr; 5] = [
    Ipv4Addr::new(192, 0, 2, 11),
    Ipv4Addr::new(192, 0, 2, 12),
    Ipv4Addr::new(192, 0, 2, 13),
    Ipv4Addr::new(192, 0, 2, 14),
    Ipv4Addr::new(192, 0, 2, 15),
];
const NAMES: [&str; 4] = [
    "www.example.org",
    "mail.example.org",
    "api.example.net",
    "example.com",
];
/// The device of the server, which is watched.
pub const DEVICE: &str = "dns0";
/// Each client's time between two queries.
const QUERY_EVERY: Duration = Duration::from_millis(100);
/// When the server stops.
const HEALTHY: Duration = Duration::from_secs(6);
/// When the demo ends.
pub const LENGTH: Duration = Duration::from_secs(14);
/// Between two lines.
const TICK: Duration = Duration::from_secs(1);

/// Runs the command.
///
/// # Errors
/// The demo could not be played at all.
pub async fn run(arguments: &DemoArguments) -> Result<Outcome> {
    let mut stop = Stop::new()?;
    if arguments.recorded {
        return play(&mut stop).await;
    }
    let staged = match Host::look().check() {
        Ok(()) => stage(),
        Err(error) => Err(error.into()),
    };
    match staged {
        Ok((network, mut engine)) => Box::pin(live(&network, &mut engine, &mut stop)).await,
        Err(error) => {
            output::line(&format!(
                "not live: {error:#}\nplaying a recording of the same outage instead"
            ))?;
            play(&mut stop).await
        }
    }
}

/// The private network: a server and its clients, one veth pair between them.
pub struct Network {
    /// Namespace of the server.
    pub server: Namespace,
    clients: Namespace,
}

impl Network {
    /// Makes it. Nothing runs on it yet.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn new() -> Result<Self> {
        let (server, clients) = (Namespace::new()?, Namespace::new()?);
        server.connect(DEVICE, &clients, "client0")?;
        server.address(DEVICE, SERVER.into(), 24)?;
        for client in CLIENTS {
            clients.address("client0", client.into(), 24)?;
        }
        Ok(Self { server, clients })
    }

    /// The outage: clients ask, the server answers, and stops after a while.
    ///
    /// # Errors
    /// A socket cannot be bound.
    pub async fn play(&self) -> Result<()> {
        let address = SocketAddr::new(SERVER.into(), 53);
        let responder = Responder::start(&self.server, address)?;
        let mut clients = CLIENTS
            .iter()
            .map(|client| Client::new(&self.clients, IpAddr::V4(*client), address))
            .collect::<Result<Vec<_>, _>>()?;
        let start = Instant::now();
        let mut responder = Some(responder);
        let mut ticks = interval_at(start, QUERY_EVERY);
        for round in 0.. {
            ticks.tick().await;
            if start.elapsed() >= LENGTH {
                break;
            }
            if start.elapsed() >= HEALTHY
                && let Some(responder) = responder.take()
            {
                responder.stop().await;
            }
            for (number, client) in clients.iter_mut().enumerate() {
                client.ask(NAMES[(round + number) % NAMES.len()]);
            }
        }
        Ok(())
    }
}

fn stage() -> Result<(Network, KernelEngine)> {
    let network = Network::new()?;
    let options = WatchOptions {
        interfaces: vec![DEVICE.into()],
        // A veth would get TC by itself; nobody else uses this one.
        hook: HookChoice::Xdp,
        ingress_only: false,
        settings: for_ports(&[])?,
        log_level: None,
        tc: None,
        take_over: false,
    };
    let engine = network
        .server
        .block_on(|| KernelEngine::watch(&options))??;
    Ok((network, engine))
}

async fn live(network: &Network, engine: &mut KernelEngine, stop: &mut Stop) -> Result<Outcome> {
    output::line(&format!(
        "a DNS server ({SERVER}) and {} clients on a private network; {} and TC egress watch the \
         server's interface",
        CLIENTS.len(),
        engine
            .attached()
            .first()
            .map_or_else(String::new, |attached| attached.hook.to_string())
    ))?;
    let mut screen = Screen::new(engine.snapshot())?;
    let place = Place {
        addresses: engine.addresses().clone(),
        ..Place::default()
    };
    let options = monitor_options(place, true)?;
    let settings = for_ports(&[])?;
    // What the host says is asked for in the namespace of the thread.
    let mut monitor = network
        .server
        .enter(|| Monitor::new(&settings, engine.calendar(), options))?;
    // Between two rounds of queries, so that each interval has whole rounds.
    let mut ticks = interval_at(Instant::now() + TICK - QUERY_EVERY / 2, TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut upkeep = interval_at(Instant::now() + upkeep::TICK, upkeep::TICK);
    let mut play = std::pin::pin!(network.play());
    loop {
        tokio::select! {
            _ = upkeep.tick() => {
                engine.tick();
                let samples: Vec<Sample> = engine.samples().collect();
                let now = engine.snapshot();
                let changes = network.server.enter(|| monitor.observe(now, &samples))?;
                Screen::tell(&changes)?;
            }
            played = &mut play => {
                played.context("the private network failed")?;
                break;
            }
            () = stop.asked() => return Ok(Outcome::Fine),
            _ = ticks.tick() => {
                if screen.show(engine.snapshot())? == Reader::Gone {
                    return Ok(Outcome::Fine);
                }
            }
        }
    }
    screen.finish(engine.snapshot(), monitor)
}

/// What is detected on the private network.
fn monitor_options(place: Place, host: bool) -> Result<MonitorOptions> {
    let about = detection::about(&[], vec![DEVICE.into()]);
    detection::options(&DetectionArguments::default(), place, about, host)
}

/// Plays the recording at the speed it was made.
async fn play(stop: &mut Stop) -> Result<Outcome> {
    let mut frames = Vec::new();
    Capture::new("the recording".into(), RECORDED)?.for_each(|frame| {
        frames.push((frame.time.unwrap_or_default(), frame.bytes.to_vec()));
    })?;
    let first = frames.first().map_or(Duration::ZERO, |(time, _)| *time);
    let mut engine = HostEngine::new(DEVICE, for_ports(&[])?);
    let mut screen = Screen::new(engine.snapshot(Duration::ZERO))?;
    let place = Place {
        addresses: [key(SERVER.into())].into(),
        ..Place::default()
    };
    let calendar = Calendar {
        begun: first,
        samples: first,
    };
    let mut monitor = Monitor::new(&*for_ports(&[])?, calendar, monitor_options(place, false)?);
    let start = Instant::now();
    let mut shown = Duration::ZERO;
    for (time, frame) in frames {
        let at = time.saturating_sub(first);
        while at >= shown + TICK {
            shown += TICK;
            tokio::select! {
                () = sleep_until(start + shown) => {}
                () = stop.asked() => return Ok(Outcome::Fine),
            }
            if screen.show(engine.snapshot(shown))? == Reader::Gone {
                return Ok(Outcome::Fine);
            }
        }
        let mut changes = Vec::new();
        engine.set_time_with(time, |engine, at| {
            let samples: Vec<Sample> = engine.samples().collect();
            let now = engine.snapshot(at.saturating_sub(first));
            changes.extend(monitor.observe(now, &samples));
        });
        Screen::tell(&changes)?;
        engine.count(&frame, Link::Ethernet);
    }
    screen.finish(engine.snapshot(LENGTH), monitor)
}

/// A line a second, what happens to the incident, and its report at the end.
struct Screen {
    then: Snapshot,
}

impl Screen {
    fn new(first: Snapshot) -> std::io::Result<Self> {
        output::line(line::HEADER)?;
        Ok(Self { then: first })
    }

    fn show(&mut self, now: Snapshot) -> std::io::Result<Reader> {
        let window = Window::between(&self.then, &now);
        let reader = output::line(&line::interval(
            now.at,
            DEVICE,
            &window.totals(),
            &window,
            None,
        ))?;
        self.then = now;
        Ok(reader)
    }

    fn tell(changes: &[(Change, Record)]) -> std::io::Result<()> {
        for (change, record) in changes {
            output::line(&incident::change(*change, record))?;
        }
        Ok(())
    }

    fn finish(mut self, last: Snapshot, mut monitor: Monitor) -> Result<Outcome> {
        let shown = self.then.at;
        // The last interval ends with the demo, a little before or after its tick.
        if last.at.saturating_sub(shown) > TICK / 2 {
            self.show(last)?;
        }
        output::line("")?;
        for (record, _) in monitor.finish() {
            output::line(&report::markdown(&record, None))?;
        }
        Ok(Outcome::Fine)
    }
}
