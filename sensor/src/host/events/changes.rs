//! What messages of the kernel change of what was so before.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressAttribute;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};

use super::event::Event;

/// How a link was.
#[derive(Clone, Debug)]
struct Link {
    name: String,
    up: bool,
    carrier: bool,
}

/// Tells changes from what was so before.
#[derive(Debug)]
pub struct Changes {
    watched: Vec<String>,
    links: BTreeMap<u32, Link>,
}

impl Changes {
    /// Of the links with these names, and all addresses and routes.
    pub fn new(watched: &[String]) -> Self {
        Self {
            watched: watched.to_vec(),
            links: BTreeMap::new(),
        }
    }

    /// The event that a message tells of, if it does.
    pub fn take(&mut self, message: &RouteNetlinkMessage) -> Option<Event> {
        match message {
            RouteNetlinkMessage::NewLink(link) => self.link(link),
            RouteNetlinkMessage::DelLink(link) => {
                let gone = self.links.remove(&link.header.index)?;
                self.is_watched(&gone).then_some(Event::LinkDown {
                    interface: gone.name,
                })
            }
            RouteNetlinkMessage::DelAddress(message) => {
                let address = message.attributes.iter().find_map(|attribute| {
                    // Of a point-to-point link the other is the peer's.
                    match attribute {
                        AddressAttribute::Local(address) => Some(*address),
                        _ => None,
                    }
                });
                let address = address.or_else(|| {
                    message
                        .attributes
                        .iter()
                        .find_map(|attribute| match attribute {
                            AddressAttribute::Address(address) => Some(*address),
                            _ => None,
                        })
                })?;
                let link = self.links.get(&message.header.index);
                Some(Event::AddressRemoved {
                    address: address.to_string(),
                    interface: link.map_or_else(String::new, |link| link.name.clone()),
                })
            }
            RouteNetlinkMessage::DelRoute(route) => removed(route),
            _ => None,
        }
    }

    fn link(&mut self, message: &LinkMessage) -> Option<Event> {
        let name = message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                LinkAttribute::IfName(name) => Some(name.clone()),
                _ => None,
            })?;
        let flags = message.header.flags;
        let link = Link {
            name,
            up: flags.contains(LinkFlags::Up),
            carrier: flags.contains(LinkFlags::LowerUp),
        };
        let before = self.links.insert(message.header.index, link.clone())?;
        if !self.is_watched(&link) {
            return None;
        }
        let interface = link.name;
        if before.up && !link.up {
            Some(Event::LinkDown { interface })
        } else if before.carrier && !link.carrier {
            Some(Event::CarrierLost { interface })
        } else {
            None
        }
    }

    fn is_watched(&self, link: &Link) -> bool {
        self.watched.contains(&link.name)
    }
}

/// Not of routes to the host's own addresses, which go with them.
fn removed(route: &RouteMessage) -> Option<Event> {
    if route.header.kind != RouteType::Unicast {
        return None;
    }
    let destination = route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(address)) => Some((*address).into()),
            RouteAttribute::Destination(RouteAddress::Inet6(address)) => Some((*address).into()),
            _ => None,
        });
    let any = match route.header.address_family {
        netlink_packet_route::AddressFamily::Inet => IpAddr::from([0; 4]),
        netlink_packet_route::AddressFamily::Inet6 => IpAddr::from([0; 16]),
        _ => return None,
    };
    let bits = route.header.destination_prefix_length;
    Some(Event::RouteRemoved {
        network: format!("{}/{bits}", destination.unwrap_or(any)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, flags: LinkFlags) -> RouteNetlinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = flags;
        message.attributes.push(LinkAttribute::IfName(name.into()));
        RouteNetlinkMessage::NewLink(message)
    }

    #[test]
    fn a_link_has_to_have_been_up_to_go_down_and_only_watched_ones_are_told() {
        let mut changes = Changes::new(&["eth0".into()]);
        let both = LinkFlags::Up | LinkFlags::LowerUp;
        for (name, index) in [("eth0", 2), ("veth7", 7)] {
            assert_eq!(changes.take(&link(index, name, both)), None, "{name}");
        }
        assert_eq!(changes.take(&link(7, "veth7", LinkFlags::empty())), None);
        let interface = "eth0".to_string();
        assert_eq!(
            changes.take(&link(2, "eth0", LinkFlags::Up)),
            Some(Event::CarrierLost {
                interface: interface.clone()
            })
        );
        assert_eq!(changes.take(&link(2, "eth0", LinkFlags::Up)), None);
        assert_eq!(
            changes.take(&link(2, "eth0", LinkFlags::empty())),
            Some(Event::LinkDown { interface })
        );
    }
}
