//! What the kernel's reasons for dropping a packet mean for a DNS service.

use serde::{Deserialize, Serialize};

/// Reasons that speak for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropClass {
    /// A packet filter, or a program in its place.
    Filter,
    /// A packet filter that answers with an ICMP error.
    Reject,
    /// Nothing listens.
    NoSocket,
    /// The receive buffer is full, and the service answers some.
    FullBuffer,
    /// The receive buffer is full, and the service answers none.
    UnreadBuffer,
    /// No route, no neighbour, or not an address of this host.
    Route,
    /// A queue of the host is full.
    Queue,
    /// The packet is damaged.
    Damaged,
    /// It does not fit the path, or a fragment is missing.
    TooBig,
    /// A reason that this table does not have.
    Other,
}

/// No evidence: clients that close a socket with answers in it, and packets that were used.
const NONE: [&str; 3] = ["NOT_SPECIFIED", "CONSUMED", "NOT_DROPPED_YET"];

/// Names of the kernel (`enum skb_drop_reason`), without what all have in common.
const TABLE: [(&str, DropClass); 47] = [
    ("NETFILTER_DROP", DropClass::Filter),
    ("SOCKET_FILTER", DropClass::Filter),
    ("BPF_CGROUP_EGRESS", DropClass::Filter),
    ("XDP", DropClass::Filter),
    ("TC_INGRESS", DropClass::Filter),
    ("TC_EGRESS", DropClass::Filter),
    ("XFRM_POLICY", DropClass::Filter),
    ("SECURITY_HOOK", DropClass::Filter),
    ("NO_SOCKET", DropClass::NoSocket),
    ("SOCKET_RCVBUFF", DropClass::FullBuffer),
    ("PROTO_MEM", DropClass::FullBuffer),
    ("IP_RPFILTER", DropClass::Route),
    ("IP_INADDRERRORS", DropClass::Route),
    ("IP_INNOROUTES", DropClass::Route),
    ("IP_OUTNOROUTES", DropClass::Route),
    ("IP_INVALID_SOURCE", DropClass::Route),
    ("IP_LOCAL_SOURCE", DropClass::Route),
    ("IP_INVALID_DEST", DropClass::Route),
    ("IP_LOCALNET", DropClass::Route),
    ("NEIGH_FAILED", DropClass::Route),
    ("NEIGH_CREATEFAIL", DropClass::Route),
    ("NEIGH_DEAD", DropClass::Route),
    ("NEIGH_QUEUEFULL", DropClass::Route),
    ("NEIGH_HH_FILLFAIL", DropClass::Route),
    ("DEV_READY", DropClass::Route),
    ("DEV_HDR", DropClass::Route),
    ("OTHERHOST", DropClass::Route),
    ("IPV6DISABLED", DropClass::Route),
    ("CPU_BACKLOG", DropClass::Queue),
    ("QDISC_DROP", DropClass::Queue),
    ("QDISC_OVERLIMIT", DropClass::Queue),
    ("QDISC_CONGESTED", DropClass::Queue),
    ("FQ_BAND_LIMIT", DropClass::Queue),
    ("FQ_HORIZON_LIMIT", DropClass::Queue),
    ("FQ_FLOW_LIMIT", DropClass::Queue),
    ("FULL_RING", DropClass::Queue),
    ("NOMEM", DropClass::Queue),
    ("UDP_CSUM", DropClass::Damaged),
    ("IP_CSUM", DropClass::Damaged),
    ("SKB_CSUM", DropClass::Damaged),
    ("IP_INHDR", DropClass::Damaged),
    ("PKT_TOO_SMALL", DropClass::Damaged),
    ("HDR_TRUNC", DropClass::Damaged),
    ("PKT_TOO_BIG", DropClass::TooBig),
    ("FRAG_REASM_TIMEOUT", DropClass::TooBig),
    ("FRAG_TOO_FAR", DropClass::TooBig),
    ("DUP_FRAG", DropClass::TooBig),
];

impl DropClass {
    /// Of a reason; none where it is no evidence of anything.
    #[must_use]
    pub fn of(reason: &str) -> Option<Self> {
        if NONE.contains(&reason) {
            return None;
        }
        let row = TABLE.iter().find(|(name, _)| *name == reason);
        Some(row.map_or(Self::Other, |(_, class)| *class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_in_one_class_and_one_that_no_table_has_is_of_another() {
        let mut names: Vec<&str> = TABLE.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
        assert_eq!(DropClass::of("NO_SOCKET"), Some(DropClass::NoSocket));
        assert_eq!(DropClass::of("OF_THE_FUTURE"), Some(DropClass::Other));
        assert_eq!(DropClass::of("NOT_SPECIFIED"), None);
    }
}
