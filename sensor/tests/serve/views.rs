//! Views as a session would publish them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytemuck::Zeroable;
use sensor::detect::{Level, Vantage};
use sensor::host::counters::Counters;
use sensor::host::dropped::{self, Drop, DropKind, Way};
use sensor::host::moment::Moment;
use sensor::host::totals::HostTotals;
use sensor::incident::record::Record;
use sensor::incident::{Cause, record::Stage};
use sensor::measure::latency::Latency;
use sensor::measure::window::ServerWindow;
use sensor::view::{AlertCount, InterfaceView, Loss, Point, Rates, ServerView, State, Usual, View};
use sensor_common::class::Class;
use sensor_common::latency::{BUCKETS, bucket};
use sensor_common::settings::Direction;
use sensor_common::totals::Totals;

use crate::stories;

/// The server of the stories, and of the staged incident.
pub const SERVER: &str = "192.0.2.53";

pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.expect("after 1970").as_millis()).expect("this millennium")
}

pub fn address(number: u32) -> IpAddr {
    Ipv4Addr::from(0xc000_0235 + number).into()
}

/// What a server counted in so many seconds, at so many queries a second, all answered.
pub fn window(seconds: u64, rate: u64) -> ServerWindow {
    let mut window = ServerWindow::empty();
    let queries = seconds * rate;
    window.counters.queries = queries;
    window.counters.responses = queries;
    window.counters.rcode[0] = queries * 9 / 10;
    window.counters.rcode[3] = queries / 10;
    window.counters.transactions.sent = queries;
    window.counters.transactions.answered = queries;
    let mut latency = Latency::fine();
    let mut buckets = [0; BUCKETS];
    buckets[bucket(1_000_000 >> 10)] = u32::try_from(queries).expect("a test is short");
    latency.add(buckets);
    window.latency = latency;
    window
}

pub fn history(at_ms: u64, of: impl Fn(u64) -> [f32; 4]) -> Arc<Vec<Point>> {
    let points = (0..300_u64).rev().map(|age| {
        let [queries, answers, failed, icmp_errors] = of(age);
        Point {
            at_ms: at_ms - age * 1000,
            queries,
            answers,
            failed,
            icmp_errors,
        }
    });
    Arc::new(points.collect())
}

/// A server that answers all.
pub fn server(number: u32, at_ms: u64, rate: u32) -> ServerView {
    let rates = Rates {
        queries: f64::from(rate),
        answered: f64::from(rate),
        answered_share: Some(1.0),
        p50: Some(Duration::from_micros(1_200)),
        p95: Some(Duration::from_millis(4)),
        ..Rates::default()
    };
    let level = f32::from(u16::try_from(rate).expect("a rate of a test"));
    ServerView {
        address: address(number),
        state: State::Ok,
        since_ms: at_ms - 3_600_000,
        changes: [1, 1, 0, 0, 0, 0],
        spent: [Duration::ZERO; 6],
        vantage: Vantage::Client,
        incident: None,
        totals: window(100, u64::from(rate)),
        now: rates,
        minute: rates,
        usual: Usual {
            queries: Some(f64::from(rate)),
            failed_share: Some(0.0),
            p95: Some(Duration::from_millis(4)),
        },
        rules: Vec::new(),
        history: history(at_ms, |age| {
            let phase = (age + 37 * u64::from(number)) % 60;
            let wave = level
                * (1.0 + 0.004 * f32::from(u16::try_from(phase.abs_diff(30)).expect("small")));
            [wave, wave, 0.0, 0.0]
        }),
    }
}

/// So many servers, all well.
pub fn healthy(servers: u32, at_ms: u64) -> View {
    let mut view = View::empty();
    view.at_ms = at_ms;
    view.uptime = Duration::from_hours(76);
    let mut totals = Totals::zeroed();
    totals.seen = 1_000_000;
    totals.classes[Class::DnsQuery.index()] = 400_000;
    totals.classes[Class::NotDns.index()] = 600_000;
    totals.qtype[1] = 300_000;
    totals.qtype[28] = 100_000;
    view.interfaces = vec![InterfaceView {
        name: "eth0".into(),
        hook: "xdp+tcx".into(),
        link: "up",
        detached: None,
        totals: vec![(Direction::Ingress, totals), (Direction::Egress, totals)],
    }];
    view.servers = (0..servers)
        .map(|number| Arc::new(server(number, at_ms, 53 + number % 50)))
        .collect();
    view.network.state = State::Ok;
    view.network.since_ms = at_ms - 3_600_000;
    sum_up(&mut view);
    view.network.usual = Usual {
        queries: Some(view.network.now.queries),
        ..Usual::default()
    };
    view.network.sources = 212;
    view.network.names = 1_904;
    view.others = window(10, 3);
    let sensor = &mut view.sensor;
    sensor.engine = "kernel";
    sensor.cpu_percent = 0.42;
    sensor.rss_bytes = 21_000_000;
    sensor.map_bytes = 9_100_000;
    sensor.one_in = 1;
    sensor.samples_one_in = 16;
    sensor.server_places = (3, 4096);
    sensor.lost = Loss::ALL.iter().map(|loss| (loss.name(), 0)).collect();
    sensor.alerts = vec![AlertCount {
        way: "webhook",
        sent: 2,
        failed: 1,
    }];
    view
}

