//! Sixteen bytes at a time: where the plain part of a string ends.
//!
//! Half of a token's bytes stand inside of strings, and most strings are shorter than two of these blocks. A block is one
//! register of SSE2 or NEON, which every x86-64 and aarch64 processor has, so nothing has to be detected; the `wide` crate has
//! safe functions for them, and plain Rust for other processors.

use wide::u8x16;

/// Bytes of a block.
pub(crate) const WIDTH: usize = 16;

/// A block of text: its bytes, and the same as two words in little-endian order.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    bytes: u8x16,
    words: [u64; 2],
}

impl Block {
    /// The block at an offset; behind the end of the text it is filled with zeros.
    #[inline(always)]
    pub(crate) fn at(bytes: &[u8], offset: usize) -> Self {
        match bytes
            .get(offset..)
            .and_then(|rest| rest.first_chunk::<WIDTH>())
        {
            Some(chunk) => Self::new(chunk),
            None => Self::last(bytes, offset),
        }
    }

    #[inline(always)]
    fn new(chunk: &[u8; WIDTH]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *chunk;
        Self {
            bytes: u8x16::new(*chunk),
            words: [
                u64::from_le_bytes([a, b, c, d, e, f, g, h]),
                u64::from_le_bytes([i, j, k, l, m, n, o, p]),
            ],
        }
    }

    #[cold]
    fn last(bytes: &[u8], offset: usize) -> Self {
        let mut chunk = [0; WIDTH];
        if let Some(rest) = bytes.get(offset..) {
            chunk[..rest.len()].copy_from_slice(rest);
        }
        Self::new(&chunk)
    }

    /// The first `length` bytes as words, the others zero.
    #[inline(always)]
    pub(crate) fn first(self, length: usize) -> [u64; 2] {
        let [low, high] = MASKS[length.min(WIDTH)];
        [self.words[0] & low, self.words[1] & high]
    }

    /// How many bytes stand before the first quotation mark, backslash or control character: 16 if there is none.
    #[inline(always)]
    pub(crate) fn plain(self) -> usize {
        let block = self.bytes;
        let quotation = block.simd_eq(u8x16::splat(b'"'));
        let backslash = block.simd_eq(u8x16::splat(b'\\'));
        // at most 0x1f: the smaller of both is the byte itself
        let control = block.min(u8x16::splat(0x1f)).simd_eq(block);
        let found = (quotation | backslash | control).to_bitmask();
        (found | 1 << WIDTH).trailing_zeros() as usize
    }
}

/// The words that keep the first 0, 1, .. 16 bytes.
static MASKS: [[u64; 2]; WIDTH + 1] = {
    let mut masks = [[0; 2]; WIDTH + 1];
    let mut length = 0;
    while length <= WIDTH {
        let keep = if length == WIDTH {
            u128::MAX
        } else {
            (1 << (8 * length)) - 1
        };
        masks[length] = [keep as u64, (keep >> 64) as u64];
        length += 1;
    }
    masks
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..WIDTH {
                for filler in [b'a', 0x80, 0xff, b' ', b'!', b'#', b'[', b']'] {
                    let mut chunk = [filler; WIDTH];
                    chunk[place] = byte;
                    let block = Block::new(&chunk);
                    let special = byte < 0x20 || byte == b'"' || byte == b'\\';
                    let expected = if special { place } else { WIDTH };
                    assert_eq!(block.plain(), expected, "{byte:#x} at {place}");
                }
            }
        }
    }

    #[test]
    fn first_bytes() {
        let block = Block::at(b"abcdefghijklmnopqrs", 1);
        for length in 0..=WIDTH {
            let [low, high] = block.first(length);
            let mut bytes = [low.to_le_bytes(), high.to_le_bytes()].concat();
            assert_eq!(&bytes[..length], &b"bcdefghijklmnopq"[..length]);
            assert!(bytes.drain(length..).all(|byte| byte == 0));
        }
        assert_eq!(Block::at(b"abc", 1).first(16), Block::at(b"bc", 0).first(2));
        assert_eq!(Block::at(b"abc", 7).first(16), [0, 0]);
    }
}
