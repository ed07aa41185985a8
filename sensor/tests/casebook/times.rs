//! When things happen.

use std::time::Duration;

use crate::random::Random;
use crate::words::{Rate, Span};

/// Times within a span at which something happens at a rate, or so many times in it.
pub fn times(
    random: &mut Random,
    (rate, count): (Option<&Rate>, Option<u32>),
    span: Span,
    end: Duration,
    regular: bool,
) -> Vec<Duration> {
    let end = span.to.min(end);
    if let Some(count) = count {
        let gap = end.saturating_sub(span.from) / count.max(1);
        return (0..count).map(|n| span.from + gap * n).collect();
    }
    let Some(rate) = rate else {
        return Vec::new();
    };
    let mut times = Vec::new();
    let mut at = span.from;
    if regular {
        const STEP: Duration = Duration::from_micros(100);
        let mut due = 0.999;
        while at < end {
            due += rate.at(at) * STEP.as_secs_f64();
            while due >= 1.0 {
                due -= 1.0;
                times.push(at);
            }
            at += STEP;
        }
        return times;
    }
    let most = rate.most();
    if most <= 0.0 {
        return times;
    }
    loop {
        at += Duration::from_secs_f64((random.wait() / most).min(1e6));
        if at >= end {
            break;
        }
        if random.chance(rate.at(at) / most) {
            times.push(at);
        }
    }
    times
}
