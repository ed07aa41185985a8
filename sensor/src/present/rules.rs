//! Rules, and what they read.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use crate::detect::{Level, Reading, Rule, State, Subject, Thresholds, Unit};
use crate::detect::{RULES, RuleSpec};
use crate::measure::address::ip;
use crate::measure::counted::counted;

/// Servers in a table.
const SERVERS: usize = 10;

/// What each rule looks for.
#[must_use]
pub fn list() -> String {
    let lines: Vec<String> = RULES
        .iter()
        .map(|spec| match spec.compares {
            "" => format!("{:<18} {}", spec.name, spec.title),
            compares => format!(
                "{:<18} {} (compared with: {compares})",
                spec.name, spec.title
            ),
        })
        .collect();
    format!(
        "{}\n\n`sensor rules -i INTERFACE` shows their readings, `sensor rules --toml` their thresholds; \
         docs/DETECTION.md explains them.",
        lines.join("\n")
    )
}

/// All thresholds for a file, each with what it is.
///
/// # Errors
/// They have no form in TOML.
pub fn commented(thresholds: &Thresholds) -> Result<String, toml::ser::Error> {
    let all = toml::Table::try_from(thresholds)?;
    let mut text =
        String::from("# Shares are 0 to 1, rates are per second, times are like \"30s\".\n");
    for (name, comment) in comments() {
        let comment = comment.join("\n# ");
        let value = all.get(name).map(toml::Value::to_string);
        // One that has no value by default.
        let value = value.map_or_else(
            || format!("# {name} = ..."),
            |value| format!("{name} = {value}"),
        );
        let _ = write!(text, "\n# {comment}\n{value}\n");
    }
    Ok(text)
}

/// The fields of the thresholds in their order, and the lines of what their source says of them: so it is
/// written once.
fn comments() -> Vec<(&'static str, Vec<&'static str>)> {
    let source = include_str!("../detect/thresholds.rs");
    let fields = source
        .split_once("pub struct Thresholds {")
        .map_or("", |(_, rest)| rest);
    let mut found = Vec::new();
    let mut lines = Vec::new();
    for line in fields
        .lines()
        .map(str::trim)
        .take_while(|line| *line != "}")
    {
        if let Some(comment) = line.strip_prefix("/// ") {
            lines.push(comment);
        } else if let Some((name, _)) = line
            .strip_prefix("pub ")
            .and_then(|field| field.split_once(':'))
        {
            found.push((name, std::mem::take(&mut lines)));
        }
    }
    found
}

/// What they read of each subject, the busiest by what is nearest to firing. `learning` is how long was counted, and how
/// long it takes until usual rates are believed, where that is longer.
#[must_use]
pub fn table(readings: &[(Subject, &[Reading])], learning: Option<(Duration, Duration)>) -> String {
    let mut subjects: Vec<_> = readings.to_vec();
    let nearest = |readings: &[Reading]| {
        let near = readings.iter().map(nearness);
        near.fold(0.0, f64::max)
    };
    subjects.sort_by(|(_, a), (_, b)| nearest(b).total_cmp(&nearest(a)));
    let mut text = String::new();
    for (subject, readings) in subjects.iter().take(SERVERS) {
        let _ = writeln!(
            text,
            "{:<40} {:>12} {:>12} {:>12} {:>12}  state",
            name(*subject),
            "reading",
            "usual",
            "warning",
            "critical"
        );
        for reading in *readings {
            let show = |value: Option<f64>| {
                value.map_or_else(|| "-".into(), |value| number(value, reading.unit))
            };
            let _ = writeln!(
                text,
                "  {:<38} {:>12} {:>12} {:>12} {:>12}  {}",
                reading.rule.name(),
                number(reading.value, reading.unit),
                show(reading.baseline),
                show(Some(reading.warning)),
                show(reading.critical),
                state(reading)
            );
        }
    }
    let servers = |(subject, _): &(Subject, _)| matches!(subject, Subject::Server(_));
    if !subjects.iter().any(servers) {
        text.push_str("no DNS server seen yet: the other rules apply to one server each\n");
    }
    if let Some((have, need)) = learning {
        let (have, need) = (have.as_secs(), need.as_secs());
        let _ = writeln!(
            text,
            "too early for usual rates: {have} s of {need}; until then rules that compare with one read what they can without it"
        );
    }
    if subjects.len() > SERVERS {
        let _ = writeln!(
            text,
            "and {}",
            counted((subjects.len() - SERVERS) as u64, "more server")
        );
    }
    text
}

