//! One incident, from its first symptom to its end.

use std::mem;
use std::time::Duration;

use sensor_common::server::ServerKey;

use super::change::Change;
use super::chronology::{Came, MOMENT, Span as Course, flood_came, go_on};
use super::diagnosis::{Cause, Finding, Ranked, rank};
use super::evidence::{Evidence, Recent};
use super::gather::case::Case;
use super::gather::collect;
use super::past::{Earlier, Past};
use super::record::{About, Clients, Party, Record, SCHEMA, Sampling, Stage, SymptomRecord};
use super::symptom::Symptom;
use crate::detect::baseline::Baseline;
use crate::detect::cohort::Clock;
use crate::detect::history::{History, Span};
use crate::detect::rules::random_names;
use crate::detect::server::share_of;
use crate::detect::{Detector, Level, Reading, Rule, ServerState, Subject, Vantage};
use crate::host::facts::{HostLog, HostReading, HostSum};
use crate::host::probe::Verified;
use crate::host::sockets::Sockets;
use crate::measure::address::{ip, prefix};
use crate::measure::clock::WallClock;
use crate::measure::sketch::Prefix;

/// An incident lasts at least so long.
const SHORTEST: Duration = Duration::from_mins(1);
/// Without any traffic for so long it is stale.
const STALE: Duration = Duration::from_mins(10);
/// The record looks back so far.
const BEFORE: Duration = Duration::from_mins(1);
/// The likely cause is told anew where it has been another for so long.
const SETTLED: Duration = Duration::from_secs(2);
/// A server is probed at most so often.
const PROBE_EVERY: Duration = Duration::from_mins(1);
/// And for so long what is seen may be that probe alone.
const PROBING: Duration = Duration::from_secs(5);
/// A pause of a flood, and of a failure.
const PAUSE: Duration = Duration::from_secs(3);
const CALM: Duration = Duration::from_secs(30);
/// Times that a symptom may come, of which each is told; further ones go on with the last.
const SPELLS: usize = 8;
/// What happens so soon after the last symptom belongs to it.
const AFTERMATH: Duration = Duration::from_secs(5);
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

/// An incident that goes on.
pub struct Incident {
    subject: Subject,
    /// When it began, by the time of asking.
    onset: Duration,
    opened: Duration,
    symptoms: Vec<Symptom>,
    level: Level,
    stage: Stage,
    ended: Option<Duration>,
    /// Packets, the series and counts.
    pub evidence: Evidence,
    /// What the server said when it was probed.
    pub verified: Option<Verified>,
    /// Other servers that failed in the same moment for the same clients.
    also: Vec<ServerKey>,
    probed: Option<Duration>,
    findings: Vec<Finding>,
    causes: Vec<Ranked>,
    first: Vec<Cause>,
    /// What was last told, and since when it is another.
    told: Vec<Cause>,
    other_since: Option<Duration>,
    /// Since the last tick in which a rule fired: it is of the incident if one fires again, else of the
    /// recovery.
    since_then: Span,
    /// The last tick in which a rule fired.
    last_symptom: Duration,
    /// When something other than the sensor's own probe was last seen.
    last_active: Duration,
    /// The failure, what a flood may bring about (a failure, or slowness), and the flood, if there were any.
    failure: Option<Course>,
    harm: Option<Course>,
    flood: Option<Course>,
    /// When names below one zone began to fail that do not repeat.
    names_since: Option<Duration>,
    /// The flood made the rate rise, and is over where it does not.
    has_risen: bool,
    /// What the host said.
    host: Option<HostSum>,
    vantage: Vantage,
    id: String,
    /// The same incident, as an earlier sensor left it open.
    earlier: Option<Earlier>,
}

/// What is known from before an incident.
pub struct Before<'a> {
    /// Packets that were sampled lately.
    pub recent: &'a Recent,
    /// What the sensor's host said lately.
    pub host: &'a HostLog,
    /// For times in the record.
    pub clock: &'a WallClock,
}

