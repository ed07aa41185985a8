//! What the kernel says of an interface, over netlink: it works in any network namespace.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use futures_util::TryStreamExt;
use netlink_packet_route::link::{
    InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, LinkXdp,
};

use sensor_common::server::ServerKey;

use crate::engine::status::LinkState;
use crate::measure::address::key;

/// Names this much alike are suggested (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.6;

/// Why an interface cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    /// There is no such interface.
    #[error("no interface {name:?}; {suggestion}")]
    Unknown {
        /// As asked for.
        name: String,
        /// Names that are alike, or those that there are.
        suggestion: String,
    },
    /// Watching an interface twice would count everything twice.
    #[error("interface {0} was given twice")]
    Twice(String),
    /// Both see each packet, and its server would be counted twice.
    #[error("{lower} is below {upper}, and each packet crosses both: watch one of them")]
    Stacked {
        /// The port, or the device below.
        lower: String,
        /// The bridge, bond, VLAN or macvlan device.
        upper: String,
    },
    /// Netlink failed.
    #[error("cannot ask the kernel for its interfaces: {0}")]
    Netlink(String),
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its MTU, in bytes.
    pub mtu: u32,
    /// Whether packets can cross it.
    pub state: LinkState,
    /// What is behind it.
    pub kind: Kind,
    /// Whether its packets begin with an Ethernet header.
    pub has_ethernet: bool,
    /// An XDP program that is attached.
    pub xdp: Option<u32>,
    /// Index of the bridge or bond that it is a port of.
    pub controller: Option<u32>,
    /// Index of the device below it: of a VLAN or macvlan device.
    pub below: Option<u32>,
}

/// What is behind an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A device of hardware or of a hypervisor.
    Hardware,
    /// `lo`.
    Loopback,
    /// A device of software: veth, tun, bridge, ...
    Software(String),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hardware => write!(f, "hardware or virtio"),
            Self::Loopback => write!(f, "loopback"),
            Self::Software(kind) => write!(f, "{kind}"),
        }
    }
}

impl Interface {
    /// Looks at interfaces by their names, in the network namespace of this thread.
    ///
    /// # Errors
    /// One of them does not exist.
    pub async fn find(names: &[String]) -> Result<Vec<Self>, InterfaceError> {
        let mut unique = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !unique.insert(*name)) {
            return Err(InterfaceError::Twice(twice.clone()));
        }
        let all = Self::all().await?;
        names
            .iter()
            .map(|name| {
                all.iter()
                    .find(|interface| interface.name == *name)
                    .cloned()
                    .ok_or_else(|| InterfaceError::Unknown {
                        name: name.clone(),
                        suggestion: suggestion(name, &all),
                    })
            })
            .collect()
    }

    /// Whether packets for `self` come through `lower` first. A veth names its peer as the device
    /// below, which it is not.
    fn is_above(&self, lower: &Self) -> bool {
        let is_veth = self.kind == Kind::Software("veth".into());
        lower.controller == Some(self.index) || (!is_veth && self.below == Some(lower.index))
    }

    /// Indexes of all interfaces that a packet received by one of `watched` may appear to have come
    /// in through: themselves and those above them.
    ///
    /// # Errors
    /// Two of `watched` see the same packets.
    pub fn with_uppers(watched: &[Self], all: &[Self]) -> Result<Vec<u32>, InterfaceError> {
        let mut indexes: Vec<u32> = watched.iter().map(|interface| interface.index).collect();
        for lower in watched {
            let mut below = vec![lower];
            while let Some(next) = below.pop() {
                for upper in all.iter().filter(|upper| upper.is_above(next)) {
                    if watched
                        .iter()
                        .any(|interface| interface.index == upper.index)
                    {
                        return Err(InterfaceError::Stacked {
                            lower: lower.name.clone(),
                            upper: upper.name.clone(),
                        });
                    }
                    if !indexes.contains(&upper.index) {
                        indexes.push(upper.index);
                        below.push(upper);
                    }
                }
            }
        }
        Ok(indexes)
    }

    /// All interfaces of this network namespace.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub async fn all() -> Result<Vec<Self>, InterfaceError> {
        let failed = |error: &dyn fmt::Display| InterfaceError::Netlink(error.to_string());
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(|error| failed(&error))?;
        let connection = tokio::spawn(connection);
        let links: Result<Vec<LinkMessage>, _> = handle.link().get().execute().try_collect().await;
        connection.abort();
        Ok(links
            .map_err(|error| failed(&error))?
            .iter()
            .map(Self::from_message)
            .collect())
    }

    /// Addresses of all interfaces of this thread's network namespace. None where the system does not tell.
    #[must_use]
    pub fn addresses() -> BTreeSet<ServerKey> {
        let all = nix::ifaddrs::getifaddrs().into_iter().flatten();
        all.filter_map(|one| {
            let address = one.address?;
            let v4 = address.as_sockaddr_in().map(|a| IpAddr::from(a.ip()));
            let v6 = address.as_sockaddr_in6().map(|a| IpAddr::from(a.ip()));
            v4.or(v6).map(key)
        })
        .collect()
    }

    fn from_message(message: &LinkMessage) -> Self {
        let header = &message.header;
        let mut interface = Self {
            index: header.index,
            name: String::new(),
            mtu: 0,
            state: if !header.flags.contains(LinkFlags::Up) {
                LinkState::Down
            } else if header.flags.contains(LinkFlags::LowerUp) {
                LinkState::Up
            } else {
                LinkState::NoCarrier
            },
            kind: if header.flags.contains(LinkFlags::Loopback) {
                Kind::Loopback
            } else {
                Kind::Hardware
            },
            has_ethernet: matches!(
                header.link_layer_type,
                LinkLayerType::Ether | LinkLayerType::Loopback
            ),
            xdp: None,
            controller: None,
            below: None,
        };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => interface.name.clone_from(name),
                LinkAttribute::Controller(index) => interface.controller = Some(*index),
                LinkAttribute::Link(index) => interface.below = Some(*index),
                LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
                LinkAttribute::LinkInfo(info) => {
                    for info in info {
                        if let LinkInfo::Kind(kind) = info {
                            interface.kind = Kind::Software(kind_name(kind));
                        }
                    }
                }
                LinkAttribute::Xdp(xdp) => {
                    for xdp in xdp {
                        if let LinkXdp::ProgId(id) = xdp {
                            interface.xdp = (*id != 0).then_some(*id);
                        }
                    }
                }
                _ => {}
            }
        }
        interface
    }
}

