//! From queries and responses to outcomes.
//!
//! Each followed transaction has one cell of a direct-mapped table: bits 0 to 31 the time of the query
//! in units of 1,024 ns, 32 to 36 the shift under which it was followed, 37 whether it has ended, 38
//! to 63 a tag. A live cell is never taken by another transaction, so a flood can fill the table with
//! nothing but a sample of itself: what finds its cell taken is not followed and counts as such.
//!
//! Two CPUs may meet on a cell; a query and its response are microseconds apart, and what can go wrong
//! is one transaction counted twice or not at all.

use sensor_common::latency::UNIT_BITS;
use sensor_common::shard::Following;
use sensor_common::transactions::{
    BUDGET, CELLS, LIFE, MAX_SHIFT, RING, TUPLE_TICKS, TUPLES, lowest,
};

use crate::hash::{fold, mix};
use crate::store::Shared;

/// A second, in units of 1,024 ns.
const DISORDER: u32 = (1_000_000_000_u64 >> UNIT_BITS) as u32;
const ENDED: u64 = 1 << 37;
const TAG: u32 = 38;

/// What became of a followed transaction: bits 0 to 31 its latency in units, 32 to 36 its shift, 40 to
/// 43 the slot of its query in the ring, 48 to 51 the kind. 0 where there is nothing to count. A word
/// and not an enum, for the verifier's sake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event(u64);

/// Kinds of [`Event`].
pub mod kind {
    /// A query was sent.
    pub const SENT: u64 = 1;
    /// It was answered in time.
    pub const ANSWERED: u64 = 2;
    /// It was answered after the time-out.
    pub const LATE: u64 = 3;
    /// An ICMP error ended it in time.
    pub const ERRORED: u64 = 4;
    /// It was sent again.
    pub const RETRANSMITTED: u64 = 5;
    /// It was answered again.
    pub const DUPLICATE: u64 = 6;
    /// A response to no query.
    pub const UNMATCHED: u64 = 7;
    /// The cell is another's, so the query is not followed.
    pub const UNTRACKED: u64 = 8;
    /// The cell is another's, so the response tells nothing.
    pub const OBSCURED: u64 = 9;
}

impl Event {
    /// Nothing to count.
    pub const NOTHING: Self = Self(0);

    #[inline(always)]
    fn new(kind: u64, shift: u32) -> Self {
        Self(kind << 48 | u64::from(shift & 31) << 32)
    }

    #[inline(always)]
    fn of_cell(kind: u64, cell: u64, units: u32, table: &impl Shared) -> Self {
        let slot = u64::from((cell as u32) >> (table.tick_bits() & 31)) & (RING as u64 - 1);
        Self(kind << 48 | slot << 40 | (cell >> 32 & 31) << 32 | u64::from(units))
    }

    /// See the type.
    #[inline(always)]
    #[must_use]
    pub fn is_nothing(self) -> bool {
        self.0 == 0
    }

    /// One of [`kind`].
    #[inline(always)]
    #[must_use]
    pub fn kind(self) -> u64 {
        self.0 >> 48 & 15
    }

    /// Whether a response ended it, in time or not.
    #[inline(always)]
    #[must_use]
    pub fn is_answer(self) -> bool {
        matches!(self.kind(), kind::ANSWERED | kind::LATE)
    }

    /// How many transactions this one stands for.
    #[inline(always)]
    #[must_use]
    pub fn weight(self) -> u64 {
        1 << (self.0 >> 32 & 31)
    }

    /// Slot of the ring for the tick of the query.
    #[inline(always)]
    #[must_use]
    pub fn slot(self) -> usize {
        (self.0 >> 40) as usize & (RING - 1)
    }

    /// From the query to its end, in units of 1,024 ns.
    #[inline(always)]
    #[must_use]
    pub fn units(self) -> u32 {
        self.0 as u32
    }
}

/// Hash of client, server and the client's port. Symmetric: the caller tells client and server apart by
/// the QR bit.
#[inline(always)]
#[must_use]
pub fn tuple(client: u64, server: u64, port: u16) -> u64 {
    mix(client.wrapping_add(server >> 7), u64::from(port))
}

/// Hash of a whole transaction: of the [`crate::sampling::hash`] of its client, port and id, and of its server.
#[inline(always)]
#[must_use]
pub fn transaction(question: u64, server: u64) -> u64 {
    fold(mix(question, server))
}

/// Whether a transaction is one of those that are followed under a mask.
#[inline(always)]
#[must_use]
pub fn passes(hash: u64, mask: u64) -> bool {
    hash & mask == 0
}

#[inline(always)]
fn place(hash: u64) -> usize {
    (hash >> MAX_SHIFT) as usize & (CELLS - 1)
}

