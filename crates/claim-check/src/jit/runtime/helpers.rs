//! The functions that generated code calls.

use std::sync::Arc;

use stampmill_claims_json::Slot;

use super::{Frame, error_head};
use crate::cost::{self, Charge};
use crate::error::ErrorKind;
use crate::function::MAX_ARGUMENTS;
use crate::item::Item;
use crate::map::BuiltMap;
use crate::semantics;
use crate::syntax::ast::{Expr, NodeId};

/// A Rust function that generated code may call: all parameters and the result are 64-bit words, the first is the frame.
pub(in crate::jit) struct Helper {
    pub(in crate::jit) name: &'static str,
    pub(in crate::jit) address: *const u8,
    pub(in crate::jit) parameters: usize,
}

/// The two words that generated code passes in registers.
fn slot(head: u64, data: u64) -> Slot {
    Slot { head, data }
}

/// The helpers in the order of [`HelperId`].
pub(in crate::jit) fn helpers() -> [Helper; 14] {
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
        helper("call", call as *const u8, 2 + 2 * MAX_ARGUMENTS),
        helper("variable", variable as *const u8, 2),
        helper("contains", contains as *const u8, 4),
        helper("matches", matches as *const u8, 4),
        helper("one_of", one_of as *const u8, 4),
        helper("optional", optional as *const u8, 3),
    ]
}

#[derive(Clone, Copy, Debug)]
pub(in crate::jit) enum HelperId {
    Select = 0,
    Unary = 1,
    Binary = 2,
    Equal = 3,
    ListNew = 4,
    ListPush = 5,
    MapFrom = 6,
    Iterate = 7,
    Call = 8,
    Variable = 9,
    Contains = 10,
    Matches = 11,
    OneOf = 12,
    Optional = 13,
}

// The contract of all helpers, which code generation keeps: `frame` is the frame that the code was called with and no other
// reference to it exists meanwhile; `node` is a node of the frame's tree of the kind the helper is for; slots are as
// `Frame::item` wants them. Helpers do not panic: a panic could not unwind through generated code and would abort.

/// `text.contains("literal")`: 0 or 1. The slot is a string's.
unsafe extern "C" fn contains(frame: *mut Frame<'_>, node: u64, head: u64, data: u64) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    let Expr::Binary { right, .. } = &frame.program.ast[NodeId::new(node as u32)].expr else {
        return 0;
    };
    let Expr::Literal(Item::String(needle)) = &frame.program.ast[*right].expr else {
        return 0;
    };
    // SAFETY: the contract of all helpers; code generation has compared the tag.
    let text = unsafe { frame.text(slot(head, data)) };
    let (found, length) = (text.contains(&**needle), text.len());
    frame.budget.charge(cost::contains(length, needle.len()));
    u64::from(found)
}

/// Whether a set has a text: 0 or 1. The slot is a string's.
unsafe extern "C" fn one_of(frame: *mut Frame<'_>, set: u64, head: u64, data: u64) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &*frame };
    // SAFETY: the contract of all helpers; code generation has compared the tag.
    let text = unsafe { frame.text(slot(head, data)) };
    let set = frame.program.sets.get(set as usize);
    u64::from(set.is_some_and(|set| set.holds(text)))
}

/// The optional value of a slot, none if that is empty.
unsafe extern "C" fn optional(frame: *mut Frame<'_>, head: u64, data: u64) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    let value = match head as u8 {
        Slot::ABSENT => None,
        // SAFETY: as above.
        _ => Some(Arc::new(unsafe { frame.item(slot(head, data)) })),
    };
    let root = frame.program.ast.root();
    frame.give(root, Ok(Item::Optional(value)))
}

/// `text.matches("literal")`: 0 or 1. The slot is a string's.
unsafe extern "C" fn matches(frame: *mut Frame<'_>, node: u64, head: u64, data: u64) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    let Expr::Call {
        pattern: Some(pattern),
        ..
    } = &frame.program.ast[NodeId::new(node as u32)].expr
    else {
        return 0;
    };
    // SAFETY: the contract of all helpers; code generation has compared the tag.
    let text = unsafe { frame.text(slot(head, data)) };
    let (found, length) = (pattern.matches(text), text.len());
    frame.budget.charge(cost::matches(length, pattern.length()));
    u64::from(found)
}