fn kind_name(kind: &InfoKind) -> String {
    kind.to_string().to_lowercase()
}

/// Names that are alike, or some of those that there are.
fn suggestion(name: &str, all: &[Interface]) -> String {
    let mut names: Vec<(f64, &str)> = all
        .iter()
        .map(|interface| {
            let alike = strsim::jaro_winkler(name, &interface.name);
            (alike, interface.name.as_str())
        })
        .collect();
    names.sort_by(|a, b| b.0.total_cmp(&a.0));
    let alike: Vec<&str> = names
        .iter()
        .filter(|(alike, _)| *alike >= ALIKE)
        .take(3)
        .map(|(_, name)| *name)
        .collect();
    if !alike.is_empty() {
        return format!("did you mean {}?", alike.join(" or "));
    }
    let some: Vec<&str> = names.iter().take(8).map(|(_, name)| *name).collect();
    if some.len() == names.len() {
        format!("there are {}", some.join(", "))
    } else {
        format!(
            "there are {} here, among them {}",
            names.len(),
            some.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Interface {
        Interface {
            index: 1,
            name: name.into(),
            mtu: 1500,
            state: LinkState::Up,
            kind: Kind::Hardware,
            has_ethernet: true,
            xdp: None,
            controller: None,
            below: None,
        }
    }

    #[test]
    fn a_bridge_and_its_port_are_not_watched_together() {
        let index = |index, name| Interface {
            index,
            ..named(name)
        };
        let bridge = index(10, "br0");
        let port = Interface {
            controller: Some(10),
            ..index(11, "eth0")
        };
        let vlan = Interface {
            kind: Kind::Software("vlan".into()),
            below: Some(10),
            ..index(12, "br0.7")
        };
        let all = [bridge.clone(), port.clone(), vlan];
        // What came in through the port looks as if it came from the bridge, or from its VLAN.
        let ingress = Interface::with_uppers(std::slice::from_ref(&port), &all);
        assert_eq!(ingress.expect("one of them"), [11, 10, 12]);
        let error = Interface::with_uppers(&[bridge, port], &all).expect_err("both");
        assert!(error.to_string().contains("eth0 is below br0"), "{error}");
    }

    #[test]
    fn the_two_ends_of_a_veth_are_not_above_each_other() {
        let end = |index, below| Interface {
            index,
            kind: Kind::Software("veth".into()),
            below: Some(below),
            ..named("veth")
        };
        let both = [end(1, 2), end(2, 1)];
        assert_eq!(Interface::with_uppers(&both, &both).expect("both"), [1, 2]);
    }

    #[test]
    fn the_nearest_names_are_suggested() {
        let all = [named("lo"), named("enp0s31f6"), named("wlan0")];
        assert_eq!(suggestion("enp0s31f5", &all), "did you mean enp0s31f6?");
        let error = InterfaceError::Unknown {
            name: "wlan1".into(),
            suggestion: suggestion("wlan1", &all),
        };
        assert_eq!(
            error.to_string(),
            "no interface \"wlan1\"; did you mean wlan0?"
        );
        let none_alike = suggestion("qqq", &all);
        assert_eq!(none_alike, "there are lo, enp0s31f6, wlan0");
        let many: Vec<Interface> = (0..9).map(|at| named(&format!("veth{at}"))).collect();
        let some = suggestion("qqq", &many);
        assert!(
            some.starts_with("there are 9 here, among them veth0,"),
            "{some}"
        );
    }
}
