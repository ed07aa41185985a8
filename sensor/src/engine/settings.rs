//! Settings as they are used, resolved from what was asked for.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use sensor_common::latency::UNIT_BITS;
use sensor_common::settings::{MAX_INTERFACES, MAX_PORTS, Settings};

/// Why a combination of options makes no sense.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingsError {
    /// Too many DNS ports.
    #[error("{0} ports were given, and at most {MAX_PORTS} can be watched")]
    TooManyPorts(usize),
    /// A port that cannot be.
    #[error("port 0 is not a port")]
    PortZero,
    /// Too many interfaces.
    #[error("{0} interfaces were given; at most {MAX_INTERFACES} different ones can be watched")]
    TooManyInterfaces(usize),
}

/// Settings of the packet program for these DNS ports; the rest as the loader finds it.
///
/// # Errors
/// The ports cannot be watched.
pub fn for_ports(ports: &[u16]) -> Result<Box<Settings>, SettingsError> {
    let ports: BTreeSet<u16> = ports.iter().copied().collect();
    if ports.len() > MAX_PORTS {
        return Err(SettingsError::TooManyPorts(ports.len()));
    }
    if ports.contains(&0) {
        return Err(SettingsError::PortZero);
    }
    let mut settings = Box::new(Settings::DEFAULT);
    if ports.len() == 1 {
        settings.single_port = ports.iter().map(|port| u32::from(port.to_be())).sum();
    } else if !ports.is_empty() {
        settings.single_port = 0;
        for port in ports.iter().map(|port| port.to_be()) {
            settings.port_set[usize::from(port >> 6)] |= 1 << (port & 63);
        }
    }
    Ok(settings)
}

/// Time-outs that the ring of ticks has room for.
pub const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(5);

/// Sets the time after which a query is unanswered, within [`TIMEOUTS`].
pub fn set_timeout(settings: &mut Settings, timeout: Duration) {
    let timeout = timeout.clamp(*TIMEOUTS.start(), *TIMEOUTS.end());
    settings.timeout = (timeout.as_nanos() >> UNIT_BITS) as u32;
    // A tick of 268 ms; of the double where 16 of those would not do.
    settings.tick_bits = if timeout > Duration::from_secs(3) {
        19
    } else {
        18
    };
}

/// The time after which a query is unanswered.
#[must_use]
pub fn timeout(settings: &Settings) -> Duration {
    Duration::from_nanos(u64::from(settings.timeout) << UNIT_BITS)
}

/// Multipliers tried before the indexes are taken to be impossible (two are the same).
const TRIES: u32 = 10_000;

/// Gives each interface index a slot of its own.
///
/// Returns the multiplier for [`Settings::slot`] and the number of slots it needs.
///
/// # Errors
/// There are too many.
pub fn slots(ifindexes: &[u32]) -> Result<(u32, u32), SettingsError> {
    match ifindexes {
        [] | [_] => Ok((0, 1)),
        many if many.len() <= MAX_INTERFACES => {
            // An odd multiplier spreads indexes at random over 16 slots; eight distinct ones come
            // up once in eight tries or more often.
            let multiplier = (1..=TRIES)
                .step_by(2)
                .map(|n| n.wrapping_mul(0x9e37_79b1))
                .find(|multiplier| {
                    let slots: BTreeSet<u32> = many
                        .iter()
                        .map(|i| Settings::slot(*multiplier, *i))
                        .collect();
                    slots.len() == many.len()
                });
            multiplier
                .map(|multiplier| (multiplier, 16))
                .ok_or(SettingsError::TooManyInterfaces(many.len()))
        }
        many => Err(SettingsError::TooManyInterfaces(many.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_in_network_order() {
        let has = |settings: &Settings, port: u16| settings.is_dns_port(port.to_be());
        let settings = for_ports(&[5353, 53, 53]).expect("two ports");
        assert_eq!(settings.single_port, 0);
        assert!(has(&settings, 53) && has(&settings, 5353) && !has(&settings, 54));
        let one = for_ports(&[5353]).expect("one port");
        assert_eq!(one.single_port, u32::from(5353_u16.to_be()));
        assert_eq!(*for_ports(&[]).expect("default"), Settings::DEFAULT);
    }

    #[test]
    fn impossible_ports_are_refused() {
        assert_eq!(for_ports(&[0]), Err(SettingsError::PortZero));
        let nine: Vec<u16> = (1..=9).collect();
        assert_eq!(for_ports(&nine), Err(SettingsError::TooManyPorts(9)));
    }

    #[test]
    fn every_interface_gets_a_slot_of_its_own() {
        for indexes in [vec![1, 2], vec![2, 3, 9, 1_000, 70_000], (1..=8).collect()] {
            let (multiplier, count) = slots(&indexes).expect("eight or fewer");
            let slots: BTreeSet<u32> = indexes
                .iter()
                .map(|index| Settings::slot(multiplier, *index))
                .collect();
            assert_eq!(slots.len(), indexes.len());
            assert!(slots.iter().all(|slot| *slot < count));
        }
        assert_eq!(slots(&[7]), Ok((0, 1)));
        assert!(slots(&(1..=9).collect::<Vec<_>>()).is_err());
        assert!(slots(&[3, 3]).is_err());
    }
}
