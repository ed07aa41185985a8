//! Bounds-checked access to the bytes of one packet.

/// A cursor into a packet. Copies are independent.
pub trait Packet: Copy {
    /// The `N` bytes from the cursor on, or `None` where the packet ends before.
    fn bytes<const N: usize>(&self) -> Option<&[u8; N]>;

    /// The byte under the cursor. Cheaper for the verifier than [`Packet::bytes`] in a loop, and
    /// refused by it at the very first byte of a packet.
    fn byte(&self) -> Option<u8>;

    /// The cursor `n` bytes further. It may lie past the end; the next read then fails.
    #[must_use]
    fn skip(self, n: usize) -> Self;

    /// The cursor behind a label: a byte that holds its length, and so many bytes.
    #[must_use]
    fn skip_label(self, length: u8) -> Self {
        self.skip(1 + usize::from(length))
    }

    /// The `N` bytes before the cursor, or `None` where the packet has none there.
    fn before<const N: usize>(&self) -> Option<&[u8; N]>;

    /// Bytes from the beginning of the packet to the cursor.
    fn offset(&self) -> usize;

    /// Whether the packet really ends where reads begin to fail. In the kernel it may go on outside
    /// the memory that is read directly. Asked only where an end was met.
    fn is_whole(&self) -> bool {
        true
    }

    /// Bytes from `start`, an earlier cursor of the same packet and less than 65,536 before. The kernel's
    /// verifier knows nothing of it: where a loop can end at many places, it would otherwise follow the
    /// rest of the program once for each.
    fn since(self, start: Self) -> usize;

    /// The same number, of which the verifier knows nothing any more: where one of few values decides what is done
    /// later, it would otherwise follow all that lies between once for each.
    #[inline(always)]
    fn forget(self, n: u16) -> u16 {
        n.wrapping_add(self.skip(0).since(self) as u16)
    }

    /// The same bytes, to be read once more: what was compared with a constant the verifier would otherwise know, and
    /// follow all that comes after once for each outcome.
    #[inline(always)]
    #[must_use]
    fn anew<const N: usize>(bytes: &[u8; N]) -> &[u8; N] {
        bytes
    }
}

/// A packet in ordinary memory.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    /// A cursor at the first byte.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl Packet for Bytes<'_> {
    fn bytes<const N: usize>(&self) -> Option<&[u8; N]> {
        self.bytes.get(self.at..)?.first_chunk()
    }

    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip(self, n: usize) -> Self {
        Self {
            at: self.at.saturating_add(n),
            ..self
        }
    }

    fn before<const N: usize>(&self) -> Option<&[u8; N]> {
        self.bytes
            .get(self.at.checked_sub(N)?..self.at)?
            .first_chunk()
    }

    fn offset(&self) -> usize {
        self.at
    }

    fn since(self, start: Self) -> usize {
        self.at.saturating_sub(start.at)
    }
}

/// Reads a number from a slice whose length the caller chose, so that it compiles to one load:
/// lists of single bytes do not.
macro_rules! load {
    ($type:ty, $bytes:expr, $at:expr) => {{
        let mut word = [0; size_of::<$type>()];
        word.copy_from_slice(&$bytes[$at..$at + size_of::<$type>()]);
        <$type>::from_ne_bytes(word)
    }};
}

/// Two bytes at `at`, as they lie in memory: for comparing with a constant in network order.
#[inline(always)]
#[must_use]
pub fn raw16<const N: usize>(bytes: &[u8; N], at: usize) -> u16 {
    load!(u16, bytes, at)
}

/// A big-endian number of two bytes at `at`.
#[inline(always)]
#[must_use]
pub fn be16<const N: usize>(bytes: &[u8; N], at: usize) -> u16 {
    u16::from_be(raw16(bytes, at))
}

/// Four bytes at `at`, as they lie in memory.
#[inline(always)]
#[must_use]
pub fn raw32<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    load!(u32, bytes, at)
}

/// Eight bytes at `at`, as they lie in memory.
#[inline(always)]
#[must_use]
pub fn raw64<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    load!(u64, bytes, at)
}
