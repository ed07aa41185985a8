//! How a server, or the network, is: one of six.

use crate::detect::{Level, Rule};

/// In the order in which they matter, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Queries are answered as usual.
    Ok,
    /// Too early to tell.
    Learning,
    /// It cannot be told: only one direction of its traffic passes here; of the network also where no query does.
    OneWay,
    /// Something is wrong, and most queries are answered.
    Degraded,
    /// Far more traffic than it is made for, and queries are answered still.
    Flooded,
    /// Queries fail.
    Failing,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Ok,
        Self::Learning,
        Self::OneWay,
        Self::Degraded,
        Self::Flooded,
        Self::Failing,
    ];

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The code used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Learning => "learning",
            Self::OneWay => "one_way",
            Self::Degraded => "degraded",
            Self::Flooded => "flooded",
            Self::Failing => "failing",
        }
    }
}

impl State {
    /// Whether something is wrong.
    #[must_use]
    pub fn is_bad(self) -> bool {
        self >= Self::Degraded
    }

    /// What a rule that fires says of its server, or of the network.
    #[must_use]
    pub fn of(rule: Rule, level: Level) -> Self {
        match rule {
            Rule::PortUnreachable
            | Rule::Prohibited
            | Rule::HostUnreachable
            | Rule::Silent
            | Rule::PathFailing => Self::Failing,
            // Answers that say no to nearly everybody are as good as none.
            Rule::RcodeShift if level == Level::Critical => Self::Failing,
            Rule::RcodeShift
            | Rule::PartialFailure
            | Rule::PartialRejection
            | Rule::Slow
            | Rule::Collapse
            | Rule::Truncation
            | Rule::TcpFails
            | Rule::Fragments
            | Rule::AnswersLost => Self::Degraded,
            Rule::QueryFlood
            | Rule::OneSource
            | Rule::RandomNames
            | Rule::Amplification
            | Rule::Spoofed
            | Rule::Garbage
            | Rule::SynFlood
            | Rule::Reflection
            | Rule::FragmentFlood => Self::Flooded,
            Rule::Scan => Self::Ok,
        }
    }

    /// What it means for the network: something that only deserves a warning never makes it worse than degraded.
    #[must_use]
    pub fn weighed(self, level: Level) -> Self {
        match level {
            Level::Warning => self.min(Self::Degraded),
            Level::Critical => self,
        }
    }
}

/// What is missing where the state of the network is [`State::OneWay`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// No query was seen for a minute.
    Traffic,
    /// Only queries pass here.
    Answers,
    /// Only answers pass here.
    Queries,
    /// A hook was lost, or only one direction is counted.
    Direction,
    /// Nothing is left to watch.
    Interface,
}

impl Missing {
    /// The code used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Traffic => "traffic",
            Self::Answers => "answers",
            Self::Queries => "queries",
            Self::Direction => "direction",
            Self::Interface => "interface",
        }
    }
}
