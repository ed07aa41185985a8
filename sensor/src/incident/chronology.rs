//! What came first: the flood, or the failure.

use std::time::Duration;

/// From its beginning to when it last went on.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// When it began.
    pub since: Duration,
    /// When it last went on.
    pub until: Duration,
}

/// When a flood came, seen from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// Before it: it may be what brought it about.
    First,
    /// So close to it that it cannot be said.
    Together,
    /// After it: clients that get no answer ask again.
    After,
    /// Before it, and it was over.
    Over,
}

/// What lies closer together than a tick is of one moment.
pub const MOMENT: Duration = Duration::from_millis(250);
/// How long a flood takes at most to show in a server that fails.
const EFFECT: Duration = Duration::from_secs(3);

/// Goes on with what may have paused for so long, or begins anew.
pub fn go_on(
    course: &mut Option<Span>,
    begun: impl FnOnce() -> Duration,
    now: Duration,
    pause: Duration,
) {
    match course {
        Some(course) if now.saturating_sub(course.until) <= pause => course.until = now,
        _ => {
            *course = Some(Span {
                since: begun(),
                until: now,
            });
        }
    }
}

/// Which came first. `made_up`: nobody who waits for an answer sends such a flood; `repeated`: most queries are
/// copies of earlier ones.
#[must_use]
pub fn flood_came(flood: Span, failure: Span, made_up: bool, repeated: bool) -> Came {
    if flood.until + EFFECT < failure.since {
        Came::Over
    } else if made_up || flood.since + MOMENT <= failure.since {
        Came::First
    } else if flood.since >= failure.since + 2 * MOMENT || repeated {
        Came::After
    } else {
        Came::Together
    }
}
