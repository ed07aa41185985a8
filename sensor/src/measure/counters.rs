//! Arithmetic on records that are nothing but counters.

use bytemuck::{Pod, cast_slice, cast_slice_mut};

/// A record of 64-bit counters and nothing else.
pub trait Counters: Pod {
    /// The counters in the order of their declaration.
    fn as_words(&self) -> &[u64] {
        cast_slice(std::slice::from_ref(self))
    }

    /// Adds each counter of `other`.
    fn add(&mut self, other: &Self) {
        let words: &mut [u64] = cast_slice_mut(std::slice::from_mut(self));
        for (sum, word) in words.iter_mut().zip(other.as_words()) {
            *sum = sum.wrapping_add(*word);
        }
    }

    /// Adds what was counted from `then` to `now`.
    fn add_since(&mut self, now: &Self, then: &Self) {
        let words: &mut [u64] = cast_slice_mut(std::slice::from_mut(self));
        let counted = now.as_words().iter().zip(then.as_words());
        for (sum, (now, then)) in words.iter_mut().zip(counted) {
            *sum = sum.wrapping_add(now.wrapping_sub(*then));
        }
    }

    /// What was counted since `earlier`. A counter that wrapped counts on; one that was reset
    /// (`earlier` is of a record that has since begun anew) must be told apart by the caller.
    #[must_use]
    fn since(&self, earlier: &Self) -> Self {
        let mut difference = *self;
        let words: &mut [u64] = cast_slice_mut(std::slice::from_mut(&mut difference));
        for (word, earlier) in words.iter_mut().zip(earlier.as_words()) {
            *word = word.wrapping_sub(*earlier);
        }
        difference
    }

    /// What was counted since `told`, which is brought up to date. A sum may lag behind for one reading: what is
    /// below what was told is told later.
    #[must_use]
    fn grown(&self, told: &mut Self) -> Self {
        let mut grown = Self::zeroed();
        let words: &mut [u64] = cast_slice_mut(std::slice::from_mut(&mut grown));
        let all: &mut [u64] = cast_slice_mut(std::slice::from_mut(told));
        for ((word, told), now) in words.iter_mut().zip(all).zip(self.as_words()) {
            let difference = now.wrapping_sub(*told);
            if difference.cast_signed() > 0 {
                *word = difference;
                *told = *now;
            }
        }
        grown
    }

    /// Whether a counter went down, which only a new beginning explains: a counter that wraps comes
    /// from the upper half of its range.
    fn went_back(&self, earlier: &Self) -> bool {
        self.as_words()
            .iter()
            .zip(earlier.as_words())
            .any(|(now, then)| now < then && *then < u64::MAX / 2)
    }

    /// Whether nothing was counted.
    fn is_zero(&self) -> bool {
        self.as_words().iter().all(|word| *word == 0)
    }
}

impl Counters for sensor_common::totals::Totals {}
impl Counters for sensor_common::server::ServerCounters {}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use sensor_common::server::ServerCounters;

    fn queries(queries: u64) -> ServerCounters {
        ServerCounters {
            queries,
            ..Zeroable::zeroed()
        }
    }

    #[test]
    fn difference_survives_a_wrap() {
        let difference = queries(4).since(&queries(u64::MAX - 1));
        assert_eq!(difference.queries, 6);
        assert!(!queries(4).went_back(&queries(u64::MAX - 1)));
    }

    #[test]
    fn a_reset_is_seen() {
        assert!(queries(4).went_back(&queries(5)));
        assert!(!queries(5).went_back(&queries(5)));
    }

    #[test]
    fn addition_reaches_every_field() {
        let mut sum = queries(1);
        let mut other = queries(2);
        other.answers_truncated = 7;
        sum.add(&other);
        assert_eq!((sum.queries, sum.answers_truncated), (3, 7));
    }
}
