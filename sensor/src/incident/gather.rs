//! Collects what is known of an incident, as findings: each fact at most once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sensor_common::class::ErrorKind;
use sensor_common::server::ServerKey;

use super::asks;
use super::chronology::Came;
use super::diagnosis::contrast::{self, Property};
use super::diagnosis::{Contrast, Finding};
use super::evidence::Evidence;
use super::host_findings::{self, Failing};
use crate::detect::again;
use crate::detect::history::{float, share};
use crate::detect::rcode::{NXDOMAIN, REFUSED, SERVFAIL};
use crate::detect::rules::{amplification, path_failing, random_names, rcode_shift, reflection};
use crate::detect::{Detector, Facts, Rule, Subject, Vantage, spoof};
use crate::host::probe::Verified;
use crate::measure::address::{ip, prefix};
use crate::measure::dossier::{Dossier, End};
use crate::measure::question::Question;
use crate::measure::sketch::Prefix;

/// The contrast is over dossiers of at most so long.
const CONTRAST: Duration = Duration::from_mins(1);
/// Connections are told of the last minute.
const MINUTE: Duration = Duration::from_mins(1);
/// ICMP errors for each failed query, or a second, that tell why all of them fail: they are rate limited.
const ERRORS_SHARE: f64 = 0.05;
const ERRORS_RATE: f64 = 0.2;
/// A wait for an ICMP error that only an unanswered ARP or neighbour request explains.
const ARP: Duration = Duration::from_millis(900);
/// Share of what fails that tells of all of it.
const MUCH: f64 = 0.3;
/// Stubs send a second copy within so long.
const YOUNG: Duration = Duration::from_secs(7);
/// Most stubs have asked again after so long.
const ASKS_AGAIN: Duration = Duration::from_millis(2_500);
/// Copies that tell something: about as many failures as it takes to tell what they have in common.
const COPIES: u64 = 12;
/// Late answers that are no stray ones.
const LATE: u64 = 8;
/// Datagrams without a socket that are no stray ones.
const NOT_TAKEN: u64 = 5;
/// Seconds between the first and the last look at the host that tell something of its sockets.
const LOOKED: u64 = 2;
/// What is over so soon was not mended by anybody.
const BRIEF: Duration = Duration::from_secs(20);
/// Share of the queries that fail where it is all of them, but for those of the moment in which it began.
const NEARLY_ALL: f64 = 0.8;
/// The same of the worst moments, as the lower end of its interval.
const SURELY: f64 = 0.65;
/// Times the usual rate that is a rise.
const RISE: f64 = 2.0;

/// What is known of an incident beside what the detector knows.
pub struct Case<'a> {
    /// What it is about.
    pub subject: Subject,
    /// Rules that fired and belong to it.
    pub rules: &'a [Rule],
    /// Which came first, the flood or the failure.
    pub flood_came: Option<Came>,
    /// Seen from the server.
    pub vantage: Vantage,
    /// When it began.
    pub onset: Duration,
    /// Now.
    pub now: Duration,
    /// When a rule last fired, and whether all is well again.
    pub last: Duration,
    /// See `last`.
    pub is_over: bool,
    /// Other servers that failed in the same moment.
    pub also: &'a [ServerKey],
    /// What was counted and sampled.
    pub evidence: &'a Evidence,
    /// What the sensor's own probe said.
    pub verified: Option<&'a Verified>,
}

impl Case<'_> {
    fn has(&self, rule: Rule) -> bool {
        self.rules.contains(&rule)
    }

    /// Most queries fail.
    fn most_fail(&self) -> bool {
        [
            Rule::PortUnreachable,
            Rule::Prohibited,
            Rule::HostUnreachable,
            Rule::Silent,
        ]
        .into_iter()
        .any(|rule| self.has(rule))
    }

    /// Some or most do.
    fn fails(&self) -> bool {
        self.most_fail() || self.has(Rule::PartialFailure) || self.has(Rule::PartialRejection)
    }
}

