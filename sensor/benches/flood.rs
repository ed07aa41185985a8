//! Floods on a veth pair of a private network: `cargo xtask bench`.
//!
//! A generator program (`BPF_PROG_TEST_RUN` with live frames) sends into one end; on the other end an
//! empty XDP program and the real `sensor watch` take turns, and `tcpdump -w /dev/null` where it is
//! installed. Every frame that the interface received must have been counted.

mod rig;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aya::Ebpf;
use aya::programs::XdpMode;
use aya::programs::{TestRun, TestRunAttrs, TestRunOptions};
use clap::Parser;
use rig::{Arguments, Format, Vary, frame, xdp};
use sensor::engine::kernel::load::OBJECT;
use sensor::stage::namespace::Namespace;
use sensor_common::names;
use serde::Serialize;

const GENERATOR: &str = "g0";
const WATCHED: &str = "w0";
/// Frames handed to the driver at once.
const BATCH: u32 = 64;
/// Longest wait for the last frames to be counted.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who follow the page, and how often the metrics are read.
const FOLLOWERS: usize = 16;
const SCRAPE_EVERY: Duration = Duration::from_secs(5);

#[derive(Parser)]
struct FloodArguments {
    #[command(flatten)]
    common: Arguments,
    /// The sensor serves its page meanwhile: to 16 who follow it, and to a scrape every 5 s.
    #[arg(long)]
    listen: bool,
    /// The sensor does not count what the kernel drops: here, all that arrives.
    #[arg(long)]
    no_drops: bool,
    /// Floods of one source that last longer than ten seconds, in turn with and without the program that counts what the
    /// kernel drops.
    #[arg(long, conflicts_with_all = ["no_drops", "quick"])]
    long: bool,
}

struct Mix {
    name: &'static str,
    frame: Vec<u8>,
    vary: Vary,
}

fn mixes() -> Vec<Mix> {
    let mix = |name, of: &str, sources, bits| Mix {
        name,
        frame: frame(of),
        vary: Vary {
            sources,
            bits,
            ..Vary::default()
        },
    };
    vec![
        mix("one_source", "v4 query", 0, 0),
        mix("spoofed", "v4 query", 1 << 24, 0),
        mix("random_names", "v4 query of a random name", 0, rig::NAME),
        mix("responses", "v4 response", 0, rig::DESTINATION_PORT),
        mix("icmp_errors", "from the server", 0, 0),
        mix("not_dns", "TCP of another port", 0, 0),
    ]
}

#[derive(Serialize)]
struct Flood {
    kind: &'static str,
    mix: &'static str,
    mpps_empty: f64,
    mpps: f64,
    mpps_tcpdump: Option<f64>,
    received: u64,
    counted: u64,
    loader_cpu_percent: f64,
    loader_rss_kib: u64,
}

fn main() -> ExitCode {
    rig::exit(run())
}

fn run() -> Result<bool> {
    let FloodArguments {
        common: arguments,
        listen,
        no_drops,
        long,
    } = FloodArguments::parse();
    let (rounds, frames) = if arguments.quick {
        (3, 300_000)
    } else {
        (7, 10_000_000)
    };
    let lab = Lab::new(listen, no_drops)?;
    if long {
        return Ok(lab.compare_drops(arguments.output)? || !arguments.check);
    }
    if arguments.output == Format::Text {
        println!(
            "flood          Mpps: empty  sensor  tcpdump   received    counted  loader CPU, memory"
        );
    }
    let mut all_counted = true;
    for mix in mixes() {
        let flood = lab.measure(&mix, rounds, frames)?;
        all_counted &= flood.received == flood.counted;
        match arguments.output {
            Format::Json => println!("{}", serde_json::to_string(&flood)?),
            Format::Text => println!(
                "{:<16} {:>9.2} {:>7.2} {:>8} {:>10} {:>10}   {:>5.2} %, {} KiB",
                flood.mix,
                flood.mpps_empty,
                flood.mpps,
                flood
                    .mpps_tcpdump
                    .map_or_else(|| "-".into(), |mpps| format!("{mpps:.2}")),
                flood.received,
                flood.counted,
                flood.loader_cpu_percent,
                flood.loader_rss_kib,
            ),
        }
    }
    Ok(all_counted || !arguments.check)
}

/// Two namespaces and a veth pair.
struct Lab {
    generator: Namespace,
    watched: Namespace,
    generator_index: u32,
    listen: bool,
    no_drops: bool,
}

