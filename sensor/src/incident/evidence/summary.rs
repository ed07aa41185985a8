//! Counts of a time, in the form of the record.

use sensor_common::class::ErrorKind;

use super::super::record::Summary;
use crate::detect::cohort::Asked;
use crate::detect::history::Span;
use crate::detect::rules::rcode_shift;

/// What passed in a time, what was asked in it, and the latency: median and 95th percentile, in seconds.
pub fn summary(span: &Span, asked: &Asked, latency: Option<(f64, f64)>) -> Summary {
    let counters = &span.counters;
    let transactions = &counters.transactions;
    let by_kind = |counts: &[u64]| {
        let kinds = ErrorKind::ALL.iter();
        let counts = kinds.map(|kind| (kind.name().to_string(), counts[kind.index()]));
        counts.filter(|(_, count)| *count != 0).collect()
    };
    let rcodes = counters.answers_by_rcode.iter().enumerate();
    let rcodes = rcodes.filter(|(_, count)| **count != 0);
    Summary {
        seconds: span.elapsed.as_secs_f64(),
        queries: counters.queries,
        asked: asked.asked,
        responses: counters.responses,
        answered: asked.answered,
        late: transactions.late,
        errored: asked.errored,
        unanswered: asked.unanswered + asked.overdue,
        waiting: asked.waiting,
        retransmitted: transactions.retransmitted,
        rcodes: rcodes
            .map(|(rcode, count)| (rcode_shift::name(rcode).to_string(), *count))
            .collect(),
        truncated: counters.truncated,
        query_bytes: counters.query_bytes,
        response_bytes: counters.response_bytes,
        unmatched: transactions.unmatched,
        backscatter: counters.backscatter.iter().sum(),
        icmp_about_responses: by_kind(&counters.backscatter),
        icmp_errors: by_kind(&counters.errors),
        icmp_from_server: counters.errors_from_server,
        tcp: span.connections(),
        p50_ms: latency.map(|(p50, _)| p50 * 1e3),
        p95_ms: latency.map(|(_, p95)| p95 * 1e3),
    }
}
