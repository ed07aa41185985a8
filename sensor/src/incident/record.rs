//! The record of an incident: every fact that a report tells comes from here.

use serde::{Deserialize, Serialize};

use super::causes::Ranked;
use super::series::Series;
use crate::host::facts::HostFacts;
use crate::host::probe::Verified;

/// Version of the record.
pub const SCHEMA: u32 = 1;

/// How far an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It goes on.
    Open,
    /// It was critical, and is a warning now.
    Eased,
    /// No sign is left.
    Closed,
    /// Nobody has asked for ten minutes: whether it goes on is not known.
    Stale,
    /// The sensor, or the capture, ended before it did.
    Unfinished,
}

impl Stage {
    /// The name used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Eased => "eased",
            Self::Closed => "closed",
            Self::Stale => "stale",
            Self::Unfinished => "unfinished",
        }
    }
}

/// One rule that fired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sign {
    /// Name of the rule.
    pub rule: String,
    /// What it looks for.
    pub title: String,
    /// The worst that it was: `warning` or `critical`.
    pub level: String,
    /// Milliseconds since 1970 when it first fired.
    pub since_ms: u64,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// In words and numbers, when it was worst.
    pub said: String,
}

/// Counts over a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How long.
    pub seconds: f64,
    /// Queries to the server.
    pub queries: u64,
    /// Its responses.
    pub responses: u64,
    /// Answered in time.
    pub answered: u64,
    /// Answered too late.
    pub late: u64,
    /// Ended by an ICMP error.
    pub errored: u64,
    /// Neither.
    pub unanswered: u64,
    /// Repeated.
    pub retransmitted: u64,
    /// Responses by what is wrong with them.
    pub servfail: u64,
    /// See `servfail`.
    pub nxdomain: u64,
    /// See `servfail`.
    pub refused: u64,
    /// See `servfail`.
    pub truncated: u64,
    /// Bytes of queries.
    pub query_bytes: u64,
    /// Bytes of responses.
    pub response_bytes: u64,
    /// Responses to no query.
    pub unmatched: u64,
    /// ICMP errors about its responses.
    pub backscatter: u64,
    /// ICMP errors about queries to it, by what they say.
    pub icmp_errors: super::Counts<String>,
    /// Of those, sent by the server's own address.
    pub icmp_from_server: u64,
    /// TCP connections that were opened, accepted and refused.
    pub tcp: [u64; 3],
    /// Median latency, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    /// 95th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
}

impl Summary {
    /// Queries whose end is known: without those that were sent again, and those that wait.
    #[must_use]
    pub fn decided(&self) -> u64 {
        self.answered + self.errored + self.unanswered
    }
}

/// A source of queries, or of ICMP errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Party {
    /// An address or a network.
    pub who: String,
    /// Packets.
    pub count: u64,
    /// What it says, if it sends errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
}

/// Whom it touched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Clients {
    /// Client addresses in the samples.
    pub addresses: usize,
    /// Client networks in the samples.
    pub networks: usize,
    /// Of them those that got ICMP errors and no answer.
    pub rejected: Vec<String>,
    /// Of them those that got answers.
    pub served: usize,
    /// The heaviest clients of the server in the samples.
    pub heaviest: Vec<Party>,
    /// The heaviest sources on the whole network in ten seconds, from the sketches.
    pub sources: Vec<Party>,
    /// Different sources a second.
    pub distinct: Range,
    /// Queries a second.
    pub rate: Range,
    /// Different names a second.
    pub distinct_names: Range,
}

/// What is usual of something, and how far it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// None where nothing had been learnt.
    pub usual: Option<f64>,
    /// The highest of the incident.
    pub worst: f64,
}

impl Range {
    /// What is known now.
    pub fn note(&mut self, usual: Option<f64>, now: f64) {
        // What is learnt in an incident is not what was usual before it.
        self.usual = self.usual.or(usual);
        self.worst = self.worst.max(now);
    }
}

/// How much of it was sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampling {
    /// One in 2^n transactions was followed, at the least.
    pub shift: u32,
    /// Packets that are kept as evidence.
    pub packets: usize,
    /// Samples that were lost.
    pub lost: u64,
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `incident`.
    pub kind: String,
    /// By the time of its detection and its server.
    pub id: String,
    /// The server; none where the whole network is concerned.
    pub server: Option<String>,
    /// DNS ports that are watched.
    pub ports: Vec<u16>,
    /// Where the sensor stood: `server`, `client` or `path`.
    pub vantage: String,
    /// Interfaces or capture.
    pub watched: Vec<String>,
    /// How far it is.
    pub stage: Stage,
    /// The worst that it was.
    pub level: String,
    /// Milliseconds since 1970 of the first packet that was a sign, as far as is known.
    pub first_sign_ms: u64,
    /// When the first rule fired.
    pub detected_ms: u64,
    /// When a rule last fired. What came later is the recovery.
    pub last_sign_ms: u64,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// When this was last brought up to date.
    pub updated_ms: u64,
    /// In their order.
    pub signs: Vec<Sign>,
    /// The minute before the first sign, or what there is of it.
    pub before: Summary,
    /// From the first sign to the last.
    pub during: Summary,
    /// Clients and sources.
    pub clients: Clients,
    /// Names that were asked for, in the samples.
    pub names: Vec<Party>,
    /// Who sent ICMP errors, in the samples.
    pub icmp_senders: Vec<Party>,
    /// From the longest wait for an ICMP error, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slowest_icmp_ms: Option<u64>,
    /// What the server's host says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostFacts>,
    /// What the server said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
    /// How much was sampled.
    pub sampling: Sampling,
    /// The likely cause in words; or which causes cannot be told apart.
    pub first_cause: String,
    /// All causes that apply, the likeliest first.
    pub causes: Vec<Ranked>,
    /// From 60 s before the first sign on.
    pub series: Series,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_is_what_was_usual_before_the_incident() {
        let mut rate = Range::default();
        rate.note(None, 5.0);
        rate.note(Some(20.0), 30.0);
        rate.note(Some(10.0), 0.0);
        assert_eq!((rate.usual, rate.worst), (Some(20.0), 30.0));
    }
}
