//! One symptom of an incident: a rule that fires, from when to when, and how bad it was.

use std::fmt::Write;
use std::time::Duration;

use crate::detect::baseline::ADAPTS;
use crate::detect::{Level, Reading, Rule, State};

/// A symptom is over when its rule was quiet for so long.
const CALM: Duration = Duration::from_secs(30);

/// What was quiet for so long has come again, and not gone on.
const AGAIN: Duration = Duration::from_secs(10);
/// From the first sign to the one that is told.
const COMES: Duration = Duration::from_secs(5);

/// See the module.
pub struct Symptom {
    /// Which rule.
    pub rule: Rule,
    /// The worst that it was.
    pub worst: Level,
    /// What it is now.
    pub now: Option<Level>,
    /// When it was first noticed.
    pub since: Duration,
    /// When it came to the worst level, where it began at a lower one.
    pub worst_since: Option<Duration>,
    /// When it last fired.
    pub last: Duration,
    /// When it was over.
    pub until: Option<Duration>,
    /// In words and numbers, when it was worst.
    pub detail: String,
    value: f64,
    calm_since: Option<Duration>,
    /// The last time that it was quiet, from when to when.
    quiet: (Duration, Duration),
    /// It has lasted for so long that its baseline takes it for usual.
    adapted: bool,
}

impl Symptom {
    /// A rule that fires for the first time.
    #[must_use]
    pub fn new(reading: &Reading, level: Level, now: Duration) -> Self {
        Self {
            rule: reading.rule,
            worst: level,
            now: Some(level),
            since: now,
            worst_since: None,
            last: now,
            until: None,
            detail: reading.detail.clone(),
            value: reading.value,
            calm_since: None,
            quiet: (now, now),
            adapted: false,
        }
    }

    /// Whether it goes on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.until.is_none()
    }

    /// Ends it where it was over, or quiet for a while, and its rule fires again: it has come a second time.
    pub fn comes_again(&mut self, reading: &Reading, now: Duration) -> bool {
        if reading.level().is_none() {
            return false;
        }
        // It does not come from one tick to the next.
        let (since, until) = self.quiet;
        let was_quiet = until.saturating_sub(since) >= AGAIN && now.saturating_sub(until) <= COMES;
        if self.is_on() && was_quiet {
            self.until = Some(since);
            self.now = None;
        }
        !self.is_on()
    }

    /// Takes what the rule says now. `recovered`: what is asked is answered again; `adapts`: what is usual has followed.
    pub fn apply(&mut self, reading: &Reading, recovered: bool, adapts: bool, now: Duration) {
        if adapts && !self.adapted && self.is_on() && self.rule.is_against_usual_rate() {
            self.adapted = true;
            let minutes = ADAPTS.as_secs() / 60;
            let _ = write!(
                self.detail,
                "; it has lasted for {minutes} min and counts as usual since"
            );
        }
        if let Some(level) = reading.level() {
            if level > self.worst || (level == self.worst && reading.value >= self.value) {
                self.value = reading.value;
                self.detail.clone_from(&reading.detail);
            }
            if level > self.worst {
                self.worst = level;
                self.worst_since = Some(now);
            }
            self.last = now;
            // What was critical eases with the symptom, not with a tick.
            self.now = self.now.max(Some(level));
            self.calm_since = None;
            self.until = None;
            return;
        }
        let over = match reading.state {
            State::Quiet => true,
            State::Holds => recovered && self.rule.is_failure() && self.rule != Rule::Collapse,
            State::Fires(_) => false,
            // Nobody asks, or it cannot be seen: a failure is not over for that, but when it is known to be.
            // Where queries stay away, those that still come were always answered.
            State::Unknown(_) if self.rule == Rule::Collapse => self.adapted,
            State::Unknown(_) => !self.rule.is_failure() || recovered,
        };
        if !over {
            self.calm_since = None;
        } else if self.is_on() {
            let since = *self.calm_since.get_or_insert(now);
            self.quiet = (since, now);
            if now.saturating_sub(since) >= CALM {
                self.until = Some(since);
                self.now = None;
            }
        }
    }
}
