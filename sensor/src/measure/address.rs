//! Keys as addresses, and addresses as keys.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sensor_common::server::{FAMILY_V4, FAMILY_V6, ServerKey};

use crate::measure::sketch::Prefix;

/// The key of an address.
#[must_use]
pub fn key(address: IpAddr) -> ServerKey {
    let mut bytes = [0; 16];
    let family = match address {
        IpAddr::V4(address) => {
            bytes[..4].copy_from_slice(&address.octets());
            FAMILY_V4
        }
        IpAddr::V6(address) => {
            bytes = address.octets();
            FAMILY_V6
        }
    };
    ServerKey {
        address: bytes,
        family,
        reserved: [0; 7],
    }
}

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

/// Reads an address, or a network as `192.0.2.0/24`.
///
/// # Errors
/// It is neither, in words.
pub fn network(text: &str) -> Result<Prefix, String> {
    let (address, bits) = text
        .split_once('/')
        .map_or((text, None), |(a, b)| (a, Some(b)));
    let wrong = || format!("{text:?} is neither an address nor a network");
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let host = Prefix::host(key(address));
    let Some(bits) = bits else {
        return Ok(host);
    };
    let bits: u8 = bits.parse().map_err(|_| wrong())?;
    if bits > host.bits {
        return Err(wrong());
    }
    Ok(Prefix { bits, ..host })
}
