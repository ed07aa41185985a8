//! Others that fail in the same moment, and those that the server itself asks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sensor_common::server::ServerKey;

use super::super::asks;
use super::super::diagnosis::Finding;
use super::case::Case;
use crate::detect::history::share;
use crate::detect::rcode::{REFUSED, SERVFAIL};
use crate::detect::{Detector, Facts, Rule};
use crate::measure::address::{ip, key};
use crate::measure::dossier::End;

/// Others that fail in the same moment, and those that the server itself asks.
pub fn others(case: &Case<'_>, facts: &Facts<'_>, detector: &Detector, found: &mut Vec<Finding>) {
    if !case.also.is_empty() {
        found.push(Finding::SeveralServers {
            servers: case.also.iter().map(|key| ip(key).to_string()).collect(),
        });
    }
    if case.fails() || case.has(Rule::Slow) || case.has(Rule::RcodeShift) {
        let shift = case.evidence.worst.shift_of_rcodes;
        let is_servfail =
            case.has(Rule::RcodeShift) && shift.is_some_and(|shift| shift.rcode == SERVFAIL);
        let mut upstreams: Vec<String> = failing_upstreams(&facts.server, detector, case.now)
            .iter()
            .map(|key| ip(key).to_string())
            .collect();
        if upstreams.is_empty() && is_servfail {
            upstreams = given_up(case.upstreams, detector);
        }
        if !upstreams.is_empty() {
            found.push(Finding::UpstreamFails { upstreams });
        } else if is_servfail {
            found.extend(asks::finding(facts, detector, case.onset));
        }
    }
}

/// Of those that failed it, the ones that it asks hardly any more: it takes them for dead, whatever they would answer.
fn given_up(upstreams: &BTreeSet<String>, detector: &Detector) -> Vec<String> {
    const LATELY: Duration = Duration::from_secs(10);
    const HARDLY: f64 = 0.3;
    let is_given_up = |upstream: &&String| {
        let key = upstream.parse().ok().map(key);
        let state = key.and_then(|key| detector.server(&key));
        state.is_some_and(|state| {
            let lately = state.history.over(LATELY);
            lately.rate(lately.counters.queries) <= HARDLY * state.usual.rate.mean()
        })
    };
    let given_up = upstreams.iter().filter(is_given_up);
    given_up.cloned().collect()
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
    // One that fails in a part is bad as well, where its own rules say so.
    let is_failing = |key: &ServerKey| {
        let state = detector.server(key);
        state.is_some_and(|state| state.failing_since.is_some())
    };
    let bad = |key: &ServerKey, (failed, slow, fine): &(u64, u64, u64)| {
        failed + slow >= 2 && (failed + slow > *fine || is_failing(key))
    };
    let all = upstreams.len();
    let failing: Vec<ServerKey> = upstreams
        .iter()
        .filter(|(key, counts)| bad(key, counts))
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
