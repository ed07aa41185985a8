//! `sensor demo`: a DNS outage, staged on a private network, detected live and reported.

use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, interval_at};

use super::lines::ticks;
use super::screen::face::Behind;
use super::screen::{self, Options, Screen};
use super::stop::Stop;
use super::{Outcome, detection};
use crate::cli::{DemoArguments, DetectionArguments};
use crate::detect::Place;
use crate::engine::kernel::engine::{KernelEngine, WatchOptions};
use crate::engine::kernel::hook::HookChoice;
use crate::engine::kernel::preflight::Host;
use crate::engine::replay::capture::Capture;
use crate::engine::replay::host_engine::HostEngine;
use crate::engine::replay::player::Replay;
use crate::engine::settings::{for_ports, timeout};
use crate::engine::{Engine, Tick};
use crate::host::drops::Drops;
use crate::host::watch::HostWatch;
use crate::incident::Record;
use crate::measure::address::key;
use crate::measure::interval::Interval;
use crate::measure::window::Window;
use crate::monitor::MonitorOptions;
use crate::present::output::{self, Reader};
use crate::present::{incident, line, report};
use crate::session::{Face, Published, Session};
use crate::stage::client::Client;
use crate::stage::namespace::Namespace;
use crate::stage::responder::Responder;

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
pub const LENGTH: Duration = Duration::from_secs(20);
/// Between two lines.
const LINE: Duration = Duration::from_secs(1);

