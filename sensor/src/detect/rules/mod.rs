//! The rules, one a file. Each is a pure function of what is known at a tick.

pub mod amplification;
pub mod answers_lost;
mod collapse;
pub mod failing;
mod fragment_flood;
pub mod fragments;
mod garbage;
pub mod one_source;
mod partial_failure;
pub mod partial_rejection;
pub mod path_failing;
mod query_flood;
pub mod random_names;
pub mod rcode_shift;
pub mod reflection;
mod scan;
mod slow;
mod spoofed;
mod syn_flood;
mod tcp_fails;
mod truncation;

use super::facts::{Facts, NetworkFacts};
use super::reading::{Reading, Unit};
use super::rule::{RULES, Rule};

/// What a rule reads.
#[derive(Clone, Copy)]
enum Read {
    Server(fn(&Facts<'_>) -> Reading),
    Network(fn(&NetworkFacts<'_>) -> Reading),
}

use Read::{Network, Server};

fn read(rule: Rule) -> Read {
    match rule {
        Rule::PortUnreachable => Server(failing::port_unreachable),
        Rule::Prohibited => Server(failing::prohibited),
        Rule::HostUnreachable => Server(failing::host_unreachable),
        Rule::Silent => Server(failing::silent),
        Rule::PartialFailure => Server(partial_failure::read),
        Rule::PartialRejection => Server(partial_rejection::read),
        Rule::RcodeShift => Server(rcode_shift::read),
        Rule::Slow => Server(slow::read),
        Rule::Collapse => Server(collapse::read),
        Rule::QueryFlood => Server(query_flood::read),
        Rule::OneSource => Server(one_source::read),
        Rule::RandomNames => Server(random_names::read),
        Rule::Amplification => Server(amplification::read),
        Rule::Spoofed => Server(spoofed::read),
        Rule::Truncation => Server(truncation::read),
        Rule::TcpFails => Server(tcp_fails::read),
        Rule::Fragments => Server(fragments::read),
        Rule::AnswersLost => Server(answers_lost::read),
        Rule::Garbage => Server(garbage::read),
        Rule::SynFlood => Server(syn_flood::read),
        Rule::Reflection => Network(reflection::read),
        Rule::Scan => Network(scan::read),
        Rule::PathFailing => Network(path_failing::read),
        Rule::FragmentFlood => Network(fragment_flood::read),
    }
}

/// What one rule says of a server.
#[must_use]
pub fn of(rule: Rule, facts: &Facts<'_>) -> Reading {
    match read(rule) {
        Server(read) => read(facts),
        Network(_) => Reading::new(rule, Unit::Count, 0.0, 1.0, None),
    }
}

/// What every rule about servers says of one.
#[must_use]
pub fn of_server(facts: &Facts<'_>) -> Vec<Reading> {
    let mut readings = Vec::with_capacity(RULES.len());
    readings.extend(RULES.iter().filter_map(|spec| match read(spec.rule) {
        Server(read) => Some(read(facts)),
        Network(_) => None,
    }));
    readings
}

/// What the rules about the whole network say.
#[must_use]
pub fn of_network(facts: &NetworkFacts<'_>) -> Vec<Reading> {
    RULES
        .iter()
        .filter_map(|spec| match read(spec.rule) {
            Network(read) => Some(read(facts)),
            Server(_) => None,
        })
        .collect()
}
