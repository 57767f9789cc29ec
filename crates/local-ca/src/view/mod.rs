//! Every byte of a certificate, request, CRL, OCSP answer or PKCS #12 file, with its place and its name.
//!
//! DER is tags, lengths and contents, nested; what a certificate *is* stands beside it in the RFC as a grammar. So a viewer is two things: a
//! walk over the bytes, which needs to know nothing, and the grammar ([`grammar`]), which gives each element the name it has in the RFC.

mod grammar;
mod value;

use std::fmt;

use thiserror::Error;

use crate::der::{self, Der, Element};
use crate::pem;
use grammar::{Grammar, Kind};

/// Largest file that is shown, deepest nesting, most lines.
const MAX_BYTES: usize = 16 * 1024 * 1024;
const MAX_DEPTH: usize = 24;
const MAX_LINES: usize = 5_000;

/// One element.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// Where its tag stands, in bytes from the beginning of the DER.
    pub offset: usize,
    /// Bytes of tag and length.
    pub header: usize,
    /// Bytes of contents.
    pub length: usize,
    /// How many elements it is inside of.
    pub depth: usize,
    /// Its type: `SEQUENCE`, `OBJECT IDENTIFIER`, `[0]`.
    pub kind: String,
    /// Its name in the RFC's grammar, where it has one.
    pub name: &'static str,
    /// What it says.
    pub value: String,
}

/// A file, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct View {
    /// What it is: `certificate (RFC 5280 §4.1)`.
    pub title: &'static str,
    /// Its elements, in the order in which they stand.
    pub lines: Vec<Line>,
    /// Whether more elements follow than are listed.
    pub cut: bool,
}

/// Why a file is not shown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ViewError {
    /// More than 16 MiB.
    #[error("{actual} bytes; at most {limit} are shown", limit = MAX_BYTES)]
    TooLarge {
        /// Its length.
        actual: usize,
    },
    /// A private key: it is never shown.
    #[error("a private key: it is not shown")]
    PrivateKey,
    /// PEM that cannot be undone.
    #[error("PEM: {reason}")]
    Pem {
        /// What is wrong.
        reason: &'static str,
    },
    /// Neither PEM nor DER.
    #[error("nothing that can be shown: {came}")]
    Other {
        /// What it is, as far as that shows.
        came: String,
    },
    /// Not DER, from here on.
    #[error("not DER: at byte {offset} no element begins whose length fits")]
    NotDer {
        /// Counted from the beginning.
        offset: usize,
    },
}

/// Takes a file apart: PEM or DER of a certificate, a request, a CRL, an OCSP question or answer, a PKCS #12 file; or any DER. Of several in
/// PEM, the first.
///
/// # Errors
/// [`ViewError`].
pub fn view(bytes: &[u8]) -> Result<View, ViewError> {
    let mut all = view_all(bytes)?;
    Ok(all.swap_remove(0))
}

/// The same for everything in the file: of PEM, every block, in their order. A private key among them is named and not shown.
///
/// # Errors
/// [`ViewError`]; [`ViewError::PrivateKey`] where there is nothing else.
pub fn view_all(bytes: &[u8]) -> Result<Vec<View>, ViewError> {
    if bytes.len() > MAX_BYTES {
        return Err(ViewError::TooLarge {
            actual: bytes.len(),
        });
    }
    let Some(blocks) = pem::blocks(bytes) else {
        return match bytes.first() {
            Some(&der::SEQUENCE) => Ok(vec![one(bytes)?]),
            _ => one(bytes)
                .map(|view| vec![view])
                .map_err(|_| ViewError::Other {
                    came: pem::what_came(bytes),
                }),
        };
    };
    let is_key = |block: &pem::Block<'_>| block.label.contains("PRIVATE KEY");
    if blocks.iter().all(is_key) {
        return Err(ViewError::PrivateKey);
    }
    blocks
        .into_iter()
        .map(|block| match is_key(&block) {
            true => Ok(View {
                title: "a private key: it is not shown",
                lines: Vec::new(),
                cut: false,
            }),
            false => one(&block.bytes.map_err(|reason| ViewError::Pem { reason })?),
        })
        .collect()
}