impl Incident {
    /// Begins with the readings that fire.
    #[must_use]
    pub fn open(
        subject: Subject,
        readings: &[Reading],
        detector: &Detector,
        now: Duration,
        before: &Before<'_>,
        past: &mut Past,
    ) -> Self {
        let (recent, clock) = (before.recent, before.clock);
        let server = match subject {
            Subject::Server(key) => Some(key),
            Subject::Network => None,
        };
        let onset = onset(subject, readings, detector, now);
        let mut evidence = Evidence::new(server, recent, now);
        if let Some(history) = history(subject, detector) {
            let spans = history.spans(BEFORE + now.saturating_sub(onset));
            evidence.look_back(spans, onset, clock);
            let known = onset.saturating_sub(history.begun());
            evidence.before.elapsed = known.min(BEFORE);
            evidence.during.elapsed = now.saturating_sub(onset);
        }
        if let Some(state) = server.and_then(|key| detector.server(&key)) {
            let at = plain_clock(detector, now);
            evidence.note_asked(&state.cohorts, onset, &at, clock);
        }
        let server_name = server.map(|key| ip(&key).to_string());
        let name = server_name.as_deref().unwrap_or("network");
        let now_ms = clock.ms(now);
        let mut incident = Self {
            subject,
            onset,
            opened: now,
            symptoms: Vec::new(),
            level: Level::Warning,
            stage: Stage::Open,
            ended: None,
            evidence,
            verified: None,
            also: Vec::new(),
            probed: None,
            findings: Vec::new(),
            causes: Vec::new(),
            first: Vec::new(),
            told: Vec::new(),
            other_since: None,
            since_then: Span::empty(now),
            last_symptom: now,
            last_active: now,
            failure: None,
            harm: None,
            flood: None,
            names_since: None,
            has_risen: false,
            host: None,
            vantage: Vantage::Path,
            id: String::new(),
            earlier: past.take_up(server_name.as_deref(), now_ms, clock.ms(Duration::ZERO)),
        };
        incident.id = incident.earlier.as_ref().map_or_else(
            || past.name(now_ms, &name.replace([':', '.'], "-")),
            |earlier| earlier.id().to_string(),
        );
        incident.evidence.set_usual(incident.server_state(detector));
        // What the kernel dropped in the moment that led to it is known.
        if let Some(key) = server {
            let here = detector.vantage(&key) == Vantage::Server;
            incident.read_host(before.host, None, here);
        }
        incident.update(readings, detector, now);
        incident.told.clone_from(&incident.first);
        incident
    }

    /// Adds what was counted and is known at a tick.
    pub fn tick(&mut self, detector: &Detector, tick: &Tick, clock: &WallClock) {
        self.evidence.shift = self.evidence.shift.max(tick.shift);
        self.evidence.lost += tick.lost;
        if let Some(history) = history(self.subject, detector) {
            let mut span = history.over(tick.elapsed);
            span.end = tick.now;
            span.elapsed = tick.elapsed;
            self.evidence.push(clock.ms(span.end), &span);
            self.since_then.add(&span);
            let probing = self.probed.is_some_and(|at| tick.now < at + PROBING);
            let own = probing && span.counters.queries <= 1;
            if !span.is_empty() && !own {
                self.last_active = tick.now;
            }
        }
        if let Some(state) = self.server_state(detector) {
            let at = plain_clock(detector, tick.now);
            self.evidence
                .count_asked(&state.cohorts, self.onset, self.last_symptom, &at);
            self.evidence
                .note_asked(&state.cohorts, self.onset, &at, clock);
        }
    }

