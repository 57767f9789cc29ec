//! One strict walk through a whole certificate, list or answer: whether each value has the one form that DER leaves it (X.690 §10, §11) and
//! whether what stands where is what the ASN.1 has there, nothing left out and nothing behind. x509-parser, like most readers, is more lenient.
//!
//! ```text
//!   bytes -> element by element, each with its shape -> the first fault of each kind, with its offset
//!                        extnValue: the shape of extensions::TABLE, by the object identifier beside it
//! ```

use super::{Found, error, extensions};
use crate::der::{self, Der, Element, NotDer, oid};
use crate::moment;

/// What an element has to be.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// A value of any type that says its type itself; what is inside it likewise.
    Any,
    /// A value of this universal type.
    Simple(u8),
    /// A BIT STRING of named bits: no zero bits at its end (X.690 §11.2.2).
    NamedBits,
    /// SEQUENCE.
    Fields(&'static [Field]),
    /// SEQUENCE of optional fields, of which there is at least one.
    SomeOf(&'static [Field]),
    /// SEQUENCE OF.
    List(&'static Shape),
    /// SEQUENCE SIZE (1..MAX) OF.
    Several(&'static Shape),
    /// SET SIZE (1..MAX) OF, sorted (X.690 §11.6).
    Set(&'static Shape),
    /// IMPLICIT: this tag instead of its own.
    Tagged(u8, &'static Shape),
    /// EXPLICIT: this tag around it.
    Around(u8, &'static Shape),
    /// CHOICE.
    Choice(&'static [Shape]),
    /// An OCTET STRING that holds DER.
    Wrapped(&'static Shape),
    /// AlgorithmIdentifier.
    Algorithm,
    /// A BIT STRING whose contents the algorithm before it explains.
    ByAlgorithm,
    /// One extension.
    Extension,
}

/// An element of a sequence.
#[derive(Clone, Copy)]
pub(super) struct Field {
    name: &'static str,
    shape: Shape,
    optional: bool,
    /// The contents that mean the same as to leave it out, and therefore are left out (X.690 §11.5).
    default: Option<&'static [u8]>,
}

pub(super) const fn field(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        shape,
        optional: false,
        default: None,
    }
}

pub(super) const fn optional(name: &'static str, shape: Shape) -> Field {
    Field {
        optional: true,
        ..field(name, shape)
    }
}

pub(super) const fn or_else(name: &'static str, shape: Shape, default: &'static [u8]) -> Field {
    Field {
        default: Some(default),
        ..optional(name, shape)
    }
}

/// Which check a fault belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// G7: not DER, or not the structure.
    Form,
    /// G8: nothing in it.
    Empty,
    /// G5: a time in another form than RFC 5280 leaves it.
    Time,
}

/// The first fault of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) offset: usize,
    /// What, where.
    pub(super) message: String,
}

/// Every kind of fault that there is in it, once.
pub(super) fn faults(bytes: &[u8], shape: Shape) -> Vec<Fault> {
    let mut walk = Walk {
        start: bytes.as_ptr().addr(),
        within: String::new(),
        algorithm: &[],
        faults: Vec::new(),
    };
    walk.only("the whole", shape, bytes, 0);
    walk.faults
}

/// The first of this kind, as a finding.
pub(super) fn first(faults: &[Fault], kind: Kind) -> Found {
    let fault = faults.iter().find(|fault| fault.kind == kind)?;
    error(fault.message.clone())
}

/// Deeper than anything that the shapes have, and than any value that they leave open needs.
const DEEPEST: usize = 40;

struct Walk<'a> {
    /// Where the bytes begin: an element's offset is how far behind it lies.
    start: usize,
    /// The extension that is being read.
    within: String,
    /// The object identifier of the last AlgorithmIdentifier.
    algorithm: &'a [u8],
    faults: Vec<Fault>,
}

impl<'a> Walk<'a> {
    fn fault(&mut self, kind: Kind, at: &[u8], what: &str) {
        if self.faults.iter().all(|one| one.kind != kind) {
            let offset = at.as_ptr().addr() - self.start;
            let within = &self.within;
            self.faults.push(Fault {
                kind,
                offset,
                message: format!("{within}offset {offset}: {what}"),
            });
        }
    }

    /// The one element that the bytes consist of.
    fn only(&mut self, name: &str, shape: Shape, bytes: &'a [u8], depth: usize) {
        let mut der = Der::new(bytes);
        let Some(element) = self.next(name, shape, &mut der, bytes) else {
            return;
        };
        self.element(name, shape, element, depth);
        self.end(bytes, der);
    }

    /// The next element, if it can be one of this shape.
    fn next(
        &mut self,
        name: &str,
        shape: Shape,
        der: &mut Der<'a>,
        bytes: &'a [u8],
    ) -> Option<Element<'a>> {
        let at = &bytes[bytes.len() - der.len()..];
        match der.element() {
            Ok(element) if shape.takes(element.tag) => Some(element),
            Ok(_) => {
                self.fault(Kind::Form, at, &format!("{name} is of another type"));
                None
            }
            Err(NotDer) if at.is_empty() => {
                self.fault(Kind::Form, at, &format!("{name} is missing"));
                None
            }
            Err(NotDer) => {
                let what = "a length that is not the shortest, or goes beyond what it is in, or a tag above 30";
                self.fault(Kind::Form, at, what);
                None
            }
        }
    }

    fn end(&mut self, bytes: &'a [u8], der: Der<'a>) {
        if !der.is_empty() {
            let at = &bytes[bytes.len() - der.len()..];
            self.fault(Kind::Form, at, &format!("{} bytes too many", at.len()));
        }
    }

    /// An element whose tag fits.
    fn element(&mut self, name: &str, shape: Shape, element: Element<'a>, depth: usize) {
        if depth > DEEPEST {
            return self.fault(Kind::Form, element.whole, "nested too deeply");
        }
        let (contents, deeper) = (element.contents, depth + 1);
        match shape {
            Shape::Any => self.any(element, deeper),
            Shape::Simple(tag) => self.simple(name, tag, element),
            Shape::NamedBits => {
                self.simple(name, der::BIT_STRING, element);
                if let [unused @ 0..8, .., last] = contents
                    && last >> unused & 1 == 0
                {
                    let what = format!("{name} has zero bits at its end");
                    self.fault(Kind::Form, element.whole, &what);
                }
            }
            Shape::Fields(fields) => self.fields(fields, contents, deeper),
            Shape::SomeOf(fields) => {
                self.not_empty(name, element);
                self.fields(fields, contents, deeper);
            }
            Shape::List(shape) => self.list(name, *shape, contents, deeper),
            Shape::Several(shape) => {
                self.not_empty(name, element);
                self.list(name, *shape, contents, deeper);
            }
            Shape::Set(shape) => {
                self.not_empty(name, element);
                self.list(name, *shape, contents, deeper);
                self.sorted(contents);
            }
            Shape::Tagged(_, shape) => self.element(name, *shape, element, deeper),
            Shape::Around(_, shape) => self.only(name, *shape, contents, deeper),
            Shape::Choice(shapes) => {
                if let Some(shape) = shapes.iter().find(|shape| shape.takes(element.tag)) {
                    self.element(name, *shape, element, deeper);
                }
            }
            Shape::Wrapped(shape) => self.only(name, *shape, contents, deeper),
            Shape::Algorithm => {
                self.fields(ALGORITHM, contents, deeper);
                let first = element.inside().element();
                self.algorithm = first.map_or(&[], |first| first.contents);
            }
            Shape::ByAlgorithm => self.by_algorithm(name, element, deeper),
            Shape::Extension => self.extension(element, deeper),
        }
    }

    fn not_empty(&mut self, name: &str, element: Element<'a>) {
        if element.contents.is_empty() {
            self.fault(Kind::Empty, element.whole, &format!("{name} is empty"));
        }
    }

    fn fields(&mut self, fields: &[Field], contents: &'a [u8], depth: usize) {
        let mut der = Der::new(contents);
        for field in fields {
            let here = der.peek().is_some_and(|tag| field.shape.takes(tag));
            if field.optional && !here {
                continue;
            }
            let Some(element) = self.next(field.name, field.shape, &mut der, contents) else {
                return;
            };
            if field.default == Some(element.contents) {
                let what = format!("{} spells out its default", field.name);
                self.fault(Kind::Form, element.whole, &what);
            }
            self.element(field.name, field.shape, element, depth);
        }
        self.end(contents, der);
    }

    fn list(&mut self, name: &str, shape: Shape, contents: &'a [u8], depth: usize) {
        let mut der = Der::new(contents);
        while !der.is_empty() {
            let Some(element) = self.next(name, shape, &mut der, contents) else {
                return;
            };
            self.element(name, shape, element, depth);
        }
    }

    fn sorted(&mut self, contents: &'a [u8]) {
        let (mut der, mut before) = (Der::new(contents), &[][..]);
        while let Ok(element) = der.element() {
            if element.whole < before {
                return self.fault(Kind::Form, element.whole, "a set out of order");
            }
            before = element.whole;
        }
    }

    /// A value that says itself what it is; of what has a tag of its own, only that it consists of elements.
    fn any(&mut self, element: Element<'a>, depth: usize) {
        match element.tag {
            // X.690 §10.2: strings in one piece; §8.9, §8.11: sequences and sets of elements
            tag if tag & 0xc0 == 0 && (tag & 0x20 != 0) != matches!(tag & 0x1f, 0x10 | 0x11) => {
                let what = "in pieces, or in one piece, as its type is not";
                self.fault(Kind::Form, element.whole, what);
            }
            tag if tag & 0x20 != 0 => {
                self.list("a value", Shape::Any, element.contents, depth);
                if tag == der::SET {
                    self.sorted(element.contents);
                }
            }
            tag if tag & 0xc0 == 0 => self.simple("a value", tag, element),
            _ => {}
        }
    }

    /// A value of a universal type.
    fn simple(&mut self, name: &str, tag: u8, element: Element<'a>) {
        let (kind, wrong) = match (tag, element.contents) {
            (der::UTC_TIME | der::GENERALIZED_TIME, _) => {
                let what = "a time without seconds, with a fraction, not in Z, or of no calendar";
                (Kind::Time, moment::read(element).is_err().then_some(what))
            }
            (tag, contents) => (Kind::Form, not_der(tag, contents)),
        };
        if let Some(wrong) = wrong {
            self.fault(kind, element.whole, &format!("{name}: {wrong}"));
        }
    }

    /// rsaEncryption wraps RSAPublicKey (RFC 3279 §2.3.1), ECDSA Ecdsa-Sig-Value (§2.2.3); others are bits alone.
    fn by_algorithm(&mut self, name: &str, element: Element<'a>, depth: usize) {
        self.simple(name, der::BIT_STRING, element);
        let wraps = match self.algorithm {
            oid::RSA_ENCRYPTION
            | oid::ECDSA_WITH_SHA1
            | oid::ECDSA_WITH_SHA256
            | oid::ECDSA_WITH_SHA384
            | oid::ECDSA_WITH_SHA512 => TWO_NUMBERS,
            _ => return,
        };
        if let [0, inside @ ..] = element.contents {
            self.only(name, wraps, inside, depth);
        }
    }

    fn extension(&mut self, element: Element<'a>, depth: usize) {
        self.fields(EXTENSION, element.contents, depth);
        let mut parts = element.inside();
        let (Ok(name), Ok(_), Ok(value)) = (
            parts.expect(der::OID),
            parts.optional(der::BOOLEAN),
            parts.expect(der::OCTET_STRING),
        ) else {
            return;
        };
        if let Some(row) = extensions::known(name.contents) {
            self.within = format!("{}, ", row.name);
            self.only("the value", row.shape, value.contents, depth);
            self.within.clear();
        } else if value.contents == [der::SEQUENCE, 0] {
            let name = format!("the extension {}", oid::name(name.contents));
            self.fault(Kind::Empty, element.whole, &format!("{name} is empty"));
        }
    }
}

const ALGORITHM: &[Field] = &[
    field("algorithm", Shape::Simple(der::OID)),
    optional("parameters", Shape::Any),
];
const TWO_NUMBERS: Shape = Shape::Fields(&[
    field("the first number", Shape::Simple(der::INTEGER)),
    field("the second number", Shape::Simple(der::INTEGER)),
]);
const EXTENSION: &[Field] = &[
    field("extnID", Shape::Simple(der::OID)),
    or_else("critical", Shape::Simple(der::BOOLEAN), &[0]),
    field("extnValue", Shape::Simple(der::OCTET_STRING)),
];

impl Shape {
    /// Whether an element of this tag can be one.
    fn takes(self, tag: u8) -> bool {
        match self {
            Self::Any => true,
            Self::Simple(own) | Self::Tagged(own, _) | Self::Around(own, _) => own == tag,
            Self::NamedBits | Self::ByAlgorithm => tag == der::BIT_STRING,
            Self::Set(_) => tag == der::SET,
            Self::Wrapped(_) => tag == der::OCTET_STRING,
            Self::Choice(shapes) => shapes.iter().any(|shape| shape.takes(tag)),
            Self::Fields(_)
            | Self::SomeOf(_)
            | Self::List(_)
            | Self::Several(_)
            | Self::Algorithm
            | Self::Extension => tag == der::SEQUENCE,
        }
    }
}

/// What is wrong with a value of this universal type, if anything.
fn not_der(tag: u8, contents: &[u8]) -> Option<&'static str> {
    let text = |good: bool| (!good).then_some("characters that its type does not have");
    match (tag, contents) {
        (der::BOOLEAN, [0 | 0xff]) | (0x05, []) => None,
        (der::BOOLEAN, _) => Some("a BOOLEAN that is neither 00 nor ff"),
        (0x05, _) => Some("a NULL with something in it"),
        (der::INTEGER | 0x0a, []) => Some("a number without digits"),
        (der::INTEGER | 0x0a, [0, second, ..]) if second & 0x80 == 0 => Some(LONG_NUMBER),
        (der::INTEGER | 0x0a, [0xff, second, ..]) if second & 0x80 != 0 => Some(LONG_NUMBER),
        (der::BIT_STRING, [0, ..]) => None,
        (der::BIT_STRING, [unused @ 1..8, .., last]) => {
            let rest = last & ((1_u16 << unused) - 1).to_le_bytes()[0];
            (rest != 0).then_some("unused bits that are not zero")
        }
        (der::BIT_STRING, _) => Some("a BIT STRING without its first octet, or a wrong one"),
        (der::OID, contents) => (!numbers(contents)).then_some("no object identifier"),
        (0x0c, contents) => text(std::str::from_utf8(contents).is_ok()),
        (0x12, contents) => text(
            contents
                .iter()
                .all(|&one| one == b' ' || one.is_ascii_digit()),
        ),
        (0x13, contents) => text(contents.iter().all(|&one| printable(one))),
        (0x16, contents) => text(contents.is_ascii()),
        (0x1a, contents) => text(contents.iter().all(|one| (b' '..=b'~').contains(one))),
        (0x1c, contents) => text(contents.len().is_multiple_of(4)),
        (0x1e, contents) => text(contents.len().is_multiple_of(2)),
        _ => None,
    }
}

const LONG_NUMBER: &str = "a number that is not in the fewest octets";

/// X.680 §41.4.
fn printable(one: u8) -> bool {
    one.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&one)
}

/// X.690 §8.19.2: no number of it begins with an octet that says nothing, and the last number ends.
fn numbers(contents: &[u8]) -> bool {
    let mut begins = true;
    for byte in contents {
        if begins && *byte == 0x80 {
            return false;
        }
        begins = byte & 0x80 == 0;
    }
    begins && !contents.is_empty()
}
