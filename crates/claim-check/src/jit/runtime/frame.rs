//! What one call of generated code works with.

use std::cmp::Ordering;
use std::mem::{ManuallyDrop, offset_of};
use std::ptr;
use std::slice;
use std::str;
use std::sync::Arc;

use stampmill_claims_json::{Bound, Slot};

use super::{ABSENT_CODE, CONSTANT, DECIDED, RETRY_CODE, Tag, UNFIT_CODE, error_head};
use crate::error::{ErrorKind, Fault};
use crate::item::{Item, List};
use crate::map::{BuiltMap, Map};
use crate::network::Network;
use crate::semantics::Budget;
use crate::shared::{Shared, Text};
use crate::slots::{self, Plan};
use crate::syntax::ast::{Ast, Expr, NodeId};
use crate::time::{Duration, Timestamp};
use crate::types::TypeName;

/// What is compiled, with all that its code refers to. The same for all calls.
#[derive(Debug)]
pub(in crate::jit) struct Program {
    pub(in crate::jit) ast: Arc<Ast>,
    pub(in crate::jit) plan: Arc<Plan>,
    /// Strings, lists and maps of the expression, by the numbers that the code uses. They point into `ast`.
    pub(in crate::jit) constants: Vec<Slot>,
    pub(in crate::jit) sets: Vec<Set>,
}

/// The literal strings of a list, sorted and without repetition.
#[derive(Debug)]
pub(in crate::jit) struct Set {
    texts: Vec<Box<str>>,
    /// How many are written: what looking for one costs.
    pub(in crate::jit) written: usize,
}

impl Set {
    pub(in crate::jit) fn of(ast: &Ast, list: NodeId) -> Self {
        let elements: &[NodeId] = match &ast[list].expr {
            Expr::List { elements, .. } => elements,
            _ => &[],
        };
        let text = |id: &NodeId| match &ast[*id].expr {
            Expr::Literal(Item::String(text)) => Some(Box::from(&**text)),
            _ => None,
        };
        let mut texts: Vec<Box<str>> = elements.iter().filter_map(text).collect();
        let written = texts.len();
        texts.sort_unstable_by(|a, b| Self::order(a, b));
        texts.dedup();
        Self { texts, written }
    }

    pub(in crate::jit) fn holds(&self, text: &str) -> bool {
        let found = self.texts.binary_search_by(|one| Self::order(one, text));
        found.is_ok()
    }

    /// By length first: most texts differ there, and bytes need not be looked at.
    fn order(a: &str, b: &str) -> Ordering {
        (a.len().cmp(&b.len())).then_with(|| a.as_bytes().cmp(b.as_bytes()))
    }
}

/// What one call of generated code works with, beside the claims and the time, which are arguments. The code knows the first three
/// fields and what the budget has spent by their offsets.
///
/// Short on purpose: filling it in is a good part of what a small check takes.
#[repr(C)]
pub(in crate::jit) struct Frame<'a> {
    /// The second word of the last helper's result, and of the whole result.
    data: u64,
    /// What the code has charged itself, if it counts; what helpers charge is in the budget.
    cost: u64,
    constants: *const Slot,
    pub(in crate::jit) program: &'a Program,
    pub(in crate::jit) claims: &'a Bound<'a>,
    /// Values of the variables of [`Ast::names`].
    pub(in crate::jit) variables: &'a [Option<Item<'a>>],
    pub(in crate::jit) budget: Budget,
    /// What this call has built: most build nothing.
    built: Option<ManuallyDrop<Box<Built<'a>>>>,
}

impl Drop for Frame<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.built.is_some() {
            self.release();
        }
    }
}

/// Why a call has no result.
#[derive(Clone, Copy, Debug)]
pub(in crate::jit) enum Unfinished {
    Fault(Fault),
    /// The code was not made for a type that it met.
    Retry,
}

/// Values that this call has built; they live until its end.
#[derive(Default)]
struct Built<'a> {
    lists: Vec<Arc<Vec<Item<'a>>>>,
    maps: Vec<Arc<BuiltMap<'a>>>,
    /// The texts stay where they are when the vector grows.
    strings: Vec<Arc<str>>,
    bytes: Vec<Arc<[u8]>>,
    /// Addresses and networks: too long for a slot.
    networks: Vec<Network>,
    optionals: Vec<Option<Arc<Item<'a>>>>,
    /// The elements of lists that macros walk.
    runs: Vec<Box<[Slot]>>,
}

