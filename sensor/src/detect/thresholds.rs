//! Every number that a rule compares with, its unit and its basis. `docs/DETECTION.md` has the
//! reasoning behind each.

use std::time::Duration;

use super::history::KEPT;
use serde::{Deserialize, Serialize};

/// A value for a warning and one for a critical sign.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// From here on a warning.
    pub warning: f64,
    /// From here on critical.
    pub critical: f64,
}

/// Thresholds of all rules. Shares are 0 to 1, rates are per second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Time that a usual rate must have been learnt before it is believed. What is learnt is 6 s old, so a server's
    /// rates are believed 16 s after its first packet. A share carries its own uncertainty. Basis: ours; absolute rules
    /// work from the first tick.
    #[serde(with = "humantime_serde")]
    pub learning: Duration,
    /// Share of a server's decided queries that failed. Basis: ours (half; four in five).
    pub failed_share: Levels,
    /// Decided queries that a failure needs. Basis: ours.
    pub failed_queries: u64,
    /// How far back those may lie. Basis: ours; two queries a minute must do.
    #[serde(with = "humantime_serde")]
    pub failed_back: Duration,
    /// A failure that lasts so long is critical: a restart takes less. Basis: ours.
    #[serde(with = "humantime_serde")]
    pub failed_lasting: Duration,
    /// Age from which a query counts as failed where ICMP errors are about: at least this, and
    /// `overdue_p99` times the server's usual p99. Basis: ours.
    #[serde(with = "humantime_serde")]
    pub overdue: Duration,
    /// See `overdue`. Basis: ours.
    pub overdue_p99: f64,
    /// The same where nothing is known of the server's latency. Basis: ours.
    #[serde(with = "humantime_serde")]
    pub overdue_unknown: Duration,
    /// Share of the time-out after which a query counts as failed where nothing comes back at all.
    /// Basis: ours; a server that answers after 1.5 s is slow, not silent.
    pub silent_timeout_share: f64,
    /// Times the upper end of what is usual from which on a share, a rate or a time is unusual. Basis: ours.
    pub usual_rise: f64,
    /// Share of the queries that failed that is a partial failure. Basis: ours.
    pub partial_share: Levels,
    /// Decided queries that it needs.
    pub partial_queries: u64,
    /// Matched errors that a client network needs to count as rejected. Basis: ours.
    pub rejected_errors: u64,
    /// Answers that another client network needs to count as served. Basis: ours.
    pub served_answers: u64,
    /// Share of an rcode that says no, NXDOMAIN apart. Basis: coredns-mixin (3 %); 20 % ours.
    pub rcode_share: Levels,
    /// Answers that it takes. Basis: ours.
    pub rcode_answers: u64,
    /// 95th percentile of latency, in seconds. Basis: coredns-mixin for the scale.
    pub slow: Levels,
    /// Answers that it takes. Basis: ours.
    pub slow_answers: u64,
    /// Share of the usual rate that is a collapse. Basis: ours.
    pub collapse_share: f64,
    /// Usual rate that it takes. Basis: ours.
    pub collapse_rate: f64,
    /// For how long. Basis: ours.
    #[serde(with = "humantime_serde")]
    pub collapse_lasting: Duration,
    /// Different clients in ten seconds that it takes: a few may just stop. Basis: ours.
    pub collapse_clients: f64,
    /// Times the usual rate of queries. Basis: dns.k5z.net (3); 10 ours.
    pub flood_rise: Levels,
    /// Queries a second that it takes. Basis: ours.
    pub flood_rate: Levels,
    /// A rate that is a flood whatever is usual; `None` for no such rate. Basis: `FastNetMon` has 20,000.
    pub flood_ceiling: Option<f64>,
    /// Share of answered queries that a crowd of real clients has. Basis: ours.
    pub crowd_answered: f64,
    /// Queries a second of one address over ten seconds. Basis: dnsdist's example (100); 300 ours.
    pub source_rate: Levels,
    /// Times the mean of the others. Basis: ours.
    pub source_rise: f64,
    /// Share of a query flood that one source has. Basis: ours.
    pub source_share: f64,
    /// Names a second below one zone that fail and do not repeat. Basis: ours.
    pub random_names_rate: f64,
    /// Response bytes for a query byte. Basis: dnsdist's example.
    pub amplification_factor: f64,
    /// Response bytes a second to one client network. Basis: ours.
    pub amplification_rate: f64,
    /// Responses a second that their receiver did not ask for. Basis: ours.
    pub unmatched_rate: f64,
    /// Share of the responses. Basis: ours.
    pub unmatched_share: f64,
    /// Times the usual number of different sources in a second. Basis: ours.
    pub spoofed_rise: f64,
    /// Different sources in a second that it takes where no usual number is known. Basis: ours.
    pub spoofed_sources: f64,
    /// Queries a second that it takes where the sources are certainly made up, and the rate is as much above the usual as
    /// is critical of a flood. Basis: ours.
    pub spoofed_rate: f64,
    /// Share of truncated responses. Basis: ours.
    pub truncated_share: f64,
    /// SYNs a second. Basis: ours.
    pub syn_rate: f64,
    /// Times the usual rate of SYNs. Basis: ours.
    pub syn_rise: f64,
    /// Later fragments a second. Basis: ours.
    pub fragment_rate: f64,
    /// Messages a second that are no DNS. Basis: ours.
    pub garbage_rate: f64,
    /// Times the usual rate of those. Basis: ours.
    pub garbage_rise: f64,
    /// Servers that one source asked in vain. Basis: ours.
    pub scan_destinations: usize,
    /// A server that gets less than `minor_share` of the queries of a resolver that asks so many servers may fail
    /// without an incident: some of those are always dead. Basis: ours.
    pub minor_servers: usize,
    /// See `minor_servers`.
    pub minor_share: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            learning: Duration::from_secs(10),
            failed_share: Levels {
                warning: 0.5,
                critical: 0.8,
            },
            failed_queries: 5,
            // Five queries at two a minute lie two minutes apart.
            failed_back: Duration::from_secs(130),
            failed_lasting: Duration::from_secs(10),
            overdue: Duration::from_millis(300),
            overdue_p99: 4.0,
            overdue_unknown: Duration::from_secs(1),
            silent_timeout_share: 0.8,
            usual_rise: 3.0,
            partial_share: Levels {
                warning: 0.05,
                critical: 0.2,
            },
            partial_queries: 20,
            rejected_errors: 3,
            served_answers: 5,
            rcode_share: Levels {
                warning: 0.03,
                critical: 0.2,
            },
            rcode_answers: 20,
            slow: Levels {
                warning: 0.1,
                critical: 1.0,
            },
            slow_answers: 20,
            collapse_share: 0.1,
            collapse_rate: 5.0,
            collapse_lasting: Duration::from_secs(4),
            collapse_clients: 2.5,
            flood_rise: Levels {
                warning: 3.0,
                critical: 10.0,
            },
            flood_rate: Levels {
                warning: 1_000.0,
                critical: 5_000.0,
            },
            flood_ceiling: None,
            crowd_answered: 0.95,
            source_rate: Levels {
                warning: 100.0,
                critical: 300.0,
            },
            source_rise: 10.0,
            source_share: 0.5,
            random_names_rate: 20.0,
            amplification_factor: 10.0,
            amplification_rate: 100_000.0,
            unmatched_rate: 100.0,
            unmatched_share: 0.5,
            spoofed_rise: 10.0,
            spoofed_sources: 1_000.0,
            spoofed_rate: 100.0,
            truncated_share: 0.2,
            syn_rate: 200.0,
            syn_rise: 10.0,
            fragment_rate: 1_000.0,
            garbage_rate: 100.0,
            garbage_rise: 10.0,
            scan_destinations: 10,
            minor_servers: 10,
            minor_share: 0.1,
        }
    }
}

