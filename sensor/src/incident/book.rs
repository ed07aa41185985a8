//! Opens, worsens, eases and closes incidents.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sensor_common::class::{ErrorKind, TcpEvent};
use sensor_common::sample::Sample;

use super::causes::{Ranked, Situation, Verdict, weigh};
use super::evidence::{Evidence, Recent};
use super::record::{Clients, HostFacts, Party, Record, SCHEMA, Sampling, Sign, Stage, Verified};
use crate::calendar::Calendar;
use crate::detect::baseline::Baseline;
use crate::detect::clients::Tally;
use crate::detect::history::{History, Span, share};
use crate::detect::{Detector, Level, Reading, Rule, ServerState, State, Subject, Vantage};
use crate::ip::{ip, prefix};
use crate::sighting::Sighting;
use crate::sketch::Prefix;

/// A sign is over when it was quiet for so long.
const CALM: Duration = Duration::from_secs(30);
/// An incident lasts at least so long.
const SHORTEST: Duration = Duration::from_mins(1);
/// Without any traffic for so long it is stale.
const STALE: Duration = Duration::from_mins(10);
/// The record looks back so far.
const BEFORE: Duration = Duration::from_mins(1);
/// The likely cause is told anew where it has been another for so long.
const SETTLED: Duration = Duration::from_secs(2);
/// A server is asked at most so often.
const ASK_EVERY: Duration = Duration::from_mins(1);
/// Incidents that are open at once; beyond them a sign is counted and not followed.
const INCIDENTS: usize = 64;

/// What happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It began.
    Opened,
    /// It became critical.
    Worsened,
    /// It has another sign.
    Sign,
    /// Another cause is likely now.
    Cause,
    /// It is critical no more.
    Eased,
    /// It is over.
    Closed,
    /// Nobody asks any more.
    Stale,
}

impl Change {
    /// The name used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Worsened => "worsened",
            Self::Sign => "sign",
            Self::Cause => "cause",
            Self::Eased => "eased",
            Self::Closed => "closed",
            Self::Stale => "stale",
        }
    }
}

/// What the sensor says of itself in a record.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// DNS ports.
    pub ports: Vec<u16>,
    /// Interfaces, or the capture.
    pub watched: Vec<String>,
}

struct OpenSign {
    rule: Rule,
    worst: Level,
    now: Option<Level>,
    since: Duration,
    calm_since: Option<Duration>,
    until: Option<Duration>,
    value: f64,
    said: String,
}

/// An incident that goes on.
pub struct Case {
    subject: Subject,
    first_sign: Duration,
    opened: Duration,
    signs: Vec<OpenSign>,
    level: Level,
    stage: Stage,
    ended: Option<Duration>,
    /// Packets, the series and counts.
    pub evidence: Evidence,
    /// What the server said when it was asked.
    pub verified: Option<Verified>,
    asked: Option<Duration>,
    causes: Vec<Ranked>,
    verdict: Verdict,
    /// What was last told, and since when it is another.
    told: Verdict,
    other_since: Option<Duration>,
    vantage: &'static str,
    id: String,
}

/// All incidents that go on.
#[derive(Default)]
pub struct Book {
    cases: BTreeMap<Subject, Case>,
    recent: Recent,
    calendar: Calendar,
    about: About,
    shadow: BTreeSet<Rule>,
    /// Signs that were not followed because there were too many incidents.
    pub unfollowed: u64,
}

impl Book {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(calendar: Calendar, about: About, shadow: BTreeSet<Rule>) -> Self {
        Self {
            calendar,
            about,
            shadow,
            ..Self::default()
        }
    }

    /// Adds sampled packets.
    pub fn look(&mut self, sightings: &[(Sighting, Sample)]) {
        for (sighting, sample) in sightings {
            self.recent.add(*sighting, *sample);
            for case in self.cases.values_mut() {
                case.evidence.add(sighting, sample);
            }
        }
    }

