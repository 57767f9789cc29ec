//! A reader of DER, as narrow as the structures read with it: definite lengths in their shortest form, tags of one byte
//! (X.690 §8.1, §10.1). [`write`] is its counterpart, [`oid`] the table of object identifiers, [`plain`] knows a certificate when it sees one.

pub(crate) mod oid;
pub(crate) mod plain;
pub(crate) mod write;

/// What is left to read.
#[derive(Clone, Copy)]
pub(crate) struct Der<'a>(&'a [u8]);

/// One tag, length and contents.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) contents: &'a [u8],
    /// Tag, length and contents as they stand.
    pub(crate) whole: &'a [u8],
}

/// The bytes are not DER, or not of the expected type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotDer;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
/// `[0]`, constructed.
pub(crate) const CONTEXT_0: u8 = 0xa0;

impl<'a> Der<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Bytes left.
    pub(crate) fn len(self) -> usize {
        self.0.len()
    }

    /// The tag of the next element, without reading it.
    pub(crate) fn peek(self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element.
    pub(crate) fn element(&mut self) -> Result<Element<'a>, NotDer> {
        let [tag, first, rest @ ..] = self.0 else {
            return Err(NotDer);
        };
        if tag & 0x1f == 0x1f {
            return Err(NotDer); // tags above 30 do not occur here
        }
        let (length, header) = match *first {
            short @ 0..0x80 => (usize::from(short), 2),
            long => {
                // 0x80 is the indefinite form; four bytes of length are more than any request has
                let count = usize::from(long & 0x7f);
                let bytes = rest
                    .get(..count)
                    .filter(|_| (1..=4).contains(&count))
                    .ok_or(NotDer)?;
                let length = bytes
                    .iter()
                    .fold(0_usize, |length, &byte| length << 8 | usize::from(byte));
                let shortest = bytes[0] != 0 && length >= 0x80;
                if !shortest {
                    return Err(NotDer);
                }
                (length, 2 + count)
            }
        };
        let end = header.checked_add(length).ok_or(NotDer)?;
        let whole = self.0.get(..end).ok_or(NotDer)?;
        self.0 = &self.0[end..];
        Ok(Element {
            tag: *tag,
            contents: &whole[header..],
            whole,
        })
    }

    /// The next element if it has this tag; nothing is read otherwise.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, NotDer> {
        match self.peek() == Some(tag) {
            true => self.element().map(Some),
            false => Ok(None),
        }
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>, NotDer> {
        self.element().and_then(|element| match element.tag == tag {
            true => Ok(element),
            false => Err(NotDer),
        })
    }

    /// There is nothing behind what was read.
    pub(crate) fn finish(self) -> Result<(), NotDer> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(NotDer),
        }
    }
}

/// The one element that the bytes consist of.
pub(crate) fn only(bytes: &[u8], tag: u8) -> Result<Element<'_>, NotDer> {
    let mut der = Der::new(bytes);
    let element = der.expect(tag)?;
    der.finish().map(|()| element)
}

impl<'a> Element<'a> {
    /// The elements inside.
    pub(crate) fn inside(self) -> Der<'a> {
        Der(self.contents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_encoding_is_read() {
        let read = |bytes: &[u8]| {
            let mut der = Der::new(bytes);
            der.element()
                .map(|element| element.contents.len())
                .and_then(|length| der.finish().map(|()| length))
        };
        assert_eq!(read(&[0x04, 0x01, 0xff]), Ok(1));
        let long = [&[0x04, 0x81, 0x80][..], &[0; 0x80]].concat();
        assert_eq!(read(&long), Ok(0x80));
        for bad in [
            &[][..],
            &[0x04],
            &[0x04, 0x02, 0xff],                         // cut short
            &[0x04, 0x01, 0xff, 0x00],                   // trailing
            &[0x04, 0x81, 0x01, 0xff],                   // could be shorter
            &[0x04, 0x82, 0x00, 0x80, 0x00],             // leading zero in the length
            &[0x30, 0x80, 0x00, 0x00],                   // indefinite
            &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff],       // four gigabytes
            &[0x04, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], // a length of nine bytes
            &[0x1f, 0x81, 0x00, 0x00],                   // a long tag
        ] {
            assert_eq!(read(bad), Err(NotDer), "{bad:02x?}");
        }
    }
}