/// `operand.field` and `has(operand.field)`.
unsafe extern "C" fn select(frame: *mut Frame<'_>, node: u64, head: u64, data: u64) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    // SAFETY: as above.
    let operand = unsafe { frame.item(slot(head, data)) };
    let node = NodeId::new(node as u32);
    let outcome = match &frame.program.ast[node].expr {
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
    let operand = unsafe { frame.item(slot(head, data)) };
    let node = NodeId::new(node as u32);
    let outcome = match &frame.program.ast[node].expr {
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
    let left = unsafe { frame.item(slot(left_head, left_data)) };
    // SAFETY: as above.
    let right = unsafe { frame.item(slot(right_head, right_data)) };
    let node = NodeId::new(node as u32);
    let outcome = match &frame.program.ast[node].expr {
        Expr::Binary { op, .. } => {
            if frame.program.plan.charge(node) == Charge::ByValue {
                frame.budget.charge(cost::binary(*op, &left, &right));
            }
            semantics::binary(*op, &left, &right, &mut frame.budget)
        }
        _ => Err(ErrorKind::NoSuchOverload),
    };
    frame.give(node, outcome)
}

/// Equality of two values, for `in`: 0 or 1.
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
    let left = unsafe { frame.item(slot(left_head, left_data)) };
    // SAFETY: as above.
    let right = unsafe { frame.item(slot(right_head, right_data)) };
    u64::from(semantics::equal(&left, &right))
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
    let element = unsafe { frame.item(slot(head, data)) };
    let outcome = frame.budget.spend_item(&element).map(|()| {
        if let Some(list) = frame.list_mut(place) {
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
    let parts = frame.built_list(place).unwrap_or_default();
    let outcome = BuiltMap::new(&parts).map(|map| Item::map(Arc::new(map)));
    frame.give(NodeId::new(node as u32), outcome)
}

/// What a macro visits, as slots in memory; the error is that of the macro's range. The head that is returned has the number of
/// slots, the data in the frame is the address of the first.
unsafe extern "C" fn iterate(frame: *mut Frame<'_>, node: u64, head: u64, data: u64) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    // SAFETY: as above.
    let range = unsafe { frame.item(slot(head, data)) };
    let ast = &*frame.program.ast;
    let Expr::Comprehension(comprehension) = &ast[NodeId::new(node as u32)].expr else {
        return error_head(ErrorKind::NoSuchOverload, NodeId::new(node as u32));
    };
    let variables = comprehension.variables.len();
    let list = semantics::iterate(&range, variables, &mut frame.budget);
    match list.and_then(|list| frame.run(&list)) {
        Ok((address, length)) => frame.give_run(address, length),
        Err(kind) => error_head(kind, comprehension.range),
    }
}

/// A variable that got its value with this evaluation.
unsafe extern "C" fn variable(frame: *mut Frame<'_>, node: u64) -> u64 {
    // SAFETY: the contract of all helpers.
    let frame = unsafe { &mut *frame };
    let node = NodeId::new(node as u32);
    let (ast, variables) = (&*frame.program.ast, frame.variables);
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
    let items = words.map(|(head, data)| unsafe { frame.item(slot(head, data)) });
    let node = NodeId::new(node as u32);
    let ast = &*frame.program.ast;
    let outcome = match &ast[node].expr {
        Expr::Call {
            function,
            arguments,
            pattern,
        } => {
            let items = items.get(..arguments.len()).unwrap_or_default();
            frame.budget.charge(cost::call(function.function, items));
            function
                .function
                .call(items, pattern.as_deref(), &mut frame.budget)
        }
        _ => Err(ErrorKind::NoSuchOverload),
    };
    frame.give(node, outcome)
}
