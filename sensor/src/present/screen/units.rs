//! Numbers as narrow as a column of a table.

use std::time::Duration;

/// A rate in at most five columns: `0.4`, `53`, `812`, `5.3k`, `1.2M`.
#[must_use]
pub fn rate(value: f64) -> String {
    match value {
        _ if value < 0.05 => "0".into(),
        _ if value < 9.95 => {
            let text = format!("{value:.1}");
            text.strip_suffix(".0").unwrap_or(&text).into()
        }
        _ if value < 999.5 => format!("{value:.0}"),
        _ if value < 9_950.0 => format!("{:.1}k", value / 1e3),
        _ if value < 999_500.0 => format!("{:.0}k", value / 1e3),
        _ => format!("{:.1}M", value / 1e6),
    }
}

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

/// How long: `18s`, `1m09s`, `3h 4m`, `3d 4h`.
#[must_use]
pub fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_fit_five_columns() {
        for (value, text) in [
            (0.0, "0"),
            (0.44, "0.4"),
            (9.96, "10"),
            (53.2, "53"),
            (999.6, "1.0k"),
            (5_300.0, "5.3k"),
            (41_234.0, "41k"),
            (999_600.0, "1.0M"),
            (12_345_678.0, "12.3M"),
        ] {
            assert_eq!(rate(value), text);
        }
    }

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

    #[test]
    fn spans_have_two_units() {
        assert_eq!(span(18_400), "18s");
        assert_eq!(span(69_000), "1m09s");
        assert_eq!(span(11_040_000), "3h 4m");
        assert_eq!(span(273_600_000), "3d 4h");
    }
}
