//! What is known of incidents from before the sensor began: ids that are taken, and what an earlier sensor left open.

use std::collections::BTreeSet;
use std::time::Duration;

use super::record::{
    Clients, Failing, Party, Range, Record, Sampling, SentAgain, Stage, Summary, SymptomRecord,
    Unwatched,
};

/// What an earlier sensor left open is the same incident if it goes on within so long after it was last brought up to
/// date: an open incident in which nothing is seen for as long is stale.
const SAME: Duration = Duration::from_mins(10);

/// Times without a sensor that a record has, at most: the last ones.
const GAPS: usize = 32;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Names of incidents.
    ids: BTreeSet<String>,
    left: Vec<Record>,
    /// Milliseconds since 1970 until which that may be taken up.
    until_ms: u64,
}

/// An incident of an earlier sensor, which this one goes on with.
#[derive(Clone, Debug)]
pub struct Earlier {
    record: Box<Record>,
    /// Milliseconds since 1970 at which this sensor began to watch.
    watched_ms: u64,
}

impl Past {
    /// Names that are taken, and records of what was left open, which may be taken up until then.
    #[must_use]
    pub fn new(ids: BTreeSet<String>, left: Vec<Record>, until_ms: u64) -> Self {
        Self {
            ids,
            left,
            until_ms,
        }
    }

    /// What was left open of a server, or of the network, if that goes on now. Milliseconds are since 1970.
    pub(super) fn take_up(
        &mut self,
        server: Option<&str>,
        now_ms: u64,
        watched_ms: u64,
    ) -> Option<Earlier> {
        let same = u64::try_from(SAME.as_millis()).unwrap_or(u64::MAX);
        let is_same = |record: &Record| {
            record.server.as_deref() == server
                && record.updated_ms <= now_ms
                && now_ms - record.updated_ms <= same
        };
        // The last, where there are several: an earlier one was left open by a sensor before that.
        let at = self.left.iter().rposition(is_same)?;
        if now_ms > self.until_ms {
            return None;
        }
        let record = Box::new(self.left.remove(at));
        Some(Earlier { record, watched_ms })
    }

    /// A name that no other incident has: that of the next millisecond, where time was there before.
    pub(super) fn name(&mut self, now_ms: u64, subject: &str) -> String {
        let mut names = (now_ms..).map(|ms| format!("{ms}-{subject}"));
        names
            .find(|name| self.ids.insert(name.clone()))
            .unwrap_or_default()
    }
}

impl Earlier {
    /// Its name, which it keeps.
    pub(super) fn id(&self) -> &str {
        &self.record.id
    }

    /// One record of both: what was known before, and what is known since.
    pub(super) fn and(&self, now: Record) -> Record {
        let earlier = &*self.record;
        let mut unwatched = earlier.unwatched.clone();
        unwatched.push(Unwatched {
            from_ms: earlier.updated_ms,
            until_ms: self.watched_ms,
        });
        // A sensor that is started again and again.
        unwatched.drain(..unwatched.len().saturating_sub(GAPS));
        let mut series = earlier.series.clone();
        series.join(&now.series);
        let weight = |record: &Record| record.causes.first().map(|first| first.weight);
        // Of one session: reasons are found by their place.
        let judged = if weight(earlier) > weight(&now) {
            earlier
        } else {
            &now
        };
        Record {
            id: earlier.id.clone(),
            also: union(&earlier.also, &now.also),
            level: earlier.level.max(now.level),
            onset_ms: earlier.onset_ms,
            detected_ms: earlier.detected_ms,
            symptoms: symptoms(earlier, &now.symptoms),
            before: earlier.before.clone(),
            during: sum(&earlier.during, &now.during),
            clients: clients(&earlier.clients, &now.clients),
            names: newest(&earlier.names, &now.names),
            icmp_senders: newest(&earlier.icmp_senders, &now.icmp_senders),
            response_icmp_senders: newest(
                &earlier.response_icmp_senders,
                &now.response_icmp_senders,
            ),
            path_mtu: now.path_mtu.or(earlier.path_mtu),
            servers: newest(&earlier.servers, &now.servers),
            failing: failing(&earlier.failing, &now.failing),
            sent_again: sent_again(&earlier.sent_again, &now.sent_again),
            slowest_icmp_ms: earlier.slowest_icmp_ms.max(now.slowest_icmp_ms),
            host: now.host.clone().or_else(|| earlier.host.clone()),
            verified: now.verified.clone().or_else(|| earlier.verified.clone()),
            sampling: Sampling {
                shift: earlier.sampling.shift.max(now.sampling.shift),
                packets: earlier.sampling.packets + now.sampling.packets,
                lost: earlier.sampling.lost + now.sampling.lost,
            },
            affects: judged.affects.clone(),
            first_cause: judged.first_cause.clone(),
            causes: judged.causes.clone(),
            findings: judged.findings.clone(),
            series,
            unwatched,
            ..now
        }
    }
}

