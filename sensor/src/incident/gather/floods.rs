//! Too much traffic.

use std::time::Duration;

use super::super::chronology::Came;
use super::super::diagnosis::Finding;
use super::case::Case;
use crate::detect::history::{float, share};
use crate::detect::rules::{amplification, random_names};
use crate::detect::{Facts, Rule, spoof};
use crate::measure::address::{ip, prefix};

/// Times the usual rate that is a rise.
const RISE: f64 = 2.0;

/// Too much traffic.
pub fn floods(case: &Case<'_>, facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let rate = case.evidence.peaks.rate;
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
    let heaviest = case.evidence.worst.heaviest;
    let own = heaviest.filter(|source| facts.place.addresses.contains(&source.address));
    let own_is_unusual = own.is_some_and(|own| {
        let much = own.share >= 0.8 && own.rate >= facts.limits.source_rate.warning;
        much && (case.has(Rule::OneSource)
            || case.has(Rule::QueryFlood)
            || case.has(Rule::PartialFailure))
    });
    let of_addresses = own_addresses(facts, rate.worst)
        .filter(|_| case.has(Rule::OneSource) || case.has(Rule::QueryFlood));
    if let (Some(own), true) = (own, own_is_unusual) {
        found.push(Finding::OwnHostAsks {
            share: own.share,
            rate: own.rate,
        });
    } else if let Some(own) = of_addresses {
        found.push(own);
    } else if case.has(Rule::OneSource)
        && let Some(source) = heaviest
    {
        found.push(Finding::OneSource {
            source: ip(&source.address).to_string(),
            share: source.share,
        });
    } else if case.has(Rule::QueryFlood) && !spoofed && !case.has(Rule::RandomNames) {
        let sources = case.evidence.peaks.distinct_sources;
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

/// Nearly all is asked from addresses of this host, of which each asks little: its containers.
fn own_addresses(facts: &Facts<'_>, rate: f64) -> Option<Finding> {
    const NEARLY_ALL: f64 = 0.8;
    let (mut own, mut all) = (0, 0);
    for dossier in facts.recent.iter().filter(|d| !d.copies.is_empty()) {
        let weight = u64::from(dossier.weight);
        all += weight;
        own += if facts.place.addresses.contains(&dossier.client) {
            weight
        } else {
            0
        };
    }
    let share = share(own, all);
    let asks = share >= NEARLY_ALL && rate >= facts.limits.source_rate.warning;
    asks.then_some(Finding::OwnHostAsks {
        share,
        rate: share * rate,
    })
}

/// Times the usual rate in the seconds before the onset.
fn rise_before(case: &Case<'_>, facts: &Facts<'_>) -> f64 {
    const BEFORE: Duration = Duration::from_secs(2);
    let from = case.onset.saturating_sub(BEFORE);
    let spans = facts.state.history.between(from, case.onset);
    // Old spans are long ones: their first may have begun earlier.
    let (queries, elapsed) = spans.fold((0, Duration::ZERO), |(queries, elapsed), span| {
        (queries + span.counters.queries, elapsed + span.elapsed)
    });
    let usual = case
        .evidence
        .peaks
        .rate
        .usual
        .unwrap_or(f64::INFINITY)
        .max(1.0);
    float(queries) / elapsed.max(BEFORE).as_secs_f64() / usual
}