/// Runs the command.
///
/// # Errors
/// The demo could not be played at all.
pub async fn run(arguments: &DemoArguments) -> Result<Outcome> {
    let mut stop = Stop::new()?;
    if arguments.recorded {
        return play(arguments, &mut stop).await;
    }
    let staged = match Host::look().check() {
        Ok(()) => stage(),
        Err(error) => Err(error.into()),
    };
    match staged {
        Ok((network, engine)) => Box::pin(live(arguments, &network, engine, &mut stop)).await,
        Err(error) => {
            output::line(&format!(
                "not live: {error:#}\nplaying a recording of the same outage instead"
            ))?;
            play(arguments, &mut stop).await
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
        // Between two ticks of the sensor, so that each interval has whole rounds.
        let start = Instant::now() + QUERY_EVERY / 2;
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

async fn live(
    arguments: &DemoArguments,
    network: &Network,
    engine: KernelEngine,
    stop: &mut Stop,
) -> Result<Outcome> {
    output::line(&format!(
        "a DNS server ({SERVER}) and {} clients on a private network; {} and TC egress watch the \
         server's interface",
        CLIENTS.len(),
        engine
            .attached()
            .first()
            .map_or_else(String::new, |attached| attached.hook.to_string())
    ))?;
    let options = monitor_options(detection::place(&engine, false))?;
    // What the host says is read in the namespace of the thread that begins to watch it.
    let (ports, watched) = (options.about.ports.clone(), options.about.watched.clone());
    let host = network
        .server
        .enter(|| HostWatch::new(&ports, &watched, Drops::attach(&ports).ok()))?;
    let mut session =
        Session::new(engine, &*for_ports(&[])?, options).with_host(host.context("no thread")?);
    show(arguments, &mut session, network.play(), stop).await
}

/// Shows a session for as long as the outage is played, on the full screen where there is one; then the report.
async fn show<E: Engine>(
    arguments: &DemoArguments,
    session: &mut Session<E>,
    outage: impl Future<Output = Result<()>>,
    stop: &mut Stop,
) -> Result<Outcome> {
    if !arguments.plain && screen::is_possible() {
        return on_screen(arguments, session, outage, stop).await;
    }
    let mut lines = Plain::new()?;
    let ended = until(session, &mut lines, outage, stop, pending()).await?;
    if !ended || lines.gone {
        return Ok(Outcome::Fine);
    }
    lines.end(session)
}

async fn on_screen<E: Engine>(
    arguments: &DemoArguments,
    session: &mut Session<E>,
    outage: impl Future<Output = Result<()>>,
    stop: &mut Stop,
) -> Result<Outcome> {
    let options = Options {
        ascii: arguments.ascii,
        state: None,
        pace: None,
    };
    let mut screen = Screen::start(session.live().view, options)?;
    let mut behind = Behind::default();
    let ended = until(session, &mut behind, outage, stop, screen.left()).await;
    let reader = screen.end()?;
    if ended? && reader == Reader::There {
        session.finish(&mut behind)?;
        for record in behind.unfinished {
            output::line(&report::markdown(&record, None))?;
        }
    }
    Ok(Outcome::Fine)
}

/// Runs the session until the outage was played; false where somebody ended it before.
async fn until<E: Engine>(
    session: &mut Session<E>,
    face: &mut impl Face,
    outage: impl Future<Output = Result<()>>,
    stop: &mut Stop,
    left: impl Future<Output = ()>,
) -> Result<bool> {
    let mut played = Ok(());
    let mut ended = true;
    let play = async {
        tokio::select! {
            result = outage => played = result,
            () = stop.asked() => ended = false,
            () = left => ended = false,
        }
    };
    session.run(face, play).await?;
    played.context("the private network failed")?;
    Ok(ended)
}

/// What is detected on the private network.
fn monitor_options(place: Place) -> Result<MonitorOptions> {
    let about = detection::about(&[], vec![DEVICE.into()]);
    detection::options(&DetectionArguments::default(), place, about)
}

/// Plays the recording at the speed it was made.
async fn play(arguments: &DemoArguments, stop: &mut Stop) -> Result<Outcome> {
    let settings = for_ports(&[])?;
    let capture = Capture::new("the recording".into(), RECORDED)?;
    let counting = HostEngine::new(DEVICE, settings.clone());
    let engine = Replay::new(capture, counting, DEVICE, timeout(&settings)).paced(Arc::default());
    let place = Place {
        addresses: [key(SERVER.into())].into(),
        ..Place::default()
    };
    let mut session = Session::new(engine, &settings, monitor_options(place)?);
    // It ends by itself.
    show(arguments, &mut session, pending(), stop).await
}

/// A line a second, what happens to the incident, and its report at the end.
struct Plain {
    interval: Interval,
    /// When the last tick was.
    at: Duration,
    /// Nobody reads any more.
    gone: bool,
}

impl Plain {
    fn new() -> std::io::Result<Self> {
        output::line(line::HEADER)?;
        Ok(Self {
            interval: Interval::of(ticks(LINE)),
            at: Duration::ZERO,
            gone: false,
        })
    }

    fn line(&mut self, window: &Window) -> std::io::Result<Reader> {
        let line = line::interval(self.at, DEVICE, &window.totals(), window, None);
        output::line(&line)
    }

    /// The last interval ends with the demo, a little before or after its time; then comes the report.
    fn end<E: Engine>(&mut self, session: &mut Session<E>) -> Result<Outcome> {
        if self.interval.passed() > ticks(LINE) / 2 {
            let window = self.interval.end();
            self.line(&window)?;
        }
        output::line("")?;
        session.finish(self)?;
        Ok(Outcome::Fine)
    }
}

impl Face for Plain {
    fn show(&mut self, now: &Published<'_>) -> Result<ControlFlow<()>> {
        for (change, record) in now.changes {
            output::line(&incident::change(*change, record))?;
        }
        if now.tick != Tick::Next {
            return Ok(ControlFlow::Continue(()));
        }
        self.at = now.reading.at;
        if let Some(window) = self.interval.tick(now.reading)
            && self.line(&window)? == Reader::Gone
        {
            self.gone = true;
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    }

    fn unfinished(&mut self, record: Record) -> Result<()> {
        output::line(&report::markdown(&record, None))?;
        Ok(())
    }
}