/// See the module.
#[must_use]
pub fn findings(case: &Case<'_>, detector: &Detector) -> Vec<Finding> {
    let mut found = Vec::new();
    match case.subject {
        Subject::Server(key) => {
            detector.with_facts(&key, case.now, |facts| {
                of_server(case, facts, detector, &mut found);
            });
        }
        Subject::Network => of_network(case, detector, &mut found),
    }
    found
}

fn of_server(case: &Case<'_>, facts: &Facts<'_>, detector: &Detector, found: &mut Vec<Finding>) {
    let told = if case.fails() {
        icmp_errors(case, found)
    } else {
        false
    };
    answers(case, facts, detector, found);
    failing(case, facts, told, found);
    floods(case, facts, found);
    large_answers(case, facts, detector, found);
    others(case, facts, detector, found);
    host(case, found);
}

/// ICMP errors about its queries. Whether they tell why these fail.
fn icmp_errors(case: &Case<'_>, found: &mut Vec<Finding>) -> bool {
    let evidence = case.evidence;
    let counters = &evidence.during.counters;
    let of = |kind: ErrorKind| counters.errors[kind.index()];
    let failed = evidence.asked[1].errored + evidence.asked[1].unanswered;
    let seconds = evidence.during.elapsed.as_secs_f64().max(1.0);
    let tells = |errors: u64| {
        errors >= 2
            && (float(errors) >= ERRORS_SHARE * float(failed)
                || float(errors) >= ERRORS_RATE * seconds)
            || errors != 0 && failed <= 4
    };
    let from = |kinds: &[ErrorKind]| evidence.sender_of(kinds).map(|key| ip(&key).to_string());
    let before = found.len();
    let port = of(ErrorKind::Port);
    if tells(port) {
        let all: u64 = counters.errors.iter().sum();
        // Of all kinds together; where they differ the sampled sender of this one decides.
        let by_server = match (case.subject, evidence.sender_of(&[ErrorKind::Port])) {
            (Subject::Server(key), Some(sender)) => sender == key,
            _ => counters.errors_from_server * 2 >= all,
        };
        found.push(if by_server {
            Finding::PortUnreachable { errors: port }
        } else {
            Finding::PortUnreachableElsewhere {
                errors: port,
                from: from(&[ErrorKind::Port]),
            }
        });
    }
    let prohibited = of(ErrorKind::Prohibited);
    if tells(prohibited) {
        found.push(Finding::Prohibited {
            errors: prohibited,
            from: from(&[ErrorKind::Prohibited]),
        });
    }
    let host = of(ErrorKind::Host);
    if tells(host) {
        let from = from(&[ErrorKind::Host]);
        let late = evidence.slowest_error.is_some_and(|wait| wait >= ARP);
        found.push(if late {
            Finding::HostUnreachableLate { errors: host, from }
        } else {
            Finding::HostUnreachableAtOnce { errors: host, from }
        });
    }
    let network = of(ErrorKind::Network);
    if tells(network) {
        found.push(Finding::NetworkUnreachable {
            errors: network,
            from: from(&[ErrorKind::Network]),
        });
    }
    let exceeded = of(ErrorKind::TimeExceeded);
    if tells(exceeded) {
        found.push(Finding::TimeExceeded {
            errors: exceeded,
            from: from(&[ErrorKind::TimeExceeded]),
        });
    }
    let other = of(ErrorKind::Other);
    if tells(other) {
        found.push(Finding::OtherUnreachable {
            errors: other,
            from: from(&[ErrorKind::Other]),
        });
    }
    found.len() != before
}

