//! Frames of a capture through the loaded program, without an interface (`BPF_PROG_TEST_RUN`).

use std::collections::BTreeSet;
use std::time::Duration;

use aya::programs::{TestRun, TestRunOptions, Xdp};
use sensor_common::names::PROGRAM_XDP;
use sensor_common::sample::Sample;
use sensor_common::server::ServerKey;
use sensor_common::settings::{Direction, Settings};
use sensor_ebpf::parse::Link;

use super::counts::Counts;
use super::load::{LoadError, LoadOptions, Loaded, Programs, chain, load, program};
use crate::engine::ledger::Ledger;
use crate::engine::replay::clock::{PacketClock, nanoseconds};
use crate::engine::replay::counting::Counting;
use crate::engine::replay::host_engine::HostEngine;
use crate::measure::counters::Counters;
use crate::measure::reading::Lane;
use crate::measure::window::Reading;

/// The kernel refuses test frames shorter than an Ethernet header.
const SHORTEST: usize = 14;

/// `XDP_PASS` (linux/bpf.h).
pub const XDP_PASS: u32 = 2;

/// Counts frames in the kernel.
pub struct TestRunEngine {
    loaded: Loaded,
    counts: Counts,
    clock: PacketClock,
    /// Takes the frames that the kernel refuses. They can only be malformed.
    refused: HostEngine,
}

impl TestRunEngine {
    /// Loads the program. `name` stands where an interface's name would.
    ///
    /// # Errors
    /// As for a live interface.
    pub fn new(name: impl Into<String>, settings: Box<Settings>) -> Result<Self, LoadError> {
        let name = name.into();
        let mut loaded = load(LoadOptions {
            programs: Programs {
                xdp: true,
                ..Programs::default()
            },
            settings: settings.clone(),
            log_level: None,
        })?;
        if let Some(reason) = &loaded.no_xdp {
            let text = format!("{reason}; `--engine host` reads captures too");
            return Err(LoadError::Other(text));
        }
        let mut counts = Counts::of(&mut loaded)?;
        counts.add_lane(0, &name, Direction::Ingress);
        counts.add_lane(0, &name, Direction::Egress);
        Ok(Self {
            counts,
            loaded,
            clock: PacketClock::default(),
            refused: HostEngine::new(name, settings),
        })
    }

    /// Moves the clock to the time of the next packet, and does what is due by then.
    pub fn set_time(&mut self, time: Duration) {
        self.set_time_with(time, |_, _| ());
    }

    /// The same, and calls `on_tick` after each tick, with its time.
    pub fn set_time_with(&mut self, time: Duration, mut on_tick: impl FnMut(&mut Self, Duration)) {
        let (ticks, now) = self.clock.advance(time);
        for at in ticks {
            self.maintain(at);
            on_tick(self, at);
        }
        self.set_clock(now);
    }

    /// The addresses of the host that sees the frames come in; see [`HostEngine::set_own_addresses`].
    pub fn set_own_addresses(&mut self, addresses: &BTreeSet<ServerKey>) {
        self.counts.set_own_addresses(addresses);
    }

    /// Samples taken since this was last asked.
    pub fn samples(&mut self) -> impl Iterator<Item = Sample> {
        self.counts.samples()
    }

    /// Counts one Ethernet frame and returns the program's verdict.
    ///
    /// # Errors
    /// The kernel refuses the run, for example because the frame is longer than it takes.
    pub fn count(&mut self, frame: &[u8]) -> Result<u32, LoadError> {
        if frame.len() < SHORTEST {
            self.refused.count(frame, Link::Ethernet);
            return Ok(XDP_PASS);
        }
        let xdp: &mut Xdp = program(&mut self.loaded.ebpf, PROGRAM_XDP)?;
        let run = xdp
            .test_run(TestRunOptions {
                data_in: Some(frame),
                ..TestRunOptions::default()
            })
            .map_err(|error| {
                LoadError::Other(format!(
                    "the kernel refuses a test frame of {} bytes: {}",
                    frame.len(),
                    chain(&error)
                ))
            })?;
        Ok(run.return_value)
    }

    /// Programs, for tests that run others than XDP.
    pub fn loaded(&mut self) -> &mut Loaded {
        &mut self.loaded
    }

    /// What each direction has counted, as of the last reading: received, and sent, which only other programs
    /// than XDP count.
    pub fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.counts.lanes()
    }
}

impl Counting for TestRunEngine {
    const NAME: &str = "kernel";

    fn maintain(&mut self, at: Duration) {
        self.set_clock(at);
        self.counts.maintain();
    }

    fn owes_second(&self) -> bool {
        self.counts.owes_second()
    }

    fn set_clock(&mut self, now: Duration) {
        self.counts.set_clock(nanoseconds(now));
    }

    fn count_frame(&mut self, frame: &[u8]) -> Result<(), LoadError> {
        self.count(frame).map(|_| ())
    }

    fn take_samples(&mut self, samples: &mut Vec<Sample>) {
        samples.extend(self.samples());
    }

    fn flush(&mut self) {
        self.counts.flush();
    }

    fn reading(&mut self, at: Duration) -> Reading {
        // A frame that the kernel refuses is malformed and adds to totals alone.
        let refused = self.refused.reading(at).window.totals();
        let mut reading = self.counts.reading(at);
        if let Some(lane) = reading.window.lanes.first_mut() {
            lane.totals.add(&refused);
        }
        reading
    }

    fn ledger(&self) -> &Ledger {
        self.counts.ledger()
    }
}