pub(in crate::jit) const DATA_OFFSET: usize = offset_of!(Frame<'_>, data);
pub(in crate::jit) const CONSTANTS_OFFSET: usize = offset_of!(Frame<'_>, constants);
pub(in crate::jit) const COST_OFFSET: usize = offset_of!(Frame<'_>, cost);
pub(in crate::jit) const SPENT_OFFSET: usize = offset_of!(Frame<'_>, budget.spent);

impl<'a> Frame<'a> {
    #[inline]
    pub(in crate::jit) fn new(
        program: &'a Program,
        claims: &'a Bound<'a>,
        variables: &'a [Option<Item<'a>>],
    ) -> Self {
        Self {
            data: 0,
            cost: 0,
            constants: program.constants.as_ptr(),
            program,
            claims,
            variables,
            budget: Budget::new(program.plan.cost_limit),
            built: None,
        }
    }

    #[cold]
    fn release(&mut self) {
        drop(self.built.take().map(ManuallyDrop::into_inner));
    }

    /// The text of a slot that is a string's.
    ///
    /// # Safety
    /// As for [`Frame::item`]; the text lives as long as the frame.
    pub(in crate::jit) unsafe fn text(&self, slot: Slot) -> &str {
        let address = ptr::with_exposed_provenance(slot.data as usize);
        // SAFETY: address and length were taken from one `str` (see the contract), whose provenance was exposed.
        unsafe { str::from_utf8_unchecked(slice::from_raw_parts(address, slot.len())) }
    }

    /// What the evaluation has cost.
    pub(in crate::jit) fn total_cost(&self) -> u64 {
        self.cost.saturating_add(self.budget.spent)
    }

    /// What generated code returned, if it is a bool.
    #[inline]
    pub(in crate::jit) fn decision(&self, head: u64) -> Option<bool> {
        match head {
            _ if head == DECIDED[1] => Some(true),
            _ if head == DECIDED[0] => Some(false),
            _ if head == Tag::Bool as u64 => Some(self.data != 0),
            _ => None,
        }
    }

    /// The error that generated code returned.
    #[cold]
    fn unfinished(&self, head: u64) -> Unfinished {
        let node = NodeId::new((head >> 32) as u32);
        let Program { ast, plan, .. } = self.program;
        let absent = |node| slots::absent(ast, plan, self.claims, node).err();
        let overload = Fault {
            kind: ErrorKind::NoSuchOverload,
            node,
        };
        Unfinished::Fault(match (head >> 8) as u8 {
            RETRY_CODE => return Unfinished::Retry,
            ABSENT_CODE => absent(node).unwrap_or(overload),
            UNFIT_CODE => {
                let operand = match &ast[node].expr {
                    _ if plan.slot(node).is_some() => node,
                    Expr::Binary { left, .. } => *left,
                    Expr::Call { arguments, .. } => arguments.first().copied().unwrap_or(node),
                    _ => node,
                };
                let slot = plan.slot(operand);
                let is_absent = slot.is_some_and(|slot| self.claims.claim(slot).is_none());
                (is_absent.then(|| absent(operand)).flatten()).unwrap_or(overload)
            }
            code => Fault {
                kind: ErrorKind::from_code(code).unwrap_or(ErrorKind::NoSuchOverload),
                node,
            },
        })
    }

    /// What generated code returned, whose head is given and whose data is in the frame.
    ///
    /// # Safety
    /// `head` is the return value of code generated for this frame's expression, called with this frame.
    pub(in crate::jit) unsafe fn result(&self, head: u64) -> Result<Item<'a>, Unfinished> {
        if let Some(truth) = self.decision(head) {
            return Ok(Item::Bool(truth));
        }
        if head as u8 == Tag::Error as u8 {
            return Err(self.unfinished(head));
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
    /// The slot comes from generated code that runs with this frame: its addresses were made by [`constant`](super::constant) for
    /// this frame's tree, by [`Frame::give`] of this frame, or by the reader of this frame's claims. So they point to texts that
    /// outlive `'a` or to strings and bytes of this frame, which nothing changes or drops before the frame itself, and the returned item must
    /// not outlive the frame.
    pub(in crate::jit) unsafe fn item(&self, slot: Slot) -> Item<'a> {
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
                let network = self
                    .built
                    .as_ref()
                    .and_then(|built| built.networks.get(address).copied());
                network.map_or(Item::Null, Item::Network)
            }
            tag if tag == Tag::Optional as u8 => {
                let optional = self
                    .built
                    .as_ref()
                    .and_then(|built| built.optionals.get(address).cloned());
                optional.map_or(Item::Null, Item::Optional)
            }
            tag if tag == Tag::Type as u8 => {
                TypeName::from_code(slot.data).map_or(Item::Null, Item::Type)
            }
            tag if tag == Tag::ClaimList as u8 => Item::List(List::Claims(self.claims.list(slot))),
            tag if tag == Tag::Map as u8 => Item::Map(Map::Claims(self.claims.map(slot))),
            tag if tag == Tag::BuiltList as u8 => {
                self.built_list(slot.data).map_or(Item::Null, Item::list)
            }
            tag if tag == Tag::BuiltMap as u8 => {
                self.built_map(slot.data).map_or(Item::Null, Item::map)
            }
            _ => Item::Null,
        }
    }

    pub(in crate::jit) fn built_list(&self, place: u64) -> Option<Arc<Vec<Item<'a>>>> {
        if place & CONSTANT == 0 {
            return self.built.as_ref()?.lists.get(place as usize).cloned();
        }
        match &self.program.ast[NodeId::new(place as u32)].expr {
            Expr::List {
                constant: Some(elements),
                ..
            } => Some(Arc::clone(elements) as Arc<Vec<Item<'a>>>),
            _ => None,
        }
    }

    fn built_map(&self, place: u64) -> Option<Arc<BuiltMap<'a>>> {
        if place & CONSTANT == 0 {
            return self.built.as_ref()?.maps.get(place as usize).cloned();
        }
        match &self.program.ast[NodeId::new(place as u32)].expr {
            Expr::Map {
                constant: Some(map),
                ..
            } => Some(Arc::clone(map) as Arc<BuiltMap<'a>>),
            _ => None,
        }
    }

    /// Hands a result to generated code: returns the head and leaves the data in the frame.
    pub(in crate::jit) fn give(
        &mut self,
        node: NodeId,
        outcome: Result<Item<'a>, ErrorKind>,
    ) -> u64 {
        match outcome.and_then(|item| self.slot(item)) {
            Ok(slot) => {
                self.data = slot.data;
                slot.head
            }
            Err(kind) => error_head(kind, node),
        }
    }

    /// Hands a run of slots to generated code, as a list of claims whose data is an address.
    pub(in crate::jit) fn give_run(&mut self, address: u64, length: u64) -> u64 {
        self.data = address;
        Tag::ClaimList as u64 | length << 32
    }

    fn built(&mut self) -> &mut Built<'a> {
        self.built.get_or_insert_with(Default::default)
    }

    /// The elements of a list as slots, for a macro to walk: the address of the first, and how many there are.
    pub(in crate::jit) fn run(&mut self, list: &List<'a>) -> Result<(u64, u64), ErrorKind> {
        let run = list
            .elements()
            .map(|element| self.slot(element))
            .collect::<Result<Box<[Slot]>, _>>()?;
        let place = (run.as_ptr().expose_provenance() as u64, run.len() as u64);
        self.built().runs.push(run);
        Ok(place)
    }

    /// A list that this call has built and nothing else has seen yet.
    pub(in crate::jit) fn list_mut(&mut self, place: u64) -> Option<&mut Arc<Vec<Item<'a>>>> {
        self.built().lists.get_mut(place as usize)
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
                        let built = self.built();
                        built.strings.push(text);
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
                    let built = self.built();
                    built.bytes.push(bytes);
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
                let built = self.built();
                built.networks.push(network);
                Slot {
                    head: Tag::Network.head(),
                    data: built.networks.len() as u64 - 1,
                }
            }
            Item::Optional(optional) => {
                let built = self.built();
                built.optionals.push(optional);
                Slot {
                    head: Tag::Optional.head(),
                    data: built.optionals.len() as u64 - 1,
                }
            }
            Item::Type(ty) => Slot {
                head: Tag::Type.head(),
                data: ty as u64,
            },
            Item::List(List::Claims(elements)) => elements.slot(),
            Item::List(List::Built(elements)) => {
                let built = self.built();
                built.lists.push(elements);
                Slot {
                    head: Tag::BuiltList.head(),
                    data: built.lists.len() as u64 - 1,
                }
            }
            Item::Map(Map::Claims(members)) => members.slot(),
            Item::Map(Map::Built(map)) => {
                let built = self.built();
                built.maps.push(map);
                Slot {
                    head: Tag::BuiltMap.head(),
                    data: built.maps.len() as u64 - 1,
                }
            }
        })
    }
}
