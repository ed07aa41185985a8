//! What answers say, and whom they fail.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sensor_common::server::ServerKey;

use super::super::diagnosis::contrast::{Ill, Property};
use super::super::diagnosis::{Contrast, Finding, contrast};
use super::case::{Case, since_onset};
use crate::detect::history::share;
use crate::detect::rcode::{NXDOMAIN, REFUSED, SERVFAIL};
use crate::detect::rules::rcode_shift;
use crate::detect::{Detector, Facts, Rule};
use crate::measure::address::prefix;
use crate::measure::dossier::{Dossier, End};
use crate::measure::question::Question;
use crate::measure::sketch::Prefix;

/// A forwarder passes the AA bit of some answers on, and that of a cache is none.
const AUTHORITATIVE: f64 = 0.8;
/// What is over so soon was not mended by anybody.
const BRIEF: Duration = Duration::from_secs(20);

/// What its answers say, and whom they fail.
pub fn answers(case: &Case<'_>, facts: &Facts<'_>, detector: &Detector, found: &mut Vec<Finding>) {
    let shift = case
        .evidence
        .worst
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
    if shift.is_some() && facts.state.usual.authoritative.lower() >= AUTHORITATIVE {
        found.push(Finding::Authoritative);
    }
    let dossiers = since_onset(case, facts, detector);
    // Where names are denied that were answered before, those that never were say nothing.
    let is_gone = |dossier: &&&Dossier| facts.state.names.is_denied(dossier);
    let gone = if shift.is_some_and(|shift| shift.rcode == NXDOMAIN) {
        dossiers.iter().filter(is_gone).count()
    } else {
        0
    };
    let usual = &facts.state.usual;
    let (ill, usually) = match shift {
        _ if case.fails() => (Ill::Fails, usual.failed.mean()),
        Some(shift) => (Ill::Denied, usual.rcodes[shift.rcode].mean()),
        None => (Ill::Slow, facts.state.told.slow()),
    };
    let slow = facts.limits.slow_from(usual.latency.quantile(0.95));
    let fails = |dossier: &Dossier| match facts.end(dossier) {
        End::Waiting => {
            let waits = facts.now().saturating_sub(dossier.begun) > facts.clock.overdue;
            (waits && case.fails()).then_some(true)
        }
        End::NoQuery => None,
        _ if ill == Ill::Slow => Some(dossier.latency()?.as_secs_f64() > slow),
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
    if ill != Ill::Slow || case.has(Rule::Slow) {
        let own = |key: &ServerKey| facts.place.addresses.contains(key);
        let large = |question: &Question| facts.state.names.is_large(question);
        // What is slow is answered: nothing of it is held back.
        let limit = limited(&dossiers, &fails).filter(|_| ill != Ill::Slow);
        if let Some(limited) = limit {
            found.push(limited);
        } else if let Some(contrast) = contrast::find(
            &dossiers,
            &own,
            &case.evidence.samples.units,
            &large,
            &fails,
            (ill, usually.unwrap_or(0.0)),
            case.told,
        )
        // The time that an answer takes says nothing of its way: that is the server's, or that of those it asks.
        .filter(|contrast| ill != Ill::Slow || contrast.property == Property::NameBelow)
        {
            found.push(Finding::Contrast(contrast));
        } else if !case.evidence.worst.rejected.is_empty() {
            found.push(Finding::Contrast(Contrast {
                property: Property::ClientNetwork,
                value: case.evidence.worst.rejected.join(", "),
                of_failures: 1.0,
                rest_ok: 1.0,
                denied: false,
                slow: false,
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
