//! Latency from histograms.

use std::time::Duration;

use sensor_common::latency::{BUCKETS, FINE_PER_COARSE, floor_ns};

/// How many answers came after how long. Estimates, each followed answer counting for all that it stands
/// for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency {
    /// By the buckets of [`sensor_common::latency`]: fine ones, an eighth of an octave wide, or, in
    /// every sixteenth place, coarse ones of two octaves. Empty where there was no answer: most servers of a
    /// tick had none.
    buckets: Box<[u64]>,
    /// Buckets of `buckets` in one of its own.
    width: usize,
}

impl Latency {
    /// From the fine histograms.
    #[must_use]
    pub fn fine() -> Self {
        Self {
            buckets: Box::default(),
            width: 1,
        }
    }

    fn buckets(&mut self) -> &mut [u64] {
        if self.buckets.is_empty() {
            self.buckets = vec![0; BUCKETS].into();
        }
        &mut self.buckets
    }

    /// From the coarse histogram that each server has.
    #[must_use]
    pub fn coarse(buckets: &[u64]) -> Self {
        let mut latency = Self {
            width: FINE_PER_COARSE,
            ..Self::fine()
        };
        if buckets.iter().any(|count| *count != 0) {
            let all = latency.buckets().iter_mut().step_by(FINE_PER_COARSE);
            for (bucket, count) in all.zip(buckets) {
                *bucket = *count;
            }
        }
        latency
    }

    /// Adds fine buckets.
    pub fn add(&mut self, buckets: impl IntoIterator<Item = u32>) {
        for (sum, count) in self.buckets().iter_mut().zip(buckets) {
            *sum += u64::from(count);
        }
    }

    /// Adds those of another. The sum is as coarse as the coarser of both.
    pub fn merge(&mut self, other: &Self) {
        self.width = self.width.max(other.width);
        if !other.buckets.is_empty() {
            for (sum, count) in self.buckets().iter_mut().zip(&other.buckets) {
                *sum += count;
            }
        }
    }

    /// Takes away what was merged before.
    pub fn take(&mut self, other: &Self) {
        for (sum, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum = sum.saturating_sub(*count);
        }
    }

    /// Whether its buckets are coarse ones.
    #[must_use]
    pub fn is_coarse(&self) -> bool {
        self.width != 1
    }

    /// Whether there was no answer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.iter().all(|count| *count == 0)
    }

    /// Answers.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The latency that a share of the answers, 0 to 1, did not exceed: the upper end of its bucket, so
    /// that a fine histogram tells at most an eighth too much. `None` where nothing was answered.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank of at most `count`, of which 53 bits are enough"
        )]
        let rank = ((count as f64 * share).ceil() as u64).clamp(1, count);
        let mut seen = 0;
        let at = self.buckets.iter().position(|bucket| {
            seen += bucket;
            seen >= rank
        })?;
        Some(Duration::from_nanos(floor_ns(at + self.width)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensor_common::latency::bucket;

    #[test]
    fn buckets_are_an_eighth_of_an_octave_and_in_order() {
        for units in (0..5_000).chain((0..24).flat_map(|n| [(1 << n) - 1, 1 << n, (1 << n) + 1])) {
            let at = bucket(units);
            let ns = u64::from(units) << 10;
            assert!(floor_ns(at) <= ns && (ns < floor_ns(at + 1) || at == BUCKETS - 1));
            assert!(units < 8 || floor_ns(at + 1) * 8 <= floor_ns(at) * 9);
        }
        assert_eq!(bucket(u32::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_the_upper_ends_of_their_buckets() {
        let mut latency = Latency::fine();
        assert_eq!(latency.quantile(0.5), None);
        // 90 answers after about a millisecond, 10 after about a second.
        let mut buckets = [0; BUCKETS];
        buckets[bucket(1_000_000 >> 10)] = 90;
        buckets[bucket(1_000_000_000 >> 10)] = 10;
        latency.add(buckets);
        let within = |share, at_least: u64| {
            let ns = u64::try_from(latency.quantile(share).expect("answers").as_nanos());
            let ns = ns.expect("seconds");
            assert!(
                ns > at_least * 1000 && ns <= at_least * 1150,
                "{share}: {ns}"
            );
        };
        within(0.5, 1_000);
        within(0.9, 1_000);
        within(0.91, 1_000_000);
        within(1.0, 1_000_000);
        let coarse = Latency::coarse(&[0, 3]);
        assert_eq!(coarse.count(), 3);
        assert_eq!(
            coarse.quantile(0.5),
            Some(Duration::from_nanos(floor_ns(32)))
        );
    }
}
