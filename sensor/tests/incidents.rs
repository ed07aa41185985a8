//! The life of incidents, from frames: opened, worsened, eased, closed, stale; and what is kept of them.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use sensor::detect::{Level, Place, Rule, Thresholds};
use sensor::engine::replay::capture::Capture;
use sensor::engine::replay::counting::Counting;
use sensor::engine::replay::host_engine::HostEngine;
use sensor::engine::settings::for_ports;
use sensor::incident::About;
use sensor::incident::packets::write_pcap;
use sensor::incident::record::Stage;
use sensor::incident::store::Store;
use sensor::incident::{Change, Record};
use sensor::measure::address::key;
use sensor::measure::clock::WallClock;
use sensor::monitor::{Monitor, MonitorOptions};
use sensor::present::words::cause::codes;
use sensor_common::sample::Sample;
use sensor_ebpf::parse::Link;
use support::traffic::Exchange;

/// Queries a second.
const RATE: u64 = 20;
/// When the captures of these tests begin: any day.
const EPOCH: Duration = Duration::from_secs(1_700_000_000);

/// A server, five clients, and time that these tests turn.
struct Town {
    engine: HostEngine,
    monitor: Monitor,
    now: Duration,
    asked: u64,
    changes: Vec<(Change, Record)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Server {
    Answers,
    /// Its host answers with port unreachable.
    IsDown,
    /// It says nothing.
    IsSilent,
    /// Nothing to half of the queries.
    FailsHalf,
    /// SERVFAIL.
    CannotFind,
}

impl Town {
    fn new() -> Self {
        Self::with(Thresholds::default())
    }

    fn with(thresholds: Thresholds) -> Self {
        Self::in_shadow(thresholds, [].into())
    }

    fn in_shadow(thresholds: Thresholds, shadow: BTreeSet<Rule>) -> Self {
        let settings = for_ports(&[]).expect("port 53");
        let calendar = WallClock {
            begun: EPOCH,
            samples: EPOCH,
        };
        let options = MonitorOptions {
            thresholds,
            place: Place {
                addresses: [key(server())].into(),
                ..Place::default()
            },
            about: About {
                ports: vec![53],
                watched: vec!["test".into()],
                ..About::default()
            },
            shadow,
        };
        Self {
            monitor: Monitor::new(&settings, calendar, options),
            engine: HostEngine::new("test", settings),
            now: EPOCH,
            asked: 0,
            changes: Vec::new(),
        }
    }

    fn pass_to(&mut self, time: Duration) {
        self.now = time;
        let (monitor, changes) = (&mut self.monitor, &mut self.changes);
        self.engine.set_time_with(time, |engine, at| {
            let samples: Vec<Sample> = engine.samples().collect();
            let reading = engine.reading(at.saturating_sub(EPOCH));
            changes.extend(monitor.observe(&reading, &samples));
        });
    }

    fn frame(&mut self, frame: &[u8]) {
        self.engine.count(frame, Link::Ethernet);
    }

    /// Seconds of queries, and what the server does.
    fn run(&mut self, seconds: u64, server_is: Server) {
        self.run_at(
            Duration::from_secs(1) / RATE as u32,
            seconds * RATE,
            server_is,
        );
    }

    /// So many queries, one every `step`.
    fn run_at(&mut self, step: Duration, queries: u64, server_is: Server) {
        for _ in 0..queries {
            let next = self.now + step;
            self.ask(server(), server_is);
            self.pass_to(next);
        }
    }

    fn ask(&mut self, server: IpAddr, server_is: Server) {
        let client = IpAddr::from([192, 0, 2, 1 + (self.asked % 5) as u8]);
        self.ask_from(client, server, server_is);
    }

    fn ask_from(&mut self, client: IpAddr, server: IpAddr, server_is: Server) {
        self.asked += 1;
        let exchange = Exchange {
            client,
            server,
            port: 20_000 + (self.asked / 50_000) as u16,
            id: self.asked as u16,
        };
        self.frame(&exchange.query("www.example.org"));
        self.pass_to(self.now + Duration::from_millis(2));
        match server_is {
            Server::IsDown => self.frame(&exchange.error(server, 50)),
            Server::IsSilent => {}
            Server::CannotFind => {
                let mut response = exchange.response();
                // Behind Ethernet, IPv4 and UDP; RCODE 2 in the fourth byte.
                response[14 + 20 + 8 + 3] |= 2;
                self.frame(&response);
            }
            Server::FailsHalf if self.asked % 4 < 2 => {}
            Server::Answers | Server::FailsHalf => self.frame(&exchange.response()),
        }
    }

