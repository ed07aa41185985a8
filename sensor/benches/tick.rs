//! What a tick of the loader costs with the full tables of 128 CPUs, which are built in memory:
//! `cargo bench -p sensor --bench tick`.
//!
//! Each CPU's table has 2,048 places, all in use. Between two ticks so many of all places see a packet. A tick is
//! the maintenance of the packet program and the reading of what it counted; once a second it reads the sketches
//! of a quarter of the CPUs, so each row is of four ticks apart.

use std::net::Ipv4Addr;
use std::time::Duration;

use sensor::engine::replay::counting::Counting;
use sensor::engine::replay::host_engine::HostEngine;
use sensor::engine::settings::for_ports;
use sensor::stage::client::query;
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

/// A query to a server.
fn frame(server: Ipv4Addr) -> Vec<u8> {
    let message = query(1, "www.example.org");
    let length = message.len() as u16;
    let mut frame = vec![0; 12];
    frame.extend([8, 0, 0x45, 0]);
    frame.extend((28 + length).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 7]);
    frame.extend(server.octets());
    frame.extend([0x9c, 0x40, 0, 53]);
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

/// CPU time of this thread: others may run beside it.
fn cpu_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    clock.now().expect("a clock of every Linux").into()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