impl Lab {
    fn new(listen: bool, no_drops: bool) -> Result<Self> {
        let (generator, watched) = (Namespace::new()?, Namespace::new()?);
        // Without IPv6 the devices are silent, so every frame is one of ours.
        for namespace in [&generator, &watched] {
            namespace.sysctl("ipv6/conf/default/disable_ipv6", "1")?;
        }
        generator.connect(GENERATOR, &watched, WATCHED)?;
        generator.up(GENERATOR)?;
        watched.up(WATCHED)?;
        Ok(Self {
            generator_index: generator.index(GENERATOR)?,
            generator,
            watched,
            listen,
            no_drops,
        })
    }

    /// The fastest of several rounds, in turn with and without the sensor.
    fn measure(&self, mix: &Mix, rounds: usize, frames: u32) -> Result<Flood> {
        let mut generator = rig::generator(mix.vary)?;
        // The sending end needs XDP too: only then has the device a queue for frames.
        let _queue = Self::attach_empty(&self.generator, GENERATOR)?;
        let mut flood = Flood {
            kind: "flood",
            mix: mix.name,
            mpps_empty: 0.0,
            mpps: 0.0,
            mpps_tcpdump: None,
            received: 0,
            counted: 0,
            loader_cpu_percent: 0.0,
            loader_rss_kib: 0,
        };
        // Over all rounds: the kernel tells CPU time in steps of 10 ms, more than half a percent of one.
        let (mut spent, mut lasted) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..rounds {
            let empty = Self::attach_empty(&self.watched, WATCHED)?;
            flood.mpps_empty = flood
                .mpps_empty
                .max(self.send(&mut generator, mix, frames)?);
            if let Some(mut tcpdump) = self.start_tcpdump()? {
                let mpps = self.send(&mut generator, mix, frames)?;
                flood.mpps_tcpdump = Some(flood.mpps_tcpdump.map_or(mpps, |best| best.max(mpps)));
                tcpdump.kill()?;
                tcpdump.wait()?;
            }
            drop(empty);
            let watch = Watch::start(self, self.no_drops)?;
            let before = self.received()?;
            let (start, cpu) = (Instant::now(), watch.cpu()?);
            flood.mpps = flood.mpps.max(self.send(&mut generator, mix, frames)?);
            spent += watch.cpu()?.saturating_sub(cpu);
            lasted += start.elapsed();
            flood.loader_rss_kib = flood.loader_rss_kib.max(watch.rss_kib()?);
            let received = self.received()? - before;
            flood.received += received;
            flood.counted += watch.counted(received);
        }
        flood.loader_cpu_percent = 100.0 * spent.as_secs_f64() / lasted.as_secs_f64();
        Ok(flood)
    }

    /// The fastest of several long rounds with the program that counts what the kernel drops, here all of it, and without.
    fn compare_drops(&self, format: Format) -> Result<bool> {
        const ROUNDS: usize = 5;
        const FRAMES: u32 = 100_000_000;
        let mixes = mixes();
        let mix = mixes.first().context("a mix")?;
        let mut generator = rig::generator(mix.vary)?;
        let _queue = Self::attach_empty(&self.generator, GENERATOR)?;
        let (mut with, mut without) = (0.0_f64, 0.0_f64);
        for _ in 0..ROUNDS {
            for (no_drops, best) in [(false, &mut with), (true, &mut without)] {
                let _watch = Watch::start(self, no_drops)?;
                *best = best.max(self.send(&mut generator, mix, FRAMES)?);
            }
        }
        let lost = 100.0 * (1.0 - with / without);
        match format {
            Format::Json => println!(
                "{}",
                serde_json::json!({ "kind": "drops", "mpps": with, "mpps_without": without, "lost_percent": lost })
            ),
            Format::Text => println!(
                "long flood, Mpps: {with:.2}, without the drop program {without:.2}: {lost:.1} % less"
            ),
        }
        // The goal of a flood that nft drops.
        Ok(lost < 2.0)
    }

    /// An empty program on an end.
    fn attach_empty(namespace: &Namespace, device: &str) -> Result<Ebpf> {
        let mut ebpf = rig::object(OBJECT)?;
        let empty = xdp(&mut ebpf, names::PROGRAM_EMPTY_XDP)?;
        empty.load()?;
        namespace.enter(|| empty.attach(device, XdpMode::Driver))??;
        Ok(ebpf)
    }

    fn start_tcpdump(&self) -> Result<Option<Child>> {
        let started = self.watched.enter(|| {
            Command::new("tcpdump")
                .args(["-i", WATCHED, "-w", "/dev/null"])
                .stderr(Stdio::piped())
                .spawn()
        })?;
        let Ok(mut child) = started else {
            return Ok(None);
        };
        // It says that it listens once it does.
        let stderr = child.stderr.take().context("piped")?;
        let mut lines = BufReader::new(stderr).lines();
        while let Some(line) = lines.next().transpose()? {
            if line.contains("listening on") {
                break;
            }
        }
        Ok(Some(child))
    }

