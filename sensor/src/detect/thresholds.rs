//! Every number that a rule compares with, its unit and its basis. `docs/DETECTION.md` has the
//! reasoning behind each.

use std::time::Duration;

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
    /// Time before a baseline is believed. Basis: ours; absolute rules work from the first tick.
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
    /// Share of unanswered queries over `partial_window` that is a partial failure. Basis: ours.
    pub partial_share: Levels,
    /// See `partial_share`.
    #[serde(with = "humantime_serde")]
    pub partial_window: Duration,
    /// Decided queries that it needs.
    pub partial_queries: u64,
    /// Matched errors that a client network needs to count as rejected. Basis: ours.
    pub rejected_errors: u64,
    /// Answers that another client network needs to count as served. Basis: ours.
    pub served_answers: u64,
    /// Share of SERVFAIL or REFUSED over a minute. Basis: coredns-mixin (3 %); 20 % ours.
    pub rcode_share: Levels,
    /// Times its own usual share. Basis: ours.
    pub rcode_rise: f64,
    /// Responses in that minute. Basis: ours.
    pub rcode_responses: u64,
    /// A share that is a sign at once, and without a baseline. Basis: ours.
    pub rcode_at_once: f64,
    /// Rate of such responses that it takes. Basis: dnsdist's example (20/s).
    pub rcode_at_once_rate: f64,
    /// 95th percentile of latency, in seconds. Basis: coredns-mixin for the scale.
    pub slow: Levels,
    /// Times the usual 95th percentile for a warning. Basis: ours.
    pub slow_rise: f64,
    /// Answers that it takes. Basis: ours.
    pub slow_answers: u64,
    /// Share of the usual rate that is a collapse. Basis: ours.
    pub collapse_share: f64,
    /// Usual rate that it takes. Basis: ours.
    pub collapse_rate: f64,
    /// For how long. Basis: ours.
    #[serde(with = "humantime_serde")]
    pub collapse_lasting: Duration,
    /// Different clients in the last minutes that it takes: one client may just stop. Basis: ours.
    pub collapse_clients: usize,
    /// Times the usual rate of queries. Basis: dns.k5z.net (3); 10 ours.
    pub flood_rise: Levels,
    /// Queries a second that it takes. Basis: ours.
    pub flood_rate: Levels,
    /// A rate that is a flood whatever is usual; `None` for no such rate. Basis: `FastNetMon` has 20,000.
    pub flood_ceiling: Option<f64>,
    /// Up to so many times the usual rate a crowd of new sources whose queries are all answered is no
    /// flood. Basis: ours.
    pub crowd_rise: f64,
    /// Share of answered queries that such a crowd has. Basis: ours.
    pub crowd_answered: f64,
    /// Queries a second of one address over ten seconds. Basis: dnsdist's example (100); 300 ours.
    pub source_rate: Levels,
    /// Times the mean of the others. Basis: ours.
    pub source_rise: f64,
    /// Share of a query flood that one source has. Basis: ours.
    pub source_share: f64,
    /// Share of NXDOMAIN. Basis: dns.k5z.net, Afek et al. 2016.
    pub nxdomain_share: f64,
    /// Times the usual share. Basis: dns.k5z.net.
    pub nxdomain_rise: f64,
    /// NXDOMAIN a second. Basis: ours.
    pub nxdomain_rate: f64,
    /// Response bytes for a query byte. Basis: dnsdist's example.
    pub amplification_factor: f64,
    /// Response bytes a second to one client network. Basis: ours.
    pub amplification_rate: f64,
    /// Share of ANY among its queries that it takes, unless few names are asked. Basis: ours.
    pub amplification_any: f64,
    /// Unmatched responses a second. Basis: ours.
    pub unmatched_rate: f64,
    /// Share of the responses. Basis: ours.
    pub unmatched_share: f64,
    /// Times the usual number of different sources in a second. Basis: ours.
    pub spoofed_rise: f64,
    /// Different sources in a second that it takes where no usual number is known. Basis: ours.
    pub spoofed_sources: f64,
    /// Queries for each of them, at most. Basis: ours.
    pub spoofed_queries_a_source: f64,
    /// Share of truncated responses. Basis: ours.
    pub truncated_share: f64,
    /// Responses that it takes. Basis: ours.
    pub truncated_responses: u64,
    /// Matched "too big" errors. Basis: ours.
    pub too_big: u64,
    /// Servers that one source asked in vain. Basis: ours.
    pub scan_destinations: usize,
    /// Where so many servers are asked, one with less than `minor_share` of the queries may fail without
    /// a sign: a recursive resolver always has such. Basis: ours.
    pub minor_servers: usize,
    /// See `minor_servers`.
    pub minor_share: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            learning: Duration::from_secs(30),
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
            partial_share: Levels {
                warning: 0.05,
                critical: 0.2,
            },
            partial_window: Duration::from_secs(10),
            partial_queries: 20,
            rejected_errors: 3,
            served_answers: 5,
            rcode_share: Levels {
                warning: 0.03,
                critical: 0.2,
            },
            rcode_rise: 3.0,
            rcode_responses: 100,
            rcode_at_once: 0.5,
            rcode_at_once_rate: 20.0,
            slow: Levels {
                warning: 0.1,
                critical: 1.0,
            },
            slow_rise: 3.0,
            slow_answers: 20,
            collapse_share: 0.1,
            collapse_rate: 20.0,
            collapse_lasting: Duration::from_secs(5),
            collapse_clients: 3,
            flood_rise: Levels {
                warning: 3.0,
                critical: 10.0,
            },
            flood_rate: Levels {
                warning: 1_000.0,
                critical: 5_000.0,
            },
            flood_ceiling: None,
            crowd_rise: 10.0,
            crowd_answered: 0.95,
            source_rate: Levels {
                warning: 100.0,
                critical: 300.0,
            },
            source_rise: 10.0,
            source_share: 0.5,
            nxdomain_share: 0.4,
            nxdomain_rise: 3.0,
            nxdomain_rate: 20.0,
            amplification_factor: 10.0,
            amplification_rate: 100_000.0,
            amplification_any: 0.5,
            unmatched_rate: 100.0,
            unmatched_share: 0.5,
            spoofed_rise: 10.0,
            spoofed_sources: 1_000.0,
            spoofed_queries_a_source: 3.0,
            truncated_share: 0.2,
            truncated_responses: 50,
            too_big: 3,
            scan_destinations: 10,
            minor_servers: 50,
            minor_share: 0.02,
        }
    }
}
