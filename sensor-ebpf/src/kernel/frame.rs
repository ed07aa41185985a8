//! Packets as the kernel shows them to a program.

use core::arch::asm;

use sensor_common::settings::{SCRATCH_BYTES, SCRATCH_SLACK};
use sensor_ebpf::packet::Packet;

use super::context::Context;
use super::store::Maps;

/// A cursor into the part of a packet that can be read directly.
pub struct Linear<C> {
    at: *const u8,
    end: *const u8,
    context: *const C,
}

impl<C> Clone for Linear<C> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Linear<C> {}

impl<C: Context> Linear<C> {
    /// A cursor at the first byte.
    #[inline(always)]
    pub fn new(context: *const C) -> Self {
        Self {
            at: settled(C::data(context)),
            end: settled(C::data_end(context)),
            context,
        }
    }
}

/// Bytes of a packet that can be read directly.
#[inline(always)]
fn linear_length<C: Context>(context: *const C) -> usize {
    let (from, to) = (settled(C::data(context)), settled(C::data_end(context)));
    (to as usize).wrapping_sub(from as usize)
}

/// The same pointer, of which the compiler does not know how it was computed. It may otherwise
/// compute it twice, check one and read through the other, or compare only its lower half: the
/// verifier refuses both.
#[inline(always)]
fn settled(mut pointer: *const u8) -> *const u8 {
    // SAFETY: moves a register to itself; an instruction, or line information would have a gap.
    unsafe { asm!("{0} = {0}", inout(reg) pointer, options(pure, nomem, nostack)) };
    pointer
}

/// The same of a number: a difference stays one, where the compiler would rather subtract a pointer from a number.
#[inline(always)]
fn settled_number(mut number: usize) -> usize {
    // SAFETY: as above.
    unsafe { asm!("{0} = {0}", inout(reg) number, options(pure, nomem, nostack)) };
    number
}

/// A pointer so many bytes further, settled too.
#[inline(always)]
fn advanced(mut pointer: *const u8, by: usize) -> *const u8 {
    // SAFETY: adds to a register.
    unsafe { asm!("{0} += {1}", inout(reg) pointer, in(reg) by, options(pure, nomem, nostack)) };
    pointer
}

impl<C: Context> Packet for Linear<C> {
    #[inline(always)]
    fn bytes<const N: usize>(&self) -> Option<&[u8; N]> {
        if self.at.wrapping_add(N) > self.end {
            return None;
        }
        // SAFETY: packet memory is never at address 0; telling so spares a check that the verifier
        // would have to follow.
        unsafe { core::hint::assert_unchecked(!self.at.is_null()) };
        // SAFETY: the verifier has seen the comparison above: `N` bytes lie before the end.
        Some(unsafe { &*self.at.cast() })
    }

    #[inline(always)]
    fn byte(&self) -> Option<u8> {
        if self.at >= self.end {
            return None;
        }
        // SAFETY: the byte lies before the end.
        Some(unsafe { *self.at })
    }

    #[inline(always)]
    fn skip(self, n: usize) -> Self {
        Self {
            at: settled(self.at.wrapping_add(n)),
            ..self
        }
    }

    #[inline(always)]
    fn skip_label(self, length: u8) -> Self {
        Self {
            at: advanced(self.at.wrapping_add(1), usize::from(length)),
            ..self
        }
    }

    #[inline(always)]
    fn before<const N: usize>(&self) -> Option<&[u8; N]> {
        // From the first byte again: the verifier takes no pointer that may lie before it.
        // And it takes none that may lie 65,535 bytes or more behind it.
        let at = self.offset().wrapping_sub(N) & 0x7fff;
        let from = settled(C::data(self.context).wrapping_add(at));
        if from.wrapping_add(N) > self.end {
            return None;
        }
        // SAFETY: as in `bytes`.
        unsafe { core::hint::assert_unchecked(!from.is_null()) };
        // SAFETY: the verifier has seen the comparison above.
        Some(unsafe { &*from.cast() })
    }

    #[inline(always)]
    fn offset(&self) -> usize {
        (self.at as usize).wrapping_sub(C::data(self.context) as usize)
    }

