//! What may have happened.

use serde::{Deserialize, Serialize};

/// A cause. Its code in JSON is its name in snake case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Nothing listens, or the program exits.
    ServiceDown,
    /// The program takes queries and does not answer.
    ServiceHung,
    /// More than the server can do, without an attack.
    Overload,
    /// What the server itself asks does not answer.
    UpstreamFailure,
    /// The names of one zone fail, wherever they are asked for.
    ZoneFailure,
    /// The server is set up not to serve those who ask.
    Misconfiguration,
    /// Answers come from another address or port than was asked.
    WrongSource,
    /// A firewall rejects with an ICMP error.
    FirewallRejects,
    /// A firewall drops in silence.
    FirewallDrops,
    /// The server's host is gone.
    HostDown,
    /// A link or a route on the way is gone, or goes in a circle.
    NetworkPathDown,
    /// Packets get lost on the way.
    PacketLoss,
    /// Connection tracking is full, or races.
    ConnectionTracking,
    /// Answers are too large for the path.
    PathMtu,
    /// TCP to the DNS port is blocked.
    TcpBlocked,
    /// One source floods it.
    AttackOneSource,
    /// Many sources flood it.
    AttackDistributed,
    /// A flood with made-up sources.
    AttackSpoofed,
    /// A flood of names below one zone that do not exist.
    AttackRandomNames,
    /// The server is abused against others.
    AttackAmplification,
    /// Others' servers are abused against this network.
    AttackReflection,
    /// A flood of messages that are no DNS.
    AttackGarbage,
    /// A SYN flood.
    AttackSyn,
    /// Strangers ask what they are refused, and the server's own clients are served.
    UnwantedQueries,
    /// Programs of this host itself ask too much.
    OwnHost,
    /// Somebody looks for DNS servers.
    Scan,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 26] = [
        Self::ServiceDown,
        Self::ServiceHung,
        Self::Overload,
        Self::UpstreamFailure,
        Self::ZoneFailure,
        Self::Misconfiguration,
        Self::WrongSource,
        Self::FirewallRejects,
        Self::FirewallDrops,
        Self::HostDown,
        Self::NetworkPathDown,
        Self::PacketLoss,
        Self::ConnectionTracking,
        Self::PathMtu,
        Self::TcpBlocked,
        Self::AttackOneSource,
        Self::AttackDistributed,
        Self::AttackSpoofed,
        Self::AttackRandomNames,
        Self::AttackAmplification,
        Self::AttackReflection,
        Self::AttackGarbage,
        Self::AttackSyn,
        Self::UnwantedQueries,
        Self::OwnHost,
        Self::Scan,
    ];

    /// The code used in JSON.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::ServiceDown => "service_down",
            Self::ServiceHung => "service_hung",
            Self::Overload => "overload",
            Self::UpstreamFailure => "upstream_failure",
            Self::ZoneFailure => "zone_failure",
            Self::Misconfiguration => "misconfiguration",
            Self::WrongSource => "wrong_source",
            Self::FirewallRejects => "firewall_rejects",
            Self::FirewallDrops => "firewall_drops",
            Self::HostDown => "host_down",
            Self::NetworkPathDown => "network_path_down",
            Self::PacketLoss => "packet_loss",
            Self::ConnectionTracking => "connection_tracking",
            Self::PathMtu => "path_mtu",
            Self::TcpBlocked => "tcp_blocked",
            Self::AttackOneSource => "attack_one_source",
            Self::AttackDistributed => "attack_distributed",
            Self::AttackSpoofed => "attack_spoofed",
            Self::AttackRandomNames => "attack_random_names",
            Self::AttackAmplification => "attack_amplification",
            Self::AttackReflection => "attack_reflection",
            Self::AttackGarbage => "attack_garbage",
            Self::AttackSyn => "attack_syn",
            Self::UnwantedQueries => "unwanted_queries",
            Self::OwnHost => "own_host",
            Self::Scan => "scan",
        }
    }
}