/// Why thresholds cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unusable {
    /// Not a number, infinite, or not above 0.
    #[error("{0} must be a number above 0")]
    NotPositive(String),
    /// A share above 1.
    #[error("{0} is a share: it must not be above 1")]
    NoShare(String),
    /// Critical before it is a warning.
    #[error("{0}: `critical` must not be below `warning`")]
    Order(String),
    /// Longer than the history.
    #[error("{0} must not be 0, nor longer than {limit} s: no more is kept", limit = KEPT.as_secs())]
    Span(String),
}

/// Shares whose names do not say so.
const SHARES: [&str; 1] = ["crowd_answered"];

impl Thresholds {
    /// Above which time an answer is slow, in seconds, where 95 % usually take no longer than `usual`.
    #[must_use]
    pub fn slow_from(&self, usual: Option<f64>) -> f64 {
        let rise = usual.map_or(self.slow.critical, |usual| self.usual_rise * usual);
        self.slow.warning.max(rise)
    }

    /// So many times a share, but never so near to all that nothing can be above it.
    #[must_use]
    pub fn risen(&self, share: f64) -> f64 {
        (self.usual_rise * share).min(share + 0.5 * (1.0 - share))
    }

    /// Whether rules can compare with them.
    ///
    /// # Errors
    /// What is wrong with the first one that cannot be used.
    pub fn validate(&self) -> Result<(), Unusable> {
        for (name, span) in [
            ("failed_back", self.failed_back),
            ("failed_lasting", self.failed_lasting),
            ("collapse_lasting", self.collapse_lasting),
        ] {
            if span.is_zero() || span > KEPT {
                return Err(Unusable::Span(name.into()));
            }
        }
        // By their names, so that none that comes to be is left out.
        let all = toml::Table::try_from(self).unwrap_or_default();
        all.iter().try_for_each(|(name, value)| usable(name, value))
    }
}

