//! What passes between Rust and generated code: slots, the frame of a call, and the helpers.
//!
//! A value in registers is a [`Slot`], two words:
//!
//! | head, bits 0-7 | head, bits 8-31 | head, bits 32-63 | data |
//! |---|---|---|---|
//! | `Error` = 0 | kind (8-15) | node that failed | – |
//! | `Null` | 0 | 0 | – |
//! | `Bool` | 0 | 0 | 0 or 1 |
//! | `Int`, `UInt`, `Double` | 0 | 0 | the bits |
//! | `String` | 0 | length in bytes | address of the text |
//! | `Bytes` | 0 | length in bytes | address of the bytes |
//! | `Timestamp` | 0 | nanoseconds of the second | seconds since the epoch |
//! | `Duration` | 0 | 0 | nanoseconds |
//! | `Network` | 0 | 0 | place in [`Frame::networks`] |
//! | `Type` | 0 | 0 | number of the type |
//! | `Optional` | 0 | 0 | place in [`Frame::optionals`] |
//! | `ClaimList` | 0 | number of elements | address of the first `Json` value |
//! | `BuiltList` | 0 | 0 | place in [`Frame::lists`], or a node whose list is constant |
//! | `Map` | 0 | 0 | address of the claims' `Map` |
//! | `BuiltMap` | 0 | 0 | place in [`Frame::maps`], or a node whose map is constant |
//!
//! Type and length of a string are one word, so "is it a string of five bytes" is one comparison; "is it an error" is a
//! test of the low byte against zero.

use std::mem::offset_of;
use std::ptr;
use std::slice;
use std::str;
use std::sync::Arc;

use stampmill_claims_json::{Map as Members, Value as Json};

use crate::error::{ErrorKind, Fault};
use crate::function::MAX_ARGUMENTS;
use crate::item::{Item, List};
use crate::map::{BuiltMap, Map};
use crate::network::Network;
use crate::semantics::{self, Budget};
use crate::shared::{Shared, Text};
use crate::syntax::ast::{Ast, Expr, NodeId};
use crate::time::{Duration, Timestamp};
use crate::types::TypeName;

/// The low byte of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Tag {
    Error = 0,
    Null = 1,
    Bool = 2,
    Int = 3,
    UInt = 4,
    Double = 5,
    String = 6,
    ClaimList = 7,
    BuiltList = 8,
    Map = 9,
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

/// A value, as described above.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Slot {
    pub(super) head: u64,
    pub(super) data: u64,
}

impl Slot {
    /// The slot whose two words the generated code passes in registers.
    fn new(head: u64, data: u64) -> Self {
        Self { head, data }
    }
}

/// Marks a `BuiltList` or `BuiltMap` that is a constant of the expression: the other bits are its node's number.
const CONSTANT: u64 = 1 << 63;

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

/// What one call of generated code works with. The code knows the first four fields and the steps of the
/// budget by their offsets.
#[repr(C)]
pub(super) struct Frame<'a> {
    /// The second word of the last helper's result, and of the whole result.
    data: u64,
    constants: *const Slot,
    claims: *const Members<'a>,
    now: i64,
    ast: &'a Ast,
    /// Lists that this call has built; they live until its end.
    lists: Vec<Arc<Vec<Item<'a>>>>,
    /// Maps that this call has built; they live until its end.
    maps: Vec<Arc<BuiltMap<'a>>>,
    /// Strings that this call has built; they live until its end. The texts stay where they are when the vector grows.
    strings: Vec<Arc<str>>,
    /// Bytes that this call has built, likewise.
    bytes: Vec<Arc<[u8]>>,
    /// Addresses and networks: too long for a slot.
    networks: Vec<Network>,
    /// Optional values, likewise.
    optionals: Vec<Option<Arc<Item<'a>>>>,
    /// Values of the variables of [`Ast::names`].
    variables: &'a [Option<Item<'a>>],
    budget: Budget,
}

