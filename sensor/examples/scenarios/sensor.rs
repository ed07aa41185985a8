//! The real binary in a namespace, and what it says.

use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pcap_parser::{LegacyPcapBlock, PcapHeader, ToVec};
use sensor::stage::namespace::Namespace;
use sensor::stage::packet_socket::PacketSocket;
use serde_json::Value;

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(0))
}

/// A sensor that watches.
pub struct Watching {
    child: Child,
    said: Arc<Mutex<Vec<Value>>>,
    reader: Option<JoinHandle<()>>,
}

impl Watching {
    /// Starts it and waits until it counts.
    pub fn start(
        program: &Path,
        namespace: &Namespace,
        device: &str,
        more: &[&str],
        state: &Path,
    ) -> Result<Self> {
        let mut child = namespace.enter(|| {
            Command::new(program)
                // What the kernel drops is seen in every namespace, also in those of the scenarios beside this one, which have
                // the same addresses; and a replay does not know it.
                .args(["watch", "-i", device, "--no-drops"])
                .args(["--output", "json", "--state"])
                .arg(state)
                .args(more)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
        })??;
        let stdout = child.stdout.take().context("no output")?;
        let said = Arc::new(Mutex::new(Vec::new()));
        let kept = said.clone();
        let reader = std::thread::spawn(move || read(stdout, &kept));
        let watching = Self {
            child,
            said,
            reader: Some(reader),
        };
        let end = Instant::now() + Duration::from_secs(30);
        while watching.all().is_empty() {
            if Instant::now() > end {
                bail!("the sensor says nothing");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(watching)
    }

    fn all(&self) -> Vec<Value> {
        self.said
            .lock()
            .map(|said| said.clone())
            .unwrap_or_default()
    }

    /// What it has said of incidents, in order.
    pub fn incidents(&self) -> Vec<Value> {
        let mut said = self.all();
        said.retain(|value| value["kind"] == "incident");
        said
    }

    /// Ends it, and gives all that it said of incidents.
    pub fn stop(mut self) -> Result<Vec<Value>> {
        kill(
            Pid::from_raw(self.child.id().cast_signed()),
            Signal::SIGTERM,
        )?;
        self.child.wait()?;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        Ok(self.incidents())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(stdout: ChildStdout, said: &Mutex<Vec<Value>>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        if let (Ok(value), Ok(mut said)) = (serde_json::from_str(&line), said.lock()) {
            said.push(value);
        }
    }
}

/// A capture of a device, while it lives.
pub struct Recording {
    stop: Arc<std::sync::atomic::AtomicBool>,
    worker: JoinHandle<Result<Vec<u8>>>,
}

impl Recording {
    pub fn start(namespace: &Namespace, device: &str) -> Result<Self> {
        let socket = PacketSocket::open(namespace, device)?;
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let until = stop.clone();
        let worker = std::thread::spawn(move || {
            let mut capture = PcapHeader::new().to_vec()?;
            let mut ends = false;
            while !ends {
                // What has come before the end is taken after it.
                ends = until.load(std::sync::atomic::Ordering::Relaxed);
                while let Some(frame) = socket.receive() {
                    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
                    let mut block = LegacyPcapBlock {
                        ts_sec: u32::try_from(now.as_secs())?,
                        ts_usec: now.subsec_micros(),
                        caplen: frame.len() as u32,
                        origlen: frame.len() as u32,
                        data: &frame,
                    };
                    capture.extend(block.to_vec()?);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            match socket.lost()? {
                0 => Ok(capture),
                lost => bail!(
                    "the capture lacks {lost} frames, so a replay would tell nothing: the machine is too busy"
                ),
            }
        });
        Ok(Self { stop, worker })
    }

    /// Ends it and writes the file.
    pub fn write(self, path: PathBuf) -> Result<PathBuf> {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let capture = self
            .worker
            .join()
            .map_err(|_| anyhow::anyhow!("a panic"))??;
        std::fs::write(&path, capture)?;
        Ok(path)
    }
}

/// What a replay of a capture says of incidents.
pub fn replay(
    program: &Path,
    capture: &Path,
    hosts: &[IpAddr],
    more: &[&str],
) -> Result<Vec<Value>> {
    let mut command = Command::new(program);
    command
        .arg("replay")
        .arg(capture)
        .args(["--output", "json"]);
    for host in hosts {
        command.arg("--host").arg(host.to_string());
    }
    let output = command.args(more).output()?;
    let text = String::from_utf8(output.stdout)?;
    let values = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(values.filter(|value| value["kind"] == "incident").collect())
}