    /// Takes the readings of a tick. Gives what has changed, with the records as they are now.
    pub fn update(
        &mut self,
        detector: &Detector,
        now: Duration,
        elapsed: Duration,
        shift: u32,
    ) -> Vec<(Change, Record)> {
        let mut changes: Vec<(Change, Subject)> = Vec::new();
        for (subject, readings) in detector.readings() {
            let mut readings = readings.clone();
            readings.retain(|reading| !self.shadow.contains(&reading.rule));
            let readings = readings.as_slice();
            if let Some(case) = self.cases.get_mut(subject) {
                case.tick(detector, now, elapsed, shift, &self.calendar);
                let found = case.update(readings, detector, now);
                changes.extend(found.into_iter().map(|change| (change, *subject)));
            } else if readings.iter().any(|reading| reading.level().is_some()) {
                if self.cases.len() == INCIDENTS {
                    self.unfollowed += 1;
                    continue;
                }
                let case = Case::open(
                    *subject,
                    readings,
                    detector,
                    now,
                    &self.recent,
                    &self.calendar,
                );
                self.cases.insert(*subject, case);
                changes.push((Change::Opened, *subject));
            }
        }
        let records: Vec<_> = changes
            .into_iter()
            .filter_map(|(change, subject)| {
                let case = self.cases.get(&subject)?;
                Some((change, case.record(now, &self.calendar, &self.about)))
            })
            .collect();
        self.cases.retain(|_, case| case.ended.is_none());
        records
    }

    /// Records of all that goes on.
    #[must_use]
    pub fn records(&self, now: Duration) -> Vec<Record> {
        let cases = self.cases.values();
        cases
            .map(|case| case.record(now, &self.calendar, &self.about))
            .collect()
    }

    /// Ends all: the capture, or the sensor, has ended.
    pub fn finish(&mut self, now: Duration) -> Vec<(Record, Vec<Sample>)> {
        for case in self.cases.values_mut() {
            case.stage = Stage::Unfinished;
        }
        let records = self.records(now);
        let cases = std::mem::take(&mut self.cases).into_values();
        let packets = cases.map(|case| case.evidence.packets);
        records.into_iter().zip(packets).collect()
    }

    /// An incident that goes on.
    pub fn case(&mut self, subject: &Subject) -> Option<&mut Case> {
        self.cases.get_mut(subject)
    }

    /// Subjects of incidents.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.cases.keys()
    }

    /// Packets of an incident that goes on, by its id.
    #[must_use]
    pub fn packets(&self, id: &str) -> Option<&[Sample]> {
        let case = self.cases.values().find(|case| case.id == id)?;
        Some(&case.evidence.packets)
    }
}

impl Case {
    fn open(
        subject: Subject,
        readings: &[Reading],
        detector: &Detector,
        now: Duration,
        recent: &Recent,
        calendar: &Calendar,
    ) -> Self {
        let server = match subject {
            Subject::Server(key) => Some(key),
            Subject::Network => None,
        };
        let first_sign = first_sign(subject, readings, detector, now);
        let mut evidence = Evidence::new(server, recent, now);
        if let Some(history) = history(subject, detector) {
            let spans = history.spans(BEFORE + now.saturating_sub(first_sign));
            evidence.look_back(spans, first_sign, calendar);
            let known = first_sign.saturating_sub(history.begun());
            evidence.before.elapsed = known.min(BEFORE);
            evidence.during.elapsed = now.saturating_sub(first_sign);
        }
        let name = server.map_or_else(|| "network".into(), |key| ip(&key).to_string());
        let mut case = Self {
            subject,
            first_sign,
            opened: now,
            signs: Vec::new(),
            level: Level::Warning,
            stage: Stage::Open,
            ended: None,
            evidence,
            verified: None,
            asked: None,
            causes: Vec::new(),
            verdict: Verdict::Unknown,
            told: Verdict::Unknown,
            other_since: None,
            vantage: "path",
            id: format!("{}-{}", calendar.ms(now), name.replace([':', '.'], "-")),
        };
        case.evidence.latency[0] = usual_latency(subject, detector);
        case.note(detector);
        case.update(readings, detector, now);
        case.told = case.verdict;
        case
    }

    /// Adds what was counted and is known at a tick.
    fn tick(
        &mut self,
        detector: &Detector,
        now: Duration,
        elapsed: Duration,
        shift: u32,
        calendar: &Calendar,
    ) {
        self.evidence.shift = self.evidence.shift.max(shift);
        if let Some(history) = history(self.subject, detector) {
            let mut tick = history.over(elapsed);
            tick.end = now;
            tick.elapsed = elapsed;
            self.evidence.tick(&tick, calendar);
        }
        self.note(detector);
    }