pub(super) const DATA_OFFSET: usize = offset_of!(Frame<'_>, data);
pub(super) const CONSTANTS_OFFSET: usize = offset_of!(Frame<'_>, constants);
pub(super) const CLAIMS_OFFSET: usize = offset_of!(Frame<'_>, claims);
pub(super) const NOW_OFFSET: usize = offset_of!(Frame<'_>, now);
pub(super) const STEPS_OFFSET: usize = offset_of!(Frame<'_>, budget.steps);

impl<'a> Frame<'a> {
    pub(super) fn new(
        ast: &'a Ast,
        constants: &'a [Slot],
        claims: &'a Members<'a>,
        now: i64,
        variables: &'a [Option<Item<'a>>],
    ) -> Self {
        Self {
            data: 0,
            constants: constants.as_ptr(),
            claims: ptr::from_ref(claims),
            now,
            ast,
            lists: Vec::new(),
            maps: Vec::new(),
            strings: Vec::new(),
            bytes: Vec::new(),
            networks: Vec::new(),
            optionals: Vec::new(),
            variables,
            budget: Budget::new(),
        }
    }

    /// What generated code returned, whose head is given and whose data is in the frame.
    ///
    /// # Safety
    /// `head` is the return value of code generated for this frame's expression, called with this frame.
    pub(super) unsafe fn result(&self, head: u64) -> Result<Item<'a>, Fault> {
        if head as u8 == Tag::Error as u8 {
            let kind = ErrorKind::from_code((head >> 8) as u8).unwrap_or(ErrorKind::NoSuchOverload);
            return Err(Fault {
                kind,
                node: NodeId::new((head >> 32) as u32),
            });
        }
        // SAFETY: by this function's contract, head and data are a slot that generated code made.
        Ok(unsafe {
            self.item(Slot {
                head,
                data: self.data,
            })
        })
    }

    /// The value of a slot.
    ///
    /// # Safety
    /// The slot comes from generated code that runs with this frame: its addresses were made by [`constant`] for this
    /// frame's tree, by [`Frame::give`] of this frame, or are this frame's `claims`. So they point to values that outlive
    /// `'a` or to strings and bytes of this frame, which nothing changes or drops before the frame itself, and the returned item must
    /// not outlive the frame.
    unsafe fn item(&self, slot: Slot) -> Item<'a> {
        let length = (slot.head >> 32) as usize;
        let address = slot.data as usize;
        match slot.head as u8 {
            tag if tag == Tag::Bool as u8 => Item::Bool(slot.data != 0),
            tag if tag == Tag::Int as u8 => Item::Int(slot.data as i64),
            tag if tag == Tag::UInt as u8 => Item::UInt(slot.data),
            tag if tag == Tag::Double as u8 => Item::Double(f64::from_bits(slot.data)),
            tag if tag == Tag::String as u8 => {
                // SAFETY: address and length were taken from one `str` (see the contract), whose provenance was exposed.
                let text = unsafe {
                    str::from_utf8_unchecked(slice::from_raw_parts(
                        ptr::with_exposed_provenance(address),
                        length,
                    ))
                };
                Item::String(Text::Borrowed(text))
            }
            tag if tag == Tag::Bytes as u8 => {
                // SAFETY: address and length were taken from one slice of bytes (see the contract), whose provenance was exposed.
                let bytes = unsafe {
                    slice::from_raw_parts(ptr::with_exposed_provenance::<u8>(address), length)
                };
                Item::Bytes(Shared::Borrowed(bytes))
            }
            tag if tag == Tag::Timestamp as u8 => {
                Timestamp::new(slot.data as i64, length as u32).map_or(Item::Null, Item::Timestamp)
            }
            tag if tag == Tag::Duration as u8 => Item::Duration(Duration(slot.data as i64)),
            tag if tag == Tag::Network as u8 => {
                let network = self.networks.get(address).copied();
                network.map_or(Item::Null, Item::Network)
            }
            tag if tag == Tag::Optional as u8 => {
                let optional = self.optionals.get(address).cloned();
                optional.map_or(Item::Null, Item::Optional)
            }
            tag if tag == Tag::Type as u8 => {
                TypeName::from_code(slot.data).map_or(Item::Null, Item::Type)
            }
            tag if tag == Tag::ClaimList as u8 => {
                // SAFETY: address and length were taken from one slice of claims (see the contract).
                let elements = unsafe {
                    slice::from_raw_parts(ptr::with_exposed_provenance::<Json<'a>>(address), length)
                };
                Item::List(List::Claims(elements))
            }
            tag if tag == Tag::Map as u8 => {
                // SAFETY: the address was taken from a reference to a map of the claims (see the contract).
                Item::Map(Map::Claims(unsafe {
                    &*ptr::with_exposed_provenance::<Members<'a>>(address)
                }))
            }
            tag if tag == Tag::BuiltList as u8 => {
                self.built_list(slot.data).map_or(Item::Null, Item::list)
            }
            tag if tag == Tag::BuiltMap as u8 => {
                self.built_map(slot.data).map_or(Item::Null, Item::map)
            }
            _ => Item::Null,
        }
    }

    fn built_list(&self, place: u64) -> Option<Arc<Vec<Item<'a>>>> {
        if place & CONSTANT == 0 {
            return self.lists.get(place as usize).cloned();
        }
        match &self.ast[NodeId::new(place as u32)].expr {
            Expr::List {
                constant: Some(elements),
                ..
            } => Some(Arc::clone(elements) as Arc<Vec<Item<'a>>>),
            _ => None,
        }
    }

    fn built_map(&self, place: u64) -> Option<Arc<BuiltMap<'a>>> {
        if place & CONSTANT == 0 {
            return self.maps.get(place as usize).cloned();
        }
        match &self.ast[NodeId::new(place as u32)].expr {
            Expr::Map {
                constant: Some(map),
                ..
            } => Some(Arc::clone(map) as Arc<BuiltMap<'a>>),
            _ => None,
        }
    }

    /// Hands a result to generated code: returns the head and leaves the data in the frame.
    fn give(&mut self, node: NodeId, outcome: Result<Item<'a>, ErrorKind>) -> u64 {
        match outcome.and_then(|item| self.slot(item)) {
            Ok(slot) => {
                self.data = slot.data;
                slot.head
            }
            Err(kind) => error_head(kind, node),
        }
    }

    /// Lengths have 32 bits here; what is longer cannot come from a token.
    fn slot(&mut self, item: Item<'a>) -> Result<Slot, ErrorKind> {
        let length = |length: usize| u32::try_from(length).map_err(|_| ErrorKind::TooLarge);
        Ok(match item {
            Item::Null => Slot {
                head: Tag::Null.head(),
                data: 0,
            },
            Item::Bool(truth) => Slot {
                head: Tag::Bool.head(),
                data: u64::from(truth),
            },
            Item::Int(number) => Slot {
                head: Tag::Int.head(),
                data: number as u64,
            },
            Item::UInt(number) => Slot {
                head: Tag::UInt.head(),
                data: number,
            },
            Item::Double(number) => Slot {
                head: Tag::Double.head(),
                data: number.to_bits(),
            },
            Item::String(text) => {
                let head = Tag::String.head_with_length(length(text.len())?);
                let address = match text {
                    Text::Borrowed(text) => text.as_ptr(),
                    Text::Built(text) => {
                        let address = text.as_ptr();
                        self.strings.push(text);
                        address
                    }
                };
                Slot {
                    head,
                    data: address.expose_provenance() as u64,
                }
            }
            Item::Bytes(bytes) => {
                let head = Tag::Bytes.head_with_length(length(bytes.len())?);
                let address = bytes.as_ptr();
                if let Shared::Built(bytes) = bytes {
                    self.bytes.push(bytes);
                }
                Slot {
                    head,
                    data: address.expose_provenance() as u64,
                }
            }
            Item::Timestamp(timestamp) => Slot {
                head: Tag::Timestamp.head_with_length(timestamp.nanos()),
                data: timestamp.seconds() as u64,
            },
            Item::Duration(Duration(nanoseconds)) => Slot {
                head: Tag::Duration.head(),
                data: nanoseconds as u64,
            },
            Item::Network(network) => {
                self.networks.push(network);
                Slot {
                    head: Tag::Network.head(),
                    data: self.networks.len() as u64 - 1,
                }
            }
            Item::Optional(optional) => {
                self.optionals.push(optional);
                Slot {
                    head: Tag::Optional.head(),
                    data: self.optionals.len() as u64 - 1,
                }
            }
            Item::Type(ty) => Slot {
                head: Tag::Type.head(),
                data: ty as u64,
            },
            Item::List(List::Claims(elements)) => Slot {
                head: Tag::ClaimList.head_with_length(length(elements.len())?),
                data: elements.as_ptr().expose_provenance() as u64,
            },
            Item::List(List::Built(elements)) => {
                self.lists.push(elements);
                Slot {
                    head: Tag::BuiltList.head(),
                    data: self.lists.len() as u64 - 1,
                }
            }
            Item::Map(Map::Claims(members)) => Slot {
                head: Tag::Map.head(),
                data: ptr::from_ref(members).expose_provenance() as u64,
            },
            Item::Map(Map::Built(map)) => {
                self.maps.push(map);
                Slot {
                    head: Tag::BuiltMap.head(),
                    data: self.maps.len() as u64 - 1,
                }
            }
        })
    }
}

/// A Rust function that generated code may call: all parameters and the result are 64-bit words, the first is the frame.
pub(super) struct Helper {
    pub(super) name: &'static str,
    pub(super) address: *const u8,
    pub(super) parameters: usize,
}

/// The helpers in the order of [`HelperId`].
pub(super) fn helpers() -> [Helper; 12] {
    let helper = |name, address, parameters| Helper {
        name,
        address,
        parameters,
    };
    [
        helper("select", select as *const u8, 4),
        helper("unary", unary as *const u8, 4),
        helper("binary", binary as *const u8, 6),
        helper("equal", equal as *const u8, 5),
        helper("list_new", list_new as *const u8, 2),
        helper("list_push", list_push as *const u8, 5),
        helper("map_from", map_from as *const u8, 3),
        helper("iterate", iterate as *const u8, 4),
        helper("length", length as *const u8, 3),
        helper("element", element as *const u8, 5),
        helper("call", call as *const u8, 2 + 2 * MAX_ARGUMENTS),
        helper("variable", variable as *const u8, 2),
    ]
}

#[derive(Clone, Copy, Debug)]
pub(super) enum HelperId {
    Select = 0,
    Unary = 1,
    Binary = 2,
    Equal = 3,
    ListNew = 4,
    ListPush = 5,
    MapFrom = 6,
    Iterate = 7,
    Length = 8,
    Element = 9,
    Call = 10,
    Variable = 11,
}

// The contract of all helpers, which code generation keeps: `frame` is the frame that the code was called with and no other
// reference to it exists meanwhile; `node` is a node of the frame's tree of the kind the helper is for; slots are as
// `Frame::item` wants them. Helpers do not panic: a panic could not unwind through generated code and would abort.

/// `operand.field` and `has(operand.field)`.
unsafe extern "C" fn select(frame: *mut Frame<'_>, node: u64, head: u64, data: u64) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    // SAFETY: as above.
    let operand = unsafe { frame.item(Slot::new(head, data)) };
    let node = NodeId::new(node as u32);
    let outcome = match &frame.ast[node].expr {
        Expr::Select { field, .. } => semantics::select(&operand, field),
        Expr::Has { field, .. } => semantics::has(&operand, field).map(Item::Bool),
        _ => Err(ErrorKind::NoSuchOverload),
    };
    frame.give(node, outcome)
}

/// Operators and functions of one operand.
unsafe extern "C" fn unary(frame: *mut Frame<'_>, node: u64, head: u64, data: u64) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    // SAFETY: as above.
    let operand = unsafe { frame.item(Slot::new(head, data)) };
    let node = NodeId::new(node as u32);
    let outcome = match &frame.ast[node].expr {
        Expr::Unary { op, .. } => semantics::unary(*op, &operand),
        _ => Err(ErrorKind::NoSuchOverload),
    };
    frame.give(node, outcome)
}

/// Operators and functions of two operands.
unsafe extern "C" fn binary(
    frame: *mut Frame<'_>,
    node: u64,
    left_head: u64,
    left_data: u64,
    right_head: u64,
    right_data: u64,
) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    // SAFETY: as above.
    let left = unsafe { frame.item(Slot::new(left_head, left_data)) };
    // SAFETY: as above.
    let right = unsafe { frame.item(Slot::new(right_head, right_data)) };
    let node = NodeId::new(node as u32);
    let outcome = match &frame.ast[node].expr {
        Expr::Binary { op, .. } => semantics::binary(*op, &left, &right, &mut frame.budget),
        _ => Err(ErrorKind::NoSuchOverload),
    };
    frame.give(node, outcome)
}

/// Equality of two values: 0 or 1.
unsafe extern "C" fn equal(
    frame: *mut Frame<'_>,
    left_head: u64,
    left_data: u64,
    right_head: u64,
    right_data: u64,
) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    // SAFETY: as above.
    let left = unsafe { frame.item(Slot::new(left_head, left_data)) };
    // SAFETY: as above.
    let right = unsafe { frame.item(Slot::new(right_head, right_data)) };
    u64::from(semantics::equal_within(&left, &right, &mut frame.budget))
}

/// A new empty list.
unsafe extern "C" fn list_new(frame: *mut Frame<'_>, node: u64) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    let list = frame
        .budget
        .spend_elements(1)
        .map(|()| Item::list(Arc::default()));
    frame.give(NodeId::new(node as u32), list)
}

/// Appends to a list that [`list_new`] made and nothing else has seen yet.
unsafe extern "C" fn list_push(
    frame: *mut Frame<'_>,
    node: u64,
    place: u64,
    head: u64,
    data: u64,
) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    // SAFETY: as above.
    let element = unsafe { frame.item(Slot::new(head, data)) };
    let outcome = frame.budget.spend_item(&element).map(|()| {
        if let Some(list) = frame.lists.get_mut(place as usize) {
            Arc::make_mut(list).push(element);
        }
        Item::Null
    });
    frame.give(NodeId::new(node as u32), outcome)
}

