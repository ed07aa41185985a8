//! What is kept of an incident while it goes on: as it was read, and bounded.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use sensor_common::class::ErrorKind;
use sensor_common::sample::Sample;
use sensor_common::server::ServerKey;

use super::chronology::MOMENT;
use super::copies::{self, Copies};
use super::record::{Counts, Party, Range, Summary};
use super::series::Series;
use crate::detect::again::Again;
use crate::detect::cohort::{Asked, Clock, Cohort, Cohorts};
use crate::detect::history::{Span, float};
use crate::detect::rules::one_source::{self, Source};
use crate::detect::rules::rcode_shift::{self, Shift};
use crate::detect::rules::{answers_lost, fragments, partial_rejection};
use crate::detect::{Facts, ServerState, interval};
use crate::host::facts::{HostFacts, HostLog};
use crate::measure::address::{ip, prefix};
use crate::measure::clock::WallClock;
use crate::measure::dossier::{Dossier, End};
use crate::measure::sampled::{Kind, Sampled};
use crate::measure::samples::Names;

/// Sampled packets from before an incident.
const PACKETS_BEFORE: usize = 64;
/// Sampled packets of an incident, those included.
const PACKETS: usize = 256;
/// Of them queries and responses: the others are for ICMP errors.
const MESSAGES: usize = 192;
/// Clients and senders that are counted.
const PARTIES: usize = 512;
/// Of those that are told.
const TOP: usize = 10;
/// What came so lately is of one moment.
const LATELY: Duration = Duration::from_secs(3);
/// Packets that are kept of all servers, for incidents to come.
const RECENT: usize = 512;

/// The last packets that were sampled, of all servers.
#[derive(Default)]
pub struct Recent {
    packets: VecDeque<(Sampled, Sample)>,
}

impl Recent {
    /// Adds one.
    pub fn add(&mut self, sampled: Sampled, sample: Sample) {
        if self.packets.len() == RECENT {
            self.packets.pop_front();
        }
        self.packets.push_back((sampled, sample));
    }

    /// Those of a server, or of all.
    fn of(&self, server: Option<ServerKey>) -> impl Iterator<Item = &(Sampled, Sample)> {
        let wanted = move |sampled: &Sampled| server.is_none_or(|s| sampled.server == s);
        self.packets.iter().filter(move |(s, _)| wanted(s))
    }
}

/// Counts of things of which only the first so many are told apart.
fn count<K: Ord>(counts: &mut Counts<K>, key: K) {
    if counts.len() < PARTIES || counts.contains_key(&key) {
        *counts.entry(key).or_default() += 1;
    }
}

/// Keeps the worse one.
fn worse(worst: &mut Option<Again>, now: Option<Again>) {
    if let Some(now) = now
        && worst
            .as_ref()
            .is_none_or(|worst| now.share() >= worst.share())
    {
        *worst = Some(now);
    }
}

