//! What the kernel's sketches say: distinct counts, and sources with their bounds.

use sensor_common::server::{FAMILY_V4, ServerKey};
use sensor_common::sketch::REGISTERS;
use sensor_ebpf::address::{Address, V4, V6};

/// A set of which only the size can be told: `HyperLogLog`, with the estimator of Ertl 2017 ("New
/// cardinality estimation algorithms for `HyperLogLog` sketches", algorithm 6), which needs no
/// correction for small or large sets. Standard error 0.8 %.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Distinct {
    /// Empty where nothing was seen.
    ranks: Box<[u8]>,
}

/// Ranks are the leading ones of 16 bits, plus one.
const HIGHEST_RANK: usize = 17;

impl Distinct {
    /// From the registers of all CPUs together.
    #[must_use]
    pub fn of(highest: &[u16]) -> Self {
        let mut distinct = Self::default();
        distinct.add_registers(highest);
        distinct
    }

    /// Adds registers.
    pub fn add_registers(&mut self, highest: &[u16]) {
        if highest.iter().all(|highest| *highest == 0) {
            return;
        }
        self.fill();
        for (ranks, highest) in self.ranks.chunks_mut(8).zip(highest.chunks(8)) {
            // Where little was seen most registers are 0.
            if highest == [0; 8] {
                continue;
            }
            for (rank, highest) in ranks.iter_mut().zip(highest) {
                if *highest != 0 {
                    *rank = (*rank).max(highest.leading_ones() as u8 + 1);
                }
            }
        }
    }

    fn fill(&mut self) {
        if self.ranks.is_empty() {
            self.ranks = vec![0; REGISTERS].into();
        }
    }

    /// Whether nothing was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    /// The union of any number.
    #[must_use]
    pub fn union<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        let mut union = Self::default();
        all.for_each(|one| union.merge(one));
        union
    }

    /// The union of both.
    pub fn merge(&mut self, other: &Self) {
        if other.ranks.is_empty() {
            return;
        }
        if self.ranks.is_empty() {
            self.ranks.clone_from(&other.ranks);
            return;
        }
        for (rank, other) in self.ranks.iter_mut().zip(&other.ranks) {
            *rank = (*rank).max(*other);
        }
    }

    /// How many different ones there were.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and far below 2^64"
    )]
    pub fn estimate(&self) -> u64 {
        let mut counts = [0_u32; HIGHEST_RANK + 1];
        let (chunks, rest) = self.ranks.as_chunks::<16>();
        for chunk in chunks {
            // Where little was seen most registers are 0.
            if u128::from_ne_bytes(*chunk) == 0 {
                counts[0] += 16;
                continue;
            }
            for rank in chunk {
                counts[usize::from(*rank).min(HIGHEST_RANK)] += 1;
            }
        }
        for rank in rest {
            counts[usize::from(*rank).min(HIGHEST_RANK)] += 1;
        }
        // Most unions are of nothing.
        if counts[0] as usize == self.ranks.len() {
            return 0;
        }
        let counts = counts.map(f64::from);
        #[expect(clippy::cast_precision_loss, reason = "16,384 is exact")]
        let registers = REGISTERS as f64;
        let mut z = registers * tau(1.0 - counts[HIGHEST_RANK] / registers);
        for count in counts[1..HIGHEST_RANK].iter().rev() {
            z = 0.5 * (z + count);
        }
        z += registers * sigma(counts[0] / registers);
        (registers * registers / (2.0 * std::f64::consts::LN_2 * z)).round() as u64
    }
}

/// For registers that saw nothing.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z.to_bits() == before.to_bits() {
            return z;
        }
    }
}

/// For registers that can rise no further.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z.to_bits() == before.to_bits() {
            return z / 3.0;
        }
    }
}

/// A network: an address, and how many of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// With zeros behind the prefix.
    pub address: ServerKey,
    /// 32 or 24 of IPv4, 128 or 56 of IPv6.
    pub bits: u8,
}

impl Prefix {
    /// One address.
    #[must_use]
    pub fn host(address: ServerKey) -> Self {
        let bits = if address.family == FAMILY_V4 { 32 } else { 128 };
        Self { address, bits }
    }

    /// The /24 of an IPv4 address, the /56 of an IPv6 address.
    #[must_use]
    pub fn network(mut address: ServerKey) -> Self {
        let bits = if address.family == FAMILY_V4 { 24 } else { 56 };
        address.address[usize::from(bits / 8)..].fill(0);
        Self { address, bits }
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, address: &ServerKey) -> bool {
        let whole = usize::from(self.bits / 8);
        let mask = !(0xff_u8.checked_shr(u32::from(self.bits % 8)).unwrap_or(0));
        let rest = |bytes: &[u8; 16]| bytes.get(whole).map_or(0, |byte| byte & mask);
        self.address.family == address.family
            && self.address.address[..whole] == address.address[..whole]
            && rest(&self.address.address) == rest(&address.address)
    }

    fn is_host(self) -> bool {
        self == Self::host(self.address)
    }

    pub(super) fn hash(self, secret: u64) -> u64 {
        fn of<A: Address>(address: A, is_host: bool, secret: u64) -> u64 {
            if is_host {
                address.hash(secret)
            } else {
                address.prefix_hash(secret)
            }
        }
        let bytes = &self.address.address;
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_ne_bytes(word)
        };
        let words = [word(0), word(8)];
        if self.address.family == FAMILY_V4 {
            of(V4::new(words), self.is_host(), secret)
        } else {
            of(V6::new(words), self.is_host(), secret)
        }
    }
}

/// How many queries a source sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heavy {
    /// Who.
    pub source: Prefix,
    /// No more than this, for certain.
    pub at_most: u64,
    /// No less than this, with a probability of 98 % (`e^-4` is 2 %).
    pub at_least: u64,
}
