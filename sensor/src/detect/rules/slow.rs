//! Answers take far longer than usual, in two readings in a row.

use std::time::Duration;

use crate::detect::{Facts, Reading, Rule, Unit};

/// A reading of latency is as good as new for so long.
const FRESH: Duration = Duration::from_secs(12);

/// See the module.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let usual = facts.state.usual.p95.after(Duration::from_secs(5));
    let rise = usual.map_or(limits.slow.critical, |usual| limits.slow_rise * usual);
    let warning = limits.slow.warning.max(rise).min(limits.slow.critical);
    let latency = facts
        .state
        .latency
        .filter(|latency| facts.now.saturating_sub(latency.at) <= FRESH);
    // Two in a row: one second may be a neighbour that is looked up, or a cache that is filled.
    let p95 = latency.map_or(0.0, |latency| latency.p95.min(latency.p95_before));
    let critical = Some(limits.slow.critical);
    let reading = Reading::new(Rule::Slow, Unit::Seconds, p95, warning, critical).against(usual);
    let Some(latency) = latency else {
        return reading.unknown("nothing was answered lately");
    };
    if latency.answers < limits.slow_answers {
        return reading.unknown("too few answers");
    }
    // A server that has always been slow is not news.
    let is_news = usual.is_none_or(|usual| p95 >= limits.slow_rise * usual);
    reading.graded().only_if(is_news).saying(|| {
        let usual = usual.map_or_else(String::new, |usual| {
            format!(", usually {:.0} ms", usual * 1e3)
        });
        format!(
            "95 % of {} answers took up to {:.0} ms{usual}",
            latency.answers,
            p95 * 1e3
        )
    })
}
