//! Rates of the last seconds.

use std::collections::VecDeque;
use std::time::Duration;

use crate::detect::history::{History, Span};
use crate::measure::latency::Latency;
use crate::view::server::{Point, Rates};

/// What is called now.
pub const NOW: Duration = Duration::from_secs(2);
/// And a minute.
pub const MINUTE: Duration = Duration::from_mins(1);
/// Latency of a minute is kept in slots of so long: of the last five or six of them.
const SLOT: Duration = Duration::from_secs(10);
const SLOTS: usize = 6;
/// The two quantiles that are shown.
const P50: f64 = 0.5;
const P95: f64 = 0.95;

/// Latency of the last two seconds and of the last minute.
pub struct Recent {
    ticks: VecDeque<(Duration, Latency)>,
    /// Of `ticks`.
    now: Latency,
    slots: VecDeque<(Duration, Latency)>,
}

impl Recent {
    /// No answer yet.
    pub fn new() -> Self {
        Self {
            ticks: VecDeque::new(),
            now: Latency::fine(),
            slots: VecDeque::new(),
        }
    }

    /// Adds the answers of the tick that ended at `now`.
    pub fn push(&mut self, latency: Option<&Latency>, now: Duration) {
        let is_old = |(at, _): &mut (Duration, Latency)| now.saturating_sub(*at) >= NOW;
        while let Some((_, oldest)) = self.ticks.pop_front_if(is_old) {
            self.forget(&oldest);
        }
        while self.slots.len() > SLOTS
            || self
                .slots
                .front()
                .is_some_and(|(begun, _)| now.saturating_sub(*begun) > MINUTE)
        {
            self.slots.pop_front();
        }
        let Some(latency) = latency.filter(|latency| !latency.is_empty()) else {
            return;
        };
        self.now.merge(latency);
        self.ticks.push_back((now, latency.clone()));
        match self.slots.back_mut() {
            Some((begun, slot)) if now.saturating_sub(*begun) < SLOT => slot.merge(latency),
            _ => self.slots.push_back((now, latency.clone())),
        }
    }

    fn sum(all: &VecDeque<(Duration, Latency)>) -> Latency {
        let mut sum = Latency::fine();
        for (_, latency) in all {
            sum.merge(latency);
        }
        sum
    }

    fn forget(&mut self, oldest: &Latency) {
        if self.ticks.is_empty() {
            self.now = Latency::fine();
        } else if oldest.is_coarse() {
            // Those that are left may all be fine.
            self.now = Self::sum(&self.ticks);
        } else {
            self.now.take(oldest);
        }
    }

    /// Of the last two seconds.
    pub fn now(&self) -> &Latency {
        &self.now
    }

    /// Of the last minute.
    pub fn minute(&self) -> Latency {
        Self::sum(&self.slots)
    }
}

/// What happened per second in a span, and how long answers took.
pub fn rates(span: &Span, latency: &Latency) -> Rates {
    let counters = &span.counters;
    let decided = span.decided();
    let answered = counters.transactions.answered;
    Rates {
        queries: span.rate(counters.queries),
        answered: span.rate(answered),
        errored: span.rate(counters.transactions.errored),
        unanswered: span.rate(span.unanswered),
        icmp_errors: span.rate(counters.errors.iter().sum()),
        answered_share: (decided != 0).then(|| crate::detect::history::share(answered, decided)),
        p50: latency.quantile(P50),
        p95: latency.quantile(P95),
    }
}

/// Of the last `length` of a history.
pub fn over(history: &History, length: Duration, latency: &Latency) -> Rates {
    rates(&history.over(length), latency)
}

/// The second that ended just now.
pub fn point(history: &History, length: Duration, at_ms: u64) -> Point {
    let span = history.over(length);
    // What is drawn has few digits.
    #[expect(clippy::cast_possible_truncation, reason = "see above")]
    let rate = |count: u64| span.rate(count) as f32;
    Point {
        at_ms,
        queries: rate(span.counters.queries),
        answers: rate(span.counters.responses),
        failed: rate(span.failed()),
        icmp_errors: rate(span.counters.errors.iter().sum()),
    }
}

/// A history with one more point, and with so many at most.
pub fn with(history: &[Point], point: Point, most: usize) -> Vec<Point> {
    let from = (history.len() + 1).saturating_sub(most);
    let mut points = Vec::with_capacity(most.min(history.len() + 1));
    points.extend_from_slice(&history[from..]);
    points.push(point);
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::model::HISTORY;

    fn latency(ms: u64) -> Latency {
        let mut buckets = [0; sensor_common::latency::BUCKETS];
        let units = u32::try_from((ms * 1_000_000) >> sensor_common::latency::UNIT_BITS);
        buckets[sensor_common::latency::bucket(units.expect("seconds"))] = 1;
        let mut latency = Latency::fine();
        latency.add(buckets);
        latency
    }

    #[test]
    fn latency_is_of_two_seconds_and_of_a_minute() {
        let mut recent = Recent::new();
        for tick in 1..=400 {
            let slow = latency(if tick <= 8 { 900 } else { 2 });
            recent.push(Some(&slow), Duration::from_millis(250) * tick);
            assert!(recent.now().count() <= 8 && recent.slots.len() <= SLOTS + 1);
            if tick == 100 {
                assert!(recent.now().quantile(1.0) < Some(Duration::from_millis(3)));
                assert!(recent.minute().quantile(1.0) > Some(Duration::from_millis(800)));
            }
        }
        let minute = recent.minute();
        assert!((200..=240).contains(&minute.count()), "{}", minute.count());
        assert!(minute.quantile(1.0) < Some(Duration::from_millis(3)));
    }

    #[test]
    fn what_is_coarse_makes_two_seconds_coarse_and_not_longer() {
        let mut recent = Recent::new();
        let mut coarse = [0; sensor_common::latency::COARSE_BUCKETS];
        coarse[3] = 7;
        let tick = |number: u32| Duration::from_millis(250) * number;
        recent.push(Some(&latency(2)), tick(1));
        recent.push(Some(&Latency::coarse(&coarse)), tick(2));
        assert!(recent.now().is_coarse() && recent.now().count() == 8);
        for number in 3..=10 {
            recent.push(Some(&latency(2)), tick(number));
        }
        assert!(!recent.now().is_coarse());
        assert_eq!(recent.now().count(), 8);
        recent.push(None, tick(30));
        assert!(recent.now().is_empty());
    }

    #[test]
    fn a_history_is_bounded() {
        let mut history = Vec::new();
        for second in 0..700 {
            history = with(
                &history,
                Point {
                    at_ms: second,
                    ..Point::default()
                },
                HISTORY,
            );
        }
        assert_eq!(history.len(), HISTORY);
        assert_eq!((history[0].at_ms, history[299].at_ms), (400, 699));
    }
}
