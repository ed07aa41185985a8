//! What one rule says of one subject at one moment.

use sensor_common::server::ServerKey;
use serde::Serialize;

use super::level::Level;
use super::rule::Rule;

/// What a rule finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Below half of what makes it fire.
    Quiet,
    /// Above that: a sign that is on stays on.
    Holds,
    /// A sign.
    Fires(Level),
    /// It cannot tell, and why. A failure that was seen is not over for that.
    Unknown(&'static str),
}

/// Unit of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// 0 to 1.
    Share,
    /// Per second.
    PerSecond,
    /// Of time.
    Seconds,
    /// A number of things.
    Count,
}

/// What one rule says of one subject at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Which rule.
    pub rule: Rule,
    /// What was measured.
    pub value: f64,
    /// Its unit, and that of the others.
    pub unit: Unit,
    /// What is usual, where that is known and the rule asks for it.
    pub baseline: Option<f64>,
    /// From here on it may fire.
    pub warning: f64,
    /// From here on it may be critical.
    pub critical: Option<f64>,
    /// The result.
    pub state: State,
    /// In words and numbers, where it fires.
    pub detail: String,
}

impl Reading {
    /// The level, if it fires.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        match self.state {
            State::Fires(level) => Some(level),
            _ => None,
        }
    }
}

/// What a sign is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A DNS server.
    Server(ServerKey),
    /// No server, but the network that is watched: it is the victim of reflection, or is scanned.
    Network,
}

impl Reading {
    /// Of something measured; quiet until more is known.
    pub(super) fn new(
        rule: Rule,
        unit: Unit,
        value: f64,
        warning: f64,
        critical: Option<f64>,
    ) -> Self {
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
    pub(super) fn against(mut self, baseline: Option<f64>) -> Self {
        self.baseline = baseline;
        self
    }

    /// It cannot tell.
    pub(super) fn unknown(mut self, why: &'static str) -> Self {
        self.state = State::Unknown(why);
        self
    }

    /// It does not apply.
    pub(super) fn quiet(mut self) -> Self {
        self.state = State::Quiet;
        self.detail.clear();
        self
    }

    /// By the value alone: fires from the warning on, and holds from half of it on.
    pub(super) fn graded(mut self) -> Self {
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
    pub(super) fn at_most(mut self, level: Level) -> Self {
        if let State::Fires(found) = self.state {
            self.state = State::Fires(found.min(level));
        }
        self
    }

    /// Fires only where something else is true too; it may hold without.
    pub(super) fn only_if(mut self, also: bool) -> Self {
        if !also && matches!(self.state, State::Fires(_)) {
            self.state = State::Holds;
        }
        self
    }

    /// With the numbers in words, if it fires.
    pub(super) fn saying(mut self, detail: impl FnOnce() -> String) -> Self {
        if matches!(self.state, State::Fires(_)) {
            self.detail = detail();
        }
        self
    }
}

/// A share as people read it.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
