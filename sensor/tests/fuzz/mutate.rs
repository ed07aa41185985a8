//! Inputs that are made of others: bits and lengths changed, parts cut out, doubled, and put together.

use crate::random::Random;

/// Inputs are no longer.
const LONGEST: usize = 1 << 16;
/// Changes of one input, at most.
const CHANGES: u64 = 6;
/// Numbers at which programs count wrong.
const EDGES: [u32; 12] = [
    0,
    1,
    3,
    4,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    262_145,
    0x7fff_ffff,
    0xffff_ffff,
];

/// See the module.
pub struct Mutator {
    corpus: Vec<Vec<u8>>,
    random: Random,
    input: Vec<u8>,
}

impl Mutator {
    pub fn new(corpus: Vec<Vec<u8>>, random: Random) -> Self {
        Self {
            corpus,
            random,
            input: Vec::new(),
        }
    }

    /// The next input.
    pub fn next(&mut self) -> &[u8] {
        let at = self.random.below(self.corpus.len());
        self.input.clone_from(&self.corpus[at]);
        for _ in 0..=self.random.within(0..CHANGES) {
            self.change();
        }
        self.input.truncate(LONGEST);
        &self.input
    }

    fn change(&mut self) {
        let random = &mut self.random;
        let input = &mut self.input;
        let length = input.len();
        let at = random.below(length);
        match random.below(9) {
            _ if length == 0 => input.push(random.next() as u8),
            0 => input[at] ^= 1 << random.below(8),
            1 => input[at] = random.next() as u8,
            2 => {
                // A length, or another number, in either order of bytes.
                let edge = EDGES[random.below(EDGES.len())];
                let bytes = if random.chance(0.5) {
                    edge.to_le_bytes()
                } else {
                    edge.to_be_bytes()
                };
                let width = [1, 2, 4][random.below(3)];
                for (byte, new) in input[at..].iter_mut().zip(&bytes[..width]) {
                    *byte = *new;
                }
            }
            3 => {
                // A number that is a little more or less.
                let by = random.within(0..9) as u8;
                input[at] = input[at].wrapping_add(by).wrapping_sub(4);
            }
            4 => input.truncate(at),
            5 => {
                let end = (at + 1 + random.below(32)).min(length);
                input.drain(at..end);
            }
            6 => {
                let end = (at + 1 + random.below(64)).min(length);
                let part = input[at..end].to_vec();
                let to = random.below(length);
                input.splice(to..to, part);
            }
            7 => {
                let bytes: Vec<u8> = (0..=random.below(16))
                    .map(|_| random.next() as u8)
                    .collect();
                input.splice(at..at, bytes);
            }
            _ => {
                let other = random.below(self.corpus.len());
                let other = &self.corpus[other];
                let from = random.below(other.len());
                let to = (from + 1 + random.below(512)).min(other.len());
                let part = other[from.min(to)..to].to_vec();
                let end = (at + part.len()).min(length);
                let replace = if random.chance(0.5) { end } else { at };
                input.splice(at..replace, part);
            }
        }
    }
}
