//! Views made by hand, with the numbers that such situations have.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytemuck::Zeroable;
use sensor::detect::Vantage;
use sensor::host::totals::HostTotals;
use sensor::incident::{Cause, Record};
use sensor::measure::latency::Latency;
use sensor::measure::window::ServerWindow;
use sensor::view::{
    AlertCount, Heaviest, InterfaceView, Missing, NetworkView, Point, Rates, RuleView, SensorView,
    ServerView, State, Usual, View,
};
use sensor_common::latency::bucket;
use sensor_common::settings::Direction;
use sensor_common::totals::Totals;

use crate::records::ONSET;
use crate::stories;

/// A minute and nine seconds after the onset.
pub const NOW: u64 = ONSET + 69_000;

pub const FAILING: &str = "192.0.2.53";
pub const WIDEST: &str = "2001:db8:1111:2222:3333:4444:5555:6666";

fn ms(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1e3)
}

fn totals(queries: u64) -> Totals {
    let mut totals = Totals::zeroed();
    totals.seen = queries * 2;
    totals.classes[1] = queries;
    totals.classes[2] = queries;
    totals.qtype[1] = queries / 2;
    totals.qtype[28] = queries / 3;
    totals.qtype[65] = queries - queries / 2 - queries / 3;
    totals.rcode[0] = queries - queries / 10;
    totals.rcode[3] = queries / 10;
    totals.opcode[0] = queries * 2;
    totals.tcp = [12, 12, 0, 0, 1, 0, 0, 0];
    totals.truncated = 12;
    totals.icmp_error[0][3][0] = 74;
    totals
}

fn history(before: f32, after: Option<[f32; 3]>) -> Arc<Vec<Point>> {
    let points = (0..900_u64).map(|second| {
        let at_ms = NOW - (899 - second) * 1_000;
        let [queries, answers, failed] = match after {
            Some(after) if at_ms > ONSET => after,
            _ => [before, before, 0.0],
        };
        Point {
            at_ms,
            queries,
            answers,
            failed,
            icmp_errors: if failed > 0.0 { 5.0 } else { 0.0 },
        }
    });
    Arc::new(points.collect())
}

/// A server that answers so many queries a second.
pub fn server(address: &str, queries: u32) -> ServerView {
    let address: IpAddr = address.parse().expect("an address");
    let mut window = ServerWindow::empty();
    let count = u64::from(queries) * 300;
    let queries = f64::from(queries);
    window.counters.queries = count;
    window.counters.responses = count;
    window.counters.answers_by_rcode[0] = count - count / 10;
    window.counters.answers_by_rcode[3] = count / 10;
    window.counters.transactions.sent = count;
    window.counters.transactions.answered = count;
    window.latency = Latency::fine();
    let mut buckets = [0_u32; sensor_common::latency::BUCKETS];
    buckets[bucket(1_200_000 >> 10)] = (count / 2) as u32;
    buckets[bucket(4_000_000 >> 10)] = (count / 2) as u32;
    window.latency.add(buckets);
    let rates = Rates {
        queries,
        answered: queries,
        answered_share: Some(1.0),
        p50: Some(ms(1.2)),
        p95: Some(ms(4.0)),
        ..Rates::default()
    };
    ServerView {
        address,
        state: State::Ok,
        since_ms: NOW - 270_000,
        changes: [1, 0, 0, 0, 0, 0],
        spent: [
            Duration::from_secs(270),
            Duration::from_secs(30),
            Duration::ZERO,
            Duration::ZERO,
            Duration::ZERO,
            Duration::ZERO,
        ],
        vantage: Vantage::Client,
        incident: None,
        totals: window,
        now: rates,
        minute: rates,
        usual: Usual {
            queries: Some(queries),
            failed_share: Some(0.0),
            p95: Some(ms(4.0)),
        },
        rules: vec![
            RuleView {
                rule: "port_unreachable",
                state: "quiet",
                detail: String::new(),
            },
            RuleView {
                rule: "slow",
                state: "quiet",
                detail: String::new(),
            },
        ],
        history: history(queries as f32, None),
    }
}