    /// Notes the worst of what only the detector knows.
    fn note(&mut self, detector: &Detector) {
        let network = detector.network();
        let evidence = &mut self.evidence;
        let learning = detector.thresholds().learning;
        let usual = |baseline: &Baseline| baseline.after(learning);
        evidence
            .distinct_sources
            .note(usual(&network.usual_sources), network.distinct_sources);
        evidence
            .distinct_names
            .note(usual(&network.usual_names), network.distinct_names);
        let Some(state) = self.server_state(detector) else {
            let lately = network.history.over(Duration::from_secs(1));
            let rate = lately.rate(lately.counters.responses);
            self.evidence.rate.note(None, rate);
            return;
        };
        let lately = state.history.over(Duration::from_secs(1));
        let rate = lately.rate(lately.counters.queries);
        let evidence = &mut self.evidence;
        if rate >= evidence.rate.worst
            && let Some((sources, _)) = &network.sources
        {
            let heaviest = sources.addresses.iter().take(5);
            evidence.sources = heaviest
                .map(|heavy| Party {
                    who: prefix(&heavy.source),
                    count: heavy.at_least,
                    what: None,
                })
                .collect();
        }
        evidence.rate.note(usual(&state.usual.rate), rate);
        evidence.slowest_error = evidence.slowest_error.max(state.clients.slowest_error);
        if let Some(latency) = state.latency
            && latency.at >= self.first_sign
        {
            let worst = evidence.latency[1].map_or(0.0, |(_, p95)| p95);
            if latency.p95 >= worst {
                evidence.latency[1] = Some((latency.p50, latency.p95));
            }
        }
        let limits = detector.thresholds();
        let rejected: Vec<String> = state
            .clients
            .rejected(limits.rejected_errors, limits.served_answers)
            .map(prefix)
            .collect();
        let served = |(network, tally): &(Prefix, _)| {
            let tally: &Tally = tally;
            tally.responses != 0 && !rejected.contains(&prefix(network))
        };
        evidence.served = state.clients.networks().into_iter().filter(served).count();
        if !rejected.is_empty() {
            evidence.rejected = rejected;
        }
    }

