//! What a query adds to the sketches.

use sensor_common::sketch::{
    BANKS, Bank, CANDIDATES, COLUMN_BITS, COLUMNS, Candidate, CountMin, REGISTERS, ROWS, Registers,
    Sketches,
};

use crate::address::Address;
use crate::hash::mix;

/// Bits of a hash that choose a register.
const REGISTER_BITS: u32 = REGISTERS.trailing_zeros();
/// Counts that halve the chance of decay.
const DECAY: u32 = 8;

/// What differs from packet to packet.
#[derive(Clone, Copy)]
pub struct Random {
    /// Hash of the transaction.
    pub transaction: u64,
    /// Number of the query.
    pub number: u64,
}

/// Adds the source of a query. `hash` is the source's own, and `is_flood` says that there are too many
/// for each to be looked at closely.
#[inline(always)]
pub fn add_source<A: Address>(
    sketches: &mut Sketches,
    bank: u32,
    source: A,
    hash: u64,
    secret: u64,
    packet: Random,
    is_flood: bool,
) {
    count(&mut sketches.addresses, hash);
    count(&mut sketches.prefixes, source.prefix_hash(secret));
    if let Some(bank) = bank_of(sketches, bank) {
        register(&mut bank.sources, hash);
        // In a flood one packet in four will do: the heavy ones come again. Every fourth and not one at
        // random, which the processor could not predict.
        if is_flood && !packet.number.is_multiple_of(4) {
            return;
        }
        // Another for each packet, also where a packet is repeated as it is.
        let random = mix(packet.transaction, packet.number);
        let tag = (hash >> 32) as u32 | 1;
        for (row, candidates) in bank.candidates.iter_mut().enumerate() {
            let place = (hash >> (COLUMN_BITS * row as u32)) as usize & (CANDIDATES - 1);
            challenge(&mut candidates[place], source, tag, random >> (24 * row));
        }
    }
}

/// Adds the name of a question, by its hash.
#[inline(always)]
pub fn add_name(sketches: &mut Sketches, bank: u32, hash: u64) {
    if let Some(bank) = bank_of(sketches, bank) {
        register(&mut bank.names, hash);
    }
}

#[inline(always)]
fn bank_of(sketches: &mut Sketches, bank: u32) -> Option<&mut Bank> {
    let bank = bank as usize;
    if bank < BANKS {
        sketches.banks.get_mut(bank)
    } else {
        None
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