/// How its queries fail.
fn failing(case: &Case<'_>, facts: &Facts<'_>, told: bool, found: &mut Vec<Finding>) {
    let evidence = case.evidence;
    // Copies share what the first ones have in common.
    let is_told_apart = found.iter().any(|finding| {
        matches!(
            finding,
            Finding::Contrast(_) | Finding::AnswersLimited { .. }
        )
    });
    let asked = &evidence.asked[1];
    let failed = asked.failed();
    let here = case.vantage == Vantage::Server;
    let decided = asked.decided();
    let ripe = &evidence.ripe;
    let newest = facts.failing.share;
    let part_of_all = match share(ripe.failed(), ripe.decided()) {
        _ if ripe.decided() == 0 => newest,
        part if facts.failing.is_most => part.max(newest),
        part => part,
    };
    // What is still answered is more than a late answer or two: then it is a part that fails, however large.
    let most =
        case.most_fail() && (told || part_of_all >= NEARLY_ALL || evidence.surely_failed >= SURELY);
    if case.fails() && !told {
        let share = part_of_all;
        found.push(match (most, here) {
            (true, true) => Finding::SilenceHere { failed, decided },
            (true, false) => Finding::Silence { failed, decided },
            (false, true) => Finding::PartFailsHere { share },
            (false, false) if case.now.saturating_sub(case.onset) < YOUNG => {
                Finding::PartBeginsToFail { share }
            }
            (false, false) => Finding::PartFails { share },
        });
    }
    let part = case.fails() && !most;
    if part && !told && !case.has(Rule::Slow) && is_fast(case.evidence) {
        found.push(Finding::FastAsEver);
    }
    if case.fails() || case.has(Rule::Slow) {
        let (answers, from) = evidence.elsewhere;
        let fails: u64 = facts
            .recent
            .iter()
            .filter(|dossier| facts.end(dossier).is_failure())
            .map(|dossier| u64::from(dossier.weight))
            .sum();
        if answers >= 3
            && float(answers) >= MUCH * float(fails)
            && let Some(from) = from
        {
            let from = ip(&from).to_string();
            found.push(Finding::WrongSource { answers, from });
        }
        let copies = evidence.copies_answered;
        // Where all failed, copies are answered because it is over.
        if copies >= 3 && float(copies) >= MUCH * float(fails) && !most {
            found.push(Finding::SecondCopiesAnswered { copies });
        } else if part
            && !is_told_apart
            && evidence.copies.failed() >= COPIES
            && float(evidence.copies.failed()) >= MUCH * float(fails)
            && evidence.copies.fail_too()
        {
            found.push(Finding::CopiesFailToo {
                copies: evidence.copies.failed(),
            });
        } else if evidence.late >= LATE && !told {
            let answers = evidence.late;
            found.push(if most {
                Finding::WaitedAndAnswered { answers }
            } else {
                Finding::AnsweredLate { answers }
            });
        }
        let [_, accepted, refused] = evidence.during.connections();
        if accepted != 0 {
            found.push(Finding::TcpAccepted);
        } else if refused != 0 {
            found.push(Finding::TcpRefused);
        }
    }
    if case.has(Rule::Slow) {
        found.push(Finding::SlowAnswers);
    }
    if case.has(Rule::Collapse) {
        found.push(Finding::QueriesStayAway);
    }
}

/// Whether half of the answers, and nearly all, take about as long as before.
fn is_fast(evidence: &Evidence) -> bool {
    const SLACK: f64 = 2.0;
    matches!(evidence.latency, [Some((p50, p95)), Some((now50, now95))]
        if now50 <= SLACK * p50 && now95 <= SLACK * p95.max(0.005))
}

/// Its dossiers since the onset, of a minute at most, up to the last symptom.
fn since_onset<'a>(case: &Case<'_>, facts: &Facts<'_>, detector: &'a Detector) -> Vec<&'a Dossier> {
    let since = case.onset.max(case.now.saturating_sub(CONTRAST));
    let dossiers = detector.dossiers().since(since);
    dossiers
        .filter(|dossier| dossier.server == facts.server && !dossier.copies.is_empty())
        .filter(|dossier| dossier.begun <= case.last)
        .collect()
}

