//! Times of the calendar, in UTC.

use std::time::{Duration, UNIX_EPOCH};

/// RFC 3339 with milliseconds: `2026-11-23T12:00:00.250Z`.
#[must_use]
pub fn time(ms: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(ms);
    humantime::format_rfc3339_millis(time).to_string()
}

/// Date and time of day: `2026-11-23 12:00:00`, as journalctl(1) takes it.
#[must_use]
pub fn date(ms: u64) -> String {
    let text = time(ms);
    text.get(..19)
        .map_or_else(|| text.clone(), |date| date.replacen('T', " ", 1))
}

/// The end of something that began then: without the date, if that is the same.
#[must_use]
pub fn until(from_ms: u64, ms: u64) -> String {
    let (from, to) = (date(from_ms), date(ms));
    match (from.split_once(' '), to.split_once(' ')) {
        (Some((day, _)), Some((same, clock))) if day == same => clock.into(),
        _ => to,
    }
}

/// The time of day with milliseconds: `12:00:00.250`.
#[must_use]
pub fn clock(ms: u64) -> String {
    let text = time(ms);
    text.get(11..23).unwrap_or(&text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_utc() {
        let ms = 1_795_435_200_250;
        assert_eq!(time(ms), "2026-11-23T12:00:00.250Z");
        assert_eq!(date(ms), "2026-11-23 12:00:00");
        assert_eq!(clock(ms), "12:00:00.250");
        assert_eq!(until(ms, ms + 1_000), "12:00:01");
        assert_eq!(until(ms, ms + 86_400_000), "2026-11-24 12:00:00");
    }
}
