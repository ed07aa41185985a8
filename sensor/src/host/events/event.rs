//! What can stop packets.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// What happened. Addresses are in text form, as they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A watched interface is up, and nothing is at the other end of its cable any more.
    CarrierLost {
        /// Its name.
        interface: String,
    },
    /// A watched interface was taken down, or is gone.
    LinkDown {
        /// Its name.
        interface: String,
    },
    /// An address is no longer one of this host.
    AddressRemoved {
        /// Which.
        address: String,
        /// Where it was.
        interface: String,
    },
    /// A route is no longer there; the default route is that to 0 bits: `0.0.0.0/0`.
    RouteRemoved {
        /// To which network, as `198.51.100.0/24`.
        network: String,
    },
}

impl Event {
    /// Whether it may have to do with a server that fails. Links are watched because the traffic goes over them.
    #[must_use]
    pub fn concerns(&self, server: IpAddr) -> bool {
        match self {
            Self::CarrierLost { .. } | Self::LinkDown { .. } => true,
            Self::AddressRemoved { address, .. } => address.parse() == Ok(server),
            Self::RouteRemoved { network } => leads_to(network, server),
        }
    }
}

/// Whether an address is in a network.
fn leads_to(network: &str, address: IpAddr) -> bool {
    let Some((network, bits)) = network.split_once('/') else {
        return false;
    };
    match (network.parse::<IpAddr>(), bits.parse()) {
        (Ok(network), Ok(bits)) => {
            network.is_ipv4() == address.is_ipv4() && is_in(address, network, bits)
        }
        _ => false,
    }
}

fn is_in(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
        IpAddr::V6(address) => u128::from(address),
    };
    let other = 128 - u32::from(bits.min(128));
    (number(address) ^ number(network))
        .checked_shr(other)
        .unwrap_or(0)
        == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_or_an_address_concerns_the_servers_that_it_leads_to() {
        let ip = |text: &str| -> IpAddr { text.parse().expect("an address") };
        let route = |network: &str, bits: u8| Event::RouteRemoved {
            network: format!("{network}/{bits}"),
        };
        let server = ip("198.51.100.53");
        assert!(route("0.0.0.0", 0).concerns(server));
        assert!(route("198.51.100.0", 24).concerns(server));
        assert!(!route("192.0.2.0", 24).concerns(server));
        assert!(!route("::", 0).concerns(server));
        assert!(route("::", 0).concerns(ip("2001:db8::53")));
        assert!(route("2001:db8::53", 128).concerns(ip("2001:db8::53")));
        assert!(!route("2001:db8::54", 128).concerns(ip("2001:db8::53")));
        let address = |text: &str| Event::AddressRemoved {
            address: text.into(),
            interface: "eth0".into(),
        };
        assert!(address("198.51.100.53").concerns(server));
        assert!(!address("198.51.100.54").concerns(server));
    }
}
