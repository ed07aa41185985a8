//! The live model as one object of JSON: `/api/v1/status`.

use std::net::IpAddr;
use std::time::Duration;

use sensor_common::settings::Direction;
use sensor_common::totals::Totals;
use serde::Serialize;

use super::counts::{CountsObject, ServerCounts};
use super::report;
use super::schema::SCHEMA;
use super::verdict::verdict;
use crate::detect::{Level, Vantage};
use crate::host::dropped::Dropped;
use crate::host::totals::HostTotals;
use crate::incident::Cause;
use crate::incident::record::{Record, Stage};
use crate::view::{
    Heaviest, InterfaceView, NetworkView, Point, Rates, SensorView, ServerView, State, Usual, View,
};

/// See the module. Counters are monotone, rates are per second, times are milliseconds since 1970 unless their name
/// says otherwise.
#[derive(Debug, Serialize)]
pub struct ViewObject<'a> {
    schema: u32,
    kind: &'static str,
    at_ms: u64,
    uptime_ms: u64,
    verdict: VerdictObject,
    interfaces: Vec<InterfaceObject<'a>>,
    lost_hooks: &'a [String],
    network: NetworkObject<'a>,
    servers: Vec<ServerObject<'a>>,
    others: ServerCounts,
    incidents: Vec<IncidentLine<'a>>,
    host: Option<HostObject>,
    sensor: SensorObject,
}

/// Whether DNS is all right, in words.
#[derive(Debug, Serialize)]
pub struct VerdictObject {
    state: &'static str,
    word: &'static str,
    headline: String,
    why: Option<String>,
}

impl VerdictObject {
    /// Of a view.
    #[must_use]
    pub fn new(view: &View) -> Self {
        let verdict = verdict(view);
        Self {
            state: verdict.state.name(),
            word: verdict.word,
            headline: verdict.headline,
            why: verdict.why,
        }
    }
}

#[derive(Debug, Serialize)]
struct InterfaceObject<'a> {
    name: &'a str,
    hook: &'a str,
    link: &'static str,
    detached: Option<&'static str>,
    ingress: Option<CountsObject>,
    egress: Option<CountsObject>,
}

impl<'a> InterfaceObject<'a> {
    fn new(view: &'a InterfaceView) -> Self {
        let of = |direction: Direction| {
            let all = view.totals.iter();
            let totals: Option<&Totals> = all
                .clone()
                .find(|(of, _)| *of == direction)
                .map(|(_, totals)| totals);
            totals.map(CountsObject::new)
        };
        Self {
            name: &view.name,
            hook: &view.hook,
            link: view.link,
            detached: view.detached.map(direction),
            ingress: of(Direction::Ingress),
            egress: of(Direction::Egress),
        }
    }
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}

/// Since the session began.
#[derive(Debug, Serialize)]
struct HostObject {
    icmp_errors_sent: u64,
    icmp_errors_held_back: u64,
    held_back_per_second: f64,
    /// DNS packets that the kernel dropped, by its reason; none where it is not asked.
    drops: Option<Vec<Dropped>>,
    other_drops: u64,
    unparsed: u64,
    paused_ms: u64,
}

impl HostObject {
    fn new(host: &HostTotals) -> Self {
        Self {
            icmp_errors_sent: host.counters.icmp_sent,
            icmp_errors_held_back: host.counters.icmp_held_back,
            held_back_per_second: tenth(host.held_back),
            drops: host.has_drops.then(|| host.drops()),
            other_drops: host.other_drops,
            unparsed: host.unparsed,
            paused_ms: ms(host.paused),
        }
    }
}

#[derive(Debug, Serialize)]
struct NetworkObject<'a> {
    state: &'static str,
    since_ms: u64,
    missing: Option<&'static str>,
    learning: Option<LearningObject>,
    now: RatesObject,
    usual: UsualObject,
    sources: u64,
    usual_sources: Option<f64>,
    sources_error: u64,
    heaviest_sources: Vec<HeavyObject<'a>>,
    heaviest_networks: Vec<HeavyObject<'a>>,
    names: u64,
    usual_names: Option<f64>,
    name_samples: u64,
    heaviest_names: Vec<HeavyObject<'a>>,
    heaviest_suffixes: Vec<HeavyObject<'a>>,
    history: Vec<PointObject>,
}