    #[inline(always)]
    fn is_whole(&self) -> bool {
        C::length(self.context) <= linear_length(self.context)
    }

    #[inline(always)]
    fn since(self, start: Self) -> usize {
        settled_number((self.at as usize).wrapping_sub(start.at as usize))
    }

    #[inline(always)]
    fn anew<const N: usize>(bytes: &[u8; N]) -> &[u8; N] {
        // SAFETY: the same pointer.
        unsafe { &*settled(bytes.as_ptr()).cast() }
    }
}

/// A cursor into the copied start of a packet.
#[derive(Clone, Copy)]
pub struct Scratch {
    bytes: *const u8,
    length: usize,
    at: usize,
}

impl Scratch {
    /// Copies the start of a packet of which only a part can be read directly. `None` if there is
    /// no more of it.
    #[inline(always)]
    pub fn copy<C: Context>(context: *const C, store: &mut Maps<C>) -> Option<Self> {
        let length = C::length(context);
        if length <= linear_length(context) {
            return None;
        }
        let bytes = store.scratch()?;
        let length = at_least_one(length.min(SCRATCH_BYTES));
        if C::load(context, bytes, length as u32) != 0 {
            return None;
        }
        Some(Self {
            bytes,
            length,
            at: 0,
        })
    }

    /// The `n` bytes from the cursor on, which the buffer has in any case, if the packet has them.
    #[inline(always)]
    fn here(&self, n: usize) -> Option<*const u8> {
        if self.at + n > self.length {
            return None;
        }
        // The verifier does not connect the comparison with the pointer, so it is given a bound that
        // the compiler cannot drop. It changes nothing: the length is at most the bound.
        let at = forget(self.at) & (SCRATCH_BYTES - 1);
        // SAFETY: `at` is within the buffer.
        Some(unsafe { self.bytes.add(at) })
    }
}

/// The same length, if it is 1 to [`SCRATCH_BYTES`]. That it is not 0 follows from a comparison of two
/// unknown numbers, of which verifiers before Linux 6.8 learn nothing; and what the compiler has concluded it
/// no longer checks.
#[inline(always)]
fn at_least_one(length: usize) -> usize {
    (forget(length.wrapping_sub(1)) & (SCRATCH_BYTES - 1)) + 1
}

/// The same number, if it is below 65,536, of which neither the compiler nor the verifier knows any
/// more than that: the verifier follows a number through memory only in whole, aligned words.
#[inline(always)]
fn forget(n: usize) -> usize {
    let mut word = 0_u64;
    let word = &raw mut word;
    // SAFETY: a local variable, and two aligned bytes inside it. The first store keeps the compiler
    // from giving the two bytes a word of their own.
    unsafe {
        word.write_volatile(0);
        let inside = word.cast::<u16>().add(1);
        inside.write_volatile(n as u16);
        inside.read_volatile() as usize
    }
}

impl Packet for Scratch {
    #[inline(always)]
    fn bytes<const N: usize>(&self) -> Option<&[u8; N]> {
        const { assert!(N <= SCRATCH_SLACK) };
        // SAFETY: the buffer has `SCRATCH_SLACK` bytes behind every place in it.
        self.here(N).map(|at| unsafe { &*at.cast() })
    }

    #[inline(always)]
    fn byte(&self) -> Option<u8> {
        // SAFETY: within the buffer.
        self.here(1).map(|at| unsafe { *at })
    }

    #[inline(always)]
    fn skip(self, n: usize) -> Self {
        Self {
            at: self.at.wrapping_add(n),
            ..self
        }
    }

    #[inline(always)]
    fn before<const N: usize>(&self) -> Option<&[u8; N]> {
        let before = Self {
            at: self.at.wrapping_sub(N),
            ..*self
        };
        // SAFETY: as in `bytes`.
        before.here(N).map(|at| unsafe { &*at.cast() })
    }

    #[inline(always)]
    fn offset(&self) -> usize {
        self.at
    }

    #[inline(always)]
    fn since(self, start: Self) -> usize {
        forget(self.at.wrapping_sub(start.at))
    }
}