/// See the module.
pub struct Evidence {
    server: Option<ServerKey>,
    /// The minute before the onset, by the time at which things passed.
    pub before: Span,
    /// From the onset to the last symptom.
    pub during: Span,
    /// Queries that were asked before, and during.
    pub asked: [Asked; 2],
    /// Of the latter those that have had their time-out: a share of the others would be of answers alone.
    pub ripe: Asked,
    /// At its worst at least this share of the newest queries failed, surely.
    pub surely_failed: f64,
    /// Of those during it, cohorts that have had their time-out.
    closed: Asked,
    closed_to: Duration,
    /// Latency of before and during: median and 95th percentile, in seconds.
    pub latency: [Option<(f64, f64)>; 2],
    /// From a minute before the first sign on.
    series: Series,
    /// What was asked so lately that it may be answered yet: from when to when, in milliseconds since 1970.
    tail: Vec<(u64, u64, Asked)>,
    /// Queries that were asked from then on count as during it.
    counts_from: Option<Duration>,
    /// The series has what was asked up to then.
    series_to: Duration,
    /// Sampled packets.
    pub packets: Vec<Sample>,
    /// Names in sampled queries.
    pub names: Names,
    /// Sampled queries by client.
    pub clients: Counts<ServerKey>,
    /// Sampled queries of programs of this host, by their cgroup.
    pub cgroups: Counts<u64>,
    /// Names of those.
    pub units: BTreeMap<u64, String>,
    /// Sampled ICMP errors by sender and kind.
    pub senders: BTreeMap<(ServerKey, ErrorKind), u64>,
    /// Queries a second.
    pub rate: Range,
    /// Different sources a second, on the whole network.
    pub distinct_sources: Range,
    /// Different names a second, on the whole network.
    pub distinct_names: Range,
    /// The heaviest sources of the network when the rate was worst.
    pub sources: Vec<Party>,
    /// Client networks that are rejected, and how many are served.
    pub rejected: Vec<String>,
    /// See `rejected`.
    pub served: usize,
    /// Answers from elsewhere, and who sent the most of them.
    pub elsewhere: (u64, Option<ServerKey>),
    /// Queries of which a later copy was answered at once.
    pub copies_answered: u64,
    /// What became of second copies, and of first ones.
    pub copies: Copies,
    /// Late answers that came within seconds; the most.
    pub late: u64,
    /// The source that asked most, when it asked most.
    pub heaviest: Option<Source>,
    /// The worst shift of an rcode.
    pub shift_of_rcodes: Option<Shift>,
    /// What became of large answers, at the worst.
    pub lost_answers: fragments::Lost,
    /// Answered queries that were asked again, at the worst.
    pub again: Option<Again>,
    /// The same of those with a large answer.
    pub large_again: Option<Again>,
    /// Longest wait for an ICMP error.
    pub slowest_error: Option<Duration>,
    /// An ICMP error came.
    is_told: bool,
    /// What the server's host says.
    pub host: Option<HostFacts>,
    /// The highest sampling shift.
    pub shift: u32,
    /// Samples lost.
    pub lost: u64,
}

impl Evidence {
    /// Begins with what is known from before.
    #[must_use]
    pub fn new(server: Option<ServerKey>, recent: &Recent, now: Duration) -> Self {
        let known: Vec<_> = recent.of(server).collect();
        let mut evidence = Self {
            server,
            before: Span::empty(now),
            during: Span::empty(now),
            asked: [Asked::default(); 2],
            ripe: Asked::default(),
            surely_failed: 0.0,
            closed: Asked::default(),
            closed_to: Duration::ZERO,
            latency: [None; 2],
            series: Series::default(),
            tail: Vec::new(),
            counts_from: None,
            series_to: Duration::ZERO,
            packets: Vec::new(),
            names: Names::default(),
            clients: Counts::new(),
            cgroups: Counts::new(),
            units: BTreeMap::new(),
            senders: BTreeMap::new(),
            rate: Range::default(),
            distinct_sources: Range::default(),
            distinct_names: Range::default(),
            sources: Vec::new(),
            rejected: Vec::new(),
            served: 0,
            elsewhere: (0, None),
            copies_answered: 0,
            copies: Copies::default(),
            late: 0,
            heaviest: None,
            shift_of_rcodes: None,
            lost_answers: fragments::Lost::default(),
            again: None,
            large_again: None,
            slowest_error: None,
            is_told: false,
            host: None,
            shift: 0,
            lost: 0,
        };
        for (sampled, sample) in known
            .iter()
            .skip(known.len().saturating_sub(PACKETS_BEFORE))
        {
            evidence.add(sampled, sample);
        }
        evidence
    }

    /// Adds what was asked to the series, from a minute before the onset on.
    pub fn note_asked(
        &mut self,
        cohorts: &Cohorts,
        onset: Duration,
        clock: &Clock,
        calendar: &WallClock,
    ) {
        let from = onset.saturating_sub(Duration::from_mins(1));
        self.series_to = self.series_to.max(from);
        let over = clock
            .now
            .saturating_sub(clock.timeout + Duration::from_secs(1));
        self.tail.clear();
        for cohort in cohorts.between(self.series_to, clock.now + clock.timeout) {
            let asked = cohort.as_of(clock.now, clock.timeout, clock.timeout);
            let (from, to) = (calendar.ms(cohort.from), calendar.ms(cohort.to));
            if cohort.to <= over {
                self.series.push_asked(from, to, &asked);
                self.series_to = cohort.to;
            } else {
                self.tail.push((from, to, asked));
            }
        }
    }

    /// The series up to now.
    #[must_use]
    pub fn series(&self) -> Series {
        let mut series = self.series.clone();
        for (from, to, asked) in &self.tail {
            series.push_asked(*from, *to, asked);
        }
        series
    }

