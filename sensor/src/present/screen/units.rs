//! Numbers as narrow as a column of a table.

use std::time::Duration;

/// A share of 1 in percent, without the sign. Only all of it is 100, and only nothing is 0.
#[must_use]
pub fn percent(share: f64) -> String {
    if share >= 1.0 {
        return "100".into();
    }
    if share <= 0.0 || share.is_nan() {
        return "0".into();
    }
    format!("{:.1}", (share * 100.0).clamp(0.1, 99.9))
}

/// A latency in milliseconds; `-` where nothing was answered.
#[must_use]
pub fn latency(latency: Option<Duration>) -> String {
    let Some(latency) = latency else {
        return "-".into();
    };
    match latency.as_secs_f64() * 1e3 {
        ms if ms < 0.095 => format!("{ms:.2}"),
        ms if ms < 99.95 => format!("{ms:.1}"),
        ms => format!("{ms:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_is_all_and_only_nothing_is_nothing() {
        assert_eq!(percent(0.999_98), "99.9");
        assert_eq!(percent(0.000_01), "0.1");
        assert_eq!((percent(1.0), percent(0.0)), ("100".into(), "0".into()));
    }

    #[test]
    fn what_is_not_answered_has_no_latency() {
        assert_eq!(latency(None), "-");
        assert_eq!(latency(Some(Duration::from_micros(40))), "0.04");
        assert_eq!(latency(Some(Duration::from_micros(1_240))), "1.2");
        assert_eq!(latency(Some(Duration::from_millis(1_900))), "1900");
    }
}
