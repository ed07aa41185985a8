//! What the sketches say of a second, and of any number of seconds together.

use std::collections::BTreeSet;
use std::time::Duration;

use sensor_common::server::ServerKey;

use crate::measure::heavy::Counts;
use crate::measure::sketch::{Distinct, Heavy, Prefix};

/// Sources that may be among the heaviest of a sum; beyond twice as many, the lightest are dropped.
const CANDIDATES: usize = 8192;
/// Heaviest sources that are told.
const TOP: usize = 10;

/// Sources of queries.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// How many different ones, within 3 %.
    pub distinct: u64,
    /// The heaviest addresses.
    pub addresses: Vec<Heavy>,
    /// The heaviest networks: /24 and /56.
    pub networks: Vec<Heavy>,
    /// By how much a count of them may be too high, with a probability of 98 %.
    pub error: u64,
    /// Queries of all of them.
    pub queries: u64,
}

/// A second of an engine's own clock, or longer where the loader was held up.
#[derive(Clone)]
pub struct Second {
    /// How long it was.
    pub elapsed: Duration,
    /// Different sources of queries.
    pub sources: Distinct,
    /// Different names in questions.
    pub names: Distinct,
    /// Sources that may be among the heaviest.
    pub candidates: BTreeSet<ServerKey>,
    /// Queries by source address.
    pub addresses: Counts,
    /// Queries by source prefix.
    pub prefixes: Counts,
    /// Of the hashes; to look sources up in the counts.
    pub secret: u64,
}

impl Second {
    /// Whether nothing was counted in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
            && self.prefixes.is_empty()
            && self.candidates.is_empty()
            && self.sources.is_empty()
            && self.names.is_empty()
    }

    /// Who asked.
    #[must_use]
    pub fn sources(&self) -> Sources {
        let counts = [&self.addresses, &self.prefixes];
        sources(&self.sources, &self.candidates, counts, self.secret)
    }

    /// One in which nothing was counted.
    #[must_use]
    pub fn empty(elapsed: Duration, secret: u64) -> Self {
        Self {
            elapsed,
            sources: Distinct::default(),
            names: Distinct::default(),
            candidates: BTreeSet::new(),
            addresses: Counts::default(),
            prefixes: Counts::default(),
            secret,
        }
    }

    /// Adds the one that follows.
    pub fn add(&mut self, next: &Self) {
        self.elapsed += next.elapsed;
        self.sources.merge(&next.sources);
        self.names.merge(&next.names);
        self.candidates.extend(&next.candidates);
        self.addresses.merge(&next.addresses);
        self.prefixes.merge(&next.prefixes);
    }
}

/// Any number of seconds.
#[derive(Clone, Default)]
pub struct Seconds {
    /// How long they were together.
    pub elapsed: Duration,
    sources: Distinct,
    names: Distinct,
    candidates: BTreeSet<ServerKey>,
    addresses: Counts,
    prefixes: Counts,
    secret: u64,
}

impl Seconds {
    /// Adds one.
    pub fn add(&mut self, second: &Second) {
        self.elapsed += second.elapsed;
        self.addresses.merge(&second.addresses);
        self.prefixes.merge(&second.prefixes);
        self.secret = second.secret;
        self.sources.merge(&second.sources);
        self.names.merge(&second.names);
        self.candidates.extend(&second.candidates);
        if self.candidates.len() > 2 * CANDIDATES {
            self.drop_the_lightest();
        }
    }

    fn drop_the_lightest(&mut self) {
        let hosts = self.candidates.iter().copied().map(Prefix::host).collect();
        let top = self.addresses.top(&hosts, CANDIDATES, self.secret);
        self.candidates = top.iter().map(|heavy| heavy.source.address).collect();
    }

    /// Who asked.
    #[must_use]
    pub fn sources(&self) -> Sources {
        let counts = [&self.addresses, &self.prefixes];
        sources(&self.sources, &self.candidates, counts, self.secret)
    }

    /// Different names in questions.
    #[must_use]
    pub fn names(&self) -> u64 {
        self.names.estimate()
    }
}

fn sources(
    distinct: &Distinct,
    candidates: &BTreeSet<ServerKey>,
    [addresses, prefixes]: [&Counts; 2],
    secret: u64,
) -> Sources {
    let candidates = candidates.iter().copied();
    let networks = candidates.clone().map(Prefix::network).collect();
    let hosts = candidates.map(Prefix::host).collect();
    Sources {
        distinct: distinct.estimate(),
        error: addresses.error(),
        queries: addresses.total(),
        addresses: addresses.top(&hosts, TOP, secret),
        networks: prefixes.top(&networks, TOP, secret),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::address::key;

    const SECRET: u64 = 7;

    /// Who asked how often.
    fn second(queries: &[([u8; 4], u32)]) -> Second {
        let (mut addresses, mut prefixes) = (Counts::default(), Counts::default());
        let mut candidates = BTreeSet::new();
        for (address, count) in queries {
            let address = key((*address).into());
            addresses.count(Prefix::host(address), *count, SECRET);
            prefixes.count(Prefix::network(address), *count, SECRET);
            candidates.insert(address);
        }
        Second {
            elapsed: Duration::from_secs(1),
            sources: Distinct::default(),
            names: Distinct::default(),
            candidates,
            addresses,
            prefixes,
            secret: SECRET,
        }
    }

    #[test]
    fn the_heaviest_of_a_sum_may_be_of_any_of_its_seconds() {
        let mut seconds = Seconds::default();
        seconds.add(&second(&[([192, 0, 2, 1], 900)]));
        for _ in 2..60 {
            seconds.add(&second(&[([192, 0, 2, 2], 5)]));
        }
        let sources = seconds.sources();
        assert_eq!(sources.queries, 900 + 58 * 5);
        let heaviest = sources.addresses[0];
        assert_eq!(heaviest.source.address, key([192, 0, 2, 1].into()));
        assert_eq!(heaviest.at_most, 900);
        assert_eq!(sources.networks[0].at_most, 900 + 58 * 5);
        assert_eq!(seconds.elapsed, Duration::from_secs(59));
    }

    #[test]
    fn candidates_are_bounded_and_the_heaviest_stay() {
        let mut seconds = Seconds::default();
        seconds.add(&second(&[([192, 0, 2, 1], 5_000)]));
        for number in 0..40_u16 {
            let [high, low] = number.to_be_bytes();
            let many: Vec<_> = (0..1_000_u16)
                .map(|n| {
                    let [a, b] = n.to_be_bytes();
                    ([10 + high, low, a, b], 1)
                })
                .collect();
            seconds.add(&second(&many));
        }
        assert!(seconds.candidates.len() <= 2 * CANDIDATES);
        assert_eq!(seconds.sources().addresses[0].at_most / 100, 50);
    }
}