/// One that fails since the onset, with this incident.
pub fn failing(address: &str, record: &Record) -> ServerView {
    let dead = Rates {
        queries: 53.0,
        errored: 5.0,
        unanswered: 48.0,
        icmp_errors: 5.0,
        answered_share: Some(0.0),
        ..Rates::default()
    };
    ServerView {
        state: State::Failing,
        since_ms: ONSET,
        changes: [1, 0, 0, 0, 0, 1],
        incident: Some(record.id.clone()),
        now: dead,
        minute: dead,
        rules: vec![
            RuleView {
                rule: "port_unreachable",
                state: "critical",
                detail: "5 ICMP port unreachable errors a second, none of 53 queries answered"
                    .into(),
            },
            RuleView {
                rule: "slow",
                state: "unknown",
                detail: "no answer to measure".into(),
            },
        ],
        history: history(50.0, Some([53.0, 0.0, 53.0])),
        ..server(address, 50)
    }
}

fn heaviest(what: &str, at_most: u64, at_least: u64) -> Heaviest {
    Heaviest {
        what: what.into(),
        at_most,
        at_least,
    }
}

/// All is well: two servers.
pub fn ok() -> View {
    let servers = vec![server("192.0.2.54", 812), server(FAILING, 50)];
    View {
        at_ms: NOW,
        uptime: Duration::from_hours(76),
        interfaces: vec![InterfaceView {
            name: "eth0".into(),
            hook: "xdp+tcx".into(),
            link: "up",
            detached: None,
            totals: vec![
                (Direction::Ingress, totals(200_000)),
                (Direction::Egress, totals(100_000)),
            ],
        }],
        lost_hooks: Vec::new(),
        network: NetworkView {
            state: State::Ok,
            since_ms: NOW - 270_000,
            own: State::Ok,
            missing: None,
            now: Rates {
                queries: 862.0,
                answered: 861.8,
                unanswered: 0.2,
                answered_share: Some(0.9998),
                p50: Some(ms(1.2)),
                p95: Some(ms(4.0)),
                ..Rates::default()
            },
            history: history(862.0, None),
            usual: Usual {
                queries: Some(860.0),
                failed_share: Some(0.0),
                p95: Some(ms(4.0)),
            },
            sources: 41,
            usual_sources: Some(40.0),
            sources_error: 3,
            heaviest_sources: vec![
                heaviest("192.0.2.11", 2_100, 2_098),
                heaviest("2001:db8:1:2:3:4:5:6", 1_900, 1_900),
            ],
            heaviest_networks: vec![heaviest("192.0.2.0/24", 6_000, 5_990)],
            names: 120,
            usual_names: None,
            name_samples: 480,
            heaviest_names: vec![
                heaviest("www.example.org", 200, 200),
                heaviest("a-very-long-name-that-does-not-fit.example.com", 100, 99),
            ],
            heaviest_suffixes: vec![heaviest("example.org", 300, 300)],
            learning: None,
        },
        servers: servers.into_iter().map(Arc::new).collect(),
        others: ServerWindow::empty(),
        incidents: Vec::new(),
        host: None,
        sensor: SensorView {
            engine: "kernel",
            cpu_percent: 0.4,
            rss_bytes: 9_000_000,
            map_bytes: 42_000_000,
            one_in: 1,
            samples_one_in: 4,
            server_places: (2, 2_048),
            lost: vec![("samples", 0), ("alerts", 0)],
            incidents_unfollowed: 0,
            opened: [0, 0],
            alerts: vec![AlertCount {
                way: "webhook",
                sent: 0,
                failed: 0,
            }],
        },
    }
}

/// One of two servers is down.
pub fn outage() -> View {
    let record = stories::of(Cause::ServiceDown);
    let mut view = ok();
    let servers = [failing(FAILING, &record), server("192.0.2.54", 812)];
    view.servers = servers.into_iter().map(Arc::new).collect();
    view.incidents = vec![Arc::new(record)];
    let network = &mut view.network;
    network.state = State::Failing;
    network.since_ms = ONSET;
    network.now.queries = 865.0;
    network.now.answered_share = Some(0.94);
    network.now.errored = 5.0;
    network.now.unanswered = 48.0;
    network.now.icmp_errors = 5.0;
    network.history = history(862.0, Some([865.0, 812.0, 53.0]));
    view.sensor.opened = [0, 1];
    view.host.insert(HostTotals::default()).held_back = 48.0;
    view
}

