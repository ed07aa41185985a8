//! Collects what is known of an incident, as findings: each fact at most once.

use super::super::diagnosis::Finding;
use super::answers::answers;
use super::case::Case;
use super::failing::failing;
use super::floods::floods;
use super::host::host;
use super::icmp::{icmp_errors, path_errors};
use super::large_answers::large_answers;
use super::upstreams::others;
use crate::detect::askers::Asker;
use crate::detect::rules::{path_failing, reflection};
use crate::detect::{Detector, Facts, Rule, Subject};
use crate::measure::address::{ip, prefix};

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

fn of_network(case: &Case<'_>, detector: &Detector, found: &mut Vec<Finding>) {
    let mut looks_around = case.has(Rule::Scan);
    detector.with_network_facts(case.now, |facts| {
        if case.has(Rule::Reflection)
            && let Some(unasked) = reflection::worst(facts)
        {
            found.push(Finding::UnaskedAnswers {
                victim: prefix(&unasked.victim),
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
            // A resolver that is cut off begins like a scan, and then asks its servers again.
            let asker = facts.askers.by_client.get(&cut.asker);
            looks_around &= asker.is_none_or(Asker::looks_around);
        }
    });
    if case.has(Rule::FragmentFlood) {
        found.push(Finding::Garbage);
    }
    if looks_around {
        found.push(Finding::LooksAround);
    }
}