    /// Notes the worst of what only the detector knows.
    fn note(&mut self, detector: &Detector, now: Duration) {
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
        let onset = self.onset;
        if let Subject::Server(key) = self.subject {
            detector.with_facts(&key, now, |facts| evidence.note(facts, onset));
            let since = onset.max(now.saturating_sub(BEFORE));
            let dossiers = detector.dossiers().since(since);
            let timeout = detector.timeout();
            evidence.note_late(
                dossiers.filter(|dossier| dossier.server == key),
                now,
                timeout,
            );
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
        let recovered = self.has_recovered(detector, now);
        let adapts = self
            .server_state(detector)
            .is_some_and(|state| state.adapts(now));
        for reading in readings {
            let spells = self
                .symptoms
                .iter()
                .filter(|symptom| symptom.rule == reading.rule)
                .count();
            let known = self
                .symptoms
                .iter_mut()
                .rfind(|symptom| symptom.rule == reading.rule);
            let known = known.and_then(|symptom| {
                let again = spells < SPELLS && symptom.comes_again(reading, now);
                (!again).then_some(symptom)
            });
            match (known, reading.level()) {
                (Some(symptom), _) => symptom.apply(reading, recovered, adapts, now),
                (None, Some(level)) => {
                    self.symptoms.push(Symptom::new(reading, level, now));
                    changes.push(Change::Symptom);
                }
                (None, None) => {}
            }
        }
        let fires = |reading: &&Reading| reading.level().is_some();
        self.follow(readings, detector, now);
        let firing: Vec<&Reading> = readings.iter().filter(fires).collect();
        if firing.iter().any(|reading| self.is_of_it(reading.rule)) {
            self.last_symptom = now;
            let since_then = mem::replace(&mut self.since_then, Span::empty(now));
            self.evidence.during.add(&since_then);
            if let Some(state) = self.server_state(detector) {
                let clock = plain_clock(detector, now);
                self.evidence
                    .count_asked(&state.cohorts, self.onset, now, &clock);
            }
            self.note(detector, now);
        }
        if !firing.is_empty() {
            self.weigh(detector, now, true);
        } else if now.saturating_sub(self.last_symptom) <= AFTERMATH {
            // How it ends tells as well: late answers come of a program that was stopped.
            self.note(detector, now);
            self.weigh(detector, now, false);
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
        if self.first == self.told {
            self.other_since = None;
        } else {
            let since = *self.other_since.get_or_insert(now);
            if now.saturating_sub(since) >= SETTLED {
                self.told.clone_from(&self.first);
                self.other_since = None;
                changes.push(Change::Cause);
            }
        }
        let lasted = now.saturating_sub(self.opened);
        if level.is_none() && lasted >= SHORTEST {
            self.weigh(detector, now, false);
            self.end(Stage::Closed, now);
            changes.push(Change::Closed);
        } else if now.saturating_sub(self.last_active) >= STALE {
            self.end(Stage::Stale, now);
            changes.push(Change::Stale);
        }
        changes
    }

    /// Whether what is asked is answered again, however little that is.
    fn has_recovered(&self, detector: &Detector, now: Duration) -> bool {
        let limits = detector.thresholds();
        let clock = plain_clock(detector, now);
        self.server_state(detector).is_some_and(|state| {
            let lately = state.cohorts.enough(
                limits.failed_queries,
                Duration::from_secs(1),
                limits.failed_back,
                &clock,
            );
            lately.answered != 0 && share_of(&lately) < limits.partial_share.warning
        })
    }

    /// Notes from when to when there is a failure, and a flood.
    fn follow(&mut self, readings: &[Reading], detector: &Detector, now: Duration) {
        let of = |is: &dyn Fn(Rule) -> bool| -> Vec<Reading> {
            let fire = readings.iter().filter(|reading| reading.level().is_some());
            fire.filter(|reading| is(reading.rule)).cloned().collect()
        };
        let subject = self.subject;
        let failures = of(&Rule::is_failure);
        if !failures.is_empty() {
            let begun = || onset(subject, &failures, detector, now);
            go_on(&mut self.failure, begun, now, CALM);
        }
        let harms = of(&|rule| rule.is_failure() || rule == Rule::Slow);
        if !harms.is_empty() {
            let begun = || onset(subject, &harms, detector, now);
            go_on(&mut self.harm, begun, now, CALM);
        }
        let rises = self.server_state(detector).is_some_and(|state| {
            let lately = state.history.over(2 * MOMENT);
            lately.rate(lately.counters.queries) >= RISE * state.usual.rate.mean()
        });
        let floods = of(&Rule::is_flood);
        self.has_risen |= rises && !floods.is_empty();
        // The heaviest source is that of the last seconds: it may have ended since.
        let lasts = |reading: &Reading| reading.rule != Rule::OneSource || rises || !self.has_risen;
        if floods.iter().any(lasts) {
            let flood = floods
                .iter()
                .find(|reading| reading.rule == Rule::QueryFlood);
            let least = flood.map(|reading| reading.warning);
            let begun = || risen_since(subject, least, detector, now);
            // What has brought a failure about may pause, and is no other flood for that.
            let pause = if self.flood_came() == Some(Came::First) {
                Duration::MAX
            } else {
                PAUSE
            };
            go_on(&mut self.flood, begun, now, pause);
        }
        // The rate may hardly rise by them: they are dated by themselves.
        if self.names_since.is_none()
            && floods
                .iter()
                .any(|reading| reading.rule == Rule::RandomNames)
            && let Subject::Server(key) = subject
        {
            let begun = detector.with_facts(&key, now, |facts| {
                let zone = random_names::worst(facts)?;
                random_names::begun(facts, &zone.name)
            });
            self.names_since = begun.flatten();
            if let (Some(flood), Some(since)) = (&mut self.flood, self.names_since) {
                flood.since = flood.since.min(since);
            }
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

    /// When it began.
    #[must_use]
    pub fn onset(&self) -> Duration {
        self.onset
    }

    /// When it was noticed.
    #[must_use]
    pub fn opened(&self) -> Duration {
        self.opened
    }

    /// Whether its server gets far too much now.
    #[must_use]
    pub fn is_flooded(&self) -> bool {
        let mut on = self.symptoms.iter().filter(|symptom| symptom.is_on());
        on.any(|symptom| symptom.rule.is_flood())
    }

    /// Whether its queries fail now.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.symptoms
            .iter()
            .any(|symptom| symptom.is_on() && symptom.rule.is_failure())
    }

    /// It fails by itself: its program is down, which says nothing of others.
    #[must_use]
    pub fn is_of_its_own(&self) -> bool {
        self.symptoms
            .iter()
            .any(|symptom| symptom.is_on() && symptom.rule == Rule::PortUnreachable)
    }

    /// Another server fails in the same moment for the same clients.
    pub fn add_server(&mut self, server: ServerKey) {
        if !self.also.contains(&server) {
            self.also.push(server);
        }
    }

    /// Whether a server is one of those.
    #[must_use]
    pub fn has_server(&self, server: &ServerKey) -> bool {
        self.also.contains(server)
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

    /// The worst of the symptoms that are on.
    fn current_level(&self) -> Option<Level> {
        let on = self.symptoms.iter().filter(|symptom| symptom.is_on());
        on.filter_map(|symptom| symptom.now).max()
    }

    fn weigh(&mut self, detector: &Detector, now: Duration, goes_on: bool) {
        self.vantage = match self.subject {
            Subject::Server(key) => detector.vantage(&key),
            Subject::Network => Vantage::Path,
        };
        let rules: Vec<Rule> = self
            .symptoms
            .iter()
            .map(|symptom| symptom.rule)
            .filter(|rule| self.is_of_it(*rule))
            .collect();
        let flood_came = self.flood_came();
        let case = Case {
            subject: self.subject,
            rules: &rules,
            flood_came,
            vantage: self.vantage,
            onset: self.onset,
            now,
            last: self
                .failure
                .map_or(self.last_symptom, |failure| failure.until),
            is_over: self.current_level().is_none(),
            also: &self.also,
            evidence: &self.evidence,
            verified: self.verified.as_ref(),
        };
        let mut findings = collect::findings(&case, detector);
        if !goes_on {
            let is_new = |found: &Finding| {
                let same = |new: &Finding| mem::discriminant(new) == mem::discriminant(found);
                !findings.iter().any(same)
            };
            let kept = self.findings.iter().filter(|found| found.is_momentary());
            let kept: Vec<Finding> = kept.filter(|found| is_new(found)).cloned().collect();
            findings.extend(kept);
        }
        self.findings = findings;
        self.causes = rank::rank(&self.findings);
        self.first = rank::first(&self.causes);
    }

    /// Whether a symptom is of what the incident is about. Where there was a failure, what is wrong with answers
    /// after it is of the recovery, and what was wrong with them before it is of something else, until it
    /// has lasted longer than the failure.
    fn is_of_it(&self, rule: Rule) -> bool {
        let symptom = self.symptoms.iter().rfind(|symptom| symptom.rule == rule);
        let (Some(symptom), Some(failure)) = (symptom, self.failure) else {
            return true;
        };
        let failed = failure.until.saturating_sub(failure.since);
        // A server that waits for its upstream is silent before it says so.
        let errors = [
            Rule::PortUnreachable,
            Rule::Prohibited,
            Rule::HostUnreachable,
        ];
        let says_why = rule == Rule::RcodeShift
            && !self
                .symptoms
                .iter()
                .any(|symptom| errors.contains(&symptom.rule));
        if !rule.is_about_answers() || says_why {
            return true;
        }
        let lasted = symptom.last.saturating_sub(symptom.since);
        let together = symptom
            .last
            .min(failure.until)
            .saturating_sub(symptom.since.max(failure.since));
        lasted >= failed || together * 2 > lasted
    }

    /// Which came first, the flood or the failure, where there are both.
    fn flood_came(&self) -> Option<Came> {
        let (flood, failure) = (self.flood?, self.harm?);
        let counters = &self.evidence.during.counters;
        let made_up = self.symptoms.iter().any(|symptom| {
            let since = match self.names_since {
                Some(since) if symptom.rule == Rule::RandomNames => since,
                _ => symptom.since,
            };
            let together = since <= failure.since + PAUSE;
            together
                && matches!(
                    symptom.rule,
                    Rule::Spoofed | Rule::RandomNames | Rule::Amplification
                )
        });
        let repeated = counters.transactions.retransmitted * 2 >= counters.queries;
        Some(flood_came(flood, failure, made_up, repeated))
    }

    /// Whether a rule fired in the last tick: what is learnt then is of the incident, and not of what came
    /// after it.
    #[must_use]
    pub fn is_firing(&self) -> bool {
        self.since_then.elapsed.is_zero()
    }

    /// What the host where the sensor runs says, while a rule fires; `here` where the server is its own.
    pub fn set_host(&mut self, log: &HostLog, reading: &HostReading, here: bool) {
        self.evidence.name_cgroups(log);
        self.read_host(log, reading.sockets.as_ref(), here);
    }

    fn read_host(&mut self, log: &HostLog, sockets: Option<&Sockets>, here: bool) {
        let Subject::Server(key) = self.subject else {
            return;
        };
        let onset = self.onset;
        let sum = self
            .host
            .get_or_insert_with(|| HostSum::new(ip(&key), onset, log));
        let sockets = sockets.filter(|_| here);
        sum.add(log, sockets, self.since_then.elapsed.is_zero());
        let facts = sum.facts();
        if here || facts.concerns() {
            self.evidence.host = Some(facts);
        }
    }

    /// Whether its server may be probed now: it fails, there is no flood, and it was not probed in the last
    /// minute. It counts as probed from now on.
    pub fn may_be_asked(&mut self, now: Duration) -> bool {
        let on = |is: fn(Rule) -> bool| {
            let mut symptoms = self.symptoms.iter().filter(|symptom| symptom.is_on());
            symptoms.any(|symptom| is(symptom.rule))
        };
        // Not for ever, where nobody else asks.
        let due = self
            .probed
            .is_none_or(|at| now >= at + PROBE_EVERY && self.last_active > at);
        let may = due && self.is_firing() && on(Rule::is_failure) && !on(Rule::is_flood);
        if may {
            self.probed = Some(now);
        }
        may
    }

    /// The record as of now.
    #[must_use]
    pub fn record(&self, now: Duration, clock: &WallClock, about: &About) -> Record {
        let evidence = &self.evidence;
        let mut networks: Vec<_> = evidence
            .clients
            .keys()
            .map(|client| Prefix::network(*client))
            .collect();
        networks.dedup();
        let affects = self.findings.iter().find_map(|finding| match finding {
            Finding::Contrast(contrast) => Some(contrast.clone()),
            _ => None,
        });
        let record = Record {
            schema: SCHEMA,
            kind: "incident".into(),
            id: self.id.clone(),
            server: match self.subject {
                Subject::Server(key) => Some(ip(&key).to_string()),
                Subject::Network => None,
            },
            also: self.also.iter().map(|key| ip(key).to_string()).collect(),
            ports: about.ports.clone(),
            vantage: self.vantage,
            watched: about.watched.clone(),
            stage: self.stage,
            level: self.level,
            onset_ms: clock.ms(self.onset),
            detected_ms: clock.ms(self.opened),
            last_symptom_ms: clock.ms(self.last_symptom),
            ended_ms: self.ended.map(|at| clock.ms(at)),
            updated_ms: clock.ms(now),
            unwatched: Vec::new(),
            symptoms: self
                .symptoms
                .iter()
                .map(|symptom| SymptomRecord {
                    rule: symptom.rule.name().into(),
                    title: symptom.rule.title().into(),
                    level: symptom.worst,
                    since_ms: clock.ms(symptom.since),
                    worst_since_ms: symptom.worst_since.map(|at| clock.ms(at)),
                    until_ms: symptom.until.map(|at| clock.ms(at)),
                    detail: symptom.detail.clone(),
                })
                .collect(),
            before: evidence.summary_before(),
            during: evidence.summary_during(),
            clients: Clients {
                addresses: evidence.clients.len(),
                networks: networks.len(),
                rejected: evidence.rejected.clone(),
                served: evidence.served,
                heaviest: evidence.heaviest_clients(),
                units: evidence.heaviest_units(),
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
            affects,
            first_cause: self.first.clone(),
            causes: self.causes.clone(),
            findings: self.findings.clone(),
            series: evidence.series(),
        };
        match &self.earlier {
            Some(earlier) => earlier.and(record),
            None => record,
        }
    }
}

/// Without the patience that a slow server is given.
fn plain_clock(detector: &Detector, now: Duration) -> Clock {
    Clock {
        now,
        timeout: detector.timeout(),
        overdue: detector.timeout(),
        young: true,
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

/// When it began, as far as is known: with the first failed query of those that made the rule fire, or
/// with the readings themselves.
fn onset(subject: Subject, readings: &[Reading], detector: &Detector, now: Duration) -> Duration {
    let failure = readings
        .iter()
        .any(|reading| reading.level().is_some() && reading.rule.is_failure());
    let sudden = now.saturating_sub(2 * MOMENT);
    let Subject::Server(key) = subject else {
        return sudden;
    };
    let since = detector.server(&key).and_then(|state| state.failing_since);
    since.filter(|_| failure).unwrap_or(sudden).min(now)
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
    let spans: Vec<Span> = state.history.spans(LOOK_BACK).collect();
    let risen = spans
        .iter()
        .rev()
        .take_while(|span| span.rate(span.counters.queries) >= least);
    risen
        .last()
        .map_or(sudden, |span| span.end.saturating_sub(span.elapsed))
}