/// What is known of an incident that an earlier sensor left open, once a sensor that watches the same has not found it
/// again: it ended unseen.
#[must_use]
pub fn ended_unseen(record: Record, now_ms: u64) -> Record {
    Record {
        stage: Stage::EndNotSeen,
        ended_ms: Some(now_ms),
        ..record
    }
}

/// A symptom that is there again is the same.
fn symptoms(earlier: &Record, now: &[SymptomRecord]) -> Vec<SymptomRecord> {
    let mut all = earlier.symptoms.clone();
    for symptom in &mut all {
        symptom.until_ms.get_or_insert(earlier.updated_ms);
    }
    for symptom in now {
        let same = |other: &&mut SymptomRecord| other.rule == symptom.rule;
        match all.iter_mut().find(same) {
            Some(other) => {
                if symptom.level >= other.level {
                    other.detail.clone_from(&symptom.detail);
                    other.level = symptom.level;
                }
                other.until_ms = symptom.until_ms;
            }
            None => all.push(symptom.clone()),
        }
    }
    all
}

fn clients(earlier: &Clients, now: &Clients) -> Clients {
    let range = |earlier: &Range, now: &Range| Range {
        usual: earlier.usual.or(now.usual),
        worst: earlier.worst.max(now.worst),
    };
    Clients {
        // Which they were is not in a record: they may be the same.
        addresses: earlier.addresses.max(now.addresses),
        networks: earlier.networks.max(now.networks),
        rejected: union(&earlier.rejected, &now.rejected),
        served: earlier.served.max(now.served),
        heaviest: newest(&earlier.heaviest, &now.heaviest),
        units: newest(&earlier.units, &now.units),
        sources: newest(&earlier.sources, &now.sources),
        distinct: range(&earlier.distinct, &now.distinct),
        rate: range(&earlier.rate, &now.rate),
        distinct_names: range(&earlier.distinct_names, &now.distinct_names),
    }
}

fn failing(earlier: &Failing, now: &Failing) -> Failing {
    let newest_of = if now.failed == 0 { earlier } else { now };
    Failing {
        queries: earlier.queries + now.queries,
        failed: earlier.failed + now.failed,
        // Which they were is not in a record: they may be the same.
        addresses: earlier.addresses.max(now.addresses),
        ..newest_of.clone()
    }
}

fn sent_again(earlier: &SentAgain, now: &SentAgain) -> SentAgain {
    SentAgain {
        queries: earlier.queries + now.queries,
        unanswered: earlier.unanswered + now.unanswered,
        copy_answered: earlier.copy_answered + now.copy_answered,
        answered: earlier.answered + now.answered,
        after_answer: earlier.after_answer + now.after_answer,
        interval_ms: now.interval_ms.or(earlier.interval_ms),
    }
}

fn union(earlier: &[String], now: &[String]) -> Vec<String> {
    let new = now.iter().filter(|one| !earlier.contains(one));
    earlier.iter().chain(new).cloned().collect()
}

fn newest(earlier: &[Party], now: &[Party]) -> Vec<Party> {
    let newest = if now.is_empty() { earlier } else { now };
    newest.to_vec()
}

fn sum(earlier: &Summary, now: &Summary) -> Summary {
    let mut sum = now.clone();
    sum.seconds += earlier.seconds;
    for (count, before) in [
        (&mut sum.queries, earlier.queries),
        (&mut sum.asked, earlier.asked),
        (&mut sum.responses, earlier.responses),
        (&mut sum.answered, earlier.answered),
        (&mut sum.late, earlier.late),
        (&mut sum.errored, earlier.errored),
        (&mut sum.unanswered, earlier.unanswered),
        (&mut sum.retransmitted, earlier.retransmitted),
        (&mut sum.truncated, earlier.truncated),
        (&mut sum.query_bytes, earlier.query_bytes),
        (&mut sum.response_bytes, earlier.response_bytes),
        (&mut sum.unmatched, earlier.unmatched),
        (&mut sum.backscatter, earlier.backscatter),
        (&mut sum.icmp_from_server, earlier.icmp_from_server),
    ] {
        *count += before;
    }
    // The earlier sensor never learnt what became of them.
    sum.waiting += earlier.waiting;
    for (counts, before) in [
        (&mut sum.rcodes, &earlier.rcodes),
        (&mut sum.icmp_errors, &earlier.icmp_errors),
        (&mut sum.icmp_about_responses, &earlier.icmp_about_responses),
    ] {
        for (code, count) in before {
            *counts.entry(code.clone()).or_default() += count;
        }
    }
    for (count, before) in sum.tcp.iter_mut().zip(earlier.tcp) {
        *count += before;
    }
    sum.p50_ms = now.p50_ms.or(earlier.p50_ms);
    sum.p95_ms = now.p95_ms.or(earlier.p95_ms);
    sum
}
