//! The rules by name: what each finds, and what it compares with. How, is in `rules/`, one a file.

use serde::Serialize;

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
    /// Answers do not arrive, and their clients ask again.
    AnswersLost,
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
}

const fn spec(
    rule: Rule,
    name: &'static str,
    title: &'static str,
    family: Family,
    compares: &'static str,
) -> RuleSpec {
    RuleSpec {
        rule,
        name,
        title,
        family,
        compares,
    }
}

use Family::{Answers, Failure, Flood, Nuisance};

/// All rules, in the order in which they are shown.
pub const RULES: [RuleSpec; 24] = [
    spec(
        Rule::PortUnreachable,
        "port_unreachable",
        "queries fail with ICMP port unreachable",
        Failure,
        "half of the queries",
    ),
    spec(
        Rule::Prohibited,
        "prohibited",
        "queries fail with ICMP administratively prohibited",
        Failure,
        "half of the queries",
    ),
    spec(
        Rule::HostUnreachable,
        "host_unreachable",
        "queries fail with ICMP unreachable or time exceeded",
        Failure,
        "half of the queries",
    ),
    spec(
        Rule::Silent,
        "silent",
        "queries get no answer and no error",
        Failure,
        "half of the queries",
    ),
    spec(
        Rule::PartialFailure,
        "partial_failure",
        "part of the queries fails",
        Failure,
        "usual share of failures",
    ),
    spec(
        Rule::PartialRejection,
        "partial_rejection",
        "some client networks are rejected while others are served",
        Failure,
        "networks that are served",
    ),
    spec(
        Rule::RcodeShift,
        "rcode_shift",
        "far more error answers than usual",
        Answers,
        "usual share of the rcode",
    ),
    spec(
        Rule::Slow,
        "slow",
        "answers are slow",
        Answers,
        "usual 95th percentile",
    ),
    spec(
        Rule::Collapse,
        "collapse",
        "query volume collapsed",
        Failure,
        "usual rate",
    ),
    spec(
        Rule::QueryFlood,
        "query_flood",
        "query flood",
        Flood,
        "usual rate",
    ),
    spec(
        Rule::OneSource,
        "one_source",
        "one source floods",
        Flood,
        "usual rate of the source, and the other sources",
    ),
    spec(
        Rule::RandomNames,
        "random_names",
        "random names below one zone",
        Flood,
        "usual rate below the zone",
    ),
    spec(
        Rule::Amplification,
        "amplification",
        "amplification: large answers to one network",
        Flood,
        "usual bytes to the network",
    ),
    spec(
        Rule::Spoofed,
        "spoofed",
        "the sources of a flood are spoofed",
        Flood,
        "usual number of sources",
    ),
    spec(
        Rule::Truncation,
        "truncation",
        "truncated answers that are not followed by TCP",
        Answers,
        "usual share of truncated answers",
    ),
    spec(
        Rule::TcpFails,
        "tcp_fails",
        "connections over TCP are not accepted",
        Answers,
        "usual share of SYNs without SYN-ACK",
    ),
    spec(
        Rule::Fragments,
        "fragments",
        "answers are too large for the path",
        Answers,
        "usual share of such answers",
    ),
    spec(
        Rule::AnswersLost,
        "answers_lost",
        "answers do not arrive, and are asked for again",
        Answers,
        "usual share of answered queries that are asked again",
    ),
    spec(
        Rule::Garbage,
        "garbage",
        "messages that are not DNS",
        Flood,
        "usual rate of such messages",
    ),
    spec(
        Rule::SynFlood,
        "syn_flood",
        "SYN flood on the DNS port",
        Flood,
        "usual rate of SYNs",
    ),
    spec(
        Rule::Reflection,
        "reflection",
        "reflection: responses that were not asked for",
        Flood,
        "usual rate of such responses",
    ),
    spec(Rule::Scan, "scan", "a scan for DNS servers", Nuisance, ""),
    spec(
        Rule::PathFailing,
        "path_failing",
        "a resolver reaches no server any more",
        Failure,
        "usual share of failures",
    ),
    spec(
        Rule::FragmentFlood,
        "fragment_flood",
        "a flood of IP fragments",
        Flood,
        "usual rate of fragments",
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
