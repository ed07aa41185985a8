//! An incident that goes on: what is known of it, and how much it matters.

use std::collections::BTreeSet;
use std::time::Duration;

use sensor_common::server::ServerKey;

use super::super::evidence::Evidence;
use super::super::past::Earlier;
use super::super::record::Stage;
use super::phases::Phases;
use super::symptoms::Symptoms;
use super::verdict::Verdict;
use crate::detect::history::Span;
use crate::detect::{Level, Subject, Vantage};
use crate::host::facts::HostSum;
use crate::host::probe::Verified;
use crate::measure::address::ip;

/// An incident lasts at least so long.
pub const SHORTEST: Duration = Duration::from_mins(1);
/// A server is probed at most so often.
const PROBE_EVERY: Duration = Duration::from_mins(1);
/// And for so long what is seen may be that probe alone.
const PROBING: Duration = Duration::from_secs(5);

/// An incident that goes on.
pub struct Incident {
    pub(super) subject: Subject,
    /// When it began, by the time of asking.
    pub(super) onset: Duration,
    pub(super) opened: Duration,
    /// Rules that fire, or did.
    pub symptoms: Symptoms,
    pub(super) level: Level,
    pub(super) stage: Stage,
    pub(super) ended: Option<Duration>,
    /// Packets, the series and counts.
    pub evidence: Evidence,
    /// What the server said when it was probed.
    pub verified: Option<Verified>,
    /// Other servers that failed in the same moment for the same clients.
    pub(super) also: Vec<ServerKey>,
    /// Addresses of servers that it asks itself and that failed it, since it began.
    pub(super) upstreams: BTreeSet<String>,
    pub(super) probed: Option<Duration>,
    pub(super) verdict: Verdict,
    /// Since the last tick in which a rule fired: it is of the incident if one fires again, else of the
    /// recovery.
    pub(super) since_then: Span,
    /// The last tick in which a rule fired.
    pub(super) last_symptom: Duration,
    /// When something other than the sensor's own probe was last seen.
    pub(super) last_active: Duration,
    pub(super) phases: Phases,
    /// What the host said.
    pub(super) host: Option<HostSum>,
    pub(super) vantage: Vantage,
    pub(super) id: String,
    /// The same incident, as an earlier sensor left it open.
    pub(super) earlier: Option<Earlier>,
}

impl Incident {
    /// Ends it.
    pub fn end(&mut self, stage: Stage, now: Duration) {
        self.stage = stage;
        self.ended = Some(now);
    }

    /// Whether another server failed this one: asked less and less, it is part of the incident still.
    #[must_use]
    pub fn is_failed_by(&self, upstream: &ServerKey) -> bool {
        self.upstreams.contains(&ip(upstream).to_string())
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    /// The sensor ends before it does.
    pub fn is_unfinished(&mut self) {
        self.stage = Stage::Unfinished;
    }

    /// Its name: when it was detected, and its server.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it began.
    #[must_use]
    pub fn onset(&self) -> Duration {
        self.onset
    }

    /// When it was noticed.
    #[must_use]
    pub fn opened(&self) -> Duration {
        self.opened
    }

    /// Another server fails in the same moment for the same clients.
    pub fn add_server(&mut self, server: ServerKey) {
        if !self.also.contains(&server) {
            self.also.push(server);
        }
    }

    /// Whether a server is one of those.
    #[must_use]
    pub fn has_server(&self, server: &ServerKey) -> bool {
        self.also.contains(server)
    }

    /// How much it matters: by its level now, then by when its server was last seen.
    #[must_use]
    pub fn rank(&self) -> (Option<Level>, Duration) {
        (self.symptoms.level(), self.last_active)
    }

    /// Whether a new one of this level, whose server was last seen then, is worth more.
    #[must_use]
    pub fn gives_way_to(&self, level: Level, seen: Duration) -> bool {
        // Where all fail together some are critical a moment before others, and not worth more for that.
        let lasted = seen >= self.opened + SHORTEST;
        lasted && (self.symptoms.level() < Some(level) || seen >= self.last_active + SHORTEST)
    }

    /// Whether a rule fired in the last tick: what is learnt then is of the incident, and not of what came
    /// after it.
    #[must_use]
    pub fn is_firing(&self) -> bool {
        self.since_then.elapsed.is_zero()
    }

    /// Whether its server may be probed now: it fails, there is no flood, and it was not probed in the last
    /// minute. It counts as probed from now on.
    pub fn may_be_asked(&mut self, now: Duration) -> bool {
        // Not for ever, where nobody else asks.
        let due = self
            .probed
            .is_none_or(|at| now >= at + PROBE_EVERY && self.last_active > at);
        let may = due && self.is_firing() && self.symptoms.fails() && !self.symptoms.is_flooded();
        if may {
            self.probed = Some(now);
        }
        may
    }

    /// Whether what is seen now may be the sensor's own probe alone.
    pub(super) fn is_probed(&self, now: Duration) -> bool {
        self.probed.is_some_and(|at| now < at + PROBING)
    }
}
