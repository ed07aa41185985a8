//! What a query adds to the sketches.

use sensor_common::sketch::{
    BANKS, CANDIDATES, COLUMN_BITS, COLUMNS, Candidate, CountMin, REGISTERS, ROWS, Registers,
    Sketches,
};

use crate::address::Address;
use crate::hash::mix;

/// Bits of a hash that choose a register.
const REGISTER_BITS: u32 = REGISTERS.trailing_zeros();
/// Counts that halve the chance of decay.
const DECAY: u32 = 8;

/// A query as the sketches see it.
#[derive(Clone, Copy)]
pub struct Source<A> {
    /// Who asks.
    pub address: A,
    /// Hash of the address.
    pub hash: u64,
    /// Hash of its network.
    pub prefix_hash: u64,
    /// Hash of the name that is asked for; 0 where there is none.
    pub name: u64,
    /// Hash of the transaction.
    pub transaction: u64,
    /// Number of the query.
    pub number: u64,
    /// There are too many for each to be looked at closely.
    pub is_flood: bool,
}

/// Adds a query.
#[inline(always)]
pub fn add<A: Address>(sketches: &mut Sketches, bank: u32, source: Source<A>) {
    count(&mut sketches.addresses, source.hash);
    count(&mut sketches.prefixes, source.prefix_hash);
    let bank = bank as usize;
    if bank >= BANKS {
        return;
    }
    let bank = &mut sketches.banks[bank];
    register(&mut bank.sources, source.hash);
    if source.name != 0 {
        register(&mut bank.names, source.name);
    }
    // In a flood one packet in four will do: the heavy ones come again. Every fourth and not one at
    // random, which the processor could not predict.
    if source.is_flood && !source.number.is_multiple_of(4) {
        return;
    }
    // Another for each packet, also where a packet is repeated as it is.
    let random = mix(source.transaction, source.number);
    let tag = (source.hash >> 32) as u32 | 1;
    for (row, candidates) in bank.candidates.iter_mut().enumerate() {
        let place = (source.hash >> (COLUMN_BITS * row as u32)) as usize & (CANDIDATES - 1);
        challenge(
            &mut candidates[place],
            source.address,
            tag,
            random >> (24 * row),
        );
    }
}

#[inline(always)]
fn count(sketch: &mut CountMin, hash: u64) {
    for row in 0..ROWS {
        let column = (hash >> (COLUMN_BITS * row as u32)) as usize & (COLUMNS - 1);
        let counter = &mut sketch.columns[column][row];
        *counter = counter.wrapping_add(1);
    }
}

#[inline(always)]
fn register(registers: &mut Registers, hash: u64) {
    let place = (hash >> (64 - REGISTER_BITS)) as usize;
    let value = (hash >> (64 - REGISTER_BITS - 16)) as u16;
    if value > registers.highest[place] {
        registers.highest[place] = value;
    }
}

#[inline(always)]
fn challenge<A: Address>(place: &mut Candidate, source: A, tag: u32, random: u64) {
    if place.tag == tag {
        place.count += 1;
    } else if place.count == 0 {
        place.tag = tag;
        place.count = 1;
        place.key = source.key();
    } else {
        let halvings = (place.count / DECAY) & 31;
        if (random as u32) & ((1 << halvings) - 1) == 0 {
            place.count -= 1;
        }
    }
}
