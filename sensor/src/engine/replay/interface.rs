//! How the frames and times of one interface of a capture are to be read.

use std::time::Duration;

use super::link_layer::LinkLayer;
use super::link_names::LinkType;

const NANOS: u128 = 1_000_000_000;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface {
    /// A link type that is not read here matters once a packet has it.
    pub link: Result<LinkLayer, LinkType>,
    pub times: Times,
    pub snap_length: u32,
}

/// Time stamps of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    /// Units in a second.
    units: u128,
    /// Seconds to add.
    pub offset: i64,
}

impl Times {
    pub(super) const MICROSECONDS: Self = Self::in_units(1_000_000);
    pub(super) const NANOSECONDS: Self = Self::in_units(NANOS);

    const fn in_units(units: u128) -> Self {
        Self { units, offset: 0 }
    }

    /// By the option `if_tsresol` of pcapng: a power of ten, or of two where the top bit is set.
    pub(super) fn of_resolution(resolution: u8) -> Self {
        let exponent = u32::from(resolution & 0x7f);
        let base: u128 = if resolution & 0x80 == 0 { 10 } else { 2 };
        // In units finer than that no 64 bits make a second.
        Self::in_units(base.checked_pow(exponent).unwrap_or(u128::MAX))
    }

    /// Since 1970.
    pub(super) fn time(&self, units: u64) -> Duration {
        if let Ok(in_second @ 1..=1_000_000_000) = u64::try_from(self.units) {
            let nanoseconds = units % in_second * 1_000_000_000 / in_second;
            return self.of(units / in_second, nanoseconds as u32);
        }
        let units = u128::from(units);
        let seconds = (units / self.units) as u64;
        // The remainder has 64 bits, and the result is below 10^9.
        let nanoseconds = units % self.units * NANOS / self.units;
        self.of(seconds, nanoseconds as u32)
    }

    fn of(&self, seconds: u64, nanoseconds: u32) -> Duration {
        Duration::new(seconds.saturating_add_signed(self.offset), nanoseconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_powers_of_ten_and_of_two() {
        let half = |resolution, units| Times::of_resolution(resolution).time(units);
        let expected = Duration::from_millis(1_500);
        assert_eq!(half(6, 1_500_000), expected);
        assert_eq!(half(9, 1_500_000_000), expected);
        assert_eq!(half(12, 1_500_000_000_000), expected);
        assert_eq!(half(0x94, 3 << 19), expected);
        assert_eq!(half(0x9e, 3 << 29), expected);
        assert_eq!(half(0xbe, 3 << 61), expected);
        assert_eq!(half(0, 7), Duration::from_secs(7));
        assert_eq!(half(0x80, 7), Duration::from_secs(7));
        // A unit that is finer than 64 bits can count seconds in.
        for resolution in [38, 39, 127, 0xff] {
            assert_eq!(half(resolution, u64::MAX).as_secs(), 0, "{resolution}");
        }
        let mut shifted = Times::MICROSECONDS;
        shifted.offset = -3;
        assert_eq!(shifted.time(5_000_001), Duration::new(2, 1_000));
    }
}
