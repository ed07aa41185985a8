//! What takes bytes from outside.

use std::cell::RefCell;
use std::time::Duration;

use bytemuck::{Zeroable, bytes_of_mut};
use sensor::engine::replay::capture::Capture;
use sensor::engine::replay::host_engine::HostEngine;
use sensor::engine::replay::input::{Input, Next};
use sensor::engine::settings::for_ports;
use sensor::measure::counters::Counters;
use sensor::measure::dossier::Dossiers;
use sensor::measure::sampled::Sampled;
use sensor_common::sample::Sample;
use sensor_common::settings::Settings;
use sensor_ebpf::parse::Link;

use crate::load;

/// No frame is longer, with the Ethernet header that it may be given.
const LONGEST_FRAME: usize = 262_144 + 14;
/// Samples later than this are as good as those: times of the dossiers add up.
const LATEST_NS: u64 = 1 << 62;

thread_local! {
    static ENGINE: RefCell<HostEngine> =
        RefCell::new(HostEngine::new("fuzz", for_ports(&[53, 5353]).expect("ports")));
    static DOSSIERS: RefCell<(Box<Settings>, Dossiers)> =
        RefCell::new((for_ports(&[53, 5353]).expect("ports"), Dossiers::default()));
}

/// See the module.
#[derive(Clone, Copy)]
pub enum Target {
    Captures,
    Packets,
    Dossiers,
    Casebook,
}

impl Target {
    pub const ALL: [Self; 4] = [
        Self::Captures,
        Self::Packets,
        Self::Dossiers,
        Self::Casebook,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Captures => "captures",
            Self::Packets => "packets",
            Self::Dossiers => "dossiers",
            Self::Casebook => "casebook",
        }
    }

    /// Takes an input.
    ///
    /// # Panics
    /// Something is wrong.
    pub fn take(self, input: &[u8]) {
        match self {
            Self::Captures => capture(input),
            Self::Packets => packet(input),
            Self::Dossiers => dossier(input),
            Self::Casebook => {
                // Whether it is a situation does not matter here.
                let _ = load::situations(&String::from_utf8_lossy(input));
            }
        }
    }
}

/// Readers of all formats, the order of time, and copies.
fn capture(input: &[u8]) {
    let Ok(capture) = Capture::new("fuzz".into(), input) else {
        return;
    };
    let mut frames = Input::from(capture);
    // What is wrong with it does not matter here.
    while let Ok(Next::Frame(frame)) = frames.next_frame() {
        assert!(frame.bytes.len() <= LONGEST_FRAME, "{}", frame.bytes.len());
    }
    assert!(
        matches!(frames.next_frame(), Ok(Next::End)),
        "an end is final"
    );
}

/// The first byte says how the frame begins.
fn packet(input: &[u8]) {
    let (link, frame) = match input.split_first() {
        Some((0, frame)) => (Link::Layer3, frame),
        Some((_, frame)) => (Link::Ethernet, frame),
        None => return,
    };
    ENGINE.with_borrow_mut(|engine| {
        let before = *engine.totals();
        engine.count(frame, link);
        let counted = engine.totals().since(&before);
        assert_eq!((counted.seen, counted.classes.iter().sum::<u64>()), (1, 1));
    });
}

/// Samples one after the other, as they lie in memory.
fn dossier(input: &[u8]) {
    DOSSIERS.with_borrow_mut(|(settings, dossiers)| {
        for part in input.chunks(size_of::<Sample>()) {
            let mut sample = Sample::zeroed();
            bytes_of_mut(&mut sample)[..part.len()].copy_from_slice(part);
            sample.time %= LATEST_NS;
            if let Some(sampled) = Sampled::of(&sample, settings, Duration::ZERO) {
                dossiers.add(&sampled);
            }
        }
        assert!(dossiers.since(Duration::ZERO).count() <= 16_384);
    });
}
