//! `replay --follow` reads a capture while it is written.

mod support;

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sensor::engine::replay::input::{Input, Next};
use serde_json::Value;
use support::outage_frames::{asked, outage};
use support::pcap;
use support::{PATIENCE, wait_for};

/// A running `replay --follow`; killed when dropped.
struct Follower {
    child: Child,
    lines: Receiver<Value>,
    path: PathBuf,
}

impl Follower {
    /// Of a file with this in it.
    fn start(name: &str, begin: &[u8]) -> Self {
        let path = pcap::path(name);
        fs::write(&path, begin).expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_sensor"))
            .args(["replay", "--output", "json", "--follow"])
            .arg(&path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sensor runs");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let object = serde_json::from_str(&line).expect("JSON");
                if send.send(object).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, path }
    }

    fn write(&self, bytes: &[u8]) {
        append(&self.path, bytes);
    }

    /// Waits until it has read all that is there, and sleeps until there is more.
    fn has_read_all(&self) {
        let length = fs::metadata(&self.path).expect("a file").len();
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let is_there = |descriptor: fs::DirEntry| {
            let is_capture = fs::read_link(descriptor.path()).is_ok_and(|path| path == self.path);
            let info = process.join("fdinfo").join(descriptor.file_name());
            let info = fs::read_to_string(info).unwrap_or_default();
            let first = info.lines().next().unwrap_or_default();
            is_capture && first.split_whitespace().last() == Some(&length.to_string())
        };
        wait_for("the end of the file", || {
            let open = fs::read_dir(process.join("fd")).expect("it runs");
            let status = fs::read_to_string(process.join("status")).expect("it runs");
            status.contains("State:\tS") && open.flatten().any(is_there)
        });
    }

    /// Waits for a change of an incident.
    fn says(&self, change: &str) {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("it never says {change:?}"));
            if line["change"] == change {
                return;
            }
        }
    }

    /// Ends it; its totals.
    fn end(mut self, signal: Signal) -> Value {
        let pid = Pid::from_raw(self.child.id() as i32);
        kill(pid, signal).expect("it runs");
        let child = &mut self.child;
        wait_for("its end", || {
            child.try_wait().expect("its status").is_some()
        });
        let status = self.child.wait().expect("it ends");
        let mut errors = String::new();
        let mut stderr = self.child.stderr.take().expect("piped");
        stderr.read_to_string(&mut errors).expect("text");
        assert!(status.success(), "{status}: {errors}");
        let mut last = Value::Null;
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            last = line;
        }
        last
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.path);
    }
}

fn append(path: &Path, bytes: &[u8]) {
    let file = OpenOptions::new().append(true).open(path);
    file.expect("a file").write_all(bytes).expect("written");
}

#[test]
fn an_incident_is_told_while_its_capture_is_written() {
    // Not even the header is there.
    let follower = Follower::start("growing.pcap", b"");
    let frames = outage(20);
    let bytes = pcap::file(&frames);
    let (begin, rest) = bytes.split_at(10);
    follower.write(begin);
    // The last record is not whole.
    let (most, end) = rest.split_at(rest.len() - 30);
    follower.write(most);
    follower.says("opened");
    follower.has_read_all();
    follower.write(end);
    let mut more = asked(40, 90, false);
    let (us, last) = more.pop().expect("a frame");
    let records = more.iter().flat_map(|(us, frame)| pcap::record(*us, frame));
    follower.write(&records.collect::<Vec<u8>>());
    follower.says("closed");
    // One that is cut off when the signal comes is no damage.
    let record = pcap::record(us, &last);
    follower.write(&record[..record.len() / 2]);
    let totals = follower.end(Signal::SIGINT);
    assert_eq!(totals["seen"], (frames.len() + more.len()) as u64);
    assert_eq!(totals["complete"], true);
}

#[test]
fn a_pcapng_file_is_followed_as_well() {
    let words =
        |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_le_bytes()).collect() };
    let mut begin = pcap::block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]));
    begin.extend(pcap::block(1, &words(&[1, 262_144])));
    let follower = Follower::start("growing.pcapng", &begin[..30]);
    follower.write(&begin[30..]);
    let frames = outage(20);
    let packet = |(us, frame): &(u64, Vec<u8>)| {
        let us = pcap::BEGIN_US + us;
        let length = frame.len() as u32;
        let mut body = words(&[0, (us >> 32) as u32, us as u32, length, length]);
        body.extend(frame);
        pcap::block(6, &body)
    };
    let bytes: Vec<u8> = frames.iter().flat_map(packet).collect();
    let (most, end) = bytes.split_at(bytes.len() - 9);
    follower.write(most);
    follower.says("opened");
    follower.has_read_all();
    follower.write(end);
    let mut more: Vec<u8> = asked(40, 90, false).iter().flat_map(packet).collect();
    more.extend(pcap::block(5, &[0; 12]));
    follower.write(&more);
    follower.says("closed");
    let totals = follower.end(Signal::SIGTERM);
    assert_eq!(totals["seen"], (frames.len() + 2 * 90 * 20) as u64);
}

#[test]
fn frames_wait_for_earlier_ones_until_the_file_has_not_grown_for_a_while() {
    let path = pcap::path("waits.pcap");
    let frames = outage(1);
    let bytes = pcap::file(&frames[..3]);
    for length in [0, 10] {
        fs::write(&path, &bytes[..length]).expect("a file");
        let input = Input::follow(&path).expect("it may become a capture");
        assert!(input.is_none(), "{length} bytes are no header");
    }
    fs::write(&path, &bytes).expect("a file");
    let input = Input::follow(&path).expect("a capture");
    let mut input = input.expect("its header is there");
    // Frames that are handed over before there are none yet, and whether there may be more.
    let taken = |input: &mut Input| {
        let mut many = 0;
        loop {
            match input.next_frame().expect("whole") {
                Next::Frame(_) => many += 1,
                Next::Later => return (many, true),
                Next::End => return (many, false),
            }
        }
    };
    assert_eq!(taken(&mut input), (0, true));
    input.be_quiet();
    assert_eq!(taken(&mut input), (3, true));
    // It grows again: what comes now waits again.
    let (us, frame) = &frames[3];
    append(&path, &pcap::record(*us, frame));
    assert_eq!(taken(&mut input), (0, true));
    let (us, frame) = &frames[4];
    append(&path, &pcap::record(*us, frame));
    input.end();
    assert_eq!(taken(&mut input), (2, false));
    fs::remove_file(&path).expect("removed");
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_sensor"))
            .arg("replay")
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("sensor runs");
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let packed = pcap::path("packed.gz");
    let mut bytes = vec![0x1f, 0x8b, 8];
    bytes.resize(40, 0);
    fs::write(&packed, bytes).expect("a file");
    let packed = packed.to_str().expect("text");
    assert!(run(&["--follow", packed]).contains("is compressed"));
    assert!(run(&["--follow", "-"]).contains("--follow reads one file"));
    assert!(run(&["--follow", packed, packed]).contains("--follow reads one file"));
    assert!(run(&["--follow", "/nonexistent"]).contains("cannot open"));
    fs::remove_file(packed).expect("removed");
}
