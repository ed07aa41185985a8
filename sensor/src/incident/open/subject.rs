//! What the detector knows of that which an incident is about: a server, or the whole network.

use std::time::Duration;

use crate::detect::cohort::Clock;
use crate::detect::history::History;
use crate::detect::{Detector, ServerState, Subject};

/// Of a server, what is known of it.
pub(super) fn server_state(subject: Subject, detector: &Detector) -> Option<&ServerState> {
    match subject {
        Subject::Server(key) => detector.server(&key),
        Subject::Network => None,
    }
}

/// What was counted of it.
pub(super) fn history(subject: Subject, detector: &Detector) -> Option<&History> {
    match subject {
        Subject::Server(key) => detector.server(&key).map(|state| &state.history),
        Subject::Network => Some(&detector.network().history),
    }
}

/// When something of a subject was last seen.
#[must_use]
pub fn last_seen(subject: Subject, detector: &Detector) -> Option<Duration> {
    history(subject, detector)?.last()
}

/// The time, without the patience that a slow server is given.
pub(super) fn plain_clock(detector: &Detector, now: Duration) -> Clock {
    Clock {
        now,
        timeout: detector.timeout(),
        overdue: detector.timeout(),
        young: true,
    }
}
