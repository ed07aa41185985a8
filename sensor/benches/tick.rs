//! What a tick of the loader costs with the full tables of 128 CPUs, which are built in memory:
//! `cargo bench -p sensor --bench tick`, or only a part of it: `-- tables`, `-- model`.
//!
//! Each CPU's table has 2,048 places, all in use. Between two ticks so many of all places see a packet. A tick is
//! the maintenance of the packet program and the reading of what it counted; once a second it reads the sketches
//! of a quarter of the CPUs, so each row is of four ticks apart.
//!
//! Then what the live model costs beside detection, with as many busy servers as it shows.

use std::net::Ipv4Addr;
use std::time::Duration;

use sensor::detect::{Place, Thresholds};
use sensor::engine::replay::counting::Counting;
use sensor::engine::replay::host_engine::HostEngine;
use sensor::engine::settings::for_ports;
use sensor::engine::status::Status;
use sensor::incident::About;
use sensor::measure::clock::WallClock;
use sensor::monitor::{Monitor, MonitorOptions};
use sensor::stage::client::query;
use sensor::stage::responder::answer;
use sensor::view::SERVERS;
use sensor::view::build::{Builder, Input};
use sensor_common::server::{SETS, WAYS};
use sensor_ebpf::address::{Address, V4};
use sensor_ebpf::eviction::set_of;
use sensor_ebpf::parse::Link;

const CPUS: usize = 128;
const PLACES: usize = SETS * WAYS;
/// Places that see a packet between two ticks, of all CPUs together.
const BUSY: [usize; 6] = [0, 128, 1_000, 4_000, 16_000, CPUS * PLACES];
/// Ticks of a row.
const TICKS: usize = 40;
const TICK: Duration = Duration::from_millis(250);

/// Who asks.
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
/// From here.
const PORT: u16 = 40_000;

/// A query to a server.
fn frame(server: Ipv4Addr) -> Vec<u8> {
    datagram((CLIENT, PORT), (server, 53), &query(1, "www.example.org"))
}

