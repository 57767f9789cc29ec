//! Sixteen bytes at a time: where the plain part of a string ends.
//!
//! Half of a token's bytes stand inside of strings, and most strings are shorter than two of these blocks. A block is one
//! register of SSE2 or NEON, which every x86-64 and aarch64 processor has, so nothing has to be detected; the `wide` crate has
//! safe functions for them, and plain Rust for other processors.

use wide::u8x16;

/// Bytes of a block.
pub(crate) const WIDTH: usize = 16;

/// Whether a text holds neither control characters nor backslashes: then a string ends at the next quotation mark, whatever
/// stands before it. Most payloads are so.
pub(crate) fn is_simple(bytes: &[u8]) -> bool {
    let mut smallest = [u8x16::splat(b' '); 2];
    let mut backslashes = [u8x16::splat(0); 2];
    // four blocks at a time, in two chains that do not wait for each other
    let (fours, rest) = bytes.as_chunks::<{ 4 * WIDTH }>();
    let mut look = |chain: usize, block: [u8; WIDTH]| {
        let block = u8x16::new(block);
        smallest[chain] = smallest[chain].min(block);
        backslashes[chain] |= block.simd_eq(u8x16::splat(b'\\'));
    };
    for four in fours {
        let (blocks, _) = four.as_chunks::<WIDTH>();
        for (index, block) in blocks.iter().enumerate() {
            look(index % 2, *block);
        }
    }
    let (blocks, rest) = rest.as_chunks::<WIDTH>();
    for block in blocks {
        look(0, *block);
    }
    let plain = |byte: &u8| *byte >= b' ' && *byte != b'\\';
    smallest[0].min(smallest[1]) == u8x16::splat(b' ')
        && (backslashes[0] | backslashes[1]).to_bitmask() == 0
        && rest.iter().all(plain)
}

/// How many bytes from an offset on stand before the first quotation mark, backslash or control character: 16 if there is none
/// in the block, fewer at the end of the text.
#[inline(always)]
pub(crate) fn plain<const SIMPLE: bool>(bytes: &[u8], offset: usize) -> usize {
    match block(bytes, offset) {
        Some(block) => specials::<SIMPLE>(block).trailing_zeros() as usize,
        None => at_the_end(bytes, offset).0,
    }
}

/// The same, with what the plain bytes are: two words in little-endian order, zeros behind them.
#[inline(always)]
pub(crate) fn plain_words<const SIMPLE: bool>(bytes: &[u8], offset: usize) -> (usize, u64, u64) {
    match block(bytes, offset) {
        Some(block) => {
            let plain = specials::<SIMPLE>(block).trailing_zeros() as usize;
            let (low, high) = first(block, plain);
            (plain, low, high)
        }
        None => at_the_end(bytes, offset),
    }
}

#[inline(always)]
fn block(bytes: &[u8], offset: usize) -> Option<&[u8; WIDTH]> {
    bytes.get(offset..offset + WIDTH)?.first_chunk()
}

/// A block that the text does not fill: zeros, which end every string, stand behind it.
#[cold]
#[inline(never)]
fn at_the_end(bytes: &[u8], offset: usize) -> (usize, u64, u64) {
    let rest = bytes.get(offset..).unwrap_or_default();
    let block = match bytes.last_chunk() {
        // the last bytes of the text, of which some stand before the offset
        Some(last) => {
            let before = WIDTH - rest.len().min(WIDTH);
            let number = u128::from_le_bytes(*last).checked_shr(8 * before as u32);
            number.unwrap_or(0).to_le_bytes()
        }
        None => {
            let mut block = [0; WIDTH];
            block[..rest.len()].copy_from_slice(rest);
            block
        }
    };
    let plain = specials::<false>(&block).trailing_zeros() as usize;
    let (low, high) = first(&block, plain);
    (plain, low, high)
}

/// A bit for each byte that a string cannot hold as it is, and one behind the last. In a simple text that is a quotation mark.
#[inline(always)]
fn specials<const SIMPLE: bool>(block: &[u8; WIDTH]) -> u32 {
    let block = u8x16::new(*block);
    let quotation = block.simd_eq(u8x16::splat(b'"'));
    if SIMPLE {
        return quotation.to_bitmask() | 1 << WIDTH;
    }
    let backslash = block.simd_eq(u8x16::splat(b'\\'));
    // at most 0x1f: the smaller of both is the byte itself
    let control = block.min(u8x16::splat(0x1f)).simd_eq(block);
    (quotation | backslash | control).to_bitmask() | 1 << WIDTH
}

/// The first bytes as words, zeros behind them.
#[inline(always)]
fn first(block: &[u8; WIDTH], length: usize) -> (u64, u64) {
    let number = u128::from_le_bytes(*block);
    let [low, high] = MASKS[length.min(WIDTH)];
    (number as u64 & low, (number >> 64) as u64 & high)
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
                    let mut chunk = [filler; WIDTH + 1];
                    chunk[place + 1] = byte;
                    let special = byte < 0x20 || byte == b'"' || byte == b'\\';
                    let expected = if special { place } else { WIDTH };
                    assert_eq!(plain::<false>(&chunk, 1), expected, "{byte:#x} at {place}");
                }
            }
        }
    }

    #[test]
    fn simple_texts() {
        for length in 0..50 {
            let text = vec![b'a'; length];
            assert!(is_simple(&text));
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = text.clone();
                    text[place] = byte;
                    let expected = byte >= b' ' && byte != b'\\';
                    assert_eq!(is_simple(&text), expected, "{byte} at {place} of {length}");
                }
            }
        }
    }

    #[test]
    fn first_bytes() {
        for length in 0..=WIDTH {
            let mut text = *b"abcdefghijklmnopqrs";
            text[length + 1] = b'"';
            let (plain, low, high) = plain_words::<false>(&text, 1);
            let bytes = [low.to_le_bytes(), high.to_le_bytes()].concat();
            assert_eq!(plain, length);
            assert_eq!(bytes[..length], b"bcdefghijklmnopq"[..length]);
            assert!(bytes[length..].iter().all(|byte| *byte == 0));
        }
        assert_eq!(plain_words::<true>(b"abc", 1).0, 2);
        for length in 0..3 * WIDTH {
            let text: Vec<u8> = (b'a'..).take(length).collect();
            for offset in length.saturating_sub(WIDTH - 1)..=length + 1 {
                let (plain, low, high) = plain_words::<true>(&text, offset);
                let rest = text.get(offset..).unwrap_or_default();
                let bytes = [low.to_le_bytes(), high.to_le_bytes()].concat();
                assert_eq!((plain, &bytes[..rest.len()]), (rest.len(), rest));
                assert!(bytes[rest.len()..].iter().all(|byte| *byte == 0));
            }
        }
        assert_eq!(plain::<true>(b"abc", 7), 0);
    }
}