/// What its answers say, and whom they fail.
fn answers(case: &Case<'_>, facts: &Facts<'_>, detector: &Detector, found: &mut Vec<Finding>) {
    let shift = case
        .evidence
        .shift_of_rcodes
        .filter(|_| case.has(Rule::RcodeShift));
    if let Some(shift) = shift {
        let (rcode, share) = (shift.rcode, shift.share);
        let name = || rcode_shift::name(rcode).to_string();
        found.push(match rcode {
            SERVFAIL => Finding::Servfail { share },
            REFUSED => Finding::Refused { share },
            NXDOMAIN => Finding::NameError { share },
            1 | 4 => Finding::NotUnderstood {
                share,
                rcode: name(),
            },
            _ => Finding::OtherRcode {
                share,
                rcode: name(),
            },
        });
    }
    let dossiers = since_onset(case, facts, detector);
    // Where names are denied that were answered before, those that never were say nothing.
    let is_gone = |dossier: &&&Dossier| facts.state.names.is_denied(dossier);
    let gone = if shift.is_some_and(|shift| shift.rcode == NXDOMAIN) {
        dossiers.iter().filter(is_gone).count()
    } else {
        0
    };
    let fails = |dossier: &Dossier| match facts.end(dossier) {
        End::Waiting => {
            let waits = facts.now().saturating_sub(dossier.begun) > facts.clock.overdue;
            (waits && case.fails()).then_some(true)
        }
        End::NoQuery => None,
        End::Answered(answer) | End::Late(answer) => Some(shift.is_some_and(|shift| {
            shift.rcode == usize::from(answer.rcode)
                && (gone == 0 || facts.state.names.is_denied(dossier))
        })),
        _ => Some(true),
    };
    let lasted = case.last.saturating_sub(case.onset);
    if shift.is_some() && case.is_over && lasted <= BRIEF {
        found.push(Finding::EndedByItself {
            seconds: lasted.as_secs(),
        });
    }
    if shift.is_some_and(|shift| shift.rcode == REFUSED) {
        strangers(case, facts, &dossiers, found);
    }
    if case.fails() || shift.is_some() {
        let own = |key: &ServerKey| facts.place.addresses.contains(key);
        let large = |question: &Question| facts.state.names.is_large(question);
        if let Some(limited) = limited(&dossiers, &fails) {
            found.push(limited);
        } else if let Some(contrast) = contrast::find(
            &dossiers,
            &own,
            &case.evidence.units,
            &large,
            &fails,
            !case.fails(),
        ) {
            found.push(Finding::Contrast(contrast));
        } else if !case.evidence.rejected.is_empty() {
            found.push(Finding::Contrast(Contrast {
                property: Property::ClientNetwork,
                value: case.evidence.rejected.join(", "),
                of_failures: 1.0,
                rest_ok: 1.0,
                denied: false,
            }));
        }
    }
}

/// A network whose queries are answered, dropped and answered by an empty truncated message by turns, while others are
/// served.
fn limited(dossiers: &[&Dossier], fails: &dyn Fn(&Dossier) -> Option<bool>) -> Option<Finding> {
    const TRUNCATED: u64 = 5;
    const PART: f64 = 0.1;
    const OTHERS: f64 = 0.05;
    /// What an OPT record adds to the question that is sent back.
    const OPT: u32 = 64;
    let mut networks: BTreeMap<Prefix, [u64; 3]> = BTreeMap::new();
    for dossier in dossiers {
        let Some(failed) = fails(dossier) else {
            continue;
        };
        let is_empty = dossier
            .answer()
            .is_some_and(|answer| answer.truncated && answer.bytes <= dossier.query_bytes + OPT);
        let counts = networks.entry(Prefix::network(dossier.client)).or_default();
        let at = if failed { 0 } else { 1 + usize::from(is_empty) };
        counts[at] += 1;
    }
    let (network, [failed, fine, truncated]) =
        networks.iter().max_by_key(|(_, counts)| counts[2])?;
    let all = failed + fine + truncated;
    let others = networks.iter().filter(|(other, _)| *other != network);
    let (bad, sum) = others.fold((0, 0), |(bad, sum), (_, counts)| {
        (
            bad + counts[0] + counts[2],
            sum + counts.iter().sum::<u64>(),
        )
    });
    let is_limited = *truncated >= TRUNCATED
        && share(*truncated, all) >= PART
        && share(*failed, all) >= PART
        && share(bad, sum) <= OTHERS;
    is_limited.then(|| Finding::AnswersLimited {
        network: prefix(network),
        truncated: *truncated,
        unanswered: *failed,
    })
}

