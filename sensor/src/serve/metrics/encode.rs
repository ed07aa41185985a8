//! Names, help and labels of all metrics.

use std::fmt::Result;
use std::time::{Duration, SystemTime};

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeLabelSet, EncodeMetric, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::CounterWithExemplar;

/// Writes families of metrics.
pub struct Families<'e> {
    encoder: DescriptorEncoder<'e>,
}

impl<'e> Families<'e> {
    /// To an encoder.
    pub fn new(encoder: DescriptorEncoder<'e>) -> Self {
        Self { encoder }
    }

    /// A counter; its name is told without `_total`.
    pub fn counter<S: EncodeLabelSet, V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (S, V)>,
    ) -> Result {
        let kind = MetricType::Counter;
        let mut metric = self.encoder.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in rows {
            let mut one = metric.encode_family(&labels)?;
            one.encode_counter::<NoLabelSet, V, f64>(&value, None)?;
        }
        Ok(())
    }

    /// A counter of which some rows carry the id of an incident and its time, as an exemplar.
    pub fn counter_with_incidents<S: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (S, u64, Option<(String, u64)>)>,
    ) -> Result {
        let kind = MetricType::Counter;
        let mut metric = self.encoder.encode_descriptor(name, help, None, kind)?;
        for (labels, value, incident) in rows {
            let counter: CounterWithExemplar<[(&str, String); 1], u64> =
                CounterWithExemplar::default();
            let at = |ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
            let (exemplar, when) = match incident {
                Some((id, ms)) => (Some([("incident", id)]), Some(at(ms))),
                None => (None, None),
            };
            counter.inc_by(value, exemplar, when);
            counter.encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// A gauge.
    pub fn gauge<S: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (S, f64)>,
    ) -> Result {
        let kind = MetricType::Gauge;
        let mut metric = self.encoder.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in rows {
            metric.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// Facts as labels of a gauge that is 1.
    pub fn info(&mut self, name: &str, help: &str, labels: &impl EncodeLabelSet) -> Result {
        let kind = MetricType::Info;
        let mut metric = self.encoder.encode_descriptor(name, help, None, kind)?;
        metric.encode_info(labels)
    }

    /// A histogram: labels, sum, count, and upper edges with the counts below them, each with all before it.
    pub fn histogram<S: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (S, f64, u64, Vec<(f64, u64)>)>,
    ) -> Result {
        let kind = MetricType::Histogram;
        let mut metric = self.encoder.encode_descriptor(name, help, None, kind)?;
        for (labels, sum, count, below) in rows {
            let mut before = 0;
            let mut buckets: Vec<(f64, u64)> = below
                .into_iter()
                .map(|(edge, below)| {
                    let own = below.saturating_sub(before);
                    before = before.max(below);
                    (edge, own)
                })
                .collect();
            buckets.push((f64::INFINITY, count.saturating_sub(before)));
            let mut one = metric.encode_family(&labels)?;
            one.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }
}
