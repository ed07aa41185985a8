//! One incident, from its first sign to its end.

use std::fmt::Write;
use std::time::Duration;

use sensor_common::class::{ErrorKind, TcpEvent};

use super::causes::{Came, Ranked, Situation, Verdict, weigh};
use super::evidence::{Evidence, Recent};
use super::record::{Clients, Party, Record, SCHEMA, Sampling, Sign, Stage};
use super::tracker::{About, Change};
use crate::detect::baseline::{Baseline, FROZEN};
use crate::detect::clients::Tally;
use crate::detect::history::{History, Span, share};
use crate::detect::{
    Detector, ELSEWHERE, Level, Reading, Rule, ServerState, State, Subject, Vantage,
};
use crate::host::facts::HostReading;
use crate::host::probe::Verified;
use crate::measure::address::{ip, prefix};
use crate::measure::clock::WallClock;
use crate::measure::sketch::Prefix;

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
/// And for so long what is seen may be that question alone.
const ASKING: Duration = Duration::from_secs(5);
/// Made-up sources are known so much later than the queries that they send: once a second.
const TOGETHER: Duration = Duration::from_secs(3);
/// What lies closer together than a tick is of one moment.
const MOMENT: Duration = Duration::from_millis(250);
/// How far back a flood's beginning is looked for.
const LOOK_BACK: Duration = Duration::from_secs(10);
/// Times the usual rate that a flood has at least.
const RISE: f64 = 2.0;

/// What is known of a tick beside the readings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tick {
    /// When it ended.
    pub now: Duration,
    /// How long it was.
    pub elapsed: Duration,
    /// One in 2^shift transactions was followed.
    pub shift: u32,
    /// Samples that were lost.
    pub lost: u64,
}

struct OpenSign {
    rule: Rule,
    worst: Level,
    now: Option<Level>,
    since: Duration,
    /// When it last fired.
    last: Duration,
    calm_since: Option<Duration>,
    until: Option<Duration>,
    value: f64,
    said: String,
    /// It has lasted for so long that its baseline takes it for usual.
    adapted: bool,
}

/// From its beginning to when it last went on.
#[derive(Clone, Copy)]
struct Course {
    since: Duration,
    until: Duration,
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
    /// Since the last tick in which a sign fired: it is of the incident if one fires again, else of the
    /// recovery.
    since_then: Span,
    /// The last tick in which a sign fired.
    last_sign: Duration,
    /// When something other than the sensor's own question was last seen.
    last_active: Duration,
    /// The failure, what a flood may bring about (a failure, or slowness), and the flood, if there were any.
    failure: Option<Course>,
    harm: Option<Course>,
    flood: Option<Course>,
    /// The flood made the rate rise, and is over where it does not.
    has_risen: bool,
    /// The host's first word, from which its counters are told.
    host_first: Option<HostReading>,
    vantage: &'static str,
    id: String,
}