impl<'a> NetworkObject<'a> {
    fn new(view: &'a NetworkView) -> Self {
        Self {
            state: view.state.name(),
            since_ms: view.since_ms,
            missing: view.missing.map(crate::view::Missing::name),
            learning: view
                .learning
                .map(|(seconds, of)| LearningObject { seconds, of }),
            now: RatesObject::new(&view.now),
            usual: UsualObject::new(&view.usual),
            sources: view.sources,
            usual_sources: view.usual_sources.map(tenth),
            sources_error: view.sources_error,
            heaviest_sources: heavy(&view.heaviest_sources),
            heaviest_networks: heavy(&view.heaviest_networks),
            names: view.names,
            usual_names: view.usual_names.map(tenth),
            name_samples: view.name_samples,
            heaviest_names: heavy(&view.heaviest_names),
            heaviest_suffixes: heavy(&view.heaviest_suffixes),
            history: points(&view.history),
        }
    }
}

#[derive(Debug, Serialize)]
struct LearningObject {
    seconds: u64,
    of: u64,
}

#[derive(Debug, Serialize)]
struct HeavyObject<'a> {
    what: &'a str,
    at_most: u64,
    at_least: u64,
}

fn heavy(all: &[Heaviest]) -> Vec<HeavyObject<'_>> {
    let object = |heavy: &'_ Heaviest| (heavy.at_most, heavy.at_least);
    all.iter()
        .map(|heavy| {
            let (at_most, at_least) = object(heavy);
            HeavyObject {
                what: &heavy.what,
                at_most,
                at_least,
            }
        })
        .collect()
}

#[derive(Debug, Serialize)]
struct ServerObject<'a> {
    address: IpAddr,
    state: &'static str,
    since_ms: u64,
    /// Times that it came into each state, and milliseconds that it was in it.
    states: Vec<StateObject>,
    vantage: Vantage,
    incident: Option<&'a str>,
    now: RatesObject,
    minute: RatesObject,
    usual: UsualObject,
    totals: ServerCounts,
    rules: Vec<RuleObject<'a>>,
    history: Vec<PointObject>,
}

impl<'a> ServerObject<'a> {
    fn new(view: &'a ServerView) -> Self {
        let states = State::ALL.iter().zip(view.changes).zip(view.spent);
        Self {
            address: view.address,
            state: view.state.name(),
            since_ms: view.since_ms,
            states: states
                .map(|((state, times), spent)| StateObject {
                    state: state.name(),
                    times,
                    spent_ms: ms(spent),
                })
                .collect(),
            vantage: view.vantage,
            incident: view.incident.as_deref(),
            now: RatesObject::new(&view.now),
            minute: RatesObject::new(&view.minute),
            usual: UsualObject::new(&view.usual),
            totals: ServerCounts::new(&view.totals),
            // What is quiet has nothing to say.
            rules: view
                .rules
                .iter()
                .filter(|rule| rule.state != "quiet")
                .map(|rule| RuleObject {
                    rule: rule.rule,
                    state: rule.state,
                    detail: &rule.detail,
                })
                .collect(),
            history: points(&view.history),
        }
    }
}

#[derive(Debug, Serialize)]
struct StateObject {
    state: &'static str,
    times: u64,
    spent_ms: u64,
}

#[derive(Debug, Serialize)]
struct RuleObject<'a> {
    rule: &'static str,
    state: &'static str,
    detail: &'a str,
}

#[derive(Debug, Serialize)]
struct RatesObject {
    queries: f64,
    answered: f64,
    errored: f64,
    unanswered: f64,
    icmp_errors: f64,
    answered_share: Option<f64>,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
}

impl RatesObject {
    fn new(rates: &Rates) -> Self {
        Self {
            queries: tenth(rates.queries),
            answered: tenth(rates.answered),
            errored: tenth(rates.errored),
            unanswered: tenth(rates.unanswered),
            icmp_errors: tenth(rates.icmp_errors),
            answered_share: rates.answered_share.map(share),
            p50_ms: rates.p50.map(precise_ms),
            p95_ms: rates.p95.map(precise_ms),
        }
    }
}

