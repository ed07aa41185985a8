//! What a packet is found to be.

use sensor_common::class::{Class, Malformed};

use super::message::{Carriage, Flags};

/// What a packet was found to be: its class and, if it is malformed, why and what is known of it.
///
/// One word and not an enum. Where paths of the program meet, an enum has parts that only some of
/// them have set, and the verifier refuses to touch the others: bits 0 to 3 the class, 4 to 7 the
/// reason, 8 to 12 the marks below, 16 to 31 the flags of a short DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome(pub u32);

const SHORT_DNS: u32 = 1 << 8;
const FLAGS_KNOWN: u32 = 1 << 9;
const TAGGED: u32 = 1 << 10;
const FIRST_FRAGMENT: u32 = 1 << 11;
const GARBAGE: u32 = 1 << 12;

impl Outcome {
    /// A DNS message that ends inside its header, with its flags if it has at least four bytes.
    #[inline(always)]
    pub(super) fn short_dns(carriage: Carriage, flags: Option<Flags>) -> Self {
        let mut word = Self::from(Malformed::DnsHeader).0 | SHORT_DNS;
        if carriage.tagged != 0 {
            word |= TAGGED;
        }
        if carriage.more_fragments != 0 {
            word |= FIRST_FRAGMENT;
        }
        if let Some(flags) = flags {
            word |= FLAGS_KNOWN | u32::from(flags.0) << 16;
        }
        Self(word)
    }

    /// The same, of a packet that the sink was told to be garbage.
    #[inline(always)]
    pub(super) fn as_garbage(self) -> Self {
        Self(self.0 | GARBAGE)
    }

    /// Whether the sink was told that it is garbage.
    #[inline(always)]
    #[must_use]
    pub fn is_garbage(self) -> bool {
        self.0 & GARBAGE != 0
    }

    /// Index of the class.
    #[inline(always)]
    #[must_use]
    pub fn class(self) -> usize {
        (self.0 & 15) as usize
    }

    /// Whether the class is [`Class::Malformed`].
    #[inline(always)]
    #[must_use]
    pub fn is_malformed(self) -> bool {
        self.class() == Class::Malformed.index()
    }

    /// Index of the [`Malformed`] reason.
    #[inline(always)]
    #[must_use]
    pub fn reason(self) -> usize {
        (self.0 >> 4 & 15) as usize
    }

    /// How a short DNS message came; `None` for anything else.
    #[inline(always)]
    #[must_use]
    pub fn carriage(self) -> Option<Carriage> {
        (self.0 & SHORT_DNS != 0).then_some(Carriage {
            tagged: (self.0 & TAGGED) as u16,
            more_fragments: (self.0 & FIRST_FRAGMENT) as u16,
        })
    }

    /// Flags of a short DNS message, where they could be read.
    #[inline(always)]
    #[must_use]
    pub fn flags(self) -> Option<Flags> {
        (self.0 & FLAGS_KNOWN != 0).then_some(Flags((self.0 >> 16) as u16))
    }
}

impl From<Class> for Outcome {
    #[inline(always)]
    fn from(class: Class) -> Self {
        Self(class as u32)
    }
}

impl From<Malformed> for Outcome {
    #[inline(always)]
    fn from(reason: Malformed) -> Self {
        Self(Class::Malformed as u32 | (reason as u32) << 4)
    }
}

/// The value, or return the packet as malformed.
macro_rules! whole {
    ($value:expr, $reason:expr) => {
        match $value {
            Some(value) => value,
            None => return $crate::parse::outcome::Outcome::from($reason),
        }
    };
}
pub(super) use whole;
