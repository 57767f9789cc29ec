//! One pass from bytes to slots: everything is validated, only what is wanted is kept.

use crate::names::{Name, Names};
use crate::paths::Node;
use crate::reader::{self, Kind, Reader};
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
        let text = reader::text(bytes, limits)?;
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
        let mut binder = Binder {
            paths: self,
            slots,
            elements,
            open,
            arena,
        };
        bind(text, limits, names, &mut binder)?;
        Ok(Bound {
            text,
            paths: self,
            buffers,
        })
    }
}

fn bind(
    text: &str,
    limits: &Limits,
    names: &mut Names,
    binder: &mut Binder<'_>,
) -> Result<(), JsonError> {
    Reader::read(text, limits, names, |reader| binder.place(reader, 0))
}

/// Where the values go.
struct Binder<'b> {
    paths: &'b Paths,
    slots: &'b mut [Slot],
    elements: &'b mut Vec<Slot>,
    open: &'b mut Vec<Slot>,
    arena: &'b mut String,
}

impl Binder<'_> {
    /// The value of a slot.
    fn place(&mut self, reader: &mut Reader<'_, '_>, slot: usize) -> Step {
        let paths = self.paths;
        let node = paths.node(slot);
        let kind = reader.kind()?;
        let value = match kind {
            Kind::List if !node.whole => {
                reader.skip_list()?;
                Slot::new(Slot::LIST, 0, 0)
            }
            Kind::Object if node.has_children() => {
                self.members(reader, node)?;
                Slot::new(Slot::MAP, 0, 0)
            }
            Kind::Object if !node.whole => {
                reader.skip_object()?;
                Slot::new(Slot::MAP, 0, 0)
            }
            kind => self.value(reader, kind)?,
        };
        self.slots[slot] = value;
        Ok(())
    }

    /// An object of which some members are wanted.
    #[inline(never)]
    fn members(&mut self, reader: &mut Reader<'_, '_>, node: &Node) -> Step {
        reader.object(|reader, name| match node.member(name) {
            Some(slot) => self.place(reader, slot),
            None => reader.skip(),
        })
    }

    /// A value with all that it holds.
    #[inline(always)]
    fn value(&mut self, reader: &mut Reader<'_, '_>, kind: Kind) -> Step<Slot> {
        match kind {
            Kind::Null => reader.null().map(|()| Slot::new(Slot::NULL, 0, 0)),
            Kind::True => reader.truth(true).map(|()| Slot::new(Slot::BOOL, 0, 1)),
            Kind::False => reader.truth(false).map(|()| Slot::new(Slot::BOOL, 0, 0)),
            Kind::Number => reader.number().map(|number| match number {
                Number::Int(number) => Slot::new(Slot::INT, 0, number as u64),
                Number::UInt(number) => Slot::new(Slot::UINT, 0, number),
                Number::Double(number) => Slot::new(Slot::DOUBLE, 0, number.to_bits()),
            }),
            Kind::String => {
                let quoted = reader.string()?;
                Ok(self.string(reader.text, &quoted))
            }
            Kind::List => self.list(reader),
            Kind::Object => self.object(reader),
        }
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
    fn list(&mut self, reader: &mut Reader<'_, '_>) -> Step<Slot> {
        let base = self.open.len();
        reader.list(|reader| {
            let kind = reader.kind()?;
            let value = self.value(reader, kind)?;
            self.open.push(value);
            Ok(())
        })?;
        let count = self.open.len() - base;
        Ok(Slot::new(Slot::LIST, count, self.close(base)))
    }

    #[inline(never)]
    fn object(&mut self, reader: &mut Reader<'_, '_>) -> Step<Slot> {
        let base = self.open.len();
        reader.object(|reader, name| {
            let name = self.name(reader.text, name);
            let kind = reader.kind()?;
            let value = self.value(reader, kind)?;
            self.open.extend([name, value]);
            Ok(())
        })?;
        let count = (self.open.len() - base) / 2;
        Ok(Slot::new(Slot::MAP, count, self.close(base)))
    }

    /// Moves a finished run to the elements; its place there.
    fn close(&mut self, base: usize) -> u64 {
        let place = self.elements.len() as u64;
        self.elements.extend_from_slice(&self.open[base..]);
        self.open.truncate(base);
        place
    }
}
