//! How sure a share is: Wilson's score interval, one-sided at 99.9 %.
//!
//! A share of few things is uncertain, and an alarm on it a matter of luck. Rules compare the lower end of what
//! is seen with the upper end of what is usual.

/// The 99.9 % quantile of the normal distribution.
const Z: f64 = 3.09;
/// The 95 % quantile.
const LIKELY: f64 = 1.64;

/// The true share is above this with 99.9 %.
#[must_use]
pub fn lower(some: f64, all: f64) -> f64 {
    ends(some, all, Z).0
}

/// The true share is above this with 95 %.
#[must_use]
pub fn lower_likely(some: u64, all: u64) -> f64 {
    ends(
        super::history::float(some),
        super::history::float(all),
        LIKELY,
    )
    .0
}

/// Whether the true share of the one is above that of the other with 95 %, both `[some, all]`: Newcombe's interval of the
/// difference, by those of both (Statistics in Medicine 17, 1998, 873). Not where either is of nothing.
#[must_use]
pub fn is_likely_more([some, all]: [f64; 2], [other_some, other_all]: [f64; 2]) -> bool {
    if all <= 0.0 || other_all <= 0.0 {
        return false;
    }
    let (share, other) = (some / all, other_some / other_all);
    let below = share - ends(some, all, LIKELY).0;
    let above = ends(other_some, other_all, LIKELY).1 - other;
    share - other > below.hypot(above)
}

/// The true share is below this with 99.9 %. 1 of nothing.
#[must_use]
pub fn upper(some: f64, all: f64) -> f64 {
    ends(some, all, Z).1
}

/// The mean number of things is below this with 99.9 %, where so many were counted and come independently of each
/// other: the same interval for a Poisson distribution.
#[must_use]
pub fn upper_count(count: u64) -> f64 {
    let count = super::history::float(count);
    count + Z * Z / 2.0 + Z * (count + Z * Z / 4.0).sqrt()
}

fn ends(some: f64, all: f64, z: f64) -> (f64, f64) {
    if all <= 0.0 {
        return (0.0, 1.0);
    }
    let share = (some / all).clamp(0.0, 1.0);
    let square = z * z / all;
    let middle = share + square / 2.0;
    let reach = z * (share * (1.0 - share) / all + square / (4.0 * all)).sqrt();
    let scale = 1.0 + square;
    (
        ((middle - reach) / scale).max(0.0),
        ((middle + reach) / scale).min(1.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_of_none_may_be_a_few() {
        assert!(upper_count(0) > 6.9 && upper_count(0) < 10.0);
        assert!(upper_count(100) > 130.0 && upper_count(100) < 140.0);
    }

    #[test]
    fn a_rise_is_likely_where_both_are_known_well_enough() {
        assert!(is_likely_more([12.0, 100.0], [0.0, 50.0]));
        assert!(!is_likely_more([12.0, 100.0], [0.0, 10.0]), "hardly known");
        assert!(!is_likely_more([12.0, 100.0], [0.0, 0.0]), "not known");
        assert!(!is_likely_more([12.0, 100.0], [4.0, 50.0]), "as usual");
        assert!(!is_likely_more([0.0, 100.0], [4.0, 50.0]));
    }

    #[test]
    fn few_say_little_and_many_say_much() {
        assert_eq!(ends(0.0, 0.0, Z), (0.0, 1.0));
        assert!(lower_likely(5, 5) > lower(5.0, 5.0));
        assert!(lower(5.0, 5.0) > 0.3 && lower(5.0, 5.0) < 0.4);
        assert!(lower(500.0, 500.0) > 0.98);
        assert!(upper(0.0, 20.0) > 0.3);
        assert!(upper(0.0, 10_000.0) < 0.001);
        assert!(lower(3.0, 100.0) < 0.01 && upper(3.0, 100.0) > 0.08);
    }
}
