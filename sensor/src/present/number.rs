//! Numbers with their units, so that no two places round the same one differently.

pub use crate::measure::counted::{count, counted, part_of, were};

/// A share in percent. Only all of it is `100 %`, and only nothing is `0 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    if share >= 1.0 {
        return "100 %".into();
    }
    if share <= 0.0 || share.is_nan() {
        return "0 %".into();
    }
    let text = format!("{:.1}", (share * 100.0).clamp(0.1, 99.9));
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// The same of two counts; `-` of nothing.
#[must_use]
pub fn share(part: u64, all: u64) -> String {
    if all == 0 {
        return "-".into();
    }
    percent(crate::detect::history::share(part, all))
}

/// A number as it is read: without digits after the point from 10 on, with a comma every three digits.
#[must_use]
pub fn plain(value: f64) -> String {
    if value >= 10.0 {
        // A rate or a time: far below 2^64.
        #[expect(clippy::cast_sign_loss, reason = "at least 10")]
        return count(value.round() as u64);
    }
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).into()
}

/// Something a second.
#[must_use]
pub fn rate(rate: f64) -> String {
    format!("{}/s", plain(rate))
}

/// A number in four characters: `53`, `0.4`, `5.3k`, `41k`, `1.2M`.
#[must_use]
pub fn short(value: f64) -> String {
    let with = |value: f64, unit: &str| {
        let digits = usize::from(value < 9.95);
        let text = format!("{value:.digits$}");
        format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
    };
    match value {
        _ if value < 999.5 => with(value, ""),
        _ if value < 999_500.0 => with(value / 1e3, "k"),
        _ if value < 999_500_000.0 => with(value / 1e6, "M"),
        _ => with(value / 1e9, "G"),
    }
}

/// How long something lasts, in few characters: `9s`, `1m09s`, `3h04m`, `3d04h`.
#[must_use]
pub fn lasting(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86400, seconds / 3600 % 24),
    }
}

/// A latency in milliseconds.
#[must_use]
pub fn milliseconds(ms: f64) -> String {
    format!("{} ms", plain(ms))
}

/// How long something took: `0.5 s`, `42 s`, `2 min 5 s`, `3 h 12 min`.
#[must_use]
pub fn span(ms: u64) -> String {
    let seconds = (ms + 500) / 1000;
    let two = |many: u64, unit: &str, rest: u64, smaller: &str| match rest {
        0 => format!("{many} {unit}"),
        rest => format!("{many} {unit} {rest} {smaller}"),
    };
    match seconds {
        _ if ms < 9_950 => format!("{}.{} s", (ms + 50) / 1000, (ms + 50) / 100 % 10),
        0..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86400 => two(seconds / 3600, "h", seconds / 60 % 60, "min"),
        _ => two(seconds / 86400, "d", seconds / 3600 % 24, "h"),
    }
}

/// Bytes: `812 B`, `12.4 kB`, `3.1 MB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one digit after the point")]
    let value = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value / 1e6),
        _ => format!("{:.1} GB", value / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_is_all_and_only_nothing_is_nothing() {
        assert_eq!(share(99_999, 100_000), "99.9 %");
        assert_eq!(share(1, 100_000), "0.1 %");
        assert_eq!(share(7, 7), "100 %");
        assert_eq!(share(0, 7), "0 %");
        assert_eq!(share(0, 0), "-");
        assert_eq!(percent(0.98), "98 %");
        assert_eq!(percent(0.1234), "12.3 %");
    }

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!(rate(0.4), "0.4/s");
        assert_eq!(rate(41_234.4), "41,234/s");
        assert_eq!(milliseconds(3.0), "3 ms");
    }

    #[test]
    fn short_forms_have_four_characters_and_two_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.44, "0.4"),
            (9.96, "10"),
            (53.2, "53"),
            (999.4, "999"),
            (999.6, "1k"),
            (5_312.0, "5.3k"),
            (41_234.0, "41k"),
            (1_200_000.0, "1.2M"),
        ] {
            assert_eq!(short(value), text);
        }
        for (ms, text) in [
            (999, "0s"),
            (69_000, "1m09s"),
            (11_040_000, "3h04m"),
            (273_600_000, "3d04h"),
        ] {
            assert_eq!(lasting(ms), text);
        }
    }

    #[test]
    fn times_have_two_units_at_most() {
        for (ms, text) in [
            (250, "0.3 s"),
            (9_949, "9.9 s"),
            (9_950, "10 s"),
            (59_600, "1 min"),
            (125_000, "2 min 5 s"),
            (11_520_000, "3 h 12 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(span(ms), text);
        }
    }
}