#[inline(always)]
fn age(cell: u64, now: u32) -> u32 {
    let age = now.wrapping_sub(cell as u32);
    // Clocks of two CPUs, or of two stampers of a capture, may differ a little.
    if age > u32::MAX - DISORDER { 0 } else { age }
}

#[inline(always)]
fn units(nanoseconds: u64) -> u32 {
    (nanoseconds >> UNIT_BITS) as u32
}

/// Whether the query of a response, or the one that an ICMP error quotes, may have been followed.
#[inline(always)]
pub fn may_have_followed<S: Shared>(table: &S, hash: u64) -> bool {
    passes(hash, table.match_mask())
}

/// A query that is followed.
#[inline(always)]
pub fn begin<S: Shared>(table: &mut S, following: &mut Following, hash: u64) -> Event {
    let shift = table.shift();
    // Before anything else, so that a flood of one query over and over has its price too.
    if following.budget == 0 {
        if shift < MAX_SHIFT {
            table.raise(shift + 1);
            following.raised += 1;
        }
        following.budget = BUDGET;
    }
    following.budget -= 1;
    let now = units(table.now());
    let cell = table.cell(place(hash));
    let live = cell != 0 && age(cell, now) < LIFE;
    if live && cell & ENDED == 0 {
        if cell >> TAG == hash >> TAG {
            return Event::of_cell(kind::RETRANSMITTED, cell, 0, table);
        }
        // After its time-out the other has been counted as unanswered; nothing is lost but that it may
        // yet be answered late.
        if age(cell, now) < table.timeout() {
            return Event::new(kind::UNTRACKED, shift);
        }
    }
    following.followed += 1;
    let cell = hash >> TAG << TAG | u64::from(shift & 31) << 32 | u64::from(now);
    table.set_cell(place(hash), cell);
    Event::of_cell(kind::SENT, cell, 0, table)
}

/// A response: ends its transaction, if that was followed.
///
/// Reads the clock only where there is an open transaction to end, or another in its place: a flood of
/// responses to nobody finds empty cells.
#[inline(always)]
pub fn end<S: Shared>(table: &mut S, hash: u64) -> Event {
    let cell = table.cell(place(hash));
    if cell != 0 && cell >> TAG == hash >> TAG {
        if cell & ENDED != 0 {
            return Event::of_cell(kind::DUPLICATE, cell, 0, table);
        }
        let age = age(cell, units(table.now()));
        if age < LIFE {
            table.set_cell(place(hash), cell | ENDED);
            let kind = if age < table.timeout() {
                kind::ANSWERED
            } else {
                kind::LATE
            };
            return Event::of_cell(kind, cell, age, table);
        }
    }
    let shift = table.unmatched_shift();
    if shift > MAX_SHIFT || !passes(hash, lowest(shift)) {
        return Event::NOTHING;
    }
    if cell != 0 {
        if age(cell, units(table.now())) < LIFE {
            return Event::new(kind::OBSCURED, shift);
        }
        table.set_cell(place(hash), 0);
    }
    Event::new(kind::UNMATCHED, shift)
}

/// An ICMP error that quotes a query with its id: ends its transaction, if that was followed.
#[inline(always)]
pub fn error<S: Shared>(table: &mut S, hash: u64) -> Event {
    let cell = table.cell(place(hash));
    if cell == 0 || cell & ENDED != 0 || cell >> TAG != hash >> TAG {
        return Event::NOTHING;
    }
    let age = age(cell, units(table.now()));
    if age >= table.timeout() {
        return Event::NOTHING;
    }
    table.set_cell(place(hash), cell | ENDED);
    Event::of_cell(kind::ERRORED, cell, age, table)
}

/// Bits of a remembered tuple that hold the tick.
const TICK_BITS: u32 = 12;
const TICK_MASK: u32 = (1 << TICK_BITS) - 1;

#[inline(always)]
fn tuple_place(tuple: u64) -> usize {
    tuple as usize & (TUPLES - 1)
}

#[inline(always)]
fn tuple_cell(tuple: u64, tick: u32) -> u32 {
    (tuple >> 32) as u32 & !TICK_MASK | tick & TICK_MASK
}

/// Remembers who asked whom from which port, whether the query is followed or not.
#[inline(always)]
pub fn remember<S: Shared>(table: &mut S, tuple: u64) {
    table.set_tuple(tuple_place(tuple), tuple_cell(tuple, table.tick()));
}

/// Whether such a query was seen in the last 10 s.
#[inline(always)]
pub fn is_recent<S: Shared>(table: &S, tuple: u64) -> bool {
    let difference = table.tuple(tuple_place(tuple)) ^ tuple_cell(tuple, 0);
    let age = table.tick().wrapping_sub(difference) & TICK_MASK;
    difference & !TICK_MASK == 0 && age <= TUPLE_TICKS
}