/// The map of the keys and values in a list that [`list_new`] made.
unsafe extern "C" fn map_from(frame: *mut Frame<'_>, node: u64, place: u64) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    let parts = frame.lists.get(place as usize).cloned().unwrap_or_default();
    let outcome = BuiltMap::new(&parts).map(|map| Item::map(Arc::new(map)));
    frame.give(NodeId::new(node as u32), outcome)
}

/// What a macro visits; the error is that of the macro's range.
unsafe extern "C" fn iterate(frame: *mut Frame<'_>, node: u64, head: u64, data: u64) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    // SAFETY: as above.
    let range = unsafe { frame.item(Slot::new(head, data)) };
    let ast = frame.ast;
    let Expr::Comprehension(comprehension) = &ast[NodeId::new(node as u32)].expr else {
        return error_head(ErrorKind::NoSuchOverload, NodeId::new(node as u32));
    };
    let variables = comprehension.variables.len();
    let list = semantics::iterate(&range, variables, &mut frame.budget);
    frame.give(comprehension.range, list.map(Item::List))
}

/// The number of elements of a list.
unsafe extern "C" fn length(frame: *mut Frame<'_>, head: u64, data: u64) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &*frame };
    // SAFETY: as above.
    match unsafe { frame.item(Slot::new(head, data)) } {
        Item::List(list) => list.len() as u64,
        _ => 0,
    }
}

