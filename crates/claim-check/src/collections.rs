//! The lists and sets extensions of CEL (cel-go `ext`, "Lists" and "Sets").

use std::cmp::Ordering;
use std::sync::Arc;

use crate::error::ErrorKind;
use crate::item::{Item, List};
use crate::semantics::{Budget, Outcome, compare, equal};

/// The functions of the extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Collections {
    /// `lists.range(n)`: 0 to n - 1.
    Range,
    Slice,
    /// One level, or as many as are asked for.
    Flatten,
    Sort,
    /// A list by the keys in a second one: what `list.sortBy(variable, key)` becomes.
    SortByKeys,
    Distinct,
    /// Of a list; that of a string is in `strings`.
    Reverse,
    /// Every element of the second is in the first.
    Contains,
    Equivalent,
    Intersects,
}

/// Calls a function; the receiver is the first argument.
pub(crate) fn call<'a>(
    function: Collections,
    arguments: &[Item<'a>],
    budget: &mut Budget,
) -> Outcome<'a> {
    match (function, arguments) {
        (Collections::Range, [Item::Int(end)]) => {
            let count = usize::try_from(*end).unwrap_or(0);
            budget.spend_elements(count.saturating_add(1))?;
            Ok(list((0..*end).map(Item::Int).collect()))
        }
        (Collections::Slice, [Item::List(elements), Item::Int(start), Item::Int(end)]) => {
            slice(elements, *start, *end, budget)
        }
        (Collections::Flatten, [Item::List(elements)]) => flatten(elements, 1, budget),
        (Collections::Flatten, [Item::List(elements), Item::Int(depth)]) => {
            let depth = usize::try_from(*depth).map_err(|_| ErrorKind::IndexOutOfRange)?;
            flatten(elements, depth, budget)
        }
        (Collections::Sort, [Item::List(elements)]) => sort(elements, elements, budget),
        (Collections::SortByKeys, [Item::List(elements), Item::List(keys)]) => {
            sort(elements, keys, budget)
        }
        (Collections::Distinct, [Item::List(elements)]) => distinct(elements, budget),
        (Collections::Reverse, [value @ Item::List(elements)]) => {
            budget.spend_item(value)?;
            let mut reversed: Vec<_> = elements.elements().collect();
            reversed.reverse();
            Ok(list(reversed))
        }
        (Collections::Contains, [Item::List(a), Item::List(b)]) => {
            contains(a, b, budget).map(Item::Bool)
        }
        (Collections::Equivalent, [Item::List(a), Item::List(b)]) => Ok(Item::Bool(
            contains(a, b, budget)? && contains(b, a, budget)?,
        )),
        (Collections::Intersects, [Item::List(a), Item::List(b)]) => {
            compare_all(a, b, budget)?;
            let found = a.iter().any(|a| b.iter().any(|b| equal(&a, &b)));
            Ok(Item::Bool(found))
        }
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

fn list(elements: Vec<Item<'_>>) -> Item<'_> {
    Item::list(Arc::new(elements))
}

fn slice<'a>(elements: &List<'a>, start: i64, end: i64, budget: &mut Budget) -> Outcome<'a> {
    let place = |place: i64| usize::try_from(place).map_err(|_| ErrorKind::IndexOutOfRange);
    let (start, end) = (place(start)?, place(end)?);
    if start > end || end > elements.len() {
        return Err(ErrorKind::IndexOutOfRange);
    }
    let part: Vec<_> = (start..end)
        .filter_map(|place| elements.get(place))
        .collect();
    budget.spend_elements(1)?;
    for element in &part {
        budget.spend_item(element)?;
    }
    Ok(list(part))
}

fn flatten<'a>(elements: &List<'a>, depth: usize, budget: &mut Budget) -> Outcome<'a> {
    budget.spend_elements(1)?;
    let mut flat = Vec::new();
    flatten_into(&mut flat, elements, depth, budget)?;
    Ok(list(flat))
}

/// The recursion ends with the nesting of values, which literals and JSON bound, or with the depth.
fn flatten_into<'a>(
    flat: &mut Vec<Item<'a>>,
    elements: &List<'a>,
    depth: usize,
    budget: &mut Budget,
) -> Result<(), ErrorKind> {
    for element in elements.elements() {
        match element {
            Item::List(inner) if depth > 0 => flatten_into(flat, &inner, depth - 1, budget)?,
            element => {
                budget.spend_item(&element)?;
                flat.push(element);
            }
        }
    }
    Ok(())
}

/// The elements in the order of their keys, which must be of one type that has an order. Equal keys keep their order.
fn sort<'a>(elements: &List<'a>, keys: &List<'a>, budget: &mut Budget) -> Outcome<'a> {
    if elements.len() != keys.len() {
        return Err(ErrorKind::NoSuchOverload);
    }
    budget.spend_elements(1 + elements.len())?;
    budget.step(elements.len() as u64)?;
    let mut pairs: Vec<_> = keys.elements().zip(elements.elements()).collect();
    if let Some((first, _)) = pairs.first() {
        let ty = first.type_of();
        let comparable = |key: &Item<'a>| key.type_of() == ty && compare(key, key).is_ok();
        if !pairs.iter().all(|(key, _)| comparable(key)) {
            return Err(ErrorKind::NoSuchOverload);
        }
    }
    pairs.sort_by(|(a, _), (b, _)| {
        let ordering = compare(a, b).ok().flatten();
        ordering.unwrap_or(Ordering::Equal)
    });
    Ok(list(
        pairs.into_iter().map(|(_, element)| element).collect(),
    ))
}

/// The first of equal elements.
fn distinct<'a>(elements: &List<'a>, budget: &mut Budget) -> Outcome<'a> {
    compare_all(elements, elements, budget)?;
    budget.spend_elements(1)?;
    let mut unique: Vec<Item<'a>> = Vec::new();
    for element in elements.elements() {
        if !unique.iter().any(|seen| equal(seen, &element)) {
            budget.spend_item(&element)?;
            unique.push(element);
        }
    }
    Ok(list(unique))
}

fn contains(a: &List<'_>, b: &List<'_>, budget: &mut Budget) -> Result<bool, ErrorKind> {
    compare_all(a, b, budget)?;
    Ok(b.iter().all(|b| a.iter().any(|a| equal(&a, &b))))
}

/// The steps of comparing each element of one list with each of another.
fn compare_all(a: &List<'_>, b: &List<'_>, budget: &mut Budget) -> Result<(), ErrorKind> {
    let weight = |list: &List<'_>| {
        let weights = list.iter().map(|element| element.weight() as u64);
        weights.fold(0u64, u64::saturating_add)
    };
    let steps = weight(a).saturating_mul(b.len() as u64);
    budget.step(steps)
}