/// The same, and both addresses are as wide as they get.
pub fn widest() -> View {
    let mut view = outage();
    let record = Arc::make_mut(&mut view.incidents[0]);
    record.server = Some(WIDEST.into());
    let address: IpAddr = WIDEST.parse().expect("an address");
    Arc::make_mut(&mut view.servers[0]).address = address;
    view
}

/// Most is counted for what it stands for, and something was lost.
pub fn estimates() -> View {
    let mut view = outage();
    view.sensor.one_in = 8;
    view.sensor.lost = vec![("samples", 1_204), ("alerts", 0)];
    view.sensor.incidents_unfollowed = 3;
    view.lost_hooks = vec!["eth0: the XDP program was replaced by another; packets in that direction are not counted any more".into()];
    view
}

/// The sensor has just begun.
pub fn learning() -> View {
    let mut view = ok();
    view.uptime = Duration::from_secs(18);
    view.network.state = State::Learning;
    view.network.learning = Some((18, 30));
    view.network.usual = Usual::default();
    for server in &mut view.servers {
        let server = Arc::make_mut(server);
        server.state = State::Learning;
        server.usual = Usual::default();
    }
    view
}

/// Only queries pass here.
pub fn one_way() -> View {
    let mut view = ok();
    view.network.state = State::OneWay;
    view.network.missing = Some(Missing::Answers);
    for server in &mut view.servers {
        let server = Arc::make_mut(server);
        server.state = State::OneWay;
        server.now = Rates {
            queries: server.now.queries,
            ..Rates::default()
        };
    }
    view
}

/// Nothing was seen yet.
pub fn nothing() -> View {
    let mut view = ok();
    view.uptime = Duration::from_millis(250);
    view.servers.clear();
    view.network = NetworkView {
        state: State::Learning,
        now: Rates::default(),
        history: Arc::default(),
        usual: Usual::default(),
        heaviest_sources: Vec::new(),
        heaviest_networks: Vec::new(),
        heaviest_names: Vec::new(),
        heaviest_suffixes: Vec::new(),
        learning: Some((0, 30)),
        ..view.network
    };
    view
}

fn with(state: State, cause: Cause, queries: f64, share: f64) -> View {
    let record = stories::of(cause);
    let mut view = outage();
    view.network.state = state;
    view.network.now.queries = queries;
    let server = Arc::make_mut(&mut view.servers[0]);
    server.state = state;
    server.incident = Some(record.id.clone());
    server.now = Rates {
        queries,
        answered: queries * share,
        unanswered: queries * (1.0 - share),
        answered_share: Some(share),
        p50: Some(ms(4.2)),
        p95: Some(ms(310.0)),
        ..Rates::default()
    };
    view.incidents = vec![Arc::new(record)];
    view
}

/// Part of the queries fails.
pub fn degraded() -> View {
    with(State::Degraded, Cause::PacketLoss, 50.0, 0.91)
}

/// Part of the queries fails, and nothing tells why.
pub fn unknown() -> View {
    let mut view = degraded();
    let mut record = stories::unknown();
    record.ended_ms = None;
    record.stage = sensor::incident::record::Stage::Open;
    Arc::make_mut(&mut view.servers[0]).incident = Some(record.id.clone());
    view.incidents = vec![Arc::new(record)];
    view
}

/// Far more than usual, and most is answered.
pub fn flooded() -> View {
    with(State::Flooded, Cause::AttackRandomNames, 41_234.0, 0.98)
}

/// As many servers as a view has.
pub fn full() -> View {
    let mut view = outage();
    let more = (0..254_u32).map(|number| {
        let address = format!("198.51.{}.{}", number / 100, number % 100);
        Arc::new(server(&address, number))
    });
    view.servers.extend(more);
    view
}
