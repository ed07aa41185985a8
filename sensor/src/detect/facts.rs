//! All that a rule may know of a server at a moment.

use std::collections::BTreeMap;
use std::time::Duration;

use sensor_common::server::ServerKey;

use super::history::{Span, share};
use super::network::{Network, Vain};
use super::rules::REJECTIONS;
use super::{Detector, Level, Place, ServerState, Thresholds, Vantage};

/// Length of `long`.
pub const LONG: Duration = Duration::from_secs(10);

/// Why nothing can be said of failures where traffic takes several ways.
pub const ELSEWHERE: &str = "part of its answers may take another way: they have always been missing, and \
                             nobody asks again";

/// How much a server matters among all that are asked, while most of them answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its failure is worth waking somebody.
    Full,
    /// One of many, with a small part of the queries.
    Lesser,
    /// One of very many, and rarely asked.
    Minor,
}

/// More of the answers than this do not take another way, while some take ours.
const ANOTHER_WAY: f64 = 0.9;

/// See the module.
pub struct Facts<'a> {
    /// When.
    pub now: Duration,
    /// Which server.
    pub server: ServerKey,
    /// What is kept of it.
    pub state: &'a ServerState,
    /// Its last two seconds.
    pub short: Span,
    /// Its last ten seconds.
    pub long: Span,
    /// Its last minute.
    pub minute: Span,
    /// The last second, or as much more as failures need.
    pub decided: Span,
    /// The network as a whole.
    pub network: &'a Network,
    /// Where the sensor stands.
    pub place: &'a Place,
    /// Seen from this server.
    pub vantage: Vantage,
    /// Whether both directions of its traffic are seen: else nobody knows what was answered.
    pub whole: bool,
    /// Asked by one source only, which asks many in vain.
    pub in_vain: bool,
    /// Among all that are asked.
    pub standing: Standing,
    /// Numbers to compare with.
    pub limits: &'a Thresholds,
    /// Time for an answer.
    pub timeout: Duration,
    slot: Duration,
    servers: &'a BTreeMap<ServerKey, ServerState>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(
        detector: &'a Detector,
        server: ServerKey,
        state: &'a ServerState,
        now: Duration,
        vain: &Vain,
        asked: usize,
    ) -> Self {
        let limits = &detector.thresholds;
        let over = |seconds| state.history.over(Duration::from_secs(seconds));
        let vantage = detector.vantage(&server);
        let minute = over(60);
        let part = detector.network.share(&minute, Duration::from_mins(1));
        let is_one_of = |servers, most| !vain.all && asked >= servers && part < most;
        Self {
            now,
            server,
            state,
            short: over(2),
            long: state.history.over(LONG),
            minute,
            decided: state
                .history
                .until_decided(limits.failed_queries, limits.failed_back),
            network: &detector.network,
            place: &detector.place,
            vantage,
            whole: !detector.place.one_direction
                && (vantage != Vantage::Path
                    || state.has_answered
                    || state.has_errors
                    || detector.network.serves_clients_of(&state.clients)),
            in_vain: vain.has(&server),
            standing: if is_one_of(limits.minor_servers, limits.minor_share) {
                Standing::Minor
            } else if is_one_of(limits.lesser_servers, limits.lesser_share) {
                Standing::Lesser
            } else {
                Standing::Full
            },
            limits,
            timeout: detector.timeout,
            slot: detector.slot,
            servers: &detector.servers,
        }
    }

    /// Whether another server is known to get most of what a source asks, which is so many queries a second.
    #[must_use]
    pub fn asks_another(&self, source: &ServerKey, rate: f64) -> bool {
        self.servers.iter().any(|(server, state)| {
            let lately = state.history.over(Duration::from_secs(2));
            let part = state.clients.part_of(source);
            *server != self.server && part * lately.rate(lately.counters.queries) > rate / 2.0
        })
    }

    /// Answers a second that an address gives itself: lately, or usually where it fails now.
    #[must_use]
    pub fn answers_of(&self, address: &ServerKey) -> f64 {
        self.servers.get(address).map_or(0.0, |server| {
            let long = server.history.over(LONG);
            long.rate(long.answers()).max(server.usual.answers.mean())
        })
    }

    /// Queries that have waited for longer than this.
    #[must_use]
    pub fn waiting_longer_than(&self, age: Duration) -> u64 {
        // The youngest of slot n are n - 1 slots old, and a part of one.
        let slots = age.as_nanos().div_ceil(self.slot.as_nanos().max(1)) + 1;
        self.state
            .waiting
            .since(usize::try_from(slots).unwrap_or(usize::MAX))
    }

    /// Queries that have waited for longer than this for a second at most: as many as become unanswered in a
    /// second, only sooner.
    #[must_use]
    pub fn overdue_since(&self, age: Duration) -> u64 {
        let long = self.waiting_longer_than(age + Duration::from_secs(1));
        self.waiting_longer_than(age).saturating_sub(long)
    }

    /// Queries that wait suspiciously long, where ICMP errors are about.
    #[must_use]
    pub fn overdue(&self) -> u64 {
        let usual = self.state.usual.p99.after(Duration::ZERO);
        let age = match usual {
            Some(p99) if self.state.latency.is_some() => {
                let age = Duration::try_from_secs_f64(self.limits.overdue_p99 * p99);
                age.unwrap_or(self.timeout).max(self.limits.overdue)
            }
            _ => self.limits.overdue_unknown,
        };
        self.overdue_since(age.min(self.timeout))
    }

    /// The usual rate of queries, once it is known.
    #[must_use]
    pub fn usual_rate(&self) -> Option<f64> {
        self.state.usual.rate.after(self.limits.learning)
    }

    /// Why nothing can be said of failures, if so.
    #[must_use]
    pub fn blind(&self) -> Option<&'static str> {
        if !self.whole {
            Some("only one direction of its traffic is seen")
        } else if self.in_vain {
            Some("only one source asks it, which asks many servers in vain")
        } else if self.standing == Standing::Minor {
            Some("it is one of very many servers that are asked, and rarely")
        } else if self.is_partly_elsewhere() {
            Some(ELSEWHERE)
        } else {
            None
        }
    }

    /// The worst that a failure may be: one of many servers is not worth waking anybody.
    #[must_use]
    pub fn worst_failure(&self) -> Level {
        if self.standing == Standing::Lesser {
            Level::Warning
        } else {
            Level::Critical
        }
    }

    /// Part of the answers is missing, has been as long as the server is known, and does not seem to be
    /// missed: where traffic takes several ways, that part takes another one.
    fn is_partly_elsewhere(&self) -> bool {
        let limits = self.limits;
        let failed = self.long.failed() + self.overdue();
        let missing = share(failed, failed + self.long.counters.transactions.answered);
        let transactions = &self.long.counters.transactions;
        let (known, decided) = self.state.outcomes;
        self.vantage == Vantage::Path
            && self.state.has_answered
            && (limits.partial_share.warning..ANOTHER_WAY).contains(&missing)
            && self.minute.matched(&REJECTIONS) == 0
            && transactions.retransmitted * 10 < failed
            && (decided < limits.partial_queries || share(known, decided) * 2.0 >= missing)
    }
}