/// Whether only those are refused whom the server never answered.
fn strangers(case: &Case<'_>, facts: &Facts<'_>, dossiers: &[&Dossier], found: &mut Vec<Finding>) {
    let is_known = |dossier: &Dossier| {
        let since = facts.state.known.get(&dossier.client);
        since.is_some_and(|since| *since < case.onset)
    };
    let (mut refused, mut strange, mut known, mut served) = (0_u64, 0, 0, 0);
    let mut who = BTreeSet::new();
    for dossier in dossiers {
        let Some(answer) = dossier.answer() else {
            continue;
        };
        let weight = u64::from(dossier.weight);
        let is_refused = usize::from(answer.rcode) == REFUSED;
        if is_refused {
            refused += weight;
            if !is_known(dossier) {
                strange += weight;
                who.insert(dossier.client);
            }
        }
        if is_known(dossier) {
            known += weight;
            served += if is_refused { 0 } else { weight };
        }
    }
    let served = share(served, known);
    if share(strange, refused) >= 0.8
        && (known == 0 || served >= 0.8)
        && !facts.state.known.is_empty()
    {
        found.push(Finding::StrangersRefused {
            strangers: who.len() as u64,
            served,
        });
    }
}

/// Too much traffic.
fn floods(case: &Case<'_>, facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let rate = case.evidence.rate;
    let rise = rate.usual.map_or(1.0, |usual| rate.worst / usual.max(1.0));
    let flood = case.rules.iter().any(|rule| rule.is_flood());
    // A share of an rcode, or a part that fails, is noticed a moment before the names behind it are many.
    let may_be_random = [Rule::RandomNames, Rule::RcodeShift, Rule::PartialFailure];
    if may_be_random.into_iter().any(|rule| case.has(rule))
        && let Some(zone) = random_names::worst(facts)
        && (case.has(Rule::RandomNames) || zone.is_unusual())
    {
        found.push(Finding::RandomNames {
            zone: zone.name,
            clients: zone.clients as u64,
        });
    }
    if case.has(Rule::Amplification)
        && let Some(victim) = amplification::worst(facts)
    {
        found.push(Finding::LargeAnswers {
            network: prefix(&victim.network),
            others: victim.others,
        });
    }
    if case.has(Rule::Garbage) {
        found.push(Finding::Garbage);
    }
    if case.has(Rule::SynFlood) {
        found.push(Finding::SynFlood);
    }
    let spoofed =
        case.has(Rule::Spoofed) || (case.has(Rule::QueryFlood) && spoof::read(facts).is_likely());
    if spoofed {
        found.push(Finding::SpoofedSources);
    }
    let heaviest = case.evidence.heaviest;
    let own = heaviest.filter(|source| facts.place.addresses.contains(&source.address));
    let own_is_unusual = own.is_some_and(|own| {
        let much = own.share >= 0.8 && own.rate >= facts.limits.source_rate.warning;
        much && (case.has(Rule::OneSource)
            || case.has(Rule::QueryFlood)
            || case.has(Rule::PartialFailure))
    });
    if let (Some(own), true) = (own, own_is_unusual) {
        found.push(Finding::OwnHostAsks {
            share: own.share,
            rate: own.rate,
        });
    } else if case.has(Rule::OneSource)
        && let Some(source) = heaviest
    {
        found.push(Finding::OneSource {
            source: ip(&source.address).to_string(),
            share: source.share,
        });
    } else if case.has(Rule::QueryFlood) && !spoofed && !case.has(Rule::RandomNames) {
        let sources = case.evidence.distinct_sources;
        let usual = sources.usual.unwrap_or(0.0).max(1.0);
        // As many more sources as queries, or half of that: each of them asks as people do.
        found.push(if sources.worst / usual >= rise / 2.0 {
            Finding::Crowd
        } else {
            Finding::ManySources {
                sources: sources.worst,
            }
        });
    }
    let harmed = case.fails() || case.has(Rule::Slow);
    match case.flood_came {
        Some(Came::First) => found.push(Finding::FloodFirst),
        Some(Came::After) => found.push(Finding::FloodAfter),
        Some(Came::Together) => {}
        Some(Came::Over) => found.push(Finding::FloodOver),
        None => {
            // Queries that are sent again are more, and not the reason.
            let before = rise_before(case, facts);
            if harmed && !flood && before >= RISE {
                found.push(Finding::RateRose { rise: before });
            }
        }
    }
}

