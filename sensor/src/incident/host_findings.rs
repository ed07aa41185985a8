//! What this host's kernel says about the queries that fail, as findings.

use super::diagnosis::{DropClass, Finding};
use crate::host::facts::HostFacts;

/// Packets that are no stray ones.
const ENOUGH: u64 = 5;
/// Failing queries for each dropped packet, at most, where the drops are why they fail.
const FAILED: u64 = 2;
/// Failing queries for each that is answered, at least, where the service reads nothing.
const UNREAD: u64 = 5;
/// Seconds without a drop that say something.
const LOOKED: u64 = 2;
/// Of so many failing queries less than one was dropped, where drops are not why they fail.
const HARDLY: u64 = 10;

/// What else is known of the failing queries.
pub struct Failing {
    /// Queries without an answer in time.
    pub failed: u64,
    /// Queries with one, meanwhile.
    pub answered: u64,
    /// The server is one of this host.
    pub here: bool,
    /// ICMP errors reject them.
    pub rejected: bool,
    /// A flood came first.
    pub in_flood: bool,
}

impl Failing {
    /// Whether so many packets explain at least half of them.
    fn is_explained_by(&self, packets: u64) -> bool {
        packets >= ENOUGH && packets * FAILED >= self.failed
    }
}

/// See the module.
pub fn findings(host: &HostFacts, failing: &Failing, found: &mut Vec<Finding>) {
    let counters = &host.counters;
    let tracked = counters.conntrack_drops + counters.conntrack_insert_failed;
    let by_conntrack = failing.is_explained_by(tracked);
    if by_conntrack {
        found.push(Finding::ConntrackDropped {
            packets: counters.conntrack_drops,
            insert_failed: counters.conntrack_insert_failed,
            fill: host.conntrack,
        });
    }
    if let Some(finding) = dropped(host, failing, tracked) {
        found.push(finding);
    }
    changes(host, found);
    // Packets that programs of any kind sent: only as many as there are answers missing.
    if failing.here && failing.is_explained_by(counters.no_routes) {
        found.push(Finding::NoRoute {
            packets: counters.no_routes,
        });
    }
    if failing.here && counters.icmp_held_back >= ENOUGH && failing.rejected {
        found.push(Finding::IcmpHeldBack {
            sent: counters.icmp_sent,
            held: counters.icmp_held_back,
        });
    }
}

/// What went in the host shortly before.
pub fn changes(host: &HostFacts, found: &mut Vec<Finding>) {
    let changes = host.events.iter().cloned();
    found.extend(changes.map(|seen| Finding::Changed { seen }));
}

