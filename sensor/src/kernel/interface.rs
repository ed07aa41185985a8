//! What the kernel says of an interface, over netlink: it works in any network namespace.

use std::fmt;

use futures_util::TryStreamExt;
use netlink_packet_route::link::{
    InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, LinkXdp,
};

/// Names this much alike are suggested (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.6;

/// Why an interface cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    /// There is no such interface.
    #[error("no interface {name}{}", suggestion(.nearest))]
    Unknown {
        /// As asked for.
        name: String,
        /// Names that are alike, or all where none is.
        nearest: Vec<String>,
    },
    /// Netlink failed.
    #[error("cannot ask the kernel for its interfaces: {0}")]
    Netlink(String),
}

fn suggestion(nearest: &[String]) -> String {
    if nearest.is_empty() {
        "; there are no interfaces here".into()
    } else {
        format!("; did you mean {}?", nearest.join(" or "))
    }
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
    /// Whether it is up.
    pub up: bool,
    /// What is behind it.
    pub kind: Kind,
    /// Whether its packets begin with an Ethernet header.
    pub has_ethernet: bool,
    /// An XDP program that is attached.
    pub xdp: Option<u32>,
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
        let all = Self::all().await?;
        names
            .iter()
            .map(|name| {
                all.iter()
                    .find(|interface| interface.name == *name)
                    .cloned()
                    .ok_or_else(|| InterfaceError::Unknown {
                        name: name.clone(),
                        nearest: nearest(name, &all),
                    })
            })
            .collect()
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

    fn from_message(message: &LinkMessage) -> Self {
        let header = &message.header;
        let mut interface = Self {
            index: header.index,
            name: String::new(),
            mtu: 0,
            up: header.flags.contains(LinkFlags::Up),
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
        };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => interface.name.clone_from(name),
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

fn nearest(name: &str, all: &[Interface]) -> Vec<String> {
    let mut names: Vec<(f64, &String)> = all
        .iter()
        .map(|interface| (strsim::jaro_winkler(name, &interface.name), &interface.name))
        .collect();
    names.sort_by(|a, b| b.0.total_cmp(&a.0));
    let alike: Vec<String> = names
        .iter()
        .filter(|(alike, _)| *alike >= ALIKE)
        .take(3)
        .map(|(_, name)| (*name).clone())
        .collect();
    if alike.is_empty() {
        names
            .iter()
            .take(5)
            .map(|(_, name)| (*name).clone())
            .collect()
    } else {
        alike
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
            up: true,
            kind: Kind::Hardware,
            has_ethernet: true,
            xdp: None,
        }
    }

    #[test]
    fn the_nearest_names_are_suggested() {
        let all = [named("lo"), named("enp0s31f6"), named("wlan0")];
        assert_eq!(nearest("enp0s31f5", &all), ["enp0s31f6"]);
        assert_eq!(nearest("qqq", &all).len(), 3);
        let error = InterfaceError::Unknown {
            name: "wlan1".into(),
            nearest: nearest("wlan1", &all),
        };
        assert_eq!(error.to_string(), "no interface wlan1; did you mean wlan0?");
    }
}