fn datagram(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), message: &[u8]) -> Vec<u8> {
    let length = message.len() as u16;
    let mut frame = vec![0; 12];
    frame.extend([8, 0, 0x45, 0]);
    frame.extend((28 + length).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend(from.0.octets());
    frame.extend(to.0.octets());
    frame.extend(from.1.to_be_bytes());
    frame.extend(to.1.to_be_bytes());
    frame.extend((8 + length).to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(message);
    frame
}

/// Queries to as many servers as a table has places, four of each set.
fn frames(hash_key: u64) -> Vec<Vec<u8>> {
    let mut taken = vec![0; SETS];
    let mut frames = Vec::new();
    for server in (0x0b00_0000..).map(Ipv4Addr::from) {
        let hash = V4(u32::from_ne_bytes(server.octets())).hash(hash_key);
        let set = set_of(hash | 1);
        if taken[set] < WAYS {
            taken[set] += 1;
            frames.push(frame(server));
        }
        if frames.len() == PLACES {
            break;
        }
    }
    frames
}

fn main() {
    let wants = |part: &str| {
        let mut parts = std::env::args()
            .skip(1)
            .filter(|part| !part.starts_with('-'));
        parts.next().is_none_or(|wanted| wanted == part)
    };
    if wants("tables") {
        tables();
    }
    if wants("model") {
        live_model();
    }
}

fn tables() {
    let settings = for_ports(&[]).expect("port 53");
    let frames = frames(settings.hash_key);
    let mut engine = HostEngine::with_cpus("tick", settings, CPUS);
    let mut now = Duration::from_secs(1_000_000);
    engine.maintain(now);
    for cpu in 0..CPUS {
        engine.on_cpu(cpu);
        for frame in &frames {
            engine.count(frame, Link::Ethernet);
        }
    }
    let mut tick = |engine: &mut HostEngine| {
        now += TICK;
        let start = cpu_time();
        engine.maintain(now);
        let reading = engine.reading(now);
        (cpu_time().saturating_sub(start), reading)
    };
    let (first, reading) = tick(&mut engine);
    println!(
        "{CPUS} CPUs; the first tick finds all {} places in use and reads them: {:.1} ms",
        reading.window.cost.places,
        ms(first)
    );
    println!("\n  places busy   median ms      max ms   servers told");
    for busy in BUSY {
        let mut times = Vec::new();
        let mut told = 0;
        let mut next = 0_usize;
        for _ in 0..TICKS {
            for _ in 0..busy {
                engine.on_cpu(next % CPUS);
                engine.count(&frames[next / CPUS % PLACES], Link::Ethernet);
                next += 1;
            }
            let (time, reading) = tick(&mut engine);
            times.push(time);
            told = told.max(reading.window.servers.len());
        }
        times.sort_unstable();
        println!(
            "{busy:>13} {:>11.2} {:>11.2} {told:>14}",
            ms(times[TICKS / 2]),
            ms(times[TICKS - 1])
        );
    }
}

/// Each server is asked and answers so often between two ticks.
const ASKED: u16 = 4;
/// A minute: every window is full then.
const MODEL_TICKS: usize = 320;

/// What a tick costs with as many busy servers as the model shows: detection, and the view.
fn live_model() {
    let settings = for_ports(&[]).expect("port 53");
    let options = MonitorOptions {
        thresholds: Thresholds::default(),
        place: Place::default(),
        about: About::default(),
        shadow: [].into(),
    };
    let mut engine = HostEngine::new("tick", settings.clone());
    let status = Status::of_capture("tick", "host");
    let mut monitor = Monitor::new(&settings, WallClock::default(), options);
    let mut builder = Builder::new();
    let mut now = Duration::from_secs(1_000_000);
    let begun = now;
    engine.maintain(now);
    let (mut detects, mut builds) = (Vec::new(), Vec::new());
    let mut samples = Vec::new();
    let mut id = 0_u16;
    for tick in 0..MODEL_TICKS {
        for _ in 0..ASKED {
            id = id.wrapping_add(1);
            for number in 0..SERVERS as u32 {
                let server = Ipv4Addr::from(0x0b00_0000 + number * 3 + 1);
                let message = query(id, "www.example.org");
                let response = answer(&message).expect("a query");
                let (client, server) = ((CLIENT, PORT), (server, 53));
                engine.count(&datagram(client, server, &message), Link::Ethernet);
                engine.count(&datagram(server, client, &response), Link::Ethernet);
            }
        }
        now += TICK;
        engine.set_clock(now);
        engine.maintain(now);
        samples.clear();
        engine.take_samples(&mut samples);
        let reading = engine.reading(now.saturating_sub(begun));
        let start = cpu_time();
        let changes = monitor.observe(&reading, &samples);
        let detected = cpu_time();
        let (view, _) = builder.tick(&Input {
            reading: &reading,
            samples: &samples,
            monitor: &monitor,
            status: &status,
            changes: &changes,
            shadows: &[],
            alerts: Vec::new(),
            alerts_lost: 0,
        });
        if tick >= MODEL_TICKS / 4 * 3 {
            assert!(
                view.servers.len() > SERVERS / 10 * 9,
                "{}",
                view.servers.len()
            );
            detects.push(detected.saturating_sub(start));
            builds.push(cpu_time().saturating_sub(detected));
        }
    }
    let percent = |times: &[Duration]| {
        let sum: Duration = times.iter().sum();
        let ticks = u32::try_from(times.len()).unwrap_or(u32::MAX);
        100.0 * sum.as_secs_f64() / (TICK.as_secs_f64() * f64::from(ticks))
    };
    println!(
        "\n{SERVERS} servers of {} queries/s each: detection {:.2} % of a core, the live model {:.2} %",
        u64::from(ASKED) * 4,
        percent(&detects),
        percent(&builds)
    );
}

/// CPU time of this thread: others may run beside it.
fn cpu_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    clock.now().expect("a clock of every Linux").into()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