/// Of all servers together.
fn sum_up(view: &mut View) {
    let servers = view.servers.clone();
    let sum = |of: fn(&Rates) -> f64| servers.iter().map(|server| of(&server.now)).sum();
    let (queries, answered) = (sum(|now| now.queries), sum(|now| now.answered));
    view.network.now = Rates {
        queries,
        answered,
        errored: sum(|now| now.errored),
        unanswered: sum(|now| now.unanswered),
        icmp_errors: sum(|now| now.icmp_errors),
        answered_share: (queries > 0.0).then(|| answered / queries),
        p50: Some(Duration::from_micros(1_200)),
        p95: Some(Duration::from_millis(4)),
    };
    let at = |index: usize, of: fn(&Point) -> f32| -> f32 {
        servers
            .iter()
            .map(|server| of(&server.history[index]))
            .sum()
    };
    view.network.history = history(view.at_ms, |age| {
        let index = 299 - usize::try_from(age).expect("small");
        [
            at(index, |point| point.queries),
            at(index, |point| point.answers),
            at(index, |point| point.failed),
            at(index, |point| point.icmp_errors),
        ]
    });
}

/// The record of the staged outage, as if it had been detected so long ago.
pub fn record(at_ms: u64, ago_ms: u64) -> Record {
    let mut record = stories::of(Cause::ServiceDown);
    let shift = |ms: &mut u64, by: i64| *ms = ms.checked_add_signed(by).expect("after 1970");
    let by =
        i64::try_from(at_ms - ago_ms).expect("now") - i64::try_from(record.onset_ms).expect("then");
    shift(&mut record.onset_ms, by);
    shift(&mut record.detected_ms, by);
    record.last_symptom_ms = at_ms;
    record.updated_ms = at_ms;
    record.stage = Stage::Open;
    record.ended_ms = None;
    record.level = Level::Critical;
    record.id = format!("{}-192-0-2-53", record.detected_ms);
    for symptom in &mut record.symptoms {
        shift(&mut symptom.since_ms, by);
        symptom.until_ms = None;
    }
    for point in &mut record.series.points {
        shift(&mut point.at_ms, by);
    }
    record
}

/// A kernel that finds no socket for the queries, and may not tell all clients so.
fn host() -> HostTotals {
    let kind = DropKind {
        reason: "NO_SOCKET".into(),
        stage: dropped::Stage::Input,
        way: Way::ToServer,
        tcp: false,
        namespace: None,
        interface: Some("eth0".into()),
    };
    let server = SERVER.parse().expect("an address");
    let mut totals = HostTotals::default();
    totals.add(&Moment {
        length: Duration::from_millis(500),
        counters: Counters {
            icmp_sent: 345,
            icmp_held_back: 3_000,
            ..Counters::default()
        },
        drops: Some([(Drop { server, kind }, 3_345)].into()),
        unparsed: 2,
        paused: Duration::from_secs(3),
    });
    totals
}

/// The first of so many servers answers nothing since 69 seconds ago.
pub fn failing(servers: u32, at_ms: u64) -> View {
    let mut view = healthy(servers, at_ms);
    let record = record(at_ms, 69_000);
    let mut first = (*view.servers[0]).clone();
    first.state = State::Failing;
    first.since_ms = record.detected_ms;
    first.changes[State::ALL.len() - 1] = 1;
    first.spent[State::ALL.len() - 1] = Duration::from_secs(68);
    first.incident = Some(record.id.clone());
    first.now = Rates {
        queries: 53.0,
        unanswered: 48.0,
        errored: 5.0,
        icmp_errors: 5.0,
        answered_share: Some(0.0),
        ..Rates::default()
    };
    first.totals.unanswered = 3_000;
    first.totals.counters.transactions.errored = 345;
    first.totals.counters.errors[0] = 345;
    first.totals.counters.errors_matched[0] = 340;
    first.totals.counters.errors_from_server = 345;
    first.history = history(at_ms, |age| match age {
        0..69 => [53.0, 0.0, 53.0, 5.0],
        _ => [50.0, 50.0, 0.0, 0.0],
    });
    view.servers[0] = Arc::new(first);
    view.network.state = State::Failing;
    view.network.since_ms = record.detected_ms;
    sum_up(&mut view);
    view.incidents = vec![Arc::new(record)];
    view.host = Some(host());
    view
}