/// Times the usual rate in the seconds before the onset.
fn rise_before(case: &Case<'_>, facts: &Facts<'_>) -> f64 {
    const BEFORE: Duration = Duration::from_secs(2);
    let from = case.onset.saturating_sub(BEFORE);
    let queries: u64 = facts
        .state
        .history
        .between(from, case.onset)
        .map(|span| span.counters.queries)
        .sum();
    let usual = case.evidence.rate.usual.unwrap_or(f64::INFINITY).max(1.0);
    float(queries) / BEFORE.as_secs_f64() / usual
}

/// What becomes of large answers, and TCP.
fn large_answers(
    case: &Case<'_>,
    facts: &Facts<'_>,
    detector: &Detector,
    found: &mut Vec<Finding>,
) {
    let lost = &case.evidence.lost_answers;
    if case.has(Rule::Fragments) {
        let errors = lost.too_big + lost.not_reassembled;
        if let Some(again) = &case.evidence.large_again {
            found.push(Finding::LargeAskedAgain {
                again: again.again,
                answered: again.answered,
            });
        }
        if errors != 0 {
            found.push(Finding::AnswersTooBig { errors });
        } else if lost.first != 0 && lost.later < lost.first {
            found.push(Finding::FragmentsMissing {
                first: lost.first,
                later: lost.later,
            });
        }
    }
    if case.has(Rule::AnswersLost) {
        asked_again(case, facts, detector, found);
    }
    if case.has(Rule::TcpFails) {
        let minute = facts.state.history.over(MINUTE);
        let [syns, accepted, _] = minute.connections();
        found.push(Finding::TcpNotAccepted { syns, accepted });
    }
    if case.has(Rule::Truncation) && !case.has(Rule::TcpFails) {
        found.push(Finding::Truncated);
    }
}

/// Answers that do not arrive, those of whom, and what the path says of it.
fn asked_again(case: &Case<'_>, facts: &Facts<'_>, detector: &Detector, found: &mut Vec<Finding>) {
    let Some(lost) = &case.evidence.again else {
        return;
    };
    let (again, answered) = (lost.again, lost.answered);
    let dossiers = since_onset(case, facts, detector);
    // What is asked again after a while has not been yet.
    let old = |dossier: &Dossier| facts.now().saturating_sub(dossier.begun) >= ASKS_AGAIN;
    let is_again = |dossier: &Dossier| again::is_again(dossier).filter(|_| old(dossier));
    let own = |key: &ServerKey| facts.place.addresses.contains(key);
    let large = |question: &Question| facts.state.names.is_large(question);
    let is_told_apart = found
        .iter()
        .any(|finding| matches!(finding, Finding::Contrast(_)));
    let common = if is_told_apart {
        None
    } else {
        contrast::find(
            &dossiers,
            &own,
            &case.evidence.units,
            &large,
            &is_again,
            false,
        )
    };
    let common = common.filter(|common| common.property == Property::ClientNetwork);
    let whole = lost.share() >= NEARLY_ALL || common.is_some();
    found.push(if whole {
        Finding::AskedAgain { again, answered }
    } else {
        Finding::AskedAgainInPart { again, answered }
    });
    found.extend(common.map(Finding::Contrast));
    let of = |kinds: &[ErrorKind]| {
        let about = dossiers.iter().flat_map(|dossier| &dossier.errors);
        let mut about = about.filter(|error| error.about_answer && kinds.contains(&error.kind));
        let from = ip(&about.next()?.sender).to_string();
        let errors = 1 + about.count() as u64;
        (errors >= 2).then_some((errors, from))
    };
    if let Some((errors, from)) = of(&[ErrorKind::Host, ErrorKind::Network]) {
        found.push(Finding::AnswersUnreachable { errors, from });
    }
    if let Some((errors, from)) = of(&[ErrorKind::Prohibited]) {
        found.push(Finding::AnswersProhibited { errors, from });
    }
}