    fn server_state<'d>(&self, detector: &'d Detector) -> Option<&'d ServerState> {
        match self.subject {
            Subject::Server(key) => detector.server(&key),
            Subject::Network => None,
        }
    }

    /// Takes the readings; gives what has changed.
    fn update(&mut self, readings: &[Reading], detector: &Detector, now: Duration) -> Vec<Change> {
        let mut changes = Vec::new();
        let level_before = self.current_level();
        for reading in readings {
            if self.apply(reading, now) {
                changes.push(Change::Sign);
            }
        }
        self.weigh(detector, now);
        let level = self.current_level();
        if level > level_before && level == Some(Level::Critical) {
            self.level = Level::Critical;
            self.stage = Stage::Open;
            changes.push(Change::Worsened);
        }
        if level < level_before && level.is_some() {
            self.stage = Stage::Eased;
            changes.push(Change::Eased);
        }
        if self.verdict == self.told {
            self.other_since = None;
        } else {
            let since = *self.other_since.get_or_insert(now);
            if now.saturating_sub(since) >= SETTLED {
                self.told = self.verdict;
                self.other_since = None;
                changes.push(Change::Cause);
            }
        }
        let long_enough = now.saturating_sub(self.opened) >= SHORTEST;
        let last = history(self.subject, detector).and_then(History::last);
        if level.is_none() && long_enough {
            self.end(Stage::Closed, now);
            changes.push(Change::Closed);
        } else if last.is_none_or(|last| now.saturating_sub(last) >= STALE)
            && now.saturating_sub(self.opened) >= STALE
        {
            self.end(Stage::Stale, now);
            changes.push(Change::Stale);
        }
        changes
    }

    fn end(&mut self, stage: Stage, now: Duration) {
        self.stage = stage;
        self.ended = Some(now);
    }

    /// The worst of the signs that are on.
    fn current_level(&self) -> Option<Level> {
        let on = self.signs.iter().filter(|sign| sign.until.is_none());
        on.filter_map(|sign| sign.now).max()
    }

    /// One reading; whether it is a new sign.
    fn apply(&mut self, reading: &Reading, now: Duration) -> bool {
        let known = self.signs.iter().position(|sign| sign.rule == reading.rule);
        let fires = reading.level();
        let Some(at) = known else {
            let Some(level) = fires else {
                return false;
            };
            self.signs.push(OpenSign {
                rule: reading.rule,
                worst: level,
                now: Some(level),
                since: now,
                calm_since: None,
                until: None,
                value: reading.value,
                said: reading.said.clone(),
            });
            return true;
        };
        let sign = &mut self.signs[at];
        if let Some(level) = fires {
            if level > sign.worst || (level == sign.worst && reading.value >= sign.value) {
                sign.value = reading.value;
                sign.said.clone_from(&reading.said);
            }
            sign.worst = sign.worst.max(level);
            // What was critical eases with the sign, not with a tick.
            sign.now = sign.now.max(Some(level));
            sign.calm_since = None;
            sign.until = None;
            return false;
        }
        let over = match reading.state {
            State::Quiet => true,
            State::Holds | State::Fires(_) => false,
            // Nobody asks, or it cannot be seen: a failure is not over for that.
            State::Unknown(_) => !sign.rule.is_failure(),
        };
        if !over {
            sign.calm_since = None;
        } else if sign.until.is_none() {
            let since = *sign.calm_since.get_or_insert(now);
            if now.saturating_sub(since) >= CALM {
                sign.until = Some(since);
                sign.now = None;
            }
        }
        false
    }

    fn weigh(&mut self, detector: &Detector, now: Duration) {
        let evidence = &self.evidence;
        let first = self.signs.first().map_or(self.opened, |sign| sign.since);
        let counters = &evidence.during.counters;
        let matched = |kind: ErrorKind| counters.errors_matched[kind.index()];
        let vantage = match self.subject {
            Subject::Server(key) => Some(detector.vantage(&key)),
            Subject::Network => None,
        };
        self.vantage = match vantage {
            Some(Vantage::Server) => "server",
            Some(Vantage::Client) => "client",
            _ => "path",
        };
        let situation = Situation {
            signs: self
                .signs
                .iter()
                .map(|sign| {
                    let after = sign.since.saturating_sub(first);
                    (
                        sign.rule,
                        u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
                    )
                })
                .collect(),
            vantage,
            queries: counters.queries,
            answered: counters.transactions.answered,
            answered_before: evidence.before.counters.transactions.answered,
            retransmitted: counters.transactions.retransmitted,
            port: matched(ErrorKind::Port),
            prohibited: matched(ErrorKind::Prohibited),
            host: matched(ErrorKind::Host),
            network: matched(ErrorKind::Network),
            errors: counters.errors.iter().sum(),
            errors_from_server: counters.errors_from_server,
            slowest_error_ms: evidence
                .slowest_error
                .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            rejected_networks: evidence.rejected.len(),
            served_networks: evidence.served,
            tcp_accepted: counters.tcp[TcpEvent::SynAck.index()],
            tcp_refused: counters.tcp[TcpEvent::Rst.index()],
            facts: evidence.host.clone(),
            seconds: now.saturating_sub(self.first_sign).as_secs_f64(),
            rate: evidence.rate,
            clients: evidence.clients.len(),
            verified: self
                .verified
                .as_ref()
                .map(|said| (said.udp.is_answer(), said.tcp.is_answer())),
        };
        (self.verdict, self.causes) = weigh(&situation);
    }

    /// What the server's host says now. That nothing listened is remembered: a service that was started
    /// again was down.
    pub fn set_host(&mut self, mut facts: HostFacts) {
        if let Some(before) = &self.evidence.host {
            let both = |then: Option<bool>, now: Option<bool>| match (then, now) {
                (Some(then), Some(now)) => Some(then && now),
                (then, now) => then.or(now),
            };
            facts.udp_bound = both(before.udp_bound, facts.udp_bound);
            facts.tcp_bound = both(before.tcp_bound, facts.tcp_bound);
        }
        self.evidence.host = Some(facts);
    }

    /// Whether its server may be asked now: it fails, there is no flood, and it was not asked in the last
    /// minute. It counts as asked from now on.
    pub fn may_be_asked(&mut self, now: Duration) -> bool {
        let on = |is: fn(Rule) -> bool| {
            let mut signs = self.signs.iter().filter(|sign| sign.until.is_none());
            signs.any(|sign| is(sign.rule))
        };
        let due = self.asked.is_none_or(|asked| now >= asked + ASK_EVERY);
        let may = due && on(Rule::is_failure) && !on(Rule::is_flood);
        if may {
            self.asked = Some(now);
        }
        may
    }

    /// The record as of now.
    #[must_use]
    pub fn record(&self, now: Duration, calendar: &Calendar, about: &About) -> Record {
        let evidence = &self.evidence;
        let mut clients: Vec<_> = evidence
            .clients
            .keys()
            .map(|client| Prefix::network(*client))
            .collect();
        clients.dedup();
        Record {
            schema: SCHEMA,
            kind: "incident".into(),
            id: self.id.clone(),
            server: match self.subject {
                Subject::Server(key) => Some(ip(&key).to_string()),
                Subject::Network => None,
            },
            ports: about.ports.clone(),
            vantage: self.vantage.into(),
            watched: about.watched.clone(),
            stage: self.stage,
            level: self.level.name().into(),
            first_sign_ms: calendar.ms(self.first_sign),
            detected_ms: calendar.ms(self.opened),
            ended_ms: self.ended.map(|at| calendar.ms(at)),
            updated_ms: calendar.ms(now),
            signs: self
                .signs
                .iter()
                .map(|sign| Sign {
                    rule: sign.rule.name().into(),
                    title: sign.rule.title().into(),
                    level: sign.worst.name().into(),
                    since_ms: calendar.ms(sign.since),
                    until_ms: sign.until.map(|at| calendar.ms(at)),
                    said: sign.said.clone(),
                })
                .collect(),
            before: Evidence::summary(&evidence.before, evidence.latency[0]),
            during: Evidence::summary(&evidence.during, evidence.latency[1]),
            clients: Clients {
                addresses: evidence.clients.len(),
                networks: clients.len(),
                rejected: evidence.rejected.clone(),
                served: evidence.served,
                heaviest: evidence.heaviest_clients(),
                sources: evidence.sources.clone(),
                distinct: evidence.distinct_sources,
                rate: evidence.rate,
                distinct_names: evidence.distinct_names,
            },
            names: evidence.top_names(),
            icmp_senders: evidence.icmp_senders(),
            slowest_icmp_ms: evidence
                .slowest_error
                .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            host: evidence.host.clone(),
            verified: self.verified.clone(),
            sampling: Sampling {
                shift: evidence.shift,
                packets: evidence.packets.len(),
                lost: evidence.lost,
            },
            first_cause: self.verdict.words(),
            causes: self.causes.clone(),
            series: evidence.series.clone(),
        }
    }
}