    /// Nobody asks.
    fn idle(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.pass_to(self.now + Duration::from_secs(1));
        }
    }

    fn told(&self) -> Vec<Change> {
        self.changes.iter().map(|(change, _)| *change).collect()
    }

    fn last(&self) -> &Record {
        let (_, record) = self.changes.last().expect("something has changed");
        record
    }
}

fn server() -> IpAddr {
    "192.0.2.53".parse().expect("an address")
}

fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("sensor-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    path
}

#[test]
fn an_outage_opens_worsens_and_closes_once() {
    let mut town = Town::new();
    town.run(20, Server::Answers);
    assert_eq!(town.told(), []);
    town.run(30, Server::IsDown);
    assert_eq!(town.told(), [Change::Opened, Change::Worsened]);
    let opened = &town.changes[0].1;
    // 20 s of health: the first failure is within a tick of then, the detection within a second.
    let onset = u64::try_from((EPOCH + Duration::from_secs(20)).as_millis()).expect("small");
    assert!(opened.onset_ms.abs_diff(onset) <= 300, "{opened:?}");
    assert!(opened.detected_ms - onset <= 1_000, "{opened:?}");
    assert_eq!(codes(opened), "service_down");
    town.run(25, Server::Answers);
    assert_eq!(town.told().len(), 2, "not before 30 s of calm");
    town.run(15, Server::Answers);
    assert_eq!(town.told().last(), Some(&Change::Closed));
    let closed = town.last();
    assert_eq!(closed.stage, Stage::Closed);
    assert_eq!(closed.level, Level::Critical);
    let lasted = closed.ended_ms.expect("an end") - closed.detected_ms;
    assert!(lasted >= 60_000, "{lasted}");
    // 600 failed, some may have been counted in the tick before the first sign.
    assert!((580..=600).contains(&closed.during.errored), "{closed:?}");
    // An answer may come a tick after its query, and the tick in which it began is on one side.
    let before = &closed.before;
    assert!(before.asked.abs_diff(before.answered) <= 2, "{before:?}");
    assert!(before.queries >= 390, "{before:?}");
    town.run(60, Server::Answers);
    assert_eq!(town.told().len(), 3, "it does not flap: {:?}", town.told());
}

#[test]
fn an_outage_that_comes_and_goes_is_one_incident() {
    let mut town = Town::new();
    town.run(20, Server::Answers);
    for _ in 0..5 {
        town.run(8, Server::IsDown);
        town.run(12, Server::Answers);
    }
    let opened = town.told().iter().filter(|c| **c == Change::Opened).count();
    let closed = town.told().iter().filter(|c| **c == Change::Closed).count();
    assert_eq!((opened, closed), (1, 0), "{:?}", town.told());
}

#[test]
fn a_short_restart_is_a_warning_and_nothing_worse() {
    let mut town = Town::new();
    town.run(20, Server::Answers);
    town.run(5, Server::IsDown);
    town.run(100, Server::Answers);
    assert_eq!(town.told(), [Change::Opened, Change::Closed]);
    assert_eq!(town.last().level, Level::Warning);
}

#[test]
fn no_traffic_ends_no_failure_and_makes_it_stale() {
    let mut town = Town::new();
    town.run(10, Server::Answers);
    town.run(15, Server::IsDown);
    let before = town.told().len();
    town.idle(9 * 60);
    assert_eq!(town.told().len(), before, "{:?}", town.told());
    town.idle(2 * 60);
    assert_eq!(town.told().last(), Some(&Change::Stale));
    assert_eq!(town.last().stage, Stage::Stale);
}