impl Case {
    /// Begins with the readings that fire.
    #[must_use]
    pub fn open(
        subject: Subject,
        readings: &[Reading],
        detector: &Detector,
        now: Duration,
        recent: &Recent,
        calendar: &WallClock,
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
            since_then: Span::empty(now),
            last_sign: now,
            last_active: now,
            failure: None,
            harm: None,
            flood: None,
            has_risen: false,
            host_first: None,
            vantage: "path",
            id: format!("{}-{}", calendar.ms(now), name.replace([':', '.'], "-")),
        };
        case.evidence.latency[0] = usual_latency(subject, detector);
        case.update(readings, detector, now);
        case.told = case.verdict;
        case
    }

    /// Adds what was counted and is known at a tick.
    pub fn tick(&mut self, detector: &Detector, tick: &Tick, calendar: &WallClock) {
        self.evidence.shift = self.evidence.shift.max(tick.shift);
        self.evidence.lost += tick.lost;
        if let Some(history) = history(self.subject, detector) {
            let mut span = history.over(tick.elapsed);
            span.end = tick.now;
            span.elapsed = tick.elapsed;
            self.evidence.series.push(calendar.ms(span.end), &span);
            self.since_then.add(&span);
            let asking = self.asked.is_some_and(|asked| tick.now < asked + ASKING);
            let own = asking && span.counters.queries <= 1;
            if !span.is_empty() && !own {
                self.last_active = tick.now;
            }
        }
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
        let slowest = state.clients.slowest_error_since(self.first_sign);
        evidence.slowest_error = evidence.slowest_error.max(slowest);
        if let Some(latency) = state.latency
            && latency.at >= self.first_sign
        {
            let worst = evidence.latency[1].map_or(0.0, |(_, p95)| p95);
            if latency.p95 >= worst {
                evidence.latency[1] = Some((latency.p50, latency.p95));
            }
        }
        let limits = detector.thresholds();
        let rejected: Vec<String> = state.rejected(limits).iter().map(prefix).collect();
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
    pub fn update(
        &mut self,
        readings: &[Reading],
        detector: &Detector,
        now: Duration,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        let level_before = self.current_level();
        let recovered = self.has_recovered(detector);
        let usual = self.server_state(detector).map(|state| &state.usual);
        let adapts = usual.is_some_and(|usual| usual.rate.adapts());
        for reading in readings {
            if self.apply(reading, recovered, adapts, now) {
                changes.push(Change::Sign);
            }
        }
        let fires = |reading: &&Reading| reading.level().is_some();
        self.follow(readings, detector, now);
        let mut firing = readings.iter().filter(fires);
        if firing.any(|reading| self.is_of_it(reading.rule)) {
            self.last_sign = now;
            let since_then = std::mem::replace(&mut self.since_then, Span::empty(now));
            self.evidence.during.add(&since_then);
            self.note(detector);
            self.weigh(detector);
        }
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
        let lasted = now.saturating_sub(self.opened);
        if level.is_none() && lasted >= SHORTEST {
            self.end(Stage::Closed, now);
            changes.push(Change::Closed);
        } else if now.saturating_sub(self.last_active) >= STALE {
            self.end(Stage::Stale, now);
            changes.push(Change::Stale);
        }
        changes
    }

    /// Whether what is asked is answered again, however little that is.
    fn has_recovered(&self, detector: &Detector) -> bool {
        let limits = detector.thresholds();
        history(self.subject, detector).is_some_and(|history| {
            let span = history.until_decided(limits.partial_queries, limits.failed_back);
            span.counters.transactions.answered != 0
                && share(span.failed(), span.decided()) < limits.partial_share.warning
        })
    }

    /// Notes from when to when there is a failure, and a flood.
    fn follow(&mut self, readings: &[Reading], detector: &Detector, now: Duration) {
        let fires = |reading: &&Reading| reading.level().is_some();
        let of = |is: &dyn Fn(Rule) -> bool| -> Vec<Reading> {
            let fire = readings.iter().filter(fires);
            fire.filter(|reading| is(reading.rule)).cloned().collect()
        };
        let failures = of(&Rule::is_failure);
        if !failures.is_empty() {
            let subject = self.subject;
            let begun = || first_sign(subject, &failures, detector, now);
            go_on(&mut self.failure, begun, now, CALM);
        }
        let harms = of(&|rule| rule.is_failure() || rule == Rule::Slow);
        if !harms.is_empty() {
            let subject = self.subject;
            let begun = || first_sign(subject, &harms, detector, now);
            go_on(&mut self.harm, begun, now, CALM);
        }
        let rises = self.server_state(detector).is_some_and(|state| {
            let lately = state.history.over(2 * MOMENT);
            lately.rate(lately.counters.queries) >= RISE * state.usual.rate.mean()
        });
        let floods = of(&Rule::is_flood);
        self.has_risen |= rises && !floods.is_empty();
        // The heaviest source is that of the last ten seconds: it may have ended since.
        let lasts = |reading: &Reading| reading.rule != Rule::OneSource || rises || !self.has_risen;
        if floods.iter().any(lasts) {
            let subject = self.subject;
            let flood = floods
                .iter()
                .find(|reading| reading.rule == Rule::QueryFlood);
            let least = flood.map(|reading| reading.warning);
            let begun = || risen_since(subject, least, detector, now);
            let brought_about = self.flood_came() == Some(Came::First);
            // What has brought a failure about may pause, and is no other flood for that.
            let pause = if brought_about {
                Duration::MAX
            } else {
                TOGETHER
            };
            go_on(&mut self.flood, begun, now, pause);
        }
    }

    /// Ends it.
    pub fn end(&mut self, stage: Stage, now: Duration) {
        self.stage = stage;
        self.ended = Some(now);
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    /// The sensor ends before it does.
    pub fn is_unfinished(&mut self) {
        self.stage = Stage::Unfinished;
    }

    /// Its name: when it was detected, and its server.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How much it matters: by its level now, then by when its server was last seen.
    #[must_use]
    pub fn rank(&self) -> (Option<Level>, Duration) {
        (self.current_level(), self.last_active)
    }

    /// Whether a new one of this level, whose server was last seen then, is worth more.
    #[must_use]
    pub fn gives_way_to(&self, level: Level, seen: Duration) -> bool {
        // Where all fail together some are critical a moment before others, and not worth more for that.
        let lasted = seen >= self.opened + SHORTEST;
        lasted && (self.current_level() < Some(level) || seen >= self.last_active + SHORTEST)
    }

    /// The worst of the signs that are on.
    fn current_level(&self) -> Option<Level> {
        let on = self.signs.iter().filter(|sign| sign.until.is_none());
        on.filter_map(|sign| sign.now).max()
    }

    /// One reading; whether it is a new sign.
    fn apply(&mut self, reading: &Reading, recovered: bool, adapts: bool, now: Duration) -> bool {
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
                last: now,
                calm_since: None,
                until: None,
                value: reading.value,
                said: reading.said.clone(),
                adapted: false,
            });
            return true;
        };
        let sign = &mut self.signs[at];
        if adapts && !sign.adapted && sign.until.is_none() && sign.rule.is_against_usual_rate() {
            sign.adapted = true;
            let minutes = FROZEN.as_secs() / 60;
            let _ = write!(
                sign.said,
                "; it has lasted for {minutes} min and is taken for usual since"
            );
        }
        if let Some(level) = fires {
            if level > sign.worst || (level == sign.worst && reading.value >= sign.value) {
                sign.value = reading.value;
                sign.said.clone_from(&reading.said);
            }
            sign.worst = sign.worst.max(level);
            sign.last = now;
            // What was critical eases with the sign, not with a tick.
            sign.now = sign.now.max(Some(level));
            sign.calm_since = None;
            sign.until = None;
            return false;
        }
        let over = match reading.state {
            // Or what is missing was never there to be seen.
            State::Quiet | State::Unknown(ELSEWHERE) => true,
            State::Holds | State::Fires(_) => false,
            // Nobody asks, or it cannot be seen: a failure is not over for that, but when it is known to be.
            // Where queries stay away, those that still come were always answered.
            State::Unknown(_) if sign.rule == Rule::Collapse => sign.adapted,
            State::Unknown(_) => !sign.rule.is_failure() || recovered,
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

    fn weigh(&mut self, detector: &Detector) {
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
        let signs = self.signs.iter().filter(|sign| self.is_of_it(sign.rule));
        let signs = signs.map(|sign| {
            let after = sign.since.saturating_sub(first);
            (
                sign.rule,
                u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            )
        });
        let situation = Situation {
            signs: signs.collect(),
            flood: self.flood_came(),
            vantage,
            queries: counters.queries,
            decided: evidence.during.decided(),
            answered: counters.transactions.answered,
            answered_before: evidence.before.counters.transactions.answered,
            port: matched(ErrorKind::Port),
            prohibited: matched(ErrorKind::Prohibited),
            host: matched(ErrorKind::Host),
            network: matched(ErrorKind::Network),
            too_big: matched(ErrorKind::TooBig),
            truncated: counters.truncated,
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
            seconds: evidence.during.elapsed.as_secs_f64(),
            rate: evidence.rate,
            verified: self
                .verified
                .as_ref()
                .map(|said| (said.udp.is_answer(), said.tcp.is_answer())),
        };
        (self.verdict, self.causes) = weigh(&situation);
    }

    /// Whether a sign is of what the incident is about. Where there was a failure, what is wrong with answers
    /// after it is of the recovery, and what was wrong with them before it is of something else, until it
    /// has lasted longer than the failure.
    fn is_of_it(&self, rule: Rule) -> bool {
        let sign = self.signs.iter().find(|sign| sign.rule == rule);
        let (Some(sign), Some(failure)) = (sign, self.failure) else {
            return true;
        };
        let failed = failure.until.saturating_sub(failure.since);
        // A server that waits for its upstream is silent before it says so.
        let errors = [
            Rule::PortUnreachable,
            Rule::Prohibited,
            Rule::HostUnreachable,
        ];
        let says_why = matches!(rule, Rule::Servfail | Rule::Refused)
            && !self.signs.iter().any(|sign| errors.contains(&sign.rule));
        if !rule.is_about_answers() || says_why {
            true
        } else if sign.since > failure.until {
            sign.last.saturating_sub(sign.since) >= failed
        } else if sign.since < failure.since {
            failure.since.saturating_sub(sign.since) >= failed
        } else {
            true
        }
    }

    /// Which came first, the flood or the failure, where there are both.
    fn flood_came(&self) -> Option<Came> {
        let (flood, failure) = (self.flood?, self.harm?);
        let counters = &self.evidence.during.counters;
        let made_up = self.signs.iter().any(|sign| {
            let together = sign.since <= failure.since + TOGETHER;
            together
                && matches!(
                    sign.rule,
                    Rule::Spoofed | Rule::RandomNames | Rule::Amplification
                )
        });
        Some(if flood.until + TOGETHER < failure.since {
            Came::Over
        } else if made_up || flood.since + MOMENT <= failure.since {
            Came::First
        } else if flood.since >= failure.since + 2 * MOMENT
            || counters.transactions.retransmitted * 2 >= counters.queries
        {
            Came::After
        } else {
            Came::Together
        })
    }

    /// Whether a sign fired in the last tick: what is learnt then is of the incident, and not of what came
    /// after it.
    #[must_use]
    pub fn is_firing(&self) -> bool {
        self.since_then.elapsed.is_zero()
    }

    /// What the server's host says, while a sign fires. That nothing listened is remembered: a service
    /// that was started again was down.
    pub fn set_host(&mut self, reading: &HostReading) {
        let Subject::Server(key) = self.subject else {
            return;
        };
        if !self.is_firing() {
            return;
        }
        let first = self.host_first.get_or_insert_with(|| reading.clone());
        let mut facts = reading.about(ip(&key), first);
        if let Some(before) = &self.evidence.host {
            let both = |then: Option<bool>, now: Option<bool>| match (then, now) {
                (Some(then), Some(now)) => Some(then && now),
                (then, now) => then.or(now),
            };
            facts.udp_bound = both(before.udp_bound, facts.udp_bound);
            facts.tcp_bound = both(before.tcp_bound, facts.tcp_bound);
            facts.queued = before.queued.min(facts.queued);
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
        // Not for ever, where nobody else asks.
        let due = self
            .asked
            .is_none_or(|asked| now >= asked + ASK_EVERY && self.last_active > asked);
        let may = due && self.is_firing() && on(Rule::is_failure) && !on(Rule::is_flood);
        if may {
            self.asked = Some(now);
        }
        may
    }

    /// The record as of now.
    #[must_use]
    pub fn record(&self, now: Duration, calendar: &WallClock, about: &About) -> Record {
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
            last_sign_ms: calendar.ms(self.last_sign),
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

/// Goes on with what may have paused for so long, or begins anew.
fn go_on(
    course: &mut Option<Course>,
    begun: impl FnOnce() -> Duration,
    now: Duration,
    pause: Duration,
) {
    match course {
        Some(course) if now.saturating_sub(course.until) <= pause => course.until = now,
        _ => {
            *course = Some(Course {
                since: begun(),
                until: now,
            });
        }
    }
}

fn history(subject: Subject, detector: &Detector) -> Option<&History> {
    match subject {
        Subject::Server(key) => detector.server(&key).map(|state| &state.history),
        Subject::Network => Some(&detector.network().history),
    }
}

/// When something of a subject was last seen.
#[must_use]
pub fn last_seen(subject: Subject, detector: &Detector) -> Option<Duration> {
    history(subject, detector)?.last()
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

/// When a flood began, as far as its server's rate tells: from then on it was at least this one, or twice
/// the usual one.
fn risen_since(
    subject: Subject,
    least: Option<f64>,
    detector: &Detector,
    now: Duration,
) -> Duration {
    let sudden = now.saturating_sub(2 * MOMENT);
    let Subject::Server(key) = subject else {
        return sudden;
    };
    let Some(state) = detector.server(&key) else {
        return sudden;
    };
    let least = least.unwrap_or(RISE * state.usual.rate.mean());
    let spans: Vec<&Span> = state.history.spans(LOOK_BACK).collect();
    let risen = spans
        .iter()
        .rev()
        .take_while(|span| span.rate(span.counters.queries) >= least);
    risen
        .last()
        .map_or(sudden, |span| span.end.saturating_sub(span.elapsed))
}
