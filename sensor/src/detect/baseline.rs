//! What is usual: exponentially weighted means and spreads, and a one-sided CUSUM.

use std::collections::VecDeque;
use std::time::Duration;

/// A fast baseline follows within seconds.
pub const FAST: Duration = Duration::from_secs(5);
/// A slow one tells what is usual.
pub const SLOW: Duration = Duration::from_hours(1);
/// Longest time that a baseline waits while its rule fires; then it adapts.
pub const FROZEN: Duration = Duration::from_mins(15);

/// A symptom that goes on for so long, and is no failure, is taken for usual from then on.
pub const ADAPTS: Duration = FROZEN;

/// Mean and variance of a series of readings, each weighted by the time that it stands for. Until the time
/// constant has passed all weigh alike.
#[derive(Clone, Copy, Debug, Default)]
pub struct Baseline {
    mean: f64,
    variance: f64,
    learnt: Duration,
    frozen: Duration,
}

impl Baseline {
    /// Adds a reading, unless its rule fires and has done so for less than [`FROZEN`].
    pub fn learn(&mut self, reading: f64, elapsed: Duration, constant: Duration, fires: bool) {
        // A reading of no time has no weight, and nothing divided by nothing is no number.
        if elapsed.is_zero() {
            return;
        }
        if fires {
            self.frozen += elapsed;
            if self.frozen < FROZEN {
                return;
            }
        } else {
            self.frozen = Duration::ZERO;
        }
        self.learnt += elapsed;
        let elapsed = elapsed.as_secs_f64();
        let steady = 1.0 - (-elapsed / constant.as_secs_f64()).exp();
        let weight = (elapsed / self.learnt.as_secs_f64()).clamp(steady, 1.0);
        let difference = reading - self.mean;
        self.mean += weight * difference;
        self.variance = (1.0 - weight) * (self.variance + weight * difference * difference);
    }

    /// The mean, once it has learnt for so long.
    #[must_use]
    pub fn after(&self, learning: Duration) -> Option<f64> {
        (self.learnt >= learning).then_some(self.mean)
    }

    /// The mean as it is.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Standard deviation.
    #[must_use]
    pub fn spread(&self) -> f64 {
        self.variance.sqrt()
    }

    /// Whether it has begun to follow what fired for too long.
    #[must_use]
    pub fn adapts(&self) -> bool {
        self.frozen >= FROZEN
    }
}

/// A baseline whose readings wait: by the time that one is learnt, it is known whether anything was wrong then.
#[derive(Clone, Debug, Default)]
pub struct Settling {
    baseline: Baseline,
    /// When, what, and for how long it stands.
    waiting: VecDeque<(Duration, f64, Duration)>,
}

impl Settling {
    /// As [`Baseline::learn`], `lag` later; what waits while its rule fires is not learnt.
    pub fn learn(
        &mut self,
        now: Duration,
        reading: f64,
        elapsed: Duration,
        lag: Duration,
        fires: bool,
    ) {
        if fires {
            self.waiting.clear();
            self.baseline.learn(reading, elapsed, SLOW, true);
            return;
        }
        self.waiting.push_back((now, reading, elapsed));
        while let Some((_, reading, elapsed)) =
            self.waiting.pop_front_if(|(at, _, _)| *at + lag <= now)
        {
            self.baseline.learn(reading, elapsed, SLOW, false);
        }
    }

    /// As [`Baseline::after`], of half as long: what waits was well so far, too.
    #[must_use]
    pub fn after(&self, learning: Duration) -> Option<f64> {
        self.baseline.after(learning / 2)
    }
}

/// Page's cumulative sum: how far, and for how long, readings were above what is usual.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cusum {
    sum: f64,
}

/// Allowance and alarm, in standard deviations.
const ALLOWANCE: f64 = 0.5;
const ALARM: f64 = 5.0;

impl Cusum {
    /// Adds a reading; whether the sum is above the alarm.
    pub fn add(&mut self, reading: f64, mean: f64, spread: f64) -> bool {
        self.sum = (self.sum + reading - mean - ALLOWANCE * spread).max(0.0);
        let alarm = ALARM * spread;
        let fires = self.sum > alarm;
        // What is far above must not take hours to come down.
        self.sum = self.sum.min(2.0 * alarm + mean);
        fires
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(250);

    #[test]
    fn a_short_history_weighs_alike_and_a_long_one_follows_slowly() {
        let mut baseline = Baseline::default();
        for reading in [10.0, 20.0, 30.0] {
            baseline.learn(reading, TICK, SLOW, false);
        }
        assert!((baseline.mean() - 20.0).abs() < 1e-9);
        assert_eq!(baseline.after(Duration::from_secs(1)), None);
        let mut fast = Baseline::default();
        for _ in 0..400 {
            fast.learn(10.0, TICK, FAST, false);
        }
        assert!(fast.spread() < 1e-6);
        for _ in 0..20 {
            fast.learn(110.0, TICK, FAST, false);
        }
        // After one time constant: 1 - 1/e of the way.
        assert!((fast.mean() - 73.2).abs() < 1.0, "{}", fast.mean());
    }

    #[test]
    fn a_reading_of_no_time_is_not_learnt() {
        let mut baseline = Baseline::default();
        baseline.learn(10.0, Duration::ZERO, SLOW, false);
        baseline.learn(20.0, TICK, SLOW, false);
        baseline.learn(10.0, Duration::ZERO, SLOW, false);
        assert!((baseline.mean() - 20.0).abs() < 1e-9, "{baseline:?}");
    }

    #[test]
    fn it_waits_while_its_rule_fires_and_then_adapts() {
        let mut baseline = Baseline::default();
        let minute = Duration::from_mins(1);
        baseline.learn(10.0, minute, SLOW, false);
        for _ in 0..14 {
            baseline.learn(1_000.0, minute, SLOW, true);
        }
        assert!((baseline.mean() - 10.0).abs() < 1e-9 && !baseline.adapts());
        baseline.learn(1_000.0, minute, SLOW, true);
        assert!(baseline.mean() > 100.0 && baseline.adapts());
    }

    #[test]
    fn what_came_shortly_before_a_sign_is_not_learnt() {
        let mut settling = Settling::default();
        let second = Duration::from_secs(1);
        let lag = 6 * second;
        let mut now = Duration::ZERO;
        let mut learn = |settling: &mut Settling, seconds: u32, reading, fires| {
            for _ in 0..seconds {
                now += second;
                settling.learn(now, reading, second, lag, fires);
            }
        };
        learn(&mut settling, 16, 20.0, false);
        // What it is a sign of began a while ago.
        learn(&mut settling, 5, 400.0, false);
        learn(&mut settling, 1, 400.0, true);
        learn(&mut settling, 6, 20.0, false);
        let known = settling.after(10 * second).expect("known");
        assert!((known - 20.0).abs() < 1e-9, "{known}");
        learn(&mut settling, 13, 400.0, false);
        assert!(settling.after(10 * second).expect("known") > 20.0);
    }

    #[test]
    fn cusum_fires_on_a_step_and_not_on_noise() {
        let mut cusum = Cusum::default();
        for n in 0..1_000 {
            let noise = if n % 2 == 0 { 1.0 } else { -1.0 };
            assert!(!cusum.add(100.0 + noise, 100.0, 1.0));
        }
        let fires = (0..10).position(|_| cusum.add(103.0, 100.0, 1.0));
        assert_eq!(fires, Some(2));
        let calm = (0..10_000).position(|_| !cusum.add(100.0, 100.0, 1.0));
        assert!(calm.is_some_and(|ticks| ticks < 300), "{calm:?}");
    }
}
