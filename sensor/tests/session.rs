//! The loop that all commands share: what a face shows, and how often, changes nothing.

mod support;

use std::io::Write;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use sensor::command::lines::Lines;
use sensor::engine::Tick;
use sensor::incident::store::Store;
use sensor::incident::{Change, Record};
use sensor::present::output::{Format, Lines as Output};
use sensor::session::{Face, Published};
use support::film::{Film, answered, refused, run, session, silence};

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
            face: Lines::new(Format::Json, true, interval, out, Store::new(None)),
            changes: Vec::new(),
            unfinished: Vec::new(),
        };
        run(&mut session(&film.bytes, &[]), &mut face);
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
    run(&mut session(&film.bytes, &[]), &mut ticks);
    assert_eq!(ticks.begun, 1);
    // The last packets lie in one of them.
    assert_eq!(ticks.next, vec![Duration::from_millis(250); 12]);
    // What comes behind them is one long tick or several.
    assert!(ticks.rest >= 1);
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
    run(&mut session(&film.bytes, &[]), &mut ticks);
    assert_eq!((ticks.begun, ticks.unfinished), (2, 1));
    assert_eq!(ticks.queries, 35 * 40);
}
