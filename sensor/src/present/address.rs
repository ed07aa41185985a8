//! Server keys as addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sensor_common::server::{FAMILY_V4, ServerKey};

use crate::sketch::Prefix;

/// The address of a key.
#[must_use]
pub fn ip(key: &ServerKey) -> IpAddr {
    let [a, b, c, d, ..] = key.address;
    if key.family == FAMILY_V4 {
        Ipv4Addr::new(a, b, c, d).into()
    } else {
        Ipv6Addr::from(key.address).into()
    }
}

/// A network as `192.0.2.0/24`; a single address without its length.
#[must_use]
pub fn prefix(prefix: &Prefix) -> String {
    let address = ip(&prefix.address);
    if *prefix == Prefix::host(prefix.address) {
        address.to_string()
    } else {
        format!("{address}/{}", prefix.bits)
    }
}
