//! What one pass over a payload leaves behind: a slot for each wanted path, runs of slots for lists and objects.
//!
//! ```text
//!  slots     [object][string "me"][list 2 @0]        one for each place of `Paths`, by number
//!                       │            │
//!  payload   {"iss":"me","aud":["a","b"],"x":[1]}    texts stay where they are
//!                                    │
//!  elements                      [string "a"][string "b"]     elements; members as name and value by turns
//!  arena     texts that had escapes
//! ```
//!
//! | head, bits 0-7 | head, bits 32-63 | data |
//! |---|---|---|
//! | [`Slot::ABSENT`] = 0 | 0 | 0 |
//! | [`Slot::NULL`] | 0 | 0 |
//! | [`Slot::BOOL`] | 0 | 0 or 1 |
//! | [`Slot::INT`], [`Slot::UINT`], [`Slot::DOUBLE`] | 0 | the bits |
//! | [`Slot::STRING`] | length in bytes | address of the text |
//! | [`Slot::LIST`] | number of elements | place of the first in the elements |
//! | [`Slot::MAP`] | number of members | place of the first in the elements |
//!
//! Kind and length of a string are one word, so "is it a string of five bytes" is one comparison.

use crate::Paths;
use crate::names::Names;

/// A value in two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Slot {
    /// Kind and length.
    pub head: u64,
    /// Bits, address or place.
    pub data: u64,
}

impl Slot {
    /// Nothing: the payload has no such member.
    pub const ABSENT: u8 = 0;
    /// `null`.
    pub const NULL: u8 = 1;
    /// `true` or `false`.
    pub const BOOL: u8 = 2;
    /// An `i64`.
    pub const INT: u8 = 3;
    /// A `u64` above [`i64::MAX`].
    pub const UINT: u8 = 4;
    /// An `f64`.
    pub const DOUBLE: u8 = 5;
    /// A string.
    pub const STRING: u8 = 6;
    /// An array.
    pub const LIST: u8 = 7;
    /// An object.
    pub const MAP: u8 = 8;

    pub(crate) const EMPTY: Self = Self::new(Self::ABSENT, 0, 0);

    #[inline(always)]
    pub(crate) const fn new(kind: u8, length: usize, data: u64) -> Self {
        // a text, and so everything in it, is shorter than 2³² bytes: `Limits::MAX_BYTES`
        Self {
            head: kind as u64 | (length as u64) << 32,
            data,
        }
    }

    /// One of the constants above.
    #[must_use]
    pub fn kind(self) -> u8 {
        self.head as u8
    }

    /// Bytes of a string, elements of a list, members of an object.
    #[must_use]
    pub fn len(self) -> usize {
        (self.head >> 32) as usize
    }

    /// Whether [`Slot::len`] is 0.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Memory for [`Paths::bind`], to be used again: once it is large enough, binding allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Buffers {
    pub(crate) slots: Vec<Slot>,
    pub(crate) elements: Vec<Slot>,
    /// Elements of lists and objects that are still open.
    pub(crate) open: Vec<Slot>,
    /// Texts that had escapes. Never grown while slots point into it.
    pub(crate) arena: String,
    pub(crate) names: Names,
}

/// A payload that has been validated, and its wanted values.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'b> {
    pub(crate) text: &'b str,
    pub(crate) paths: &'b Paths,
    pub(crate) buffers: &'b Buffers,
}

/// A value of a payload.
#[derive(Clone, Copy, Debug)]
pub enum Claim<'b> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integral number in the range of `i64`.
    Int(i64),
    /// An integral number above [`i64::MAX`].
    UInt(u64),
    /// A number with a fraction or an exponent; always finite.
    Double(f64),
    /// A string, unescaped.
    String(&'b str),
    /// An array.
    List(Elements<'b>),
    /// An object.
    Map(Members<'b>),
}

/// The elements of an array.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'b> {
    bound: &'b Bound<'b>,
    first: u32,
    count: u32,
}

/// The members of an object, in the order of the text.
#[derive(Clone, Copy, Debug)]
pub struct Members<'b> {
    bound: &'b Bound<'b>,
    first: u32,
    count: u32,
}