    /// Takes over what the history knows from before.
    pub fn look_back(
        &mut self,
        spans: impl Iterator<Item = Span>,
        first: Duration,
        calendar: &WallClock,
    ) {
        for span in spans {
            self.push(calendar.ms(span.end), &span);
            let side = if span.end < first {
                &mut self.before
            } else {
                &mut self.during
            };
            side.add(&span);
        }
    }

    /// Adds what passed to the series.
    pub fn push(&mut self, end_ms: u64, span: &Span) {
        if self.server.is_some() {
            self.series.push_packets(end_ms, span);
        } else {
            self.series.push(end_ms, span);
        }
    }

    /// Counts the queries that were asked in the minute before the onset, and from it up to the last symptom.
    pub fn count_asked(
        &mut self,
        cohorts: &Cohorts,
        onset: Duration,
        last: Duration,
        clock: &Clock,
    ) {
        let as_of = |from: Duration, to: Duration| {
            let mut sum = Asked {
                from,
                to: from,
                ..Asked::default()
            };
            for cohort in cohorts.between(from, to) {
                sum.add(&cohort.as_of(clock.now, clock.timeout, clock.timeout));
            }
            sum
        };
        let minute = Duration::from_mins(1);
        // Cohorts are whole: the one of the onset counts where most of it lies.
        let middle = |cohort: &&Cohort| (cohort.from + cohort.to) / 2 <= onset;
        let first = cohorts.back().find(|cohort| cohort.from < onset);
        let onset = first
            .filter(middle)
            .map_or(onset, |cohort| cohort.to.max(onset));
        // What was asked just before has had its time-out a moment later.
        if self.closed_to.is_zero() {
            self.closed_to = onset;
        }
        let onset = self.counts_from.get_or_insert(onset);
        if clock.now < *onset + clock.timeout + Duration::from_secs(2) || self.asked[0].asked == 0 {
            self.asked[0] = as_of(onset.saturating_sub(minute), *onset);
        }
        let over = clock
            .now
            .saturating_sub(clock.timeout + Duration::from_secs(1))
            .min(last);
        if over > self.closed_to {
            self.closed.add(&as_of(self.closed_to, over));
            self.closed_to = over;
        }
        let so_far = |to: Duration| {
            let mut asked = self.closed;
            if to > self.closed_to {
                asked.add(&as_of(self.closed_to, to));
            }
            asked
        };
        self.asked[1] = so_far(last);
        self.ripe = so_far(last.min(clock.now.saturating_sub(clock.timeout)));
    }

    /// What was usual before it.
    pub fn set_usual(&mut self, state: Option<&ServerState>) {
        let latency = state.map(|state| &state.usual.latency);
        self.latency[0] =
            latency.and_then(|latency| Some((latency.quantile(0.5)?, latency.quantile(0.95)?)));
    }