#[test]
fn a_failure_that_ends_when_hardly_anybody_asks_is_over() {
    // That hardly anybody asks is another sign.
    let few = || Thresholds {
        collapse_rate: 1_000.0,
        ..Thresholds::default()
    };
    for failure in [Server::IsDown, Server::IsSilent, Server::FailsHalf] {
        let mut town = Town::with(few());
        town.run(20, Server::Answers);
        town.run(30, failure);
        assert_eq!(town.told().first(), Some(&Change::Opened));
        // Too few for any rule; all are answered.
        town.run_at(Duration::from_secs(20), 15, Server::Answers);
        assert_eq!(town.told().last(), Some(&Change::Closed));
        // And while they are not, or half of them, it is not over.
        for still in [Server::IsSilent, Server::FailsHalf] {
            let mut town = Town::with(few());
            town.run(20, Server::Answers);
            town.run(30, failure);
            town.run_at(Duration::from_secs(35), 14, still);
            assert_ne!(
                town.told().last(),
                Some(&Change::Closed),
                "{:?}",
                town.told()
            );
        }
    }
}

#[test]
fn queries_that_stay_away_for_long_are_usual() {
    let mut town = Town::with(Thresholds {
        collapse_rate: 10.0,
        ..Thresholds::default()
    });
    town.run(60, Server::Answers);
    // One client is left.
    let rarely = |town: &mut Town, queries: u64| {
        for _ in 0..queries {
            town.asked += 4;
            town.run_at(Duration::from_secs(2), 1, Server::Answers);
        }
    };
    rarely(&mut town, 400);
    assert_eq!(town.told(), [Change::Opened], "after 800 s");
    assert_eq!(town.last().symptoms[0].rule, "collapse");
    rarely(&mut town, 120);
    assert_eq!(town.told().last(), Some(&Change::Closed));
    let said = &town.last().symptoms[0].detail;
    assert!(said.contains("lasted for 15 min"), "{said}");
}

#[test]
fn what_comes_after_an_outage_does_not_change_its_cause() {
    let mut town = Town::new();
    town.run(20, Server::Answers);
    town.run(30, Server::IsDown);
    let (_, worse) = town.changes.last().expect("it was critical").clone();
    assert_eq!(codes(&worse), "service_down");
    town.run(60, Server::Answers);
    let closed = town.last();
    assert_eq!(closed.stage, Stage::Closed);
    assert_eq!(codes(closed), "service_down");
    // Up to the last sign: the 600 that failed, and hardly one of those that were answered later.
    let during = &closed.during;
    assert!(during.answered <= 20, "{during:?}");
    let lasted = closed.last_symptom_ms - closed.onset_ms;
    assert!((29_000..=32_000).contains(&lasted), "{lasted}");
    // What came later is in the series.
    let answered: u64 = closed
        .series
        .points
        .iter()
        .map(|point| point.answered)
        .sum();
    assert!(answered >= 900, "{answered}");
    // A sign of the recovery would be no news.
    assert_eq!(
        town.told(),
        [Change::Opened, Change::Worsened, Change::Closed]
    );
}

#[test]
fn what_lasts_longer_is_what_it_is_about() {
    let fast = Duration::from_millis(25);
    let mut town = Town::new();
    town.run_at(fast, 800, Server::Answers);
    // An upstream that is gone, and then the service itself.
    town.run_at(fast, 800, Server::CannotFind);
    assert_eq!(codes(town.last()), "upstream_failure");
    town.run_at(fast, 1_600, Server::IsDown);
    assert_eq!(codes(town.last()), "service_down");
    // A service that comes back, and has to find its upstream again.
    let mut town = Town::new();
    town.run_at(fast, 800, Server::Answers);
    town.run_at(fast, 4_000, Server::IsDown);
    town.run_at(fast, 400, Server::CannotFind);
    let (record, _) = town.monitor.finish().remove(0);
    assert_eq!(codes(&record), "service_down", "{record:#?}");
    assert!(
        record.during.rcodes.get("SERVFAIL").copied().unwrap_or(0) <= 40,
        "{:?}",
        record.during
    );
    // One that waits for its upstream, and then says so.
    let mut town = Town::new();
    town.run_at(fast, 800, Server::Answers);
    town.run_at(fast, 520, Server::IsSilent);
    town.run_at(fast, 120, Server::Answers);
    town.run_at(fast, 280, Server::CannotFind);
    assert_eq!(codes(&town.monitor.finish()[0].0), "upstream_failure");
}

