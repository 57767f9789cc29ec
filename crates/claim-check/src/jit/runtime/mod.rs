//! What passes between Rust and generated code: slots, the [`frame`] of a call, and the [`helpers`].
//!
//! A value in registers is a [`Slot`], two words:
//!
//! | head, bits 0-7 | head, bits 8-31 | head, bits 32-63 | data |
//! |---|---|---|---|
//! | `Error` = 0 | kind (8-15), also one of three that say less | node that failed | – |
//! | `Null` | 0 | 0 | – |
//! | `Bool` | 0 | 0 | 0 or 1 |
//! | `Int`, `UInt`, `Double` | 0 | 0 | the bits |
//! | `String` | 0 | length in bytes | address of the text |
//! | `Bytes` | 0 | length in bytes | address of the bytes |
//! | `Timestamp` | 0 | nanoseconds of the second | seconds since the epoch |
//! | `Duration` | 0 | 0 | nanoseconds |
//! | `Network` | 0 | 0 | place in [`Built::networks`] |
//! | `Type` | 0 | 0 | number of the type |
//! | `Optional` | 0 | 0 | place in [`Built::optionals`] |
//! | `ClaimList` | 0 | number of elements | place of the first in the payload's elements |
//! | `BuiltList` | 0 | 0 | place in [`Built::lists`], or a node whose list is constant |
//! | `Map` | 0 | number of members | place of the first in the payload's elements |
//! | `BuiltMap` | 0 | 0 | place in [`Built::maps`], or a node whose map is constant |
//!
//! Type and length of a string are one word, so "is it a string of five bytes" is one comparison; "is it an error" is a
//! test of the low byte against zero.
//!
//! The first nine kinds are those of the payload's slots (`stampmill_claims_json::Slot`), so that code reads claims as they are.

mod frame;
mod helpers;

pub(super) use frame::{
    CONSTANTS_OFFSET, COST_OFFSET, DATA_OFFSET, Frame, Program, SPENT_OFFSET, Set, Unfinished,
};
pub(super) use helpers::{HelperId, helpers};
pub(super) use stampmill_claims_json::Slot;

use crate::error::ErrorKind;
use crate::item::Item;
use crate::syntax::ast::{Ast, Expr, NodeId};

/// The low byte of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Tag {
    Error = Slot::ABSENT,
    Null = Slot::NULL,
    Bool = Slot::BOOL,
    Int = Slot::INT,
    UInt = Slot::UINT,
    Double = Slot::DOUBLE,
    String = Slot::STRING,
    ClaimList = Slot::LIST,
    Map = Slot::MAP,
    BuiltList = 9,
    BuiltMap = 10,
    Bytes = 11,
    Type = 12,
    Timestamp = 13,
    Duration = 14,
    Network = 15,
    Optional = 16,
}

impl Tag {
    /// The head of a value of this type whose upper bits are zero.
    pub(super) fn head(self) -> u64 {
        self as u64
    }

    /// The head of a string or of bytes of this length, or of a list of claims with this number of elements.
    pub(super) fn head_with_length(self, length: u32) -> u64 {
        self as u64 | u64::from(length) << 32
    }
}

/// Marks a `BuiltList` or `BuiltMap` that is a constant of the expression: the other bits are its node's number.
const CONSTANT: u64 = 1 << 63;

/// What the code returns for a result that it knows to be a bool: no data then.
pub(super) const DECIDED: [u64; 2] = [Tag::Bool as u64 | 2 << 32, Tag::Bool as u64 | 3 << 32];

/// What the code returns when it meets a type that it was not made for: the interpreter shall evaluate instead.
pub(super) const RETRY: u64 = (RETRY_CODE as u64) << 8;

/// In the place of an error's kind: see [`RETRY`].
const RETRY_CODE: u8 = 0xff;
/// The node, a selection from the claims, has an empty slot; which part of its path is missing is found out when somebody asks.
const ABSENT_CODE: u8 = 0xfe;
/// The operand of the node is absent, like that, or has a type that the operator is not for.
const UNFIT_CODE: u8 = 0xfd;

/// The head of the error that a selection from the claims has no value.
pub(super) fn absent_head(node: NodeId) -> u64 {
    u64::from(ABSENT_CODE) << 8 | u64::from(node.number()) << 32
}

/// The head of the error that an operator, or a condition, cannot take its (first) operand.
pub(super) fn unfit_head(node: NodeId) -> u64 {
    u64::from(UNFIT_CODE) << 8 | u64::from(node.number()) << 32
}

/// The head of an error.
pub(super) fn error_head(kind: ErrorKind, node: NodeId) -> u64 {
    u64::from(kind as u8) << 8 | u64::from(node.number()) << 32
}

/// The slot of a literal string, of literal bytes, or of a constant list or map; nothing for other nodes.
pub(super) fn constant(ast: &Ast, id: NodeId) -> Option<Slot> {
    match &ast[id].expr {
        Expr::Literal(Item::String(text)) => {
            let head = Tag::String.head_with_length(u32::try_from(text.len()).ok()?);
            Some(Slot {
                head,
                data: text.as_ptr().expose_provenance() as u64,
            })
        }
        Expr::Literal(Item::Bytes(bytes)) => Some(Slot {
            head: Tag::Bytes.head_with_length(u32::try_from(bytes.len()).ok()?),
            data: bytes.as_ptr().expose_provenance() as u64,
        }),
        Expr::List {
            constant: Some(_), ..
        } => Some(Slot {
            head: Tag::BuiltList.head(),
            data: CONSTANT | u64::from(id.number()),
        }),
        Expr::Map {
            constant: Some(_), ..
        } => Some(Slot {
            head: Tag::BuiltMap.head(),
            data: CONSTANT | u64::from(id.number()),
        }),
        _ => None,
    }
}
