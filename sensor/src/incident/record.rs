//! The record of an incident: every fact that a report tells comes from here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::diagnosis::{Cause, Contrast, Finding, Ranked};
use super::series::Series;
use crate::detect::{Level, Vantage};
use crate::host::facts::HostFacts;
use crate::host::probe::Verified;

/// Version of the record.
pub const SCHEMA: u32 = 2;

/// How often each of some things was seen.
pub type Counts<K> = BTreeMap<K, u64>;

/// How far an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It goes on.
    Open,
    /// It was critical, and is a warning now.
    Eased,
    /// No symptom is left.
    Closed,
    /// Nobody has asked for ten minutes: whether it goes on is not known.
    Stale,
    /// The sensor, or the capture, ended before it did.
    Unfinished,
    /// The sensor ended before it did, and the next one that watched the same did not find it again.
    EndNotSeen,
}

impl Stage {
    /// Whether it goes on, as far as is known.
    #[must_use]
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Open | Self::Eased)
    }

    /// The name used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Eased => "eased",
            Self::Closed => "closed",
            Self::Stale => "stale",
            Self::Unfinished => "unfinished",
            Self::EndNotSeen => "end_not_seen",
        }
    }
}

/// How it is known where the sensor stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placed {
    /// It ran there, and knows the addresses of its host.
    #[default]
    Live,
    /// A capture, with addresses of the capturing host (`--host`).
    Given,
    /// A capture without them: that it was captured on the path is assumed.
    Assumed,
}

/// One rule that fired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SymptomRecord {
    /// Code of the rule.
    pub rule: String,
    /// What it finds, in words.
    pub title: String,
    /// The worst that it was.
    pub level: Level,
    /// Milliseconds since 1970 when it first fired.
    pub since_ms: u64,
    /// When it came to that level, where it began at a lower one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_since_ms: Option<u64>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// In words and numbers, when it was worst.
    pub detail: String,
}

/// Counts over a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How long.
    pub seconds: f64,
    /// Queries to the server, copies included.
    pub queries: u64,
    /// Queries that were asked in that time, without copies: each is one of `answered`, `errored`, `unanswered` and
    /// `waiting`.
    pub asked: u64,
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
    /// They may yet be answered.
    pub waiting: u64,
    /// Repeated.
    pub retransmitted: u64,
    /// Answers by rcode, of those whose query was seen.
    pub rcodes: Counts<String>,
    /// Truncated answers.
    pub truncated: u64,
    /// Bytes of queries.
    pub query_bytes: u64,
    /// Bytes of responses.
    pub response_bytes: u64,
    /// Responses to no query.
    pub unmatched: u64,
    /// ICMP errors about its responses.
    pub backscatter: u64,
    /// The same by what they say.
    #[serde(default, skip_serializing_if = "Counts::is_empty")]
    pub icmp_about_responses: Counts<String>,
    /// ICMP errors about queries to it, by what they say.
    pub icmp_errors: Counts<String>,
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
    /// Units, containers and pods of this host that asked, in the samples.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<Party>,
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

/// What fails, and for whom, over the sampled transactions from the onset to the last symptom. Counts are of queries, by
/// what the samples stand for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failing {
    /// Queries whose end is known.
    pub queries: u64,
    /// Of them those without an answer in time, with the error answer that the incident is about, or asked again after the
    /// answer.
    pub failed: u64,
    /// Client addresses with a failed query.
    pub addresses: usize,
    /// The clients with most failed queries.
    pub clients: Vec<Party>,
    /// The questions that fail most: a name, and the number of its type in `what`.
    pub questions: Vec<Party>,
    /// The deepest zone that all names that fail are below, of at least two labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// Queries that clients sent more than once, over the same transactions as [`Failing`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentAgain {
    /// Queries whose end is known.
    pub queries: u64,
    /// Sent again because no answer had come.
    pub unanswered: u64,
    /// Of those: a later copy was answered at once.
    pub copy_answered: u64,
    /// Queries with an answer that contents a client, if it arrives.
    pub answered: u64,
    /// Of those: sent again after the answer.
    pub after_answer: u64,
    /// Milliseconds from the first copy to the second, where nearly all took the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u64>,
}

impl SentAgain {
    /// All that were sent again.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.unanswered + self.after_answer
    }
}

/// A time in which no sensor watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unwatched {
    /// Milliseconds since 1970 at which an earlier sensor last brought the record up to date.
    pub from_ms: u64,
    /// Milliseconds since 1970 at which the next one began.
    pub until_ms: u64,
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
    /// Other servers that failed in the same moment for the same clients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// DNS ports that are watched.
    pub ports: Vec<u16>,
    /// Where the sensor stood.
    pub vantage: Vantage,
    /// How that is known.
    #[serde(default)]
    pub placed: Placed,
    /// Interfaces or capture.
    pub watched: Vec<String>,
    /// How far it is.
    pub stage: Stage,
    /// The worst that it was.
    pub level: Level,
    /// Milliseconds since 1970 at which it began, by the time of asking, as far as is known.
    pub onset_ms: u64,
    /// When the first rule fired.
    pub detected_ms: u64,
    /// When a rule last fired. What came later is the recovery.
    pub last_symptom_ms: u64,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// When this was last brought up to date.
    pub updated_ms: u64,
    /// When no sensor watched, because it was ended and started again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unwatched: Vec<Unwatched>,
    /// In their order.
    pub symptoms: Vec<SymptomRecord>,
    /// The minute before the onset, or what there is of it.
    pub before: Summary,
    /// From the onset to the last symptom.
    pub during: Summary,
    /// Clients and sources.
    pub clients: Clients,
    /// Names that were asked for, in the samples.
    pub names: Vec<Party>,
    /// Who sent ICMP errors, in the samples.
    pub icmp_senders: Vec<Party>,
    /// Who sent ICMP errors about answers, in the samples.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_icmp_senders: Vec<Party>,
    /// The smallest next-hop MTU that a sampled "packet too big" gave, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_mtu: Option<u32>,
    /// Servers that were asked, in the samples, where the whole network is concerned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<Party>,
    /// What fails, and for whom.
    #[serde(default)]
    pub failing: Failing,
    /// What was sent more than once.
    #[serde(default)]
    pub sent_again: SentAgain,
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
    /// What the failures have in common, and what is answered has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affects: Option<Contrast>,
    /// The likely cause; two that cannot be told apart; or none, where it is unknown.
    pub first_cause: Vec<Cause>,
    /// All causes for which something speaks, the likeliest first.
    pub causes: Vec<Ranked>,
    /// What is known, each fact once.
    pub findings: Vec<Finding>,
    /// From 60 s before the onset on.
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

/// What the sensor says of itself in a record.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// DNS ports.
    pub ports: Vec<u16>,
    /// Interfaces, or the capture.
    pub watched: Vec<String>,
    /// How it is known where the sensor stands.
    pub placed: Placed,
}
