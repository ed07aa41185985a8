//! The words of a situation that are strings in its file.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use crate::random::Random;

/// Reads a string with the type's `FromStr`.
macro_rules! from_string {
    ($($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
    )*};
}

from_string!(Span, Wait, Error, Rcode);

/// `20s..40s`; either end may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span {
    pub from: Duration,
    pub to: Duration,
}

impl Default for Span {
    fn default() -> Self {
        Self {
            from: Duration::ZERO,
            to: Duration::MAX,
        }
    }
}

impl Span {
    pub fn contains(&self, at: Duration) -> bool {
        (self.from..self.to).contains(&at)
    }

    /// Whether it begins within so long before.
    pub fn begins(&self, at: Duration, within: Duration) -> bool {
        self.from <= at && at < self.from + within
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not `FROM..TO` such as `20s..40s`");
        let (from, to) = text.split_once("..").ok_or_else(wrong)?;
        let time = |text: &str, without: Duration| match text.trim() {
            "" => Ok(without),
            text => humantime::parse_duration(text).map_err(|_| wrong()),
        };
        Ok(Self {
            from: time(from, Duration::ZERO)?,
            to: time(to, Duration::MAX)?,
        })
    }
}

/// `3ms`, or anything between two: `1ms..20ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Wait(Duration, Duration);

impl Wait {
    pub const fn between(least: Duration, most: Duration) -> Self {
        Self(least, most)
    }

    pub fn draw(&self, random: &mut Random) -> Duration {
        self.0 + self.1.saturating_sub(self.0).mul_f64(random.share())
    }
}

impl FromStr for Wait {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        let time = |text: &str| {
            humantime::parse_duration(text.trim())
                .map_err(|_| format!("{text:?} is not a time such as `3ms` or `1ms..20ms`"))
        };
        Ok(Self(time(least)?, time(most)?))
    }
}

/// Queries a second: a number, or points in time with straight lines between them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Rate {
    Constant(f64),
    Points(Vec<(Moment, f64)>),
}

/// A time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Moment(#[serde(with = "humantime_serde")] pub Duration);

impl Rate {
    pub fn at(&self, time: Duration) -> f64 {
        let points = match self {
            Self::Constant(rate) => return *rate,
            Self::Points(points) => points,
        };
        let next = points.partition_point(|(at, _)| at.0 <= time);
        let Some((after, high)) = points.get(next) else {
            return points.last().map_or(0.0, |(_, rate)| *rate);
        };
        let Some((before, low)) = next.checked_sub(1).and_then(|last| points.get(last)) else {
            return 0.0;
        };
        let part = time
            .saturating_sub(before.0)
            .div_duration_f64(after.0.saturating_sub(before.0));
        low + (high - low) * part
    }

    pub fn most(&self) -> f64 {
        match self {
            Self::Constant(rate) => *rate,
            Self::Points(points) => points.iter().map(|(_, rate)| *rate).fold(0.0, f64::max),
        }
    }

    pub fn multiply(&mut self, factor: f64) {
        match self {
            Self::Constant(rate) => *rate *= factor,
            Self::Points(points) => points.iter_mut().for_each(|(_, rate)| *rate *= factor),
        }
    }
}

/// An ICMP error, or the reset of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Error {
    Reset,
    /// Type and code over IPv4, and over IPv6.
    Icmp([u8; 2], [u8; 2]),
}

impl Error {
    pub const PORT: Self = Self::Icmp([3, 3], [1, 4]);
}

impl FromStr for Error {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let both = |four, six| Ok(Self::Icmp(four, six));
        match text {
            "reset" => Ok(Self::Reset),
            "net_unreachable" => both([3, 0], [1, 0]),
            "host_unreachable" => both([3, 1], [1, 3]),
            "protocol_unreachable" => both([3, 2], [4, 1]),
            "port_unreachable" => Ok(Self::PORT),
            "too_big" => both([3, 4], [2, 0]),
            "net_prohibited" => both([3, 9], [1, 1]),
            "host_prohibited" => both([3, 10], [1, 1]),
            "prohibited" => both([3, 13], [1, 1]),
            "ttl_exceeded" => both([11, 0], [3, 0]),
            "reassembly_exceeded" => both([11, 1], [3, 1]),
            "parameter_problem" => both([12, 0], [4, 0]),
            _ => Err(format!("{text:?} is not an error of the vocabulary")),
        }
    }
}

/// By its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Rcode(pub u8);

impl FromStr for Rcode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = [
            ("noerror", 0),
            ("formerr", 1),
            ("servfail", 2),
            ("nxdomain", 3),
            ("notimp", 4),
            ("refused", 5),
            ("yxdomain", 6),
            ("nxrrset", 8),
            ("notauth", 9),
        ];
        let found = names.iter().find(|(name, _)| *name == text);
        found
            .map(|(_, number)| Self(*number))
            .ok_or_else(|| format!("{text:?} is not an rcode of the vocabulary"))
    }
}

/// Question types that are asked at once, from one socket: `A`, or `A+AAAA`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Types(pub Vec<u16>);

impl TryFrom<String> for Types {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.split('+')
            .map(qtype)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// The number of a question type.
fn qtype(name: &str) -> Result<u16, String> {
    let names = [
        ("A", 1),
        ("NS", 2),
        ("SOA", 6),
        ("PTR", 12),
        ("MX", 15),
        ("TXT", 16),
        ("AAAA", 28),
        ("SRV", 33),
        ("NAPTR", 35),
        ("DS", 43),
        ("DNSKEY", 48),
        ("TLSA", 52),
        ("HTTPS", 65),
        ("IXFR", 251),
        ("AXFR", 252),
        ("ANY", 255),
        ("CAA", 257),
    ];
    let found = names.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, number)| *number)
        .ok_or_else(|| format!("{name:?} is not a question type of the vocabulary"))
}
