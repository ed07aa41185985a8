//! Some queries get no answer, or an ICMP error: loss, a server at its limit, or one of several behind an
//! address.

use std::time::Duration;

use super::percent;
use crate::detect::history::share;
use crate::detect::{Facts, Level, Reading, Rule, Unit};

/// It is critical only where it still goes on.
const LATELY: Duration = Duration::from_millis(2_500);

/// See the module.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let history = &facts.state.history;
    let span = history.over(limits.partial_window);
    let part = share(span.failed(), span.decided());
    let levels = limits.partial_share;
    let reading = Reading::new(
        Rule::PartialFailure,
        Unit::Share,
        part,
        levels.warning,
        Some(levels.critical),
    );
    if span.decided() < limits.partial_queries {
        return reading.unknown("too few queries");
    }
    if let Some(why) = facts.blind() {
        return reading.unknown(why);
    }
    let lately = history.over(LATELY);
    let mut failing = history.spans(limits.partial_window);
    let since = failing.find(|span| span.failed() != 0);
    let lasts = since
        .is_some_and(|since| facts.now.saturating_sub(since.end) + LATELY >= limits.partial_window)
        && share(lately.failed(), lately.decided()) >= levels.critical;
    let most = if lasts {
        facts.worst_failure()
    } else {
        Level::Warning
    };
    // Where most fail, other rules say so and why.
    let decided = &facts.decided;
    let is_part = share(decided.failed(), decided.decided()) < limits.failed_share.warning;
    // And what is left of that in the window when it is over is no news.
    let left = limits.partial_window + facts.timeout;
    let failed_at = facts.state.failed_at;
    let is_new = failed_at.is_none_or(|at| facts.now.saturating_sub(at) >= left);
    reading
        .graded()
        .at_most(most)
        .only_if(is_part && is_new)
        .saying(|| {
            format!(
                "{} of {} queries failed in {:.0} s",
                percent(part),
                span.decided(),
                span.elapsed.as_secs_f64()
            )
        })
}