    /// Notes the worst of what the facts of a tick tell.
    pub fn note(&mut self, facts: &Facts<'_>, onset: Duration) {
        let since: Vec<&Dossier> = facts
            .recent
            .iter()
            .filter(|dossier| dossier.begun >= onset)
            .copied()
            .collect();
        self.note_latency(&since);
        let asked = &facts.failing.asked;
        let surely = interval::lower(float(asked.failed()), float(asked.decided()));
        self.surely_failed = self.surely_failed.max(surely);
        let elsewhere = since.iter().filter_map(|dossier| match facts.end(dossier) {
            End::Elsewhere(answer) => Some((dossier.weight, answer.from)),
            _ => None,
        });
        let (mut many, mut from) = (0, None);
        for (weight, sender) in elsewhere {
            many += u64::from(weight);
            from = Some(sender);
        }
        if many >= self.elsewhere.0 {
            self.elsewhere = (many, from);
        }
        let usual = facts.state.usual.latency.quantile(0.95).unwrap_or(0.1);
        let slowest = self.latency[1].map_or(0.0, |(_, p95)| p95);
        let (now, timeout) = (facts.now(), facts.clock.timeout);
        let goes_on = copies::goes_on(&since, slowest, now, timeout);
        let copies = since.iter().filter(|dossier| {
            let own = dossier
                .latency()
                .map_or(f64::MAX, |time| time.as_secs_f64());
            let wait = dossier.wait().map_or(0.0, |time| time.as_secs_f64());
            let is_during = || {
                let answer = dossier.answer();
                let latency = dossier.latency().unwrap_or_default();
                answer.is_some_and(|answer| answer.at.saturating_sub(latency) <= goes_on)
            };
            dossier.copies.len() > 1
                && own <= 3.0 * usual.max(0.02)
                && wait >= own + 0.5
                && is_during()
        });
        let copies: u64 = copies.map(|dossier| u64::from(dossier.weight)).sum();
        self.copies_answered = self.copies_answered.max(copies);
        let copies = Copies::of(&since, slowest, now, timeout);
        if copies.decided() >= self.copies.decided() {
            self.copies = copies;
        }
        if let Some(source) = one_source::heaviest(facts)
            && self
                .heaviest
                .is_none_or(|heaviest| source.rate >= heaviest.rate)
        {
            self.heaviest = Some(source);
        }
        let lost = fragments::lost(facts);
        self.lost_answers.too_big = self.lost_answers.too_big.max(lost.too_big);
        self.lost_answers.not_reassembled =
            self.lost_answers.not_reassembled.max(lost.not_reassembled);
        if lost.first > self.lost_answers.first {
            (self.lost_answers.first, self.lost_answers.later) = (lost.first, lost.later);
        }
        worse(&mut self.again, answers_lost::lost(facts));
        worse(&mut self.large_again, fragments::large_lost(facts));
        if let Some(shift) = rcode_shift::worst(facts).filter(|shift| shift.fires)
            && self
                .shift_of_rcodes
                .is_none_or(|worst| shift.share >= worst.share)
        {
            self.shift_of_rcodes = Some(shift);
        }
        let (rejected, served) = partial_rejection::networks(facts);
        if !rejected.is_empty() {
            self.rejected = rejected.iter().map(prefix).collect();
            self.served = served;
        }
        let waits = since.iter().filter_map(|dossier| {
            let error = dossier.errors.iter().find(|error| !error.about_answer)?;
            Some(error.at.saturating_sub(dossier.asked()?))
        });
        self.slowest_error = self.slowest_error.max(waits.max());
        // Where a NAT hides whose query an error is about, the first one tells, counted from the first failure.
        let counters = &facts.short.counters;
        let matched: u64 = counters.errors_matched.iter().sum();
        if counters.errors.iter().any(|errors| *errors != 0) && !self.is_told {
            self.is_told = true;
            if matched == 0 {
                let first = facts.now().saturating_sub(MOMENT);
                self.slowest_error = self.slowest_error.max(Some(first.saturating_sub(onset)));
            }
        }
    }

