//! Member names: compared as words, and found when they occur twice.
//!
//! A name is its length and its first sixteen bytes; the bytes behind them are looked at only where all of that is equal. Of an
//! object's names a filter of 256 bits tells for nearly all that they are new. Where it does not, they are compared one by one;
//! and an object of many members is sorted at its end, so that nothing takes quadratic time, whatever a sender makes up.

use std::borrow::Cow;

use crate::scanner::{Quoted, unescape};

/// The name of a member.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'a, 'n> {
    pub(crate) key: Key,
    source: &'a str,
    /// Where the name begins, behind its quotation mark.
    pub(crate) start: usize,
    /// What it says, if it is written with escapes.
    pub(crate) unescaped: Option<&'n str>,
}

/// What two names are compared by first: the first bytes as two words, zeros behind them.
///
/// Scalars, not an array: they stay in registers. An array was built in memory from words and copied in one piece, for which a
/// processor waits until the words have arrived there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    low: u64,
    high: u64,
    length: u32,
}

impl Key {
    /// Names up to this length are equal if their keys are.
    pub(crate) const COMPLETE: u32 = 16;

    pub(crate) fn of(text: &str) -> Self {
        let mut first = [0; 16];
        let length = text.len().min(first.len());
        first[..length].copy_from_slice(&text.as_bytes()[..length]);
        let number = u128::from_le_bytes(first);
        Self {
            low: number as u64,
            high: (number >> 64) as u64,
            length: text.len() as u32,
        }
    }

    /// Whether equal keys mean equal names.
    #[inline(always)]
    pub(crate) fn is_complete(self) -> bool {
        self.length <= Self::COMPLETE
    }

    /// Eight bits that depend on all of the key.
    #[inline(always)]
    pub(crate) fn digest(self) -> u8 {
        let mixed = self.low ^ self.high.rotate_left(29) ^ u64::from(self.length);
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
    }
}

impl<'a, 'n> Name<'a, 'n> {
    /// The name that stands in the source; `buffer` is for what it says if it has escapes.
    #[inline(always)]
    pub(crate) fn new(source: &'a str, quoted: &Quoted, buffer: &'n mut String) -> Self {
        let mut key = Key {
            low: quoted.low,
            high: quoted.high,
            length: quoted.len() as u32,
        };
        let mut unescaped = None;
        if quoted.has_escapes {
            let contents = Self::unescape(source, quoted, buffer);
            key = Key::of(contents);
            unescaped = Some(contents);
        }
        Self {
            key,
            source,
            start: quoted.start,
            unescaped,
        }
    }

    #[cold]
    #[inline(never)]
    fn unescape(source: &str, quoted: &Quoted, buffer: &'n mut String) -> &'n str {
        buffer.clear();
        unescape(&source[quoted.start..quoted.end], buffer);
        buffer
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.key.length as usize
    }

    #[inline(always)]
    pub(crate) fn text(&self) -> &str {
        match self.unescaped {
            Some(contents) => contents,
            None => &self.source[self.start..self.start + self.len()],
        }
    }

    pub(crate) fn to_cow(self) -> Cow<'a, str> {
        match self.unescaped {
            Some(contents) => Cow::Owned(contents.to_owned()),
            None => Cow::Borrowed(&self.source[self.start..self.start + self.len()]),
        }
    }

    #[inline(always)]
    pub(crate) fn is(&self, key: Key, text: &str) -> bool {
        self.key == key && (key.is_complete() || self.text() == text)
    }
}

/// The names of the objects that are open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    seen: Vec<Seen>,
    /// What names say that are written with escapes, by their place in `seen`.
    unescaped: Vec<(usize, Box<str>)>,
}

/// A name that an open object has.
#[derive(Clone, Copy, Debug)]
struct Seen {
    key: Key,
    start: u32,
}

/// One open object.
pub(crate) struct Level {
    /// Its first name in `seen`.
    base: usize,
    filter: [u64; 4],
}

/// Objects with more members are sorted.
const PAIRWISE: usize = 64;

impl Names {
    pub(crate) fn clear(&mut self) {
        self.seen.clear();
        self.unescaped.clear();
    }

    #[inline(always)]
    pub(crate) fn level(&self) -> Level {
        Level {
            base: self.seen.len(),
            filter: [0; 4],
        }
    }

    /// Takes a name of the text; false if the object has it already. From the 65th member on [`Names::finish`] has the last word.
    #[inline(always)]
    pub(crate) fn admit(&mut self, level: &mut Level, name: &Name<'_, '_>, text: &str) -> bool {
        let digest = name.key.digest();
        let word = &mut level.filter[usize::from(digest >> 6)];
        let bit = 1 << (digest & 63);
        let suspect = *word & bit != 0;
        *word |= bit;
        if suspect && self.holds(level, *name, text) {
            return false;
        }
        if let Some(contents) = name.unescaped {
            self.keep(contents);
        }
        self.seen.push(Seen {
            key: name.key,
            start: name.start as u32,
        });
        true
    }

    #[cold]
    fn keep(&mut self, contents: &str) {
        self.unescaped.push((self.seen.len(), contents.into()));
    }

    /// The name by value: nothing else keeps it out of registers.
    #[inline(never)]
    fn holds(&self, level: &Level, name: Name<'_, '_>, text: &str) -> bool {
        let seen = &self.seen[level.base..];
        seen.len() < PAIRWISE
            && seen.iter().zip(level.base..).any(|(seen, place)| {
                seen.key == name.key
                    && (name.key.is_complete() || self.contents(place, text) == name.text())
            })
    }

    /// What the name at a place says.
    fn contents<'t>(&'t self, place: usize, text: &'t str) -> &'t str {
        match self
            .unescaped
            .binary_search_by_key(&place, |(place, _)| *place)
        {
            Ok(found) => &self.unescaped[found].1,
            Err(_) => {
                let Seen { key, start } = self.seen[place];
                &text[start as usize..start as usize + key.length as usize]
            }
        }
    }

    /// Closes an object; the offset of a name that it has twice, if there is one left to find.
    #[inline(always)]
    pub(crate) fn finish(&mut self, level: Level, text: &str) -> Option<usize> {
        let repeated = if self.seen.len() - level.base > PAIRWISE {
            self.repeated(level.base, text)
        } else {
            None
        };
        self.seen.truncate(level.base);
        if !self.unescaped.is_empty() {
            self.unescaped.retain(|(place, _)| *place < level.base);
        }
        repeated
    }

    /// The first name that is there for a second time. Sorting takes O(b log n) time for n names of b bytes in all.
    #[cold]
    fn repeated(&self, base: usize, text: &str) -> Option<usize> {
        let mut order: Vec<(&str, usize)> = (base..self.seen.len())
            .map(|place| (self.contents(place, text), place))
            .collect();
        order.sort_unstable();
        order
            .windows(2)
            .filter(|pair| pair[0].0 == pair[1].0)
            .map(|pair| self.seen[pair[1].1].start as usize - 1)
            .min()
    }
}