fn one(der: &[u8]) -> Result<View, ViewError> {
    let kind = Kind::of(der);
    if kind == Kind::PrivateKey {
        return Err(ViewError::PrivateKey);
    }
    let mut walk = Walk {
        base: der.as_ptr().addr(),
        lines: Vec::new(),
        cut: false,
    };
    walk.all(Der::new(der), der.len(), kind.grammar(), None, 0)?;
    match walk.lines.is_empty() {
        true => Err(ViewError::Other {
            came: pem::what_came(der),
        }),
        false => Ok(View {
            title: kind.title(),
            lines: walk.lines,
            cut: walk.cut,
        }),
    }
}

struct Walk {
    base: usize,
    lines: Vec<Line>,
    cut: bool,
}

impl Walk {
    fn all<'a>(
        &mut self,
        mut elements: Der<'a>,
        end: usize,
        grammar: Grammar,
        mut last_oid: Option<&'a [u8]>,
        depth: usize,
    ) -> Result<(), ViewError> {
        let mut fields = grammar.fields();
        while !elements.is_empty() {
            let offset = end - elements.len();
            let element = elements
                .element()
                .map_err(|_| ViewError::NotDer { offset })?;
            let (name, inside) = fields.next(element.tag);
            if self.lines.len() >= MAX_LINES {
                self.cut = true;
                return Ok(());
            }
            if element.tag == der::OID {
                last_oid = Some(element.contents);
            }
            self.one(element, name, inside, last_oid, depth)?;
        }
        Ok(())
    }

    fn one<'a>(
        &mut self,
        element: Element<'a>,
        name: &'static str,
        grammar: Grammar,
        beside: Option<&'a [u8]>,
        depth: usize,
    ) -> Result<(), ViewError> {
        let offset = element.whole.as_ptr().addr() - self.base;
        let header = element.whole.len() - element.contents.len();
        let constructed = element.tag & 0x20 != 0;
        let hidden = match constructed {
            true => None,
            false => wrapped(element, grammar),
        };
        self.lines.push(Line {
            offset,
            header,
            length: element.contents.len(),
            depth,
            kind: value::kind(element.tag),
            name,
            value: match constructed || hidden.is_some() {
                true => String::new(),
                false => value::text(element, beside),
            },
        });
        if depth >= MAX_DEPTH {
            self.cut = true;
            return Ok(());
        }
        let end = offset + element.whole.len();
        match hidden {
            _ if constructed => self.all(element.inside(), end, grammar, None, depth + 1),
            Some(inner) => {
                let grammar = match (grammar, beside) {
                    (Grammar::Wrapped(inner), _) => *inner,
                    (_, Some(extension)) => Grammar::of_extension(extension),
                    _ => Grammar::Any,
                };
                self.all(Der::new(inner), end, grammar, beside, depth + 1)
            }
            None => Ok(()),
        }
    }
}

/// Strings that hold DER again: the values of extensions, RSA's two numbers, the answer inside an OCSP answer.
fn wrapped<'a>(element: Element<'a>, grammar: Grammar) -> Option<&'a [u8]> {
    let inner = match element.tag {
        der::OCTET_STRING => element.contents,
        der::BIT_STRING => element.contents.strip_prefix(&[0])?,
        _ => return None,
    };
    let mut all = Der::new(inner);
    let whole = all.element().is_ok_and(|_| all.is_empty());
    let forced = matches!(grammar, Grammar::Wrapped(_));
    // a signature by ECDSA is a sequence as well, a key identifier hardly ever looks like one
    let structured = inner.first().is_some_and(|tag| *tag == der::SEQUENCE);
    let extension = matches!(grammar, Grammar::ExtensionValue);
    (whole && (forced || structured || extension)).then_some(inner)
}

/// A line for people: offset, header and length, type, name, value.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indent = "  ".repeat(self.depth);
        let name = match self.name {
            "" => String::new(),
            name => format!(" {name}"),
        };
        let value = match self.value.as_str() {
            "" => String::new(),
            value => format!(": {value}"),
        };
        write!(
            f,
            "{:>6} {}+{:<5} {indent}{}{name}{value}",
            self.offset, self.header, self.length, self.kind
        )
    }
}