    /// Counts the late answers of the last seconds: the server took the queries, and could not answer in time.
    pub fn note_late<'a>(
        &mut self,
        dossiers: impl Iterator<Item = &'a Dossier>,
        now: Duration,
        timeout: Duration,
    ) {
        let late = dossiers.filter(|dossier| match dossier.end(now, timeout) {
            End::Late(answer) => {
                let own = dossier.latency().unwrap_or_default();
                answer.at + LATELY >= now && own * 2 > timeout
            }
            _ => false,
        });
        self.late = self.late.max(late.count() as u64);
    }

    fn note_latency(&mut self, since: &[&Dossier]) {
        let mut times: Vec<f64> = since
            .iter()
            .filter_map(|dossier| Some(dossier.latency()?.as_secs_f64()))
            .collect();
        if times.is_empty() {
            return;
        }
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
        let worst = self.latency[1].map_or(0.0, |(_, p95)| p95);
        if at(95) >= worst {
            self.latency[1] = Some((at(50), at(95)));
        }
    }

    /// Adds a sampled packet, if it is of this server.
    pub fn add(&mut self, sampled: &Sampled, sample: &Sample) {
        if self.server.is_some_and(|server| sampled.server != server) {
            return;
        }
        let mut room = MESSAGES;
        match &sampled.kind {
            Kind::Query { .. } => {
                count(&mut self.clients, sampled.client);
                if sampled.cgroup != 0 {
                    count(&mut self.cgroups, sampled.cgroup);
                }
                self.names.add(sample);
            }
            Kind::Response { .. } => {}
            Kind::Error {
                kind,
                sender,
                about_answer,
            } => {
                if !about_answer {
                    count(&mut self.senders, (*sender, *kind));
                }
                room = PACKETS;
            }
        }
        if self.packets.len() < room {
            self.packets.push(*sample);
        }
    }

    /// The one that sent most ICMP errors of a kind, in the samples.
    #[must_use]
    pub fn sender_of(&self, kinds: &[ErrorKind]) -> Option<ServerKey> {
        let senders = self.senders.iter();
        senders
            .filter(|((_, kind), _)| kinds.contains(kind))
            .max_by_key(|(_, count)| **count)
            .map(|((sender, _), _)| *sender)
    }

    /// Counts of the time before, in the form of the record.
    #[must_use]
    pub fn summary_before(&self) -> Summary {
        summary(&self.before, &self.asked[0], self.latency[0])
    }

    /// The same of the time since.
    #[must_use]
    pub fn summary_during(&self) -> Summary {
        summary(&self.during, &self.asked[1], self.latency[1])
    }

    /// The heaviest clients in the samples.
    #[must_use]
    pub fn heaviest_clients(&self) -> Vec<Party> {
        let clients = self.clients.iter();
        top(clients.map(|(client, count)| Party {
            who: ip(client).to_string(),
            count: *count,
            what: None,
        }))
    }

    /// Takes the names of the cgroups that asked.
    pub fn name_cgroups(&mut self, log: &HostLog) {
        for id in self.cgroups.keys() {
            if let Some(name) = log.cgroup(*id) {
                self.units.insert(*id, name.into());
            }
        }
    }

    /// The units of this host that asked most, in the samples.
    #[must_use]
    pub fn heaviest_units(&self) -> Vec<Party> {
        let mut units = Counts::new();
        for (id, queries) in &self.cgroups {
            let name = self.units.get(id);
            let name = name.map_or_else(|| format!("cgroup {id}"), Clone::clone);
            *units.entry(name).or_default() += queries;
        }
        top(units.into_iter().map(|(who, count)| Party {
            who,
            count,
            what: None,
        }))
    }

    /// Who sent ICMP errors.
    #[must_use]
    pub fn icmp_senders(&self) -> Vec<Party> {
        let senders = self.senders.iter();
        top(senders.map(|((sender, kind), count)| Party {
            who: ip(sender).to_string(),
            count: *count,
            what: Some(kind.name().into()),
        }))
    }

    /// Names that were asked for.
    #[must_use]
    pub fn top_names(&self) -> Vec<Party> {
        let names = self.names.names.top(TOP).into_iter();
        names
            .map(|(name, count)| Party {
                who: if name == "." || name.is_empty() {
                    "(root)"
                } else {
                    name
                }
                .into(),
                count: count.at_most,
                what: None,
            })
            .collect()
    }
}

fn top(parties: impl Iterator<Item = Party>) -> Vec<Party> {
    let mut parties: Vec<Party> = parties.collect();
    parties.sort_by(|a, b| (b.count, &a.who).cmp(&(a.count, &b.who)));
    parties.truncate(TOP);
    parties
}

fn summary(span: &Span, asked: &Asked, latency: Option<(f64, f64)>) -> Summary {
    let counters = &span.counters;
    let transactions = &counters.transactions;
    let kinds = ErrorKind::ALL.iter();
    let icmp_errors = kinds
        .map(|kind| (kind.name().to_string(), counters.errors[kind.index()]))
        .filter(|(_, count)| *count != 0);
    let rcodes = counters.answers_by_rcode.iter().enumerate();
    let rcodes = rcodes.filter(|(_, count)| **count != 0);
    Summary {
        seconds: span.elapsed.as_secs_f64(),
        queries: counters.queries,
        asked: asked.asked,
        responses: counters.responses,
        answered: asked.answered,
        late: transactions.late,
        errored: asked.errored,
        unanswered: asked.unanswered + asked.overdue,
        waiting: asked.waiting,
        retransmitted: transactions.retransmitted,
        rcodes: rcodes
            .map(|(rcode, count)| (rcode_shift::name(rcode).to_string(), *count))
            .collect(),
        truncated: counters.truncated,
        query_bytes: counters.query_bytes,
        response_bytes: counters.response_bytes,
        unmatched: transactions.unmatched,
        backscatter: counters.backscatter.iter().sum(),
        icmp_errors: icmp_errors.collect(),
        icmp_from_server: counters.errors_from_server,
        tcp: span.connections(),
        p50_ms: latency.map(|(p50, _)| p50 * 1e3),
        p95_ms: latency.map(|(_, p95)| p95 * 1e3),
    }
}