impl<'b> Bound<'b> {
    /// The value in a slot; nothing if the payload has none. Of a list or object that was not wanted whole only the kind is known:
    /// it seems to be empty.
    #[must_use]
    pub fn claim(&'b self, slot: usize) -> Option<Claim<'b>> {
        self.view(*self.buffers.slots.get(slot)?)
    }

    /// The paths that this was read for.
    #[must_use]
    pub fn paths(&self) -> &'b Paths {
        self.paths
    }

    /// The payload.
    #[must_use]
    pub fn text(&self) -> &'b str {
        self.text
    }

    /// All slots, by number. The addresses in them are those of texts that live as long as this does.
    #[must_use]
    pub fn slots(&self) -> &'b [Slot] {
        &self.buffers.slots
    }

    /// The elements of all lists, and names and values of all objects.
    #[must_use]
    pub fn elements(&self) -> &'b [Slot] {
        &self.buffers.elements
    }

    /// The list that a slot of this payload denotes.
    #[must_use]
    pub fn list(&'b self, slot: Slot) -> Elements<'b> {
        Elements {
            bound: self,
            first: slot.data as u32,
            count: slot.len() as u32,
        }
    }

    /// The object that a slot of this payload denotes.
    #[must_use]
    pub fn map(&'b self, slot: Slot) -> Members<'b> {
        Members {
            bound: self,
            first: slot.data as u32,
            count: slot.len() as u32,
        }
    }

    /// The value that a slot of this payload denotes.
    #[must_use]
    pub fn view(&'b self, slot: Slot) -> Option<Claim<'b>> {
        Some(match slot.kind() {
            Slot::NULL => Claim::Null,
            Slot::BOOL => Claim::Bool(slot.data != 0),
            Slot::INT => Claim::Int(slot.data as i64),
            Slot::UINT => Claim::UInt(slot.data),
            Slot::DOUBLE => Claim::Double(f64::from_bits(slot.data)),
            Slot::STRING => Claim::String(self.string(slot)),
            Slot::LIST => Claim::List(self.list(slot)),
            Slot::MAP => Claim::Map(self.map(slot)),
            _ => return None,
        })
    }

    /// The text at an address, in the payload or in the arena.
    fn string(&self, slot: Slot) -> &'b str {
        let within = |text: &'b str| {
            let start = (slot.data as usize).checked_sub(address(text) as usize)?;
            text.get(start..start + slot.len())
        };
        within(self.text)
            .or_else(|| within(&self.buffers.arena))
            .unwrap_or_default()
    }

    fn run(&self, first: u32, slots: usize) -> &'b [Slot] {
        let first = first as usize;
        self.buffers
            .elements
            .get(first..first + slots)
            .unwrap_or_default()
    }
}

/// Where a text stands.
#[inline(always)]
pub(crate) fn address(text: &str) -> u64 {
    text.as_ptr().expose_provenance() as u64
}

impl<'b> Elements<'b> {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// An element.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Claim<'b>> {
        self.bound.view(*self.slots().get(index)?)
    }

    /// All elements.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Claim<'b>> + use<'b> {
        let bound = self.bound;
        self.slots()
            .iter()
            .map(move |slot| bound.view(*slot).unwrap_or(Claim::Null))
    }

    /// The slot that stands for this list.
    #[must_use]
    pub fn slot(&self) -> Slot {
        Slot::new(Slot::LIST, self.len(), u64::from(self.first))
    }

    fn slots(&self) -> &'b [Slot] {
        self.bound.run(self.first, self.count as usize)
    }
}

impl<'b> Members<'b> {
    /// Number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The member `name`. Looks at one name after the other: objects in tokens are small, and limited.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Claim<'b>> {
        let entries = self.slots().chunks_exact(2);
        let mut named = entries.filter(|entry| entry[0].len() == name.len());
        let found = named.find(|entry| self.bound.string(entry[0]) == name)?;
        self.bound.view(found[1])
    }

    /// Names and values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'b str, Claim<'b>)> + use<'b> {
        let bound = self.bound;
        self.slots().chunks_exact(2).map(move |entry| {
            let value = bound.view(entry[1]).unwrap_or(Claim::Null);
            (bound.string(entry[0]), value)
        })
    }

    /// The slot that stands for this object.
    #[must_use]
    pub fn slot(&self) -> Slot {
        Slot::new(Slot::MAP, self.len(), u64::from(self.first))
    }

    fn slots(&self) -> &'b [Slot] {
        self.bound.run(self.first, 2 * self.count as usize)
    }
}
