//! Of which packets a sample is taken.
//!
//! By transaction: the choice goes by the client's address and port and the id alone, so that a query, its
//! copies, its answers, from wherever they come, and the ICMP errors about them are all sampled or none is.

use sensor_common::class::SampleKind;
use sensor_common::shard::Sampling;

/// Odd, with no structure.
const FACTOR: u64 = 0x9fb2_1c65_1e98_df25;
/// Bits of [`Wanted`] below the hash.
const KIND_BITS: u32 = 3;
const KIND: u64 = (1 << KIND_BITS) - 1;

/// Whether a sample of a packet is wanted, and as what: 0 where none is, else the hash of its transaction with one
/// more than its kind in the lowest bits. A word and not an enum, for the verifier's sake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted(pub u64);

impl Wanted {
    /// No sample.
    pub const NOTHING: Self = Self(0);

    #[inline(always)]
    fn new(kind: SampleKind, hash: u64) -> Self {
        Self(hash & !KIND | (kind as u64 + 1))
    }

    /// Whether no sample is wanted.
    #[inline(always)]
    #[must_use]
    pub fn is_nothing(self) -> bool {
        self.0 == 0
    }

    /// Index of the [`SampleKind`], where there is one.
    #[inline(always)]
    #[must_use]
    pub fn kind(self) -> u32 {
        (self.0 & KIND) as u32 - 1
    }

    /// Hash of the transaction; 0 where its id is not known.
    #[inline(always)]
    #[must_use]
    pub fn hash(self) -> u64 {
        self.0 & !KIND
    }
}

/// Hash by which a transaction is chosen, from the hash of the client's address. Only its upper bits are good.
#[inline(always)]
#[must_use]
pub fn hash(client: u64, port: u16, id: u16) -> u64 {
    (client ^ (u64::from(port) << 16 | u64::from(id))).wrapping_mul(FACTOR)
}

/// Whether a transaction is sampled under a mask.
#[inline(always)]
#[must_use]
pub fn passes(hash: u64, mask: u64) -> bool {
    hash & mask == 0
}

/// A packet of a transaction.
#[inline(always)]
pub fn of_transaction(sampling: &mut Sampling, hash: u64, mask: u64) -> Wanted {
    if passes(hash, mask) {
        by_token(sampling, SampleKind::Transaction, hash)
    } else {
        Wanted::NOTHING
    }
}

/// A packet of which the transaction is not known, or one that was chosen.
#[inline(always)]
pub fn by_token(sampling: &mut Sampling, kind: SampleKind, hash: u64) -> Wanted {
    let tokens = &mut sampling.tokens[kind.index()];
    if *tokens == 0 {
        sampling.capped[kind.index()] += 1;
        return Wanted::NOTHING;
    }
    *tokens -= 1;
    Wanted::new(kind, hash)
}

const _: () = assert!(sensor_common::class::SAMPLE_KINDS <= KIND as usize);
