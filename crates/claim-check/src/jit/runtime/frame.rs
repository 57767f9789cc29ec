//! What one call of generated code works with.

use std::mem::offset_of;
use std::ptr;
use std::slice;
use std::str;
use std::sync::Arc;

use stampmill_claims_json::{Bound, Slot};

use super::{CONSTANT, Tag, error_head};
use crate::error::{ErrorKind, Fault};
use crate::item::{Item, List};
use crate::map::{BuiltMap, Map};
use crate::network::Network;
use crate::semantics::Budget;
use crate::shared::{Shared, Text};
use crate::slots::Plan;
use crate::syntax::ast::{Ast, Expr, NodeId};
use crate::time::{Duration, Timestamp};
use crate::types::TypeName;

/// What one call of generated code works with. The code knows the first four fields and the steps of the
/// budget by their offsets.
#[repr(C)]
pub(in crate::jit) struct Frame<'a> {
    /// The second word of the last helper's result, and of the whole result.
    data: u64,
    constants: *const Slot,
    /// The claims that the code plan, by number.
    slots: *const Slot,
    /// The elements of the payload's lists.
    elements: *const Slot,
    now: i64,
    /// What the code has charged itself; what helpers charge is in the budget.
    cost: u64,
    pub(in crate::jit) ast: &'a Ast,
    pub(in crate::jit) plan: &'a Plan,
    pub(in crate::jit) claims: &'a Bound<'a>,
    /// Values of the variables of [`Ast::names`].
    pub(in crate::jit) variables: &'a [Option<Item<'a>>],
    pub(in crate::jit) budget: Budget,
    /// What this call has built: most build nothing.
    built: Option<Box<Built<'a>>>,
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
pub(in crate::jit) const BOUND_SLOTS_OFFSET: usize = offset_of!(Frame<'_>, slots);
pub(in crate::jit) const BOUND_ELEMENTS_OFFSET: usize = offset_of!(Frame<'_>, elements);
pub(in crate::jit) const NOW_OFFSET: usize = offset_of!(Frame<'_>, now);
pub(in crate::jit) const COST_OFFSET: usize = offset_of!(Frame<'_>, cost);
pub(in crate::jit) const LEFT_OFFSET: usize = offset_of!(Frame<'_>, budget.left);

impl<'a> Frame<'a> {
    pub(in crate::jit) fn new(
        ast: &'a Ast,
        constants: &'a [Slot],
        plan: &'a Plan,
        claims: &'a Bound<'a>,
        now: i64,
        variables: &'a [Option<Item<'a>>],
    ) -> Self {
        Self {
            data: 0,
            constants: constants.as_ptr(),
            slots: claims.slots().as_ptr(),
            elements: claims.elements().as_ptr(),
            now,
            cost: 0,
            ast,
            plan,
            claims,
            variables,
            budget: Budget::new(plan.cost_limit),
            built: None,
        }
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

    /// Whether the cost is above the limit.
    #[inline]
    fn is_exhausted(&self) -> bool {
        self.cost > self.budget.left || self.budget.is_exhausted()
    }

    /// What generated code returned, if it is a bool.
    #[inline]
    pub(in crate::jit) fn decision(&self, head: u64) -> Result<Option<bool>, Fault> {
        if head == Tag::Bool as u64 && !self.is_exhausted() {
            return Ok(Some(self.data != 0));
        }
        match self.fault(head) {
            Some(fault) => Err(fault),
            None => Ok(None),
        }
    }

    /// The error that generated code returned, or that it went on for too long.
    #[cold]
    fn fault(&self, head: u64) -> Option<Fault> {
        if self.is_exhausted() {
            return Some(Fault {
                kind: ErrorKind::TooManySteps,
                node: self.ast.root(),
            });
        }
        (head as u8 == Tag::Error as u8).then(|| Fault {
            kind: ErrorKind::from_code((head >> 8) as u8).unwrap_or(ErrorKind::NoSuchOverload),
            node: NodeId::new((head >> 32) as u32),
        })
    }

    /// What generated code returned, whose head is given and whose data is in the frame.
    ///
    /// # Safety
    /// `head` is the return value of code generated for this frame's expression, called with this frame.
    pub(in crate::jit) unsafe fn result(&self, head: u64) -> Result<Item<'a>, Fault> {
        if let Some(fault) = self.fault(head) {
            return Err(fault);
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
            return self.built.as_ref()?.maps.get(place as usize).cloned();
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
        self.built.get_or_insert_default()
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
