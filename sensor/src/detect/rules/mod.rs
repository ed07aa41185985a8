//! The rules, one a file and one a row of [`RULES`]. Each is a pure function of what is known at a tick.

use std::time::Duration;

use sensor_common::server::ServerKey;
use serde::Serialize;

use super::askers::Askers;
use super::network::Network;
use super::{Facts, Level, Place, Reading, State, Thresholds, Unit};
use crate::measure::dossier::Dossier;

pub mod amplification;
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

/// Every rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Queries fail, and ICMP says that the port is unreachable.
    PortUnreachable,
    /// Queries fail, and ICMP says that they are prohibited.
    Prohibited,
    /// Queries fail, and ICMP gives another reason.
    HostUnreachable,
    /// Queries fail, and nothing comes back.
    Silent,
    /// Some queries fail.
    PartialFailure,
    /// Some client networks are rejected while others are served.
    PartialRejection,
    /// Far more answers say no than usual.
    RcodeShift,
    /// Answers take far longer than usual.
    Slow,
    /// Hardly a query comes any more.
    Collapse,
    /// Far more queries than usual.
    QueryFlood,
    /// One source asks far more than the others.
    OneSource,
    /// Names below one zone that do not repeat and fail.
    RandomNames,
    /// Large answers to one client network: we amplify.
    Amplification,
    /// A flood whose sources are made up.
    Spoofed,
    /// Answers are truncated, and their clients do not come over TCP.
    Truncation,
    /// Connections over TCP are not accepted.
    TcpFails,
    /// Answers are too large for the path.
    Fragments,
    /// Messages that are no DNS.
    Garbage,
    /// Connections are begun and lead nowhere.
    SynFlood,
    /// Responses that nobody asked for: we are the victim.
    Reflection,
    /// One source asks many servers in vain.
    Scan,
    /// A resolver's way to all servers is gone.
    PathFailing,
    /// Later fragments that belong to no answer.
    FragmentFlood,
}

/// What kind of trouble a rule finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Queries fail: no traffic does not end those.
    Failure,
    /// Answers come, and are bad, late or lost on the way.
    Answers,
    /// Too much traffic.
    Flood,
    /// Somebody looks around.
    Nuisance,
}