#[test]
fn a_flood_that_is_over_did_not_bring_about_what_fails_later() {
    let mut limits = Thresholds::default();
    limits.source_rate.warning = 20.0;
    limits.source_rate.critical = 40.0;
    limits.source_rise = 1.5;
    let mut town = Town::with(limits);
    town.run(60, Server::Answers);
    // One client, all of whose queries are answered.
    let client = IpAddr::from([192, 0, 2, 200]);
    for id in 0..750_u16 {
        let exchange = Exchange {
            client,
            server: server(),
            port: 40_000,
            id,
        };
        town.frame(&exchange.query("www.example.org"));
        town.pass_to(town.now + Duration::from_millis(1));
        town.frame(&exchange.response());
        town.pass_to(town.now + Duration::from_millis(19));
    }
    assert_eq!(codes(town.last()), "attack_one_source");
    // Of the last ten seconds it is still the heaviest source.
    town.run(4, Server::Answers);
    town.run(20, Server::IsDown);
    assert_eq!(codes(town.last()), "service_down", "{:#?}", town.last());
}

#[test]
fn clients_that_ask_again_are_no_attack() {
    let limits = || {
        let mut limits = Thresholds::default();
        limits.flood_rate.warning = 50.0;
        limits.flood_rate.critical = 500.0;
        limits
    };
    let step = Duration::from_millis(4);
    let mut town = Town::with(limits());
    town.run(60, Server::Answers);
    // Each asks five times as soon as it gets no answer.
    town.run(1, Server::IsSilent);
    town.run_at(step, 3_000, Server::IsSilent);
    let record = town.last();
    let rules: Vec<&str> = record
        .symptoms
        .iter()
        .map(|symptom| symptom.rule.as_str())
        .collect();
    assert!(
        rules.contains(&"query_flood") && rules.contains(&"silent"),
        "{rules:?}"
    );
    assert!(!codes(record).contains("attack"), "{record:#?}");
    // The other way round it is one.
    let mut town = Town::with(limits());
    town.run(60, Server::Answers);
    town.run_at(step, 500, Server::Answers);
    town.run_at(step, 3_000, Server::IsSilent);
    assert_eq!(codes(town.last()), "attack_distributed");
}

#[test]
fn an_error_that_was_slow_before_says_nothing_of_an_outage() {
    let mut town = Town::new();
    town.run(20, Server::Answers);
    // One error about a query that had waited for more than a second.
    let exchange = Exchange {
        client: IpAddr::from([192, 0, 2, 9]),
        server: server(),
        port: 999,
        id: 9,
    };
    town.frame(&exchange.query("www.example.org"));
    town.run_at(Duration::from_millis(50), 24, Server::Answers);
    town.frame(&exchange.error(server(), 50));
    town.run(30, Server::Answers);
    assert_eq!(town.told(), []);
    town.run(12, Server::IsDown);
    let slowest = town.last().slowest_icmp_ms;
    assert!(slowest.is_some_and(|ms| ms < 100), "{slowest:?}");
}

/// One of very many.
fn other(number: u64) -> IpAddr {
    let [.., high, low] = number.to_be_bytes();
    IpAddr::from([198, 18, high, low])
}

#[test]
fn an_incident_of_a_server_that_is_forgotten_ends_too() {
    let mut town = Town::new();
    let server = other(5_000);
    for server_is in [Server::Answers, Server::IsDown] {
        for _ in 0..400 {
            town.ask(server, server_is);
            town.pass_to(town.now + Duration::from_millis(50));
        }
    }
    let id = town.last().id.clone();
    // Its sign is on for two minutes more: others give way first, though they were seen later.
    town.idle(2);
    for number in 1_000..1_300 {
        town.ask(other(number), Server::Answers);
    }
    town.idle(1);
    assert!(town.monitor.detector().server(&key(server)).is_some());
    town.idle(140);
    for number in 0..300 {
        town.ask(other(number), Server::Answers);
    }
    town.idle(1);
    assert!(town.monitor.detector().server(&key(server)).is_none());
    for _ in 0..8 {
        town.pass_to(town.now + Duration::from_mins(1));
    }
    let ended = town
        .changes
        .iter()
        .find(|(change, _)| *change == Change::Stale);
    assert_eq!(
        ended.map(|(_, record)| &record.id),
        Some(&id),
        "{:?}",
        town.told()
    );
    assert_eq!(town.monitor.records(0, 1), []);
}