    /// Sends frames as fast as the machine can; in millions a second.
    fn send(&self, generator: &mut Ebpf, mix: &Mix, frames: u32) -> Result<f64> {
        let flood = xdp(generator, names::PROGRAM_FLOOD)?;
        // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
        let length = u32::try_from(mix.frame.len())?;
        let context: Vec<u8> = [0, length, 0, self.generator_index, 0, 0]
            .iter()
            .flat_map(|word: &u32| word.to_ne_bytes())
            .collect();
        let seconds = self.generator.enter(|| -> Result<f64> {
            let start = Instant::now();
            flood.test_run(TestRunOptions {
                data_in: Some(&mix.frame),
                ctx_in: Some(&context),
                repeat: frames,
                attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
                ..TestRunOptions::default()
            })?;
            Ok(start.elapsed().as_secs_f64())
        })??;
        Ok(f64::from(frames) / seconds / 1e6)
    }

    /// Frames that the watched interface has received, by its own count.
    fn received(&self) -> Result<u64> {
        let text = self
            .watched
            .enter(|| fs::read_to_string("/proc/thread-self/net/dev"))??;
        text.lines()
            .find_map(|line| line.trim().strip_prefix(WATCHED)?.strip_prefix(':'))
            .and_then(|counts| counts.split_whitespace().nth(1)?.parse().ok())
            .context("the kernel counts packets")
    }
}

/// Where the page is served.
fn page() -> PathBuf {
    std::env::temp_dir().join(format!("sensor-flood-{}.sock", std::process::id()))
}

/// Asks for a part of it; the answer is still to be read.
fn get(page: &Path, part: &str) -> Result<UnixStream> {
    let mut stream = UnixStream::connect(page).with_context(|| page.display().to_string())?;
    write!(
        stream,
        "GET {part} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    Ok(stream)
}

/// `sensor watch` in another process.
struct Watch {
    child: Child,
    seen: Arc<AtomicU64>,
}

impl Watch {
    fn start(lab: &Lab, no_drops: bool) -> Result<Self> {
        let page = lab.listen.then(page);
        let mut arguments = vec!["--interval", "0.25", "--output", "json"];
        let listen = page.as_ref().map(|page| format!("unix:{}", page.display()));
        if let Some(listen) = &listen {
            arguments.extend(["--listen", listen]);
        }
        if no_drops {
            arguments.push("--no-drops");
        }
        let mut child = lab.watched.enter(|| {
            Command::new(env!("CARGO_BIN_EXE_sensor"))
                .args(["watch", "-i", WATCHED, "--hook", "xdp", "--ingress-only"])
                .args(arguments)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
        })??;
        let mut lines = BufReader::new(child.stdout.take().context("piped")?).lines();
        ensure!(
            lines.next().transpose()?.is_some(),
            "sensor watch ended at once"
        );
        let seen = Arc::new(AtomicU64::new(0));
        let sum = Arc::clone(&seen);
        // Ends with the child.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let object: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                sum.fetch_add(object["seen"].as_u64().unwrap_or(0), Ordering::Relaxed);
            }
        });
        if let Some(page) = page {
            for _ in 0..FOLLOWERS {
                let follows = get(&page, "/api/v1/events")?;
                std::thread::spawn(move || std::io::copy(&mut { follows }, &mut std::io::sink()));
            }
            std::thread::spawn(move || {
                while get(&page, "/metrics").is_ok_and(|mut answer| {
                    std::io::copy(&mut answer, &mut std::io::sink()).is_ok()
                }) {
                    sleep(SCRAPE_EVERY);
                }
            });
        }
        Ok(Self { child, seen })
    }

    /// Frames counted, once they are as many as were received, or after a while.
    fn counted(&self, received: u64) -> u64 {
        let start = Instant::now();
        while self.seen.load(Ordering::Relaxed) < received && start.elapsed() < PATIENCE {
            sleep(Duration::from_millis(10));
        }
        self.seen.load(Ordering::Relaxed)
    }

    /// CPU time that it has used, with the threads that have ended.
    fn cpu(&self) -> Result<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in parentheses may hold anything; 14 and 15 are user and system time in ticks of
        // 10 ms (proc_pid_stat(5)).
        let (_, fields) = text.rsplit_once(')').context("a name in parentheses")?;
        let ticks = |at: usize| -> Option<u64> { fields.split_whitespace().nth(at)?.parse().ok() };
        let (Some(user), Some(system)) = (ticks(11), ticks(12)) else {
            bail!("/proc has no CPU time");
        };
        Ok(Duration::from_millis(10 * (user + system)))
    }

    fn rss_kib(&self) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        text.lines()
            .find_map(|line| {
                line.strip_prefix("VmRSS:")?
                    .split_whitespace()
                    .next()?
                    .parse()
                    .ok()
            })
            .context("/proc has no VmRSS")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