/// Others that fail in the same moment, and those that the server itself asks.
fn others(case: &Case<'_>, facts: &Facts<'_>, detector: &Detector, found: &mut Vec<Finding>) {
    if !case.also.is_empty() {
        found.push(Finding::SeveralServers {
            servers: case.also.iter().map(|key| ip(key).to_string()).collect(),
        });
    }
    if case.fails() || case.has(Rule::Slow) || case.has(Rule::RcodeShift) {
        let upstreams = failing_upstreams(&facts.server, detector, case.now);
        if !upstreams.is_empty() {
            found.push(Finding::UpstreamFails {
                upstreams: upstreams.iter().map(|key| ip(key).to_string()).collect(),
            });
        } else if case.has(Rule::RcodeShift)
            && case
                .evidence
                .shift_of_rcodes
                .is_some_and(|shift| shift.rcode == SERVFAIL)
        {
            found.extend(asks::finding(facts, detector, case.onset));
        }
    }
}

/// Servers that a server asks itself, and that mostly fail it now. Where the sensor stands on its host, every address
/// of this host may be the one from which it asks.
#[must_use]
pub fn failing_upstreams(server: &ServerKey, detector: &Detector, now: Duration) -> Vec<ServerKey> {
    const LATELY: Duration = Duration::from_secs(3);
    /// Of a server that used to answer less than this failed.
    const USED_TO_FAIL: f64 = 0.2;
    let queries = |(failed, slow, fine): &(u64, u64, u64)| failed + slow + fine;
    let own = &detector.place().addresses;
    let is_it =
        |client: &ServerKey| client == server || (own.contains(server) && own.contains(client));
    let mut upstreams: BTreeMap<ServerKey, (u64, u64, u64)> = BTreeMap::new();
    let timeout = detector.timeout();
    for dossier in detector.dossiers().since(now.saturating_sub(LATELY)) {
        if dossier.server == *server || !is_it(&dossier.client) || dossier.copies.is_empty() {
            continue;
        }
        let waits = now.saturating_sub(dossier.begun);
        let usual = detector
            .server(&dossier.server)
            .and_then(|state| state.usual.latency.quantile(0.95))
            .unwrap_or(0.3);
        let patience = Duration::from_secs_f64((3.0 * usual).clamp(0.3, 1.0));
        let (failed, slow, fine) = upstreams.entry(dossier.server).or_default();
        match dossier.end(now, timeout) {
            End::Waiting if waits > patience => *failed += 1,
            End::Answered(answer)
                if usize::from(answer.rcode) == SERVFAIL
                    || usize::from(answer.rcode) == REFUSED =>
            {
                *failed += 1;
            }
            End::Answered(_) if dossier.latency().is_some_and(|time| time > patience) => *slow += 1,
            End::Answered(_) => *fine += 1,
            End::Waiting | End::NoQuery => {}
            _ => *failed += 1,
        }
    }
    let bad = |(failed, slow, fine): &(u64, u64, u64)| failed + slow >= 2 && failed + slow > *fine;
    let all = upstreams.len();
    let failing: Vec<ServerKey> = upstreams
        .iter()
        .filter(|(_, counts)| bad(counts))
        .map(|(key, _)| *key)
        .collect();
    // A resolver always asks some that are dead: one of many tells something where it used to answer, and where enough
    // of what the resolver asks has to be asked again for it.
    if failing.len() * 4 >= all {
        return failing;
    }
    let used_to_answer = |key: &ServerKey| {
        let usual = detector.server(key)?.usual.failed.mean()?;
        (usual < USED_TO_FAIL).then_some(())
    };
    let of_all: u64 = upstreams.values().map(queries).sum();
    let lost: Vec<ServerKey> = failing
        .into_iter()
        .filter(|key| used_to_answer(key).is_some())
        .collect();
    let of_lost = lost.iter().filter_map(|key| upstreams.get(key));
    let part = share(of_lost.map(queries).sum(), of_all);
    if part >= detector.thresholds().minor_share {
        lost
    } else {
        Vec::new()
    }
}