#[test]
fn the_least_incident_gives_way_to_a_worse_one_and_what_is_not_followed_is_told() {
    let mut town = Town::new();
    // For more than a minute, so that any might give way; none is less than another.
    for _ in 0..280 {
        for number in 0..71 {
            // Each has a client of its own: those of one client are one incident.
            let client = IpAddr::from([192, 0, 2, 100 + number as u8]);
            town.ask_from(client, other(number), Server::IsDown);
        }
        town.pass_to(town.now + Duration::from_millis(100));
    }
    let given_up = |town: &Town| {
        let told = town.told();
        told.iter().filter(|c| **c == Change::Stale).count()
    };
    assert_eq!(given_up(&town), 0);
    assert_eq!(town.monitor.records(0, 1).len(), 64);
    assert_eq!(town.monitor.unfollowed(), 7);
    // They are asked no more, and another server fails.
    town.idle(140);
    assert_eq!(town.monitor.unfollowed(), 0);
    town.run(20, Server::Answers);
    town.run(20, Server::IsDown);
    let records = town.monitor.records(0, 1);
    assert_eq!(records.len(), 64);
    let ours = records
        .iter()
        .find(|record| record.server == Some(server().to_string()));
    assert_eq!(ours.map(|record| record.level.name()), Some("critical"));
    // Those that nobody asks any more do not take each other's places.
    assert_eq!(given_up(&town), 1, "{:?}", town.told());
}

#[test]
fn a_rule_in_the_shadow_is_told_once_and_opens_nothing() {
    let shadow = [Rule::PortUnreachable].into();
    let mut town = Town::in_shadow(Thresholds::default(), shadow);
    for _ in 0..2 {
        town.run(20, Server::Answers);
        town.run(20, Server::IsDown);
        let told = town.monitor.take_shadows();
        let told: Vec<Rule> = told.iter().map(|shadow| shadow.reading.rule).collect();
        assert_eq!(told, [Rule::PortUnreachable]);
        // Until it is quiet.
        town.run(20, Server::Answers);
    }
    assert_eq!(town.told(), []);
}

#[test]
fn the_series_begins_before_the_first_sign_and_agrees_with_the_counts() {
    let mut town = Town::new();
    town.run(70, Server::Answers);
    town.run(20, Server::IsDown);
    let (record, packets) = town.monitor.finish().remove(0);
    assert_eq!(record.stage, Stage::Unfinished);
    let first = record.series.points.first().expect("points").at_ms;
    let before = record.onset_ms - first;
    assert!((58_000..=62_000).contains(&before), "{before}");
    let points = &record.series.points;
    let queries: u64 = points.iter().map(|point| point.queries).sum();
    // The counts end with the last symptom, a tick before.
    let asked = record.before.asked + record.during.asked;
    assert!((asked..=asked + 6).contains(&queries), "{queries}, {asked}");
    for point in points {
        let ends = point.answered + point.failed + point.pending;
        assert_eq!(point.queries, ends, "{point:?}");
    }
    assert!((record.before.seconds - 60.0).abs() < 1.0, "{record:?}");
    assert_eq!(record.sampling.packets, packets.len());
    assert!(!packets.is_empty() && packets.len() <= 256);
}

/// An outage with all that a record can have.
fn outage() -> (Record, Vec<Sample>, WallClock) {
    let mut town = Town::new();
    town.run(12, Server::Answers);
    town.run(12, Server::IsDown);
    let calendar = *town.monitor.calendar();
    let (record, packets) = town.monitor.finish().remove(0);
    (record, packets, calendar)
}

#[test]
fn a_record_comes_back_from_disk_as_it_was_and_only_its_owner_reads_it() {
    let (record, packets, calendar) = outage();
    let path = directory("store");
    let store = Store::new(Some(&path));
    assert!(store.newest().is_err());
    store
        .write(&record, &[], &packets, &calendar)
        .expect("written");
    let read = store.read(&record.id).expect("read");
    assert_eq!(read, record);
    for file in fs::read_dir(&path).expect("a directory") {
        let file = file.expect("an entry");
        let mode = file.metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.path());
    }
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let unknown = store.read("../outside").expect_err("no such incident");
    assert!(unknown.to_string().contains(&record.id), "{unknown}");
    // The newest 100 stay.
    for number in 0..110 {
        let mut other = record.clone();
        other.id = format!("{}-192-0-2-9", 1_800_000_000_000_u64 + number);
        store
            .write(&other, &[], &packets[..1], &calendar)
            .expect("written");
    }
    assert_eq!(store.ids().expect("readable").len(), 100);
    assert!(store.read(&record.id).is_err());
    fs::remove_dir_all(&path).expect("removed");
}