/// An element of a list.
unsafe extern "C" fn element(
    frame: *mut Frame<'_>,
    node: u64,
    head: u64,
    data: u64,
    index: u64,
) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    // SAFETY: as above.
    let element = match unsafe { frame.item(Slot::new(head, data)) } {
        Item::List(list) => list.get(index as usize),
        _ => None,
    };
    let outcome = element.ok_or(ErrorKind::IndexOutOfRange);
    frame.give(NodeId::new(node as u32), outcome)
}

/// A variable that got its value with this evaluation.
unsafe extern "C" fn variable(frame: *mut Frame<'_>, node: u64) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    let node = NodeId::new(node as u32);
    let (ast, variables) = (frame.ast, frame.variables);
    let value = match &ast[node].expr {
        Expr::Named { index, .. } => variables.get(*index as usize),
        _ => None,
    };
    let value = value.and_then(|value| value.as_ref()).map(Item::borrowed);
    frame.give(node, value.ok_or(ErrorKind::Undeclared))
}

/// A function by its name, with as many arguments as its node has.
unsafe extern "C" fn call(
    frame: *mut Frame<'_>,
    node: u64,
    head_0: u64,
    data_0: u64,
    head_1: u64,
    data_1: u64,
    head_2: u64,
    data_2: u64,
    head_3: u64,
    data_3: u64,
) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    let words = [
        (head_0, data_0),
        (head_1, data_1),
        (head_2, data_2),
        (head_3, data_3),
    ];
    // SAFETY: as above; a slot of two zeros, for an argument that is not there, is an item without addresses.
    let items = words.map(|(head, data)| unsafe { frame.item(Slot::new(head, data)) });
    let node = NodeId::new(node as u32);
    let ast = frame.ast;
    let outcome = match &ast[node].expr {
        Expr::Call {
            function,
            arguments,
            pattern,
        } => {
            let items = items.get(..arguments.len()).unwrap_or_default();
            function
                .function
                .call(items, pattern.as_deref(), &mut frame.budget)
        }
        _ => Err(ErrorKind::NoSuchOverload),
    };
    frame.give(node, outcome)
}