/// What this host's kernel says, and the sensor's own probe.
fn host(case: &Case<'_>, found: &mut Vec<Finding>) {
    if !case.fails() {
        return;
    }
    if let Some(host) = &case.evidence.host {
        if host.udp_bound == Some(false) {
            found.push(Finding::NothingListens);
        } else if host.udp_bound == Some(true) && host.seconds >= LOOKED {
            found.push(if host.queued == 0 {
                Finding::ListensAndReads
            } else {
                Finding::LeavesUnread {
                    queued: host.queued,
                }
            });
        }
        let no_ports = host.counters.no_ports;
        if no_ports >= NOT_TAKEN && host.udp_bound == Some(false) {
            found.push(Finding::PassedFilters {
                datagrams: no_ports,
            });
        }
        let asked = &case.evidence.asked[1];
        let rejected = found.iter().any(|finding| {
            matches!(
                finding,
                Finding::PortUnreachable { .. }
                    | Finding::PortUnreachableElsewhere { .. }
                    | Finding::Prohibited { .. }
            )
        });
        let flood = case.rules.iter().any(|rule| rule.is_flood());
        let failing = Failing {
            failed: asked.failed(),
            answered: asked.answered,
            here: case.vantage == Vantage::Server,
            rejected,
            in_flood: flood && !matches!(case.flood_came, Some(Came::After | Came::Over)),
        };
        host_findings::findings(host, &failing, found);
    }
    if let Some(verified) = case.verified {
        if verified.udp.is_answer() {
            found.push(Finding::ProbeAnswered);
        } else if verified.tcp.is_refused() {
            found.push(Finding::ProbeRefused);
        } else if verified.tcp.is_connected() {
            found.push(Finding::ProbeNotAnswered);
        }
    }
}

/// ICMP errors that most of the failing queries of a resolver got.
fn path_errors(asker: &ServerKey, case: &Case<'_>, detector: &Detector, found: &mut Vec<Finding>) {
    let since = case.onset.max(case.now.saturating_sub(CONTRAST));
    let (mut failed, mut errors, mut sender) = (0, 0, None);
    for dossier in detector.dossiers().since(since) {
        if dossier.client != *asker {
            continue;
        }
        match dossier.end(case.now, detector.timeout()) {
            End::Rejected(error) => {
                failed += 1;
                if matches!(error.kind, ErrorKind::Network | ErrorKind::Host) {
                    errors += 1;
                    sender = Some(error.sender);
                }
            }
            end => failed += u64::from(end.is_failure()),
        }
    }
    if errors >= 2 && float(errors) >= MUCH * float(failed) {
        found.push(Finding::NetworkUnreachable {
            errors,
            from: sender.map(|key| ip(&key).to_string()),
        });
    }
}

fn of_network(case: &Case<'_>, detector: &Detector, found: &mut Vec<Finding>) {
    detector.with_network_facts(case.now, |facts| {
        if case.has(Rule::Reflection)
            && let Some(unasked) = reflection::worst(facts)
        {
            found.push(Finding::UnaskedAnswers {
                victim: ip(&unasked.victim).to_string(),
                servers: unasked.servers as u64,
            });
        }
        if case.has(Rule::PathFailing)
            && let Some(cut) = path_failing::worst(facts)
        {
            found.push(Finding::NoServerAnswers {
                resolver: ip(&cut.asker).to_string(),
                servers: cut.servers as u64,
            });
            path_errors(&cut.asker, case, detector, found);
        }
    });
    if case.has(Rule::FragmentFlood) {
        found.push(Finding::Garbage);
    }
    if case.has(Rule::Scan) {
        found.push(Finding::LooksAround);
    }
}