fn name(subject: Subject) -> String {
    match subject {
        Subject::Server(key) => ip(&key).to_string(),
        Subject::Network => "the network".into(),
    }
}

/// How far a reading has come towards a warning: 1 at the threshold.
fn nearness(reading: &Reading) -> f64 {
    if matches!(reading.state, State::Unknown(_)) {
        return 0.0;
    }
    let near = match reading.rule {
        // The lower, the worse.
        Rule::Collapse => reading.warning / reading.value.max(f64::MIN_POSITIVE),
        _ => reading.value / reading.warning,
    };
    if near.is_finite() { near } else { 0.0 }
}

fn state(reading: &Reading) -> String {
    match reading.state {
        State::Quiet | State::Holds if nearness(reading) >= 1.0 => {
            "quiet: above the threshold, but the rule's other conditions are not met".into()
        }
        State::Quiet | State::Holds => {
            format!("quiet, at {:.0} % of a warning", nearness(reading) * 100.0)
        }
        State::Fires(level) => {
            let more = level == Level::Warning
                && reading
                    .critical
                    .is_some_and(|critical| reading.value >= critical);
            let more = if more { " (critical if it lasts)" } else { "" };
            format!("FIRES, {}{more}: {}", level.name(), reading.detail)
        }
        State::Unknown(why) => format!("cannot tell: {why}"),
    }
}

fn number(value: f64, unit: Unit) -> String {
    if value.is_infinite() {
        return "-".into();
    }
    match unit {
        Unit::Share => format!("{:.1} %", value * 100.0),
        Unit::PerSecond => format!("{value:.1}/s"),
        Unit::Seconds => format!("{:.1} ms", value * 1e3),
        Unit::Count => format!("{value:.0}"),
    }
}

/// A rule and, if there is one, its reading.
#[derive(Debug, Serialize)]
pub struct RuleObject<'a> {
    schema: u32,
    kind: &'static str,
    rule: &'static str,
    title: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reading: Option<ReadingObject<'a>>,
}

#[derive(Debug, Serialize)]
struct ReadingObject<'a> {
    value: f64,
    unit: Unit,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<f64>,
    /// None where it depends on what is not known yet.
    warning: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    critical: Option<f64>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<Level>,
    /// 1 where it may fire.
    nearness: f64,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
}

/// An object for each reading, or for each rule where there are none.
#[must_use]
pub fn objects<'a>(readings: &[(Subject, &'a [Reading])]) -> Vec<RuleObject<'a>> {
    let object = |spec: &RuleSpec| RuleObject {
        schema: super::schema::SCHEMA,
        kind: "rule",
        rule: spec.name,
        title: spec.title,
        subject: None,
        reading: None,
    };
    if readings.is_empty() {
        return RULES.iter().map(object).collect();
    }
    let mut objects = Vec::new();
    for (subject, readings) in readings {
        objects.extend(readings.iter().map(|reading| RuleObject {
            subject: Some(name(*subject)),
            reading: Some(ReadingObject::of(reading)),
            ..object(reading.rule.spec())
        }));
    }
    objects
}

impl<'a> ReadingObject<'a> {
    fn of(reading: &'a Reading) -> Self {
        let finite = |value: f64| value.is_finite().then_some(value);
        Self {
            value: reading.value,
            unit: reading.unit,
            baseline: reading.baseline,
            warning: finite(reading.warning),
            critical: reading.critical.and_then(finite),
            state: match reading.state {
                State::Quiet => "quiet",
                State::Holds => "holds",
                State::Fires(_) => "fires",
                State::Unknown(_) => "unknown",
            },
            level: reading.level(),
            nearness: nearness(reading),
            detail: match reading.state {
                State::Unknown(why) => why,
                _ => &reading.detail,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thresholds_are_written_with_what_they_are_and_read_back() {
        let thresholds = Thresholds {
            usual_rise: 7.0,
            ..Thresholds::default()
        };
        let text = commented(&thresholds).expect("TOML");
        let read: Thresholds = toml::from_str(&text).expect("thresholds");
        assert_eq!(read, thresholds);
        assert!(
            text.contains("# 95th percentile of latency, in seconds. Basis:"),
            "{text}"
        );
        assert!(text.contains("\n# flood_ceiling = ..."), "{text}");
        for (name, comment) in comments() {
            assert!(!comment.is_empty(), "{name}");
        }
        assert_eq!(
            comments().len(),
            toml::Table::try_from(&thresholds).expect("all").len() + 1
        );
    }
}