fn usable(name: &str, value: &toml::Value) -> Result<(), Unusable> {
    match value {
        toml::Value::Float(number) if !number.is_finite() || *number <= 0.0 => {
            Err(Unusable::NotPositive(name.into()))
        }
        toml::Value::Float(number)
            if *number > 1.0 && (name.ends_with("_share") || SHARES.contains(&name)) =>
        {
            Err(Unusable::NoShare(name.into()))
        }
        toml::Value::Table(levels) => {
            levels.values().try_for_each(|level| usable(name, level))?;
            let level = |key| levels.get(key).and_then(toml::Value::as_float);
            if level("critical") < level("warning") {
                return Err(Unusable::Order(name.into()));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut Thresholds)) -> Result<(), Unusable> {
        let mut thresholds = Thresholds::default();
        change(&mut thresholds);
        thresholds.validate()
    }

    #[test]
    fn the_defaults_are_usable_and_what_no_rule_can_compare_with_is_not() {
        assert_eq!(Thresholds::default().validate(), Ok(()));
        let positive = |name: &str| Err(Unusable::NotPositive(name.into()));
        assert_eq!(with(|t| t.overdue_p99 = f64::NAN), positive("overdue_p99"));
        assert_eq!(with(|t| t.usual_rise = -3.0), positive("usual_rise"));
        assert_eq!(with(|t| t.unmatched_rate = 0.0), positive("unmatched_rate"));
        assert_eq!(
            with(|t| t.flood_rate.warning = f64::INFINITY),
            positive("flood_rate")
        );
        let share = |name: &str| Err(Unusable::NoShare(name.into()));
        assert_eq!(
            with(|t| t.failed_share.critical = 80.0),
            share("failed_share")
        );
        assert_eq!(with(|t| t.crowd_answered = 95.0), share("crowd_answered"));
        assert_eq!(
            with(|t| t.slow.warning = 2.0),
            Err(Unusable::Order("slow".into()))
        );
        let span = |name: &str| Err(Unusable::Span(name.into()));
        let hour = Duration::from_hours(1);
        assert_eq!(with(|t| t.failed_back = hour), span("failed_back"));
        assert_eq!(
            with(|t| t.collapse_lasting = Duration::ZERO),
            span("collapse_lasting")
        );
        assert_eq!(with(|t| t.learning = hour), Ok(()));
        assert_eq!(
            with(|t| t.flood_ceiling = Some(f64::NAN)),
            positive("flood_ceiling")
        );
    }
}