#[derive(Debug, Serialize)]
struct UsualObject {
    queries: Option<f64>,
    failed_share: Option<f64>,
    p95_ms: Option<f64>,
}

impl UsualObject {
    fn new(usual: &Usual) -> Self {
        Self {
            queries: usual.queries.map(tenth),
            failed_share: usual.failed_share.map(share),
            p95_ms: usual.p95.map(precise_ms),
        }
    }
}

#[derive(Debug, Serialize)]
struct PointObject {
    at_ms: u64,
    queries: f64,
    answers: f64,
    failed: f64,
    icmp_errors: f64,
}

fn points(all: &[Point]) -> Vec<PointObject> {
    let point = |point: &Point| PointObject {
        at_ms: point.at_ms,
        queries: tenth(point.queries.into()),
        answers: tenth(point.answers.into()),
        failed: tenth(point.failed.into()),
        icmp_errors: tenth(point.icmp_errors.into()),
    };
    all.iter().map(point).collect()
}

/// An incident in short; `/api/v1/incidents/ID` has the whole record.
#[derive(Debug, Serialize)]
struct IncidentLine<'a> {
    id: &'a str,
    server: Option<&'a str>,
    stage: Stage,
    level: Level,
    onset_ms: u64,
    ended_ms: Option<u64>,
    first_cause: &'a [Cause],
    summary: String,
}

impl<'a> IncidentLine<'a> {
    fn new(record: &'a Record) -> Self {
        Self {
            id: &record.id,
            server: record.server.as_deref(),
            stage: record.stage,
            level: record.level,
            onset_ms: record.onset_ms,
            ended_ms: record.ended_ms,
            first_cause: &record.first_cause,
            summary: report::summary(record),
        }
    }
}

#[derive(Debug, Serialize)]
struct SensorObject {
    engine: &'static str,
    cpu_percent: f64,
    rss_bytes: u64,
    map_bytes: u64,
    transactions_one_in: u64,
    samples_one_in: u64,
    server_places: (usize, usize),
    lost: std::collections::BTreeMap<&'static str, u64>,
    incidents_unfollowed: usize,
    incidents_opened: OpenedObject,
    alerts: Vec<AlertObject>,
}

#[derive(Debug, Serialize)]
struct OpenedObject {
    warning: u64,
    critical: u64,
}

#[derive(Debug, Serialize)]
struct AlertObject {
    way: &'static str,
    sent: u64,
    failed: u64,
}

impl SensorObject {
    fn new(view: &SensorView) -> Self {
        let [warning, critical] = view.opened;
        let alerts = view.alerts.iter().map(|count| AlertObject {
            way: count.way,
            sent: count.sent,
            failed: count.failed,
        });
        Self {
            engine: view.engine,
            cpu_percent: (view.cpu_percent * 100.0).round() / 100.0,
            rss_bytes: view.rss_bytes,
            map_bytes: view.map_bytes,
            transactions_one_in: view.one_in,
            samples_one_in: view.samples_one_in,
            server_places: view.server_places,
            lost: view.lost.iter().copied().collect(),
            incidents_unfollowed: view.incidents_unfollowed,
            incidents_opened: OpenedObject { warning, critical },
            alerts: alerts.collect(),
        }
    }
}

impl<'a> ViewObject<'a> {
    /// Of a view.
    #[must_use]
    pub fn new(view: &'a View) -> Self {
        Self {
            schema: SCHEMA,
            kind: "view",
            at_ms: view.at_ms,
            uptime_ms: ms(view.uptime),
            verdict: VerdictObject::new(view),
            interfaces: view.interfaces.iter().map(InterfaceObject::new).collect(),
            lost_hooks: &view.lost_hooks,
            network: NetworkObject::new(&view.network),
            servers: view
                .servers
                .iter()
                .map(|server| ServerObject::new(server))
                .collect(),
            others: ServerCounts::new(&view.others),
            incidents: view
                .incidents
                .iter()
                .map(|record| IncidentLine::new(record))
                .collect(),
            host: view.host.as_ref().map(HostObject::new),
            sensor: SensorObject::new(&view.sensor),
        }
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn precise_ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn share(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
