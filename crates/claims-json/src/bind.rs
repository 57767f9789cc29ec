//! One pass from bytes to slots: everything is validated, only what is wanted is kept.

use crate::names::Name;
use crate::paths::Node;
use crate::reader::{self, Kind, Reader, Visit};
use crate::scanner::{Number, Quoted, Step, unescape};
use crate::slots::{Bound, Buffers, Slot, address};
use crate::{JsonError, Limits, Paths};

impl Paths {
    /// Reads a payload and fills the slots of these paths. Refuses the same texts as [`parse`](crate::parse), with the same errors.
    ///
    /// # Errors
    /// A [`JsonError`] as from [`parse`](crate::parse).
    pub fn bind<'b>(
        &'b self,
        bytes: &'b [u8],
        limits: &Limits,
        buffers: &'b mut Buffers,
    ) -> Result<Bound<'b>, JsonError> {
        buffers.slots.clear();
        buffers.slots.resize(self.slots(), Slot::EMPTY);
        buffers.elements.clear();
        buffers.open.clear();
        buffers.arena.clear();
        let Buffers {
            slots,
            elements,
            open,
            arena,
            names,
        } = &mut *buffers;
        let text = reader::read(bytes, limits, names, |text| Binder {
            text,
            paths: self,
            slots,
            elements,
            open,
            arena,
        })?;
        Ok(Bound {
            text,
            paths: self,
            buffers,
        })
    }
}

/// Where the values go.
struct Binder<'a, 'b> {
    text: &'a str,
    paths: &'b Paths,
    slots: &'b mut [Slot],
    elements: &'b mut Vec<Slot>,
    open: &'b mut Vec<Slot>,
    arena: &'b mut String,
}

impl<'a> Visit<'a> for Binder<'a, '_> {
    type Output = &'a str;

    fn visit<const SIMPLE: bool>(
        mut self,
        reader: &mut Reader<'a, '_, SIMPLE>,
    ) -> Step<(usize, &'a str)> {
        Ok((self.place(reader, 0, 0)?, self.text))
    }
}

impl Binder<'_, '_> {
    /// The value of a slot.
    fn place<const SIMPLE: bool>(
        &mut self,
        reader: &mut Reader<'_, '_, SIMPLE>,
        at: usize,
        slot: usize,
    ) -> Step<usize> {
        let paths = self.paths;
        let node = paths.node(slot);
        let (at, kind) = reader.kind(at)?;
        let (at, value) = match kind {
            Kind::List if !node.whole => (reader.skip_list(at)?, Slot::new(Slot::LIST, 0, 0)),
            Kind::Object if node.has_children() => {
                (self.members(reader, at, node)?, Slot::new(Slot::MAP, 0, 0))
            }
            Kind::Object if !node.whole => (reader.skip_object(at)?, Slot::new(Slot::MAP, 0, 0)),
            kind => self.value(reader, at, kind)?,
        };
        self.slots[slot] = value;
        Ok(at)
    }

    /// An object of which some members are wanted.
    #[inline(never)]
    fn members<const SIMPLE: bool>(
        &mut self,
        reader: &mut Reader<'_, '_, SIMPLE>,
        at: usize,
        node: &Node,
    ) -> Step<usize> {
        reader.object(at, |reader, at, name| match node.member(name) {
            Some(slot) => self.place(reader, at, slot),
            None => reader.skip(at),
        })
    }

    /// A value with all that it holds.
    #[inline(always)]
    fn value<const SIMPLE: bool>(
        &mut self,
        reader: &mut Reader<'_, '_, SIMPLE>,
        at: usize,
        kind: Kind,
    ) -> Step<(usize, Slot)> {
        Ok(match kind {
            Kind::Null => (reader.null(at)?, Slot::new(Slot::NULL, 0, 0)),
            Kind::True => (reader.truth(true, at)?, Slot::new(Slot::BOOL, 0, 1)),
            Kind::False => (reader.truth(false, at)?, Slot::new(Slot::BOOL, 0, 0)),
            Kind::Number => match reader.number(at)? {
                (at, Number::Int(number)) => (at, Slot::new(Slot::INT, 0, number as u64)),
                (at, Number::UInt(number)) => (at, Slot::new(Slot::UINT, 0, number)),
                (at, Number::Double(number)) => (at, Slot::new(Slot::DOUBLE, 0, number.to_bits())),
            },
            Kind::String => {
                let quoted = reader.string(at)?;
                (quoted.end + 1, self.string(reader.text, &quoted))
            }
            Kind::List => self.list(reader, at)?,
            Kind::Object => self.object(reader, at)?,
        })
    }

    #[inline(always)]
    fn string(&mut self, text: &str, quoted: &Quoted) -> Slot {
        if quoted.has_escapes {
            return self.unescaped(text, quoted);
        }
        let place = address(text) + quoted.start as u64;
        Slot::new(Slot::STRING, quoted.len(), place)
    }

    #[cold]
    fn unescaped(&mut self, text: &str, quoted: &Quoted) -> Slot {
        let start = self.arena.len();
        let place = self.keep(text, |arena| {
            unescape(&text[quoted.start..quoted.end], arena)
        });
        Slot::new(Slot::STRING, self.arena.len() - start, place)
    }

    /// The place of a text that is appended to the arena. What a string with escapes says is shorter than what is written, so
    /// all of them fit into the length of the payload, and the arena never moves.
    #[cold]
    fn keep(&mut self, text: &str, append: impl FnOnce(&mut String)) -> u64 {
        if self.arena.is_empty() {
            self.arena.reserve(text.len());
        }
        let place = address(self.arena) + self.arena.len() as u64;
        append(self.arena);
        place
    }

    #[inline(always)]
    fn name(&mut self, text: &str, name: &Name<'_, '_>) -> Slot {
        let place = match name.unescaped {
            None => address(text) + name.start as u64,
            Some(contents) => self.keep(text, |arena| arena.push_str(contents)),
        };
        Slot::new(Slot::STRING, name.len(), place)
    }

    #[inline(never)]
    fn list<const SIMPLE: bool>(
        &mut self,
        reader: &mut Reader<'_, '_, SIMPLE>,
        at: usize,
    ) -> Step<(usize, Slot)> {
        let base = self.open.len();
        let at = reader.list(at, |reader, at| {
            let (at, kind) = reader.kind(at)?;
            let (at, value) = self.value(reader, at, kind)?;
            self.open.push(value);
            Ok(at)
        })?;
        let count = self.open.len() - base;
        Ok((at, Slot::new(Slot::LIST, count, self.close(base))))
    }

    #[inline(never)]
    fn object<const SIMPLE: bool>(
        &mut self,
        reader: &mut Reader<'_, '_, SIMPLE>,
        at: usize,
    ) -> Step<(usize, Slot)> {
        let base = self.open.len();
        let at = reader.object(at, |reader, at, name| {
            let name = self.name(reader.text, name);
            let (at, kind) = reader.kind(at)?;
            let (at, value) = self.value(reader, at, kind)?;
            self.open.extend([name, value]);
            Ok(at)
        })?;
        let count = (self.open.len() - base) / 2;
        Ok((at, Slot::new(Slot::MAP, count, self.close(base))))
    }

    /// Moves a finished run to the elements; its place there.
    fn close(&mut self, base: usize) -> u64 {
        let place = self.elements.len() as u64;
        self.elements.extend_from_slice(&self.open[base..]);
        self.open.truncate(base);
        place
    }
}