/// Who reads a rule.
#[derive(Clone, Copy)]
enum Read {
    Server(fn(&Facts<'_>) -> Reading),
    Network(fn(&NetworkFacts<'_>) -> Reading),
}

/// One rule, as data.
pub struct RuleSpec {
    /// Which.
    pub rule: Rule,
    /// The code used in output.
    pub name: &'static str,
    /// What it finds, in words.
    pub title: &'static str,
    /// What kind of trouble that is.
    pub family: Family,
    /// What it compares with.
    pub compares: &'static str,
    read: Read,
}

const fn server(
    rule: Rule,
    name: &'static str,
    title: &'static str,
    family: Family,
    compares: &'static str,
    read: fn(&Facts<'_>) -> Reading,
) -> RuleSpec {
    RuleSpec {
        rule,
        name,
        title,
        family,
        compares,
        read: Read::Server(read),
    }
}

const fn network(
    rule: Rule,
    name: &'static str,
    title: &'static str,
    family: Family,
    compares: &'static str,
    read: fn(&NetworkFacts<'_>) -> Reading,
) -> RuleSpec {
    RuleSpec {
        rule,
        name,
        title,
        family,
        compares,
        read: Read::Network(read),
    }
}

use Family::{Answers, Failure, Flood, Nuisance};

/// All rules, in the order in which they are shown.
pub const RULES: [RuleSpec; 23] = [
    server(
        Rule::PortUnreachable,
        "port_unreachable",
        "queries fail with ICMP port unreachable",
        Failure,
        "half of the queries",
        failing::port_unreachable,
    ),
    server(
        Rule::Prohibited,
        "prohibited",
        "queries fail with ICMP administratively prohibited",
        Failure,
        "half of the queries",
        failing::prohibited,
    ),
    server(
        Rule::HostUnreachable,
        "host_unreachable",
        "queries fail with ICMP unreachable or time exceeded",
        Failure,
        "half of the queries",
        failing::host_unreachable,
    ),
    server(
        Rule::Silent,
        "silent",
        "queries get no answer and no error",
        Failure,
        "half of the queries",
        failing::silent,
    ),
    server(
        Rule::PartialFailure,
        "partial_failure",
        "part of the queries fails",
        Failure,
        "usual share of failures",
        partial_failure::read,
    ),
    server(
        Rule::PartialRejection,
        "partial_rejection",
        "some client networks are rejected while others are served",
        Failure,
        "networks that are served",
        partial_rejection::read,
    ),
    server(
        Rule::RcodeShift,
        "rcode_shift",
        "answers say no far more often than usual",
        Answers,
        "usual share of the rcode",
        rcode_shift::read,
    ),
    server(
        Rule::Slow,
        "slow",
        "answers are slow",
        Answers,
        "usual 95th percentile",
        slow::read,
    ),
    server(
        Rule::Collapse,
        "collapse",
        "query volume collapsed",
        Failure,
        "usual rate",
        collapse::read,
    ),
    server(
        Rule::QueryFlood,
        "query_flood",
        "query flood",
        Flood,
        "usual rate",
        query_flood::read,
    ),
    server(
        Rule::OneSource,
        "one_source",
        "one source floods",
        Flood,
        "usual rate of the source, and the other sources",
        one_source::read,
    ),
    server(
        Rule::RandomNames,
        "random_names",
        "random names below one zone",
        Flood,
        "usual rate below the zone",
        random_names::read,
    ),
    server(
        Rule::Amplification,
        "amplification",
        "amplification: large answers to one network",
        Flood,
        "usual bytes to the network",
        amplification::read,
    ),
    server(
        Rule::Spoofed,
        "spoofed",
        "the sources of a flood are spoofed",
        Flood,
        "usual number of sources",
        spoofed::read,
    ),
    server(
        Rule::Truncation,
        "truncation",
        "truncated answers that are not followed by TCP",
        Answers,
        "usual share of truncated answers",
        truncation::read,
    ),
    server(
        Rule::TcpFails,
        "tcp_fails",
        "connections over TCP are not accepted",
        Answers,
        "usual share of SYNs without SYN-ACK",
        tcp_fails::read,
    ),
    server(
        Rule::Fragments,
        "fragments",
        "answers are too large for the path",
        Answers,
        "usual share of such answers",
        fragments::read,
    ),
    server(
        Rule::Garbage,
        "garbage",
        "messages that are not DNS",
        Flood,
        "usual rate of such messages",
        garbage::read,
    ),
    server(
        Rule::SynFlood,
        "syn_flood",
        "SYN flood on the DNS port",
        Flood,
        "usual rate of SYNs",
        syn_flood::read,
    ),
    network(
        Rule::Reflection,
        "reflection",
        "reflection: responses that were not asked for",
        Flood,
        "usual rate of such responses",
        reflection::read,
    ),
    network(
        Rule::Scan,
        "scan",
        "a scan for DNS servers",
        Nuisance,
        "",
        scan::read,
    ),
    network(
        Rule::PathFailing,
        "path_failing",
        "a resolver reaches no server any more",
        Failure,
        "usual share of failures",
        path_failing::read,
    ),
    network(
        Rule::FragmentFlood,
        "fragment_flood",
        "a flood of IP fragments",
        Flood,
        "usual rate of fragments",
        fragment_flood::read,
    ),
];

impl Rule {
    /// Its row.
    #[must_use]
    pub fn spec(self) -> &'static RuleSpec {
        // A test holds the order of the table against that of the type.
        &RULES[self as usize]
    }

    /// The code used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// What it finds.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.spec().title
    }

    /// Whether it is about queries that fail: no traffic does not end those.
    #[must_use]
    pub fn is_failure(self) -> bool {
        self.spec().family == Failure
    }

    /// Whether it compares with the usual rate of queries, which follows after a while.
    #[must_use]
    pub fn is_against_usual_rate(self) -> bool {
        matches!(self, Self::Collapse | Self::QueryFlood | Self::OneSource)
    }

    /// Whether it is about answers that come, and are bad or late.
    #[must_use]
    pub fn is_about_answers(self) -> bool {
        self.spec().family == Answers
    }

    /// Whether it is about too much traffic.
    #[must_use]
    pub fn is_flood(self) -> bool {
        self.spec().family == Flood
    }
}

/// What the rules about the whole network may know.
pub struct NetworkFacts<'a> {
    /// Now.
    pub now: Duration,
    /// Dossiers of the last ten seconds or a little more, of all servers.
    pub recent: &'a [&'a Dossier],
    /// The network as a whole.
    pub network: &'a Network,
    /// Who asks whom.
    pub askers: &'a Askers,
    /// Where the sensor stands.
    pub place: &'a Place,
    /// Numbers to compare with.
    pub limits: &'a Thresholds,
    /// Whether a server fails, or did a moment ago.
    pub is_failing: &'a dyn Fn(&ServerKey) -> bool,
    /// How many answers a second a client usually gets that it was not seen to ask for.
    pub usual_unmatched: &'a dyn Fn(&ServerKey) -> f64,
    /// The way to all servers has been gone for longer than a restart takes.
    pub path_lasts: bool,
}

/// What one rule says of a server.
#[must_use]
pub fn of(rule: Rule, facts: &Facts<'_>) -> Reading {
    match rule.spec().read {
        Read::Server(read) => read(facts),
        Read::Network(_) => Reading::new(rule, Unit::Count, 0.0, 1.0, None),
    }
}

/// What every rule about servers says of one.
#[must_use]
pub fn of_server(facts: &Facts<'_>) -> Vec<Reading> {
    RULES
        .iter()
        .filter_map(|spec| match spec.read {
            Read::Server(read) => Some(read(facts)),
            Read::Network(_) => None,
        })
        .collect()
}

/// What the rules about the whole network say.
#[must_use]
pub fn of_network(facts: &NetworkFacts<'_>) -> Vec<Reading> {
    RULES
        .iter()
        .filter_map(|spec| match spec.read {
            Read::Network(read) => Some(read(facts)),
            Read::Server(_) => None,
        })
        .collect()
}

/// Queries fail, or are slow: the server does not do what it usually does.
fn is_harmed(facts: &Facts<'_>) -> bool {
    facts.failing.is_unusual || slow::read(facts).level().is_some()
}

impl Reading {
    /// Of something measured; quiet until more is known.
    fn new(rule: Rule, unit: Unit, value: f64, warning: f64, critical: Option<f64>) -> Self {
        Self {
            rule,
            value,
            unit,
            baseline: None,
            warning,
            critical,
            state: State::Quiet,
            detail: String::new(),
        }
    }

    /// With what is usual.
    fn against(mut self, baseline: Option<f64>) -> Self {
        self.baseline = baseline;
        self
    }

    /// It cannot tell.
    fn unknown(mut self, why: &'static str) -> Self {
        self.state = State::Unknown(why);
        self
    }

    /// It does not apply.
    fn quiet(mut self) -> Self {
        self.state = State::Quiet;
        self.detail.clear();
        self
    }

    /// By the value alone: fires from the warning on, and holds from half of it on.
    fn graded(mut self) -> Self {
        self.state = if self.critical.is_some_and(|critical| self.value >= critical) {
            State::Fires(Level::Critical)
        } else if self.value >= self.warning {
            State::Fires(Level::Warning)
        } else if self.value >= self.warning / 2.0 {
            State::Holds
        } else {
            State::Quiet
        };
        self
    }

    /// Not more than this.
    fn at_most(mut self, level: Level) -> Self {
        if let State::Fires(found) = self.state {
            self.state = State::Fires(found.min(level));
        }
        self
    }

    /// Fires only where something else is true too; it may hold without.
    fn only_if(mut self, also: bool) -> Self {
        if !also && matches!(self.state, State::Fires(_)) {
            self.state = State::Holds;
        }
        self
    }

    /// With the numbers in words, if it fires.
    fn saying(mut self, detail: impl FnOnce() -> String) -> Self {
        if matches!(self.state, State::Fires(_)) {
            self.detail = detail();
        }
        self
    }
}

/// A share as people read it.
fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_rules() {
        for (at, spec) in RULES.iter().enumerate() {
            assert_eq!(spec.rule as usize, at, "{}", spec.name);
        }
    }
}
