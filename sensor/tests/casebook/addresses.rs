//! Sets of addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::Deserialize;

use crate::random::Random;

impl TryFrom<String> for AddressRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// `192.0.2.53`, `198.51.100.10 x20` (twenty in a row) or `10.0.0.0/8` (any of them).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AddressRange {
    pub first: IpAddr,
    pub count: u128,
}

impl AddressRange {
    fn contains(&self, address: IpAddr) -> bool {
        let same = self.first.is_ipv4() == address.is_ipv4();
        let offset = number(address).checked_sub(number(self.first));
        same && offset.is_some_and(|offset| offset < self.count)
    }

    fn nth(&self, n: u128) -> IpAddr {
        let number = number(self.first) + n % self.count;
        match self.first {
            IpAddr::V4(_) => Ipv4Addr::from_bits(number as u32).into(),
            IpAddr::V6(_) => Ipv6Addr::from_bits(number).into(),
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not `ADDRESS`, `ADDRESS xCOUNT` or `NETWORK/BITS`");
        let address = |text: &str| text.trim().parse::<IpAddr>().map_err(|_| wrong());
        if let Some((first, bits)) = text.split_once('/') {
            let first = address(first)?;
            let bits: u32 = bits.parse().map_err(|_| wrong())?;
            let all: u32 = if first.is_ipv4() { 32 } else { 128 };
            let free = all.checked_sub(bits).ok_or_else(wrong)?;
            let count = 1_u128.checked_shl(free).ok_or_else(wrong)?;
            return Ok(Self { first, count });
        }
        let (first, count) = text.split_once(" x").unwrap_or((text, "1"));
        let count = count.parse().ok().filter(|count| *count > 0);
        Ok(Self {
            first: address(first)?,
            count: count.ok_or_else(wrong)?,
        })
    }
}

/// One or more ranges; a string or a list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Addresses(pub Vec<AddressRange>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(AddressRange),
    Many(Vec<AddressRange>),
}

impl From<OneOrMany> for Addresses {
    fn from(list: OneOrMany) -> Self {
        Self(match list {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        })
    }
}

impl Addresses {
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|range| range.contains(address))
    }

    pub fn count(&self) -> u128 {
        self.0.iter().map(|range| range.count).sum()
    }

    pub fn nth(&self, n: u128) -> IpAddr {
        let mut n = n % self.count().max(1);
        for range in &self.0 {
            if n < range.count {
                return range.nth(n);
            }
            n -= range.count;
        }
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    }

    pub fn any(&self, random: &mut Random) -> IpAddr {
        let draw = u128::from(random.next()) << 64 | u128::from(random.next());
        self.nth(draw)
    }

    /// Any of them, or this one where there is none.
    pub fn any_or(&self, other: IpAddr, random: &mut Random) -> IpAddr {
        match self.count() {
            0 => other,
            _ => self.any(random),
        }
    }

    /// The same hosts with IPv6 addresses of the documentation network.
    pub fn make_ipv6(&mut self) {
        for range in &mut self.0 {
            range.first = to_ipv6(range.first);
        }
    }
}

/// `192.0.2.53` as `2001:db8::c000:235`.
pub fn to_ipv6(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            let pair = |high: u8, low: u8| u16::from_be_bytes([high, low]);
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, pair(a, b), pair(c, d)).into()
        }
        IpAddr::V6(_) => address,
    }
}
