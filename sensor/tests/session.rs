//! The loop that all commands share: what a face shows, and how often, changes nothing.

mod support;

use std::io::Write;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use sensor::command::lines::Lines;
use sensor::detect::{Place, Thresholds};
use sensor::engine::Tick;
use sensor::engine::replay::capture::Capture;
use sensor::engine::replay::host_engine::HostEngine;
use sensor::engine::replay::player::Replay;
use sensor::engine::settings::{for_ports, timeout};
use sensor::incident::About;
use sensor::incident::{Change, Record};
use sensor::measure::address::key;
use sensor::monitor::MonitorOptions;
use sensor::present::output::{Format, Lines as Output};
use sensor::session::{Face, Published, Session};
use support::traffic::Exchange;

/// A capture of a made-up day.
struct Film {
    bytes: Vec<u8>,
    now: Duration,
    asked: u32,
}

impl Film {
    fn new() -> Self {
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
    fn seconds(&mut self, seconds: u32, ends: impl Fn(Exchange) -> Option<Vec<u8>>) {
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

fn server() -> IpAddr {
    IpAddr::from([192, 0, 2, 53])
}

#[expect(clippy::unnecessary_wraps, reason = "one of several kinds of servers")]
fn answered(exchange: Exchange) -> Option<Vec<u8>> {
    Some(exchange.response())
}

#[expect(clippy::unnecessary_wraps, reason = "one of several kinds of servers")]
fn refused(exchange: Exchange) -> Option<Vec<u8>> {
    Some(exchange.error(server(), 50))
}

fn silence(_: Exchange) -> Option<Vec<u8>> {
    None
}

fn session(film: &[u8]) -> Session<Replay<'_, HostEngine>> {
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
        },
        shadow: [].into(),
    };
    let capture = Capture::new("film".into(), film).expect("a capture");
    let counting = HostEngine::new("film", settings.clone());
    let engine = Replay::new(capture, counting, "film", timeout(&settings));
    Session::new(engine, &settings, options)
}

/// Runs a session to its end.
fn run(session: &mut Session<Replay<'_, HostEngine>>, face: &mut impl Face) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime
        .block_on(session.run(face, std::future::pending()))
        .expect("the face takes all");
    session.finish(face).expect("the face takes all");
}

/// A face, and beside it what becomes of incidents.
struct Noted<F> {
    face: F,
    changes: Vec<(Change, Record)>,
    unfinished: Vec<Record>,
}

impl<F: Face> Face for Noted<F> {
    fn show(&mut self, now: &Published<'_>) -> Result<ControlFlow<()>> {
        self.changes.extend(now.changes.iter().cloned());
        self.face.show(now)
    }

    fn unfinished(&mut self, record: Record) -> Result<()> {
        self.unfinished.push(record.clone());
        self.face.unfinished(record)
    }
}

/// Keeps what is written.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_interval_of_the_display_changes_no_incident() {
    let mut film = Film::new();
    film.seconds(40, answered);
    film.seconds(20, refused);
    film.seconds(60, answered);
    film.seconds(20, silence);
    let shown_at = |seconds: f64| {
        let paper = Paper::default();
        let out = Output::to(paper.clone()).expect("a thread");
        let interval = Duration::from_secs_f64(seconds);
        let mut face = Noted {
            face: Lines::new(Format::Json, true, interval, out),
            changes: Vec::new(),
            unfinished: Vec::new(),
        };
        run(&mut session(&film.bytes), &mut face);
        face.face.finish().expect("written");
        let text = String::from_utf8(paper.0.lock().expect("no panic").clone()).expect("text");
        let intervals = text.matches(r#""kind":"totals""#).count();
        (face.changes, face.unfinished, intervals)
    };
    let (changes, unfinished, intervals) = shown_at(1.0);
    let told: Vec<Change> = changes.iter().map(|(change, _)| *change).collect();
    assert_eq!(told.iter().filter(|c| **c == Change::Opened).count(), 2);
    assert!(told.contains(&Change::Closed), "{told:?}");
    assert_eq!(unfinished.len(), 1);
    // 140 s, and those that the last queries are waited for.
    assert!((140..=144).contains(&intervals), "{intervals}");
    for (seconds, fewest) in [(0.1, 4 * 140), (0.25, 4 * 140), (5.0, 28)] {
        let (others, others_unfinished, intervals) = shown_at(seconds);
        assert!(others == changes, "the incidents differ at {seconds} s");
        assert!(
            others_unfinished == unfinished,
            "they differ at {seconds} s"
        );
        assert!(
            (fewest..fewest + 20).contains(&intervals),
            "{intervals} intervals of {seconds} s"
        );
    }
}

/// Counts the ticks.
#[derive(Default)]
struct Ticks {
    begun: usize,
    next: Vec<Duration>,
    rest: usize,
    unfinished: usize,
    queries: u64,
}

impl Face for Ticks {
    fn show(&mut self, now: &Published<'_>) -> Result<ControlFlow<()>> {
        match now.tick {
            Tick::Begin(_) => self.begun += 1,
            Tick::Next => self.next.push(now.reading.window.elapsed),
            Tick::Rest => self.rest += 1,
        }
        let servers = now.reading.window.servers.values();
        self.queries += servers.map(|server| server.counters.queries).sum::<u64>();
        Ok(ControlFlow::Continue(()))
    }

    fn unfinished(&mut self, _: Record) -> Result<()> {
        self.unfinished += 1;
        Ok(())
    }
}

#[test]
fn ticks_come_by_the_time_of_the_packets_and_have_all_of_them() {
    let mut film = Film::new();
    film.seconds(3, answered);
    let mut ticks = Ticks::default();
    run(&mut session(&film.bytes), &mut ticks);
    assert_eq!(ticks.begun, 1);
    // The last packets lie in one of them.
    assert_eq!(ticks.next, vec![Duration::from_millis(250); 12]);
    assert!(ticks.rest > 8, "{}", ticks.rest);
    assert_eq!(ticks.queries, 120);
}

#[test]
fn time_begins_anew_where_the_clock_of_a_capture_is_set_back() {
    let mut film = Film::new();
    film.seconds(20, answered);
    film.seconds(10, refused);
    film.now -= Duration::from_hours(1);
    film.seconds(5, answered);
    let mut ticks = Ticks::default();
    run(&mut session(&film.bytes), &mut ticks);
    assert_eq!((ticks.begun, ticks.unfinished), (2, 1));
    assert_eq!(ticks.queries, 35 * 40);
}