/// The class of reasons that explains most, if it explains enough. `tracked` of the packets that a filter dropped were
/// dropped by connection tracking, which is one for the kernel.
fn dropped(host: &HostFacts, failing: &Failing, tracked: u64) -> Option<Finding> {
    let udp = host.drops.iter().filter(|dropped| !dropped.kind.tcp);
    let all: u64 = udp.clone().map(|dropped| dropped.packets).sum();
    let none = failing.here
        && host.all_drops
        && host.seconds >= LOOKED
        && failing.failed >= ENOUGH
        && all * HARDLY < failing.failed
        && tracked == 0
        && !failing.is_explained_by(host.counters.no_routes);
    if none {
        return Some(Finding::NotDropped);
    }
    let classes = udp.filter_map(|dropped| {
        let class = match DropClass::of(&dropped.kind.reason)? {
            DropClass::Filter if failing.rejected => DropClass::Reject,
            DropClass::FullBuffer if failing.answered * UNREAD < failing.failed => {
                DropClass::UnreadBuffer
            }
            class => class,
        };
        Some((class, dropped))
    });
    // The most of each comes first, as drops are in that order.
    let mut sums = std::collections::BTreeMap::new();
    for (class, dropped) in classes {
        let (packets, _) = sums.entry(class).or_insert((0, &dropped.kind));
        *packets += dropped.packets;
    }
    let (class, (packets, most)) = sums
        .into_iter()
        .max_by_key(|(class, (packets, _))| (*packets, std::cmp::Reverse(*class)))?;
    let is_tracked =
        matches!(class, DropClass::Filter | DropClass::Reject) && tracked * FAILED >= packets;
    (failing.is_explained_by(packets) && !is_tracked).then(|| Finding::Dropped {
        class,
        packets,
        most: most.clone(),
        in_flood: failing.in_flood,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::counters::Counters;
    use crate::host::dropped::{DropKind, Dropped, Stage, Way};
    use crate::incident::diagnosis::Cause;
    use crate::incident::diagnosis::rank;

    fn drops(of: &[(&str, u64)]) -> HostFacts {
        let drops = of.iter().map(|(reason, packets)| Dropped {
            packets: *packets,
            kind: DropKind {
                reason: (*reason).into(),
                stage: Stage::Input,
                way: Way::ToServer,
                tcp: false,
                namespace: None,
                interface: None,
            },
        });
        HostFacts {
            drops: drops.collect(),
            all_drops: true,
            seconds: 10,
            ..HostFacts::default()
        }
    }

    const FAILING: Failing = Failing {
        failed: 100,
        answered: 0,
        here: true,
        rejected: false,
        in_flood: false,
    };

    fn found(host: &HostFacts, failing: &Failing) -> Vec<Finding> {
        let mut found = Vec::new();
        findings(host, failing, &mut found);
        found
    }

    fn cause(host: &HostFacts, failing: &Failing) -> Vec<Cause> {
        rank::first(&rank::rank(&found(host, failing)))
    }

    #[test]
    fn one_reason_about_half_of_the_failing_queries_decides_alone() {
        for (reason, expected) in [
            ("NETFILTER_DROP", Cause::FirewallDrops),
            ("NO_SOCKET", Cause::ServiceDown),
            ("SOCKET_RCVBUFF", Cause::ServiceHung),
            ("IP_RPFILTER", Cause::NetworkPathDown),
            ("IP_INADDRERRORS", Cause::NetworkPathDown),
            ("NEIGH_FAILED", Cause::NetworkPathDown),
            ("CPU_BACKLOG", Cause::Overload),
            ("UDP_CSUM", Cause::PacketLoss),
            ("PKT_TOO_BIG", Cause::PathMtu),
        ] {
            assert_eq!(
                cause(&drops(&[(reason, 50)]), &FAILING),
                [expected],
                "{reason}"
            );
            assert!(
                found(&drops(&[(reason, 49)]), &FAILING).is_empty(),
                "{reason}"
            );
        }
        let few = Failing {
            failed: 4,
            ..FAILING
        };
        assert!(found(&drops(&[("NO_SOCKET", 4)]), &few).is_empty());
    }

    #[test]
    fn reasons_of_one_meaning_are_added_up() {
        let host = drops(&[("IP_RPFILTER", 30), ("NO_SOCKET", 25), ("NEIGH_FAILED", 20)]);
        assert_eq!(cause(&host, &FAILING), [Cause::NetworkPathDown]);
    }

    #[test]
    fn a_filter_that_answers_rejects_and_a_service_that_answers_some_is_overloaded() {
        let rejected = Failing {
            rejected: true,
            ..FAILING
        };
        let filter = drops(&[("NETFILTER_DROP", 90)]);
        assert_eq!(cause(&filter, &rejected), [Cause::FirewallRejects]);
        let some = Failing {
            answered: 70,
            ..FAILING
        };
        assert_eq!(
            cause(&drops(&[("SOCKET_RCVBUFF", 90)]), &some),
            [Cause::Overload]
        );
    }

    #[test]
    fn what_a_full_table_drops_is_not_put_down_to_a_rule() {
        let mut host = drops(&[("NETFILTER_DROP", 90)]);
        host.counters = Counters {
            conntrack_drops: 80,
            ..Counters::default()
        };
        assert_eq!(cause(&host, &FAILING), [Cause::ConnectionTracking]);
    }

    #[test]
    fn where_a_flood_came_first_drops_decide_nothing() {
        let flood = Failing {
            in_flood: true,
            ..FAILING
        };
        assert!(cause(&drops(&[("NETFILTER_DROP", 90)]), &flood).is_empty());
    }

    #[test]
    fn that_nothing_was_dropped_is_said_only_where_it_is_known() {
        assert_eq!(found(&drops(&[]), &FAILING), [Finding::NotDropped]);
        let mut begun_late = drops(&[]);
        begun_late.all_drops = false;
        assert!(found(&begun_late, &FAILING).is_empty());
        let router = Failing {
            here: false,
            ..FAILING
        };
        assert!(found(&drops(&[]), &router).is_empty());
        // Reasons that say nothing are drops all the same.
        assert!(found(&drops(&[("NOT_SPECIFIED", 60)]), &FAILING).is_empty());
    }

    /// What has no route is never in a buffer that could be dropped.
    #[test]
    fn answers_without_a_route_are_not_a_service_that_hangs() {
        let mut host = drops(&[]);
        host.counters.no_routes = 90;
        assert_eq!(found(&host, &FAILING), [Finding::NoRoute { packets: 90 }]);
        assert_eq!(cause(&host, &FAILING), [Cause::NetworkPathDown]);
    }

    #[test]
    fn a_reason_that_no_table_has_is_named() {
        let found = found(&drops(&[("OF_THE_FUTURE", 60)]), &FAILING);
        assert!(
            matches!(&found[..], [Finding::Dropped { class: DropClass::Other, most, .. }]
            if most.reason == "OF_THE_FUTURE")
        );
    }
}
