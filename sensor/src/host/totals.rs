//! What a host said since the session began, about all servers together. Counts are monotone.

use std::collections::BTreeMap;
use std::time::Duration;

use super::counters::Counters;
use super::dropped::{DropKind, Dropped};
use super::moment::Moment;

/// Kinds of drops that are told apart; namespaces come and go.
const KINDS: usize = 64;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostTotals {
    /// Of the network stack of the sensor's namespace.
    pub counters: Counters,
    /// ICMP errors that the kernel's limit held back, a second, in the last reading.
    pub held_back: f64,
    /// DNS packets that the kernel dropped; the interface is left out.
    drops: BTreeMap<DropKind, u64>,
    /// Dropped DNS packets of kinds that are not among these, because there are too many.
    pub other_drops: u64,
    /// Dropped packets of which it is not known what they were: there were too many at once.
    pub unparsed: u64,
    /// Time in which no drops were counted, because there were too many.
    pub paused: Duration,
    /// Changes of links, addresses and routes that are not known, because there were too many at once.
    pub events_missed: u64,
    /// Drops are counted.
    pub has_drops: bool,
}

impl HostTotals {
    /// Adds what grew between two readings.
    pub fn add(&mut self, moment: &Moment) {
        self.counters += moment.counters;
        self.unparsed += moment.unparsed;
        self.paused += moment.paused;
        self.has_drops = moment.drops.is_some();
        self.held_back = rate(moment.counters.icmp_held_back, moment.length);
        for (dropped, packets) in moment.drops.iter().flatten() {
            let kind = DropKind {
                interface: None,
                ..dropped.kind.clone()
            };
            if self.drops.len() < KINDS || self.drops.contains_key(&kind) {
                *self.drops.entry(kind).or_default() += packets;
            } else {
                self.other_drops += packets;
            }
        }
    }

    /// The most frequent first.
    #[must_use]
    pub fn drops(&self) -> Vec<Dropped> {
        let mut all: Vec<Dropped> = self
            .drops
            .iter()
            .map(|(kind, packets)| Dropped {
                packets: *packets,
                kind: kind.clone(),
            })
            .collect();
        all.sort_by(|a, b| (b.packets, &a.kind).cmp(&(a.packets, &b.kind)));
        all
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of half a second stay far below 2^53"
)]
fn rate(count: u64, length: Duration) -> f64 {
    if length.is_zero() {
        0.0
    } else {
        count as f64 / length.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::super::dropped::{Drop, Stage, Way};
    use super::*;

    fn moment(namespace: u64, packets: u64, held: u64) -> Moment {
        let kind = DropKind {
            reason: "NETFILTER_DROP".into(),
            stage: Stage::Input,
            way: Way::ToServer,
            tcp: false,
            namespace: (namespace != 0).then(|| namespace.to_string()),
            interface: Some(format!("eth{packets}")),
        };
        let server = [192, 0, 2, 53].into();
        Moment {
            length: Duration::from_millis(500),
            counters: Counters {
                icmp_held_back: held,
                ..Counters::default()
            },
            drops: Some([(Drop { server, kind }, packets)].into()),
            unparsed: 1,
            paused: Duration::ZERO,
        }
    }

    #[test]
    fn drops_add_up_by_kind_and_none_is_lost_where_there_are_too_many() {
        let mut totals = HostTotals::default();
        for namespace in 0..KINDS as u64 + 10 {
            totals.add(&moment(namespace, 2, 0));
        }
        totals.add(&moment(0, 5, 30));
        let drops = totals.drops();
        assert_eq!(drops.len(), KINDS);
        assert_eq!((drops[0].packets, &drops[0].kind.namespace), (7, &None));
        assert_eq!(totals.other_drops, 20);
        assert_eq!(totals.unparsed, KINDS as u64 + 11);
        assert!((totals.held_back - 60.0).abs() < 1e-9);
        totals.add(&moment(0, 1, 0));
        assert!(totals.held_back < 1e-9);
        assert_eq!(totals.counters.icmp_held_back, 30);
    }
}