#[test]
fn files_of_others_in_the_directory_are_left_alone() {
    let (record, packets, calendar) = outage();
    let path = directory("others");
    fs::create_dir_all(&path).expect("a directory");
    // By any name, also one that looks like an incident.
    let names = (0..130)
        .map(|number| format!("a{number}"))
        .chain(["2026-01-02".into(), "1500000000000-2".into()]);
    let others: Vec<PathBuf> = names
        .flat_map(|name| ["json", "pcap"].map(|end| path.join(format!("{name}.{end}"))))
        .collect();
    for file in &others {
        fs::write(file, "{}").expect("written");
    }
    let store = Store::new(Some(&path));
    for number in 0..110 {
        let mut other = record.clone();
        other.id = format!("{}-192-0-2-9", 1_600_000_000_000_u64 + number);
        store
            .write(&other, &[], &packets[..1], &calendar)
            .expect("written");
    }
    // One that goes on while a hundred came after it.
    let first = format!("{}-network", 1_590_000_000_000_u64);
    let mut old = record.clone();
    old.id.clone_from(&first);
    store
        .write(&old, &[], &packets[..1], &calendar)
        .expect("written");
    assert!(store.read(&first).is_ok());
    let missing: Vec<_> = others.iter().filter(|file| !file.exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    fs::remove_dir_all(&path).expect("removed");
}

#[test]
fn a_link_in_a_shared_directory_is_not_followed() {
    let (record, packets, calendar) = outage();
    let path = directory("links");
    fs::create_dir_all(&path).expect("a directory");
    let target = path.join("precious");
    fs::write(&target, "as it was").expect("written");
    for end in ["json", "json.new", "pcap", "pcap.new"] {
        let link = path.join(format!("{}.{end}", record.id));
        std::os::unix::fs::symlink(&target, link).expect("a link");
    }
    let store = Store::new(Some(&path));
    store
        .write(&record, &[], &packets, &calendar)
        .expect("written");
    assert_eq!(fs::read_to_string(&target).expect("there"), "as it was");
    assert_eq!(store.read(&record.id).expect("read"), record);
    let shared = |mode| {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        store.is_shared()
    };
    assert_eq!(
        [0o700, 0o755, 0o770, 0o777].map(shared),
        [false, false, true, true]
    );
    fs::remove_dir_all(&path).expect("removed");
}

#[test]
fn the_packets_are_a_capture_that_we_and_tcpdump_read() {
    let (record, packets, calendar) = outage();
    let path = directory("pcap");
    fs::create_dir_all(&path).expect("a directory");
    let file = path.join("evidence.pcap");
    let writer = fs::File::create(&file).expect("a file");
    write_pcap(writer, &packets, &calendar).expect("written");
    let mut frames = 0;
    let mut errors = 0;
    let read = Capture::open(&file).expect("a capture").for_each(|frame| {
        let at = frame.time.expect("a time");
        let at = u64::try_from(at.as_millis()).expect("small");
        assert!(at <= record.updated_ms && at + 70_000 >= record.onset_ms);
        frames += 1;
        // IPv4 with protocol ICMP.
        errors += usize::from(frame.bytes[14 + 9] == 1);
    });
    read.expect("to its end");
    assert_eq!(frames, packets.len());
    assert!(errors >= 32, "{errors} ICMP errors");
    if let Ok(output) = Command::new("tcpdump").args(["-nr"]).arg(&file).output() {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text.lines().count(), packets.len(), "{text}");
        assert!(text.contains("udp port 53 unreachable"), "{text}");
    } else {
        eprintln!("tcpdump is not installed: what it makes of the packets was not looked at");
    }
    fs::remove_dir_all(&path).expect("removed");
}
