//! The record of an incident: all that a report may tell.

use std::time::Duration;

use super::super::record::{About, Clients, Record, SCHEMA, Sampling, SymptomRecord};
use super::incident::Incident;
use crate::detect::Subject;
use crate::measure::address::ip;
use crate::measure::clock::WallClock;
use crate::measure::sketch::Prefix;

impl Incident {
    /// The record as of now.
    #[must_use]
    pub fn record(&self, now: Duration, clock: &WallClock, about: &About) -> Record {
        let evidence = &self.evidence;
        let mut networks: Vec<_> = evidence
            .samples
            .clients
            .keys()
            .map(|client| Prefix::network(*client))
            .collect();
        networks.dedup();
        let affects = self.verdict.contrast().cloned();
        let record = Record {
            schema: SCHEMA,
            kind: "incident".into(),
            id: self.id.clone(),
            server: match self.subject {
                Subject::Server(key) => Some(ip(&key).to_string()),
                Subject::Network => None,
            },
            also: self.also.iter().map(|key| ip(key).to_string()).collect(),
            ports: about.ports.clone(),
            vantage: self.vantage,
            placed: about.placed,
            watched: about.watched.clone(),
            stage: self.stage,
            level: self.level,
            onset_ms: clock.ms(self.onset),
            detected_ms: clock.ms(self.opened),
            last_symptom_ms: clock.ms(self.last_symptom),
            ended_ms: self.ended.map(|at| clock.ms(at)),
            updated_ms: clock.ms(now),
            unwatched: Vec::new(),
            symptoms: self
                .symptoms
                .iter()
                .map(|symptom| SymptomRecord {
                    rule: symptom.rule.name().into(),
                    title: symptom.rule.title().into(),
                    level: symptom.worst,
                    since_ms: clock.ms(symptom.since),
                    worst_since_ms: symptom.worst_since.map(|at| clock.ms(at)),
                    until_ms: symptom.until.map(|at| clock.ms(at)),
                    detail: symptom.detail.clone(),
                })
                .collect(),
            before: evidence.summary_before(),
            during: evidence.summary_during(),
            clients: Clients {
                addresses: evidence.samples.clients.len(),
                networks: networks.len(),
                rejected: evidence.worst.rejected.clone(),
                served: evidence.worst.served,
                heaviest: evidence.samples.heaviest_clients(),
                units: evidence.samples.heaviest_units(),
                sources: evidence.peaks.sources.clone(),
                distinct: evidence.peaks.distinct_sources,
                rate: evidence.peaks.rate,
                distinct_names: evidence.peaks.distinct_names,
            },
            names: evidence.samples.top_names(),
            icmp_senders: evidence.samples.icmp_senders(),
            response_icmp_senders: evidence.samples.response_icmp_senders(),
            path_mtu: evidence.samples.path_mtu,
            servers: evidence.samples.top_servers(),
            failing: evidence.outcomes.failing(),
            sent_again: evidence.outcomes.sent_again(),
            slowest_icmp_ms: evidence
                .worst
                .slowest_matched
                .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            host: evidence.host.clone(),
            verified: self.verified.clone(),
            sampling: Sampling {
                shift: evidence.shift,
                packets: evidence.samples.packets.len(),
                lost: evidence.lost,
            },
            affects,
            first_cause: self.verdict.first.clone(),
            causes: self.verdict.causes.clone(),
            findings: self.verdict.findings.clone(),
            series: evidence.series.series(),
        };
        match &self.earlier {
            Some(earlier) => earlier.and(record),
            None => record,
        }
    }
}
