//! All that a rule may know of a server at a moment.

use std::time::Duration;

use sensor_common::server::ServerKey;

use super::askers::Askers;
use super::cohort::Clock;
use super::failures::{self, Failing, Failures};
use super::history::Span;
use super::level::Level;
use super::network::Network;
use super::place::{Place, Vantage};
use super::server::ServerState;
use super::standing::Standing;
use super::thresholds::Thresholds;
use super::usual::Share;
use super::visibility::{Visibility, ask_again};
use crate::measure::dossier::{Dossier, End};

/// Length of `short`.
pub const SHORT: Duration = Duration::from_secs(2);
/// Length of `long`.
pub const LONG: Duration = Duration::from_secs(10);
/// More than this share is most of all.
const MOST_FAIL: f64 = 0.5;
/// What comes within so long of something else is of one moment.
const MOMENT: Duration = Duration::from_millis(600);

/// See the module.
pub struct Facts<'a> {
    /// When, and when queries count as what.
    pub clock: Clock,
    /// Which server.
    pub server: ServerKey,
    /// What is kept of it.
    pub state: &'a ServerState,
    /// Its dossiers of the last ten seconds or a little more.
    pub recent: &'a [&'a Dossier],
    /// Its last two seconds.
    pub short: Span,
    /// Its last ten seconds.
    pub long: Span,
    /// Its queries that fail.
    pub failing: Failing,
    /// The network as a whole.
    pub network: &'a Network,
    /// Who asks whom.
    pub askers: &'a Askers,
    /// Where the sensor stands.
    pub place: &'a Place,
    /// Seen from this server.
    pub vantage: Vantage,
    /// Which directions of its traffic pass here.
    pub visibility: Visibility,
    /// How much its failure matters.
    pub standing: Standing,
    /// Numbers to compare with.
    pub limits: &'a Thresholds,
}

/// What [`Facts::new`] takes from the detector.
pub(super) struct Around<'a> {
    pub network: &'a Network,
    pub askers: &'a Askers,
    pub place: &'a Place,
    pub limits: &'a Thresholds,
    pub scanners: &'a [ServerKey],
    pub now: Duration,
    pub timeout: Duration,
}

impl<'a> Facts<'a> {
    pub(super) fn new(
        around: &Around<'a>,
        server: ServerKey,
        state: &'a ServerState,
        recent: &'a [&'a Dossier],
        vantage: Vantage,
    ) -> Self {
        let over = |length| state.history.over(length);
        let clock = Clock {
            now: around.now,
            timeout: around.timeout,
            overdue: failures::overdue(state, around.timeout, around.limits),
            young: true,
        };
        let seen = state.visibility.of_server();
        let visibility = if around.place.one_direction {
            Visibility::QueriesOnly
        } else if vantage != Vantage::Path
            || state.has_answered
            || state.errors != super::server::Errors::default()
        {
            Visibility::Both
        } else {
            seen
        };
        let long = over(LONG);
        let failing = Failures {
            clock,
            state,
            recent,
            askers: around.askers,
            limits: around.limits,
            on_the_path: vantage == Vantage::Path,
        }
        .find();
        Self {
            clock,
            server,
            state,
            recent,
            short: over(SHORT),
            long,
            failing,
            network: around.network,
            askers: around.askers,
            place: around.place,
            vantage,
            visibility,
            standing: Standing::of(
                &server,
                state,
                around.askers,
                around.scanners,
                around.network.share(&long, LONG),
                around.limits,
            ),
            limits: around.limits,
        }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.clock.now
    }

    /// How a dossier ended, as far as is known now.
    #[must_use]
    pub fn end(&self, dossier: &Dossier) -> End {
        dossier.end(self.clock.now, self.clock.timeout)
    }

    /// Dossiers whose query was asked in the last `length`.
    pub fn asked_in(&self, length: Duration) -> impl Iterator<Item = &'a Dossier> {
        let from = self.clock.now.saturating_sub(length);
        let is_in = move |dossier: &&&Dossier| dossier.asked().is_some_and(|asked| asked >= from);
        self.recent.iter().filter(is_in).copied()
    }

    /// The usual rate of queries, once it may be believed.
    #[must_use]
    pub fn usual_rate(&self) -> Option<f64> {
        self.state.usual_rate(self.limits)
    }

    /// Above which share something alarms: the least, or so many times what is usual at most, but never so near to
    /// all that nothing can be above it.
    #[must_use]
    pub fn alarm_share(&self, least: f64, usual: &Share) -> f64 {
        let upper = usual.upper();
        least.max(self.limits.risen(upper))
    }

    /// The same of what fails: where most does, that needs no comparison.
    #[must_use]
    pub fn failing_share(&self, least: f64, usual: &Share) -> f64 {
        self.alarm_share(least, usual).min(MOST_FAIL.max(least))
    }

    /// Why its failure is nobody's, if so.
    #[must_use]
    pub fn is_minor(&self) -> Option<&'static str> {
        match self.standing {
            Standing::Scanned => Some("only a source that looks for servers asks it"),
            Standing::Minor => Some("hardly anybody asks it, or one of many that a resolver asks"),
            Standing::Lesser | Standing::Full => None,
        }
    }

    /// Why nothing can be said of failures, if so.
    #[must_use]
    pub fn blind(&self) -> Option<&'static str> {
        if let Some(why) = self.is_minor() {
            return Some(why);
        }
        match self.visibility {
            Visibility::AnswersOnly => Some("only its answers pass here"),
            Visibility::Both => None,
            _ if ask_again(self.recent, self.clock.now, self.clock.timeout)
                || (!self.place.partly_blind && self.clients_are_answered()) =>
            {
                None
            }
            _ => Some("only queries to it pass here: whether they are answered is unknown"),
        }
    }

    /// Whether other servers are seen to answer its clients: then its own answers would be seen too.
    fn clients_are_answered(&self) -> bool {
        self.recent
            .iter()
            .any(|dossier| self.askers.was_answered(&dossier.client))
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

    /// Whether something that began at `then` and what fails began in one moment.
    #[must_use]
    pub fn together(one: Duration, other: Duration) -> bool {
        one.abs_diff(other) <= MOMENT
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
    /// Whether a server was never seen to answer what it was asked.
    pub is_stranger: &'a dyn Fn(&ServerKey) -> bool,
    /// How many answers a second a client usually gets that it was not seen to ask for.
    pub usual_unmatched: &'a dyn Fn(&ServerKey) -> f64,
    /// The way to all servers has been gone for longer than a restart takes.
    pub path_lasts: bool,
}
