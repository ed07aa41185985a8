//! The rules, one a file.

use serde::Serialize;

use super::network::Vain;
use super::{Facts, Level, Network, Place, Reading, State, Thresholds, Unit};

mod amplification;
mod collapse;
mod failing;
mod one_source;
mod partial_failure;
mod partial_rejection;
mod query_flood;
mod random_names;
mod rcode_storm;
mod reflection;
mod scan;
mod slow;
mod spoofed;
mod truncation;

pub use failing::ERRORS_OF_ALL;
pub(super) use failing::REJECTIONS;

/// Every rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Queries fail, and ICMP says that the port is unreachable.
    PortUnreachable,
    /// Queries fail, and ICMP says that they are prohibited.
    Prohibited,
    /// Queries fail, and ICMP says that the host or its network is unreachable.
    HostUnreachable,
    /// Queries fail, and nothing comes back.
    Silent,
    /// Some queries fail.
    PartialFailure,
    /// Some client networks are rejected while others are served.
    PartialRejection,
    /// Far more SERVFAIL than usual.
    Servfail,
    /// Far more REFUSED than usual.
    Refused,
    /// Answers take far longer than usual.
    Slow,
    /// Hardly a query comes any more.
    Collapse,
    /// Far more queries than usual.
    QueryFlood,
    /// One source asks far more than the others.
    OneSource,
    /// Far more names that do not exist than usual.
    RandomNames,
    /// Large answers to one client network: we amplify.
    Amplification,
    /// Responses that nobody asked for: we are the victim.
    Reflection,
    /// A flood whose sources are made up.
    Spoofed,
    /// Answers are cut, or packets are too big for the path.
    Truncation,
    /// One source asks many servers in vain.
    Scan,
}

impl Rule {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 18] = [
        Self::PortUnreachable,
        Self::Prohibited,
        Self::HostUnreachable,
        Self::Silent,
        Self::PartialFailure,
        Self::PartialRejection,
        Self::Servfail,
        Self::Refused,
        Self::Slow,
        Self::Collapse,
        Self::QueryFlood,
        Self::OneSource,
        Self::RandomNames,
        Self::Amplification,
        Self::Reflection,
        Self::Spoofed,
        Self::Truncation,
        Self::Scan,
    ];

    /// The name used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PortUnreachable => "port_unreachable",
            Self::Prohibited => "prohibited",
            Self::HostUnreachable => "host_unreachable",
            Self::Silent => "silent",
            Self::PartialFailure => "partial_failure",
            Self::PartialRejection => "partial_rejection",
            Self::Servfail => "servfail",
            Self::Refused => "refused",
            Self::Slow => "slow",
            Self::Collapse => "collapse",
            Self::QueryFlood => "query_flood",
            Self::OneSource => "one_source",
            Self::RandomNames => "random_names",
            Self::Amplification => "amplification",
            Self::Reflection => "reflection",
            Self::Spoofed => "spoofed",
            Self::Truncation => "truncation",
            Self::Scan => "scan",
        }
    }

    /// What it looks for.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::PortUnreachable => "queries fail with ICMP port unreachable",
            Self::Prohibited => "queries fail with ICMP administratively prohibited",
            Self::HostUnreachable => "queries fail with ICMP host or network unreachable",
            Self::Silent => "queries get no answer and no error",
            Self::PartialFailure => "part of the queries fails",
            Self::PartialRejection => "some client networks are rejected while others are served",
            Self::Servfail => "SERVFAIL storm",
            Self::Refused => "REFUSED storm",
            Self::Slow => "answers are slow",
            Self::Collapse => "the queries stay away",
            Self::QueryFlood => "query flood",
            Self::OneSource => "one source floods",
            Self::RandomNames => "random names (NXDOMAIN)",
            Self::Amplification => "amplification: large answers to one network",
            Self::Reflection => "reflection: responses that nobody asked for",
            Self::Spoofed => "the sources of a flood are spoofed",
            Self::Truncation => "truncated answers or a too small path MTU",
            Self::Scan => "a scan for DNS servers",
        }
    }

    /// Whether it is about queries that fail: no traffic does not end those.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            Self::PortUnreachable
                | Self::Prohibited
                | Self::HostUnreachable
                | Self::Silent
                | Self::PartialFailure
                | Self::PartialRejection
                | Self::Collapse
        )
    }

    /// Whether it compares with the usual rate of queries, which follows after a while.
    #[must_use]
    pub fn is_against_usual_rate(self) -> bool {
        matches!(self, Self::Collapse | Self::QueryFlood | Self::OneSource)
    }

    /// Whether it is about answers that come, and are bad or late.
    #[must_use]
    pub fn is_about_answers(self) -> bool {
        matches!(
            self,
            Self::Servfail | Self::Refused | Self::Slow | Self::Truncation
        )
    }

    /// Whether it is about too much traffic.
    #[must_use]
    pub fn is_flood(self) -> bool {
        matches!(
            self,
            Self::QueryFlood
                | Self::OneSource
                | Self::RandomNames
                | Self::Amplification
                | Self::Reflection
                | Self::Spoofed
        )
    }
}

/// What every rule about servers says of one.
#[must_use]
pub fn of_server(facts: &Facts<'_>) -> Vec<Reading> {
    vec![
        failing::port_unreachable(facts),
        failing::prohibited(facts),
        failing::host_unreachable(facts),
        failing::silent(facts),
        partial_failure::read(facts),
        partial_rejection::read(facts),
        rcode_storm::servfail(facts),
        rcode_storm::refused(facts),
        slow::read(facts),
        collapse::read(facts),
        query_flood::read(facts),
        one_source::read(facts),
        random_names::read(facts),
        amplification::read(facts),
        spoofed::read(facts),
        truncation::read(facts),
    ]
}

/// What the rules about the whole network say.
#[must_use]
pub fn of_network(
    network: &Network,
    vain: &Vain,
    place: &Place,
    limits: &Thresholds,
) -> Vec<Reading> {
    vec![
        reflection::read(network, place, limits),
        scan::read(vain, place, limits),
    ]
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
            said: String::new(),
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

    /// Says so, if it fires.
    fn saying(mut self, said: impl FnOnce() -> String) -> Self {
        if matches!(self.state, State::Fires(_)) {
            self.said = said();
        }
        self
    }
}

/// A share as people read it.
fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