fn history(subject: Subject, detector: &Detector) -> Option<&History> {
    match subject {
        Subject::Server(key) => detector.server(&key).map(|state| &state.history),
        Subject::Network => Some(&detector.network().history),
    }
}

fn usual_latency(subject: Subject, detector: &Detector) -> Option<(f64, f64)> {
    let Subject::Server(key) = subject else {
        return None;
    };
    let state = detector.server(&key)?;
    let p95 = state.usual.p95.after(Duration::from_secs(1))?;
    // The median of the last reading; the baseline has none.
    let p50 = state.latency.map_or(p95, |latency| latency.p50.min(p95));
    Some((p50, p95))
}

/// When it began, as far as is known: with the first failed query of those that made the rule fire, or
/// with the readings themselves.
fn first_sign(
    subject: Subject,
    readings: &[Reading],
    detector: &Detector,
    now: Duration,
) -> Duration {
    let fires = |reading: &&Reading| reading.level().is_some();
    let failure = readings
        .iter()
        .filter(fires)
        .any(|reading| reading.rule.is_failure());
    let lately = Duration::from_millis(500);
    let sudden = now.saturating_sub(lately);
    let (true, Some(history)) = (failure, history(subject, detector)) else {
        return sudden;
    };
    // From the last time on that most queries were answered.
    let healthy = |span: &&Span| {
        span.counters.transactions.answered != 0 && share(span.failed(), span.decided()) < 0.5
    };
    let spans: Vec<&Span> = history.spans(Duration::from_secs(130)).collect();
    let last_healthy = spans.iter().rposition(healthy);
    let first = match last_healthy {
        Some(at) => spans.get(at + 1),
        None => spans
            .iter()
            .find(|span| span.failed() != 0 || span.counters.queries != 0),
    };
    let begun = |span: &&Span| span.end.saturating_sub(span.elapsed);
    first.map_or(sudden, begun).min(now)
}
