//! A made-up day as a capture, and a session over it.

use std::net::IpAddr;
use std::time::Duration;

use sensor::detect::{Place, Rule, Thresholds};
use sensor::engine::replay::capture::Capture;
use sensor::engine::replay::host_engine::HostEngine;
use sensor::engine::replay::player::Replay;
use sensor::engine::settings::{for_ports, timeout};
use sensor::incident::About;
use sensor::measure::address::key;
use sensor::monitor::MonitorOptions;
use sensor::session::{Face, Session};

use super::traffic::Exchange;

/// A capture of a made-up day.
pub struct Film {
    /// The file.
    pub bytes: Vec<u8>,
    /// The time of the next packet.
    pub now: Duration,
    asked: u32,
}

impl Film {
    /// Nothing yet.
    pub fn new() -> Self {
        let mut bytes = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
            bytes.extend(word.to_le_bytes());
        }
        Self {
            bytes,
            now: Duration::from_secs(1_700_000_000),
            asked: 0,
        }
    }

    fn frame(&mut self, frame: &[u8]) {
        let seconds = u32::try_from(self.now.as_secs()).expect("before 2106");
        let length = frame.len() as u32;
        for word in [seconds, self.now.subsec_micros(), length, length] {
            self.bytes.extend(word.to_le_bytes());
        }
        self.bytes.extend(frame);
    }

    /// So many seconds of 40 queries each, by four clients.
    pub fn seconds(&mut self, seconds: u32, ends: impl Fn(Exchange) -> Option<Vec<u8>>) {
        for _ in 0..seconds * 40 {
            self.asked += 1;
            let exchange = Exchange {
                client: IpAddr::from([192, 0, 2, 1 + (self.asked % 4) as u8]),
                server: server(),
                port: 20_000 + (self.asked / 50_000) as u16,
                id: self.asked as u16,
            };
            self.frame(&exchange.query("www.example.org"));
            self.now += Duration::from_millis(1);
            if let Some(frame) = ends(exchange) {
                self.frame(&frame);
            }
            self.now += Duration::from_millis(24);
        }
    }
}

/// The server.
pub fn server() -> IpAddr {
    IpAddr::from([192, 0, 2, 53])
}

/// Each query is answered.
#[expect(clippy::unnecessary_wraps, reason = "one of several kinds of servers")]
pub fn answered(exchange: Exchange) -> Option<Vec<u8>> {
    Some(exchange.response())
}

/// Each query gets an ICMP error.
#[expect(clippy::unnecessary_wraps, reason = "one of several kinds of servers")]
pub fn refused(exchange: Exchange) -> Option<Vec<u8>> {
    Some(exchange.error(server(), 50))
}

/// Nothing comes back.
pub fn silence(_: Exchange) -> Option<Vec<u8>> {
    None
}

/// A session over it, with the sensor on the server's host; rules of `shadow` open no incident.
pub fn session<'f>(film: &'f [u8], shadow: &[Rule]) -> Session<Replay<'f, HostEngine>> {
    let settings = for_ports(&[]).expect("port 53");
    let options = MonitorOptions {
        thresholds: Thresholds::default(),
        place: Place {
            addresses: [key(server())].into(),
            ..Place::default()
        },
        about: About {
            ports: vec![53],
            watched: vec!["film".into()],
            ..About::default()
        },
        shadow: shadow.iter().copied().collect(),
    };
    let capture = Capture::new("film".into(), film).expect("a capture");
    let counting = HostEngine::new("film", settings.clone());
    let engine = Replay::new(capture, counting, "film", timeout(&settings));
    Session::new(engine, &settings, options)
}

/// Runs a session to its end.
pub fn run(session: &mut Session<Replay<'_, HostEngine>>, face: &mut impl Face) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime
        .block_on(session.run(face, std::future::pending()))
        .expect("the face takes all");
    session.finish(face).expect("the face takes all");
}
