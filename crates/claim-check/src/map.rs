//! Maps: an object of the payload, or one that the expression built.
//!
//! Keys are bools, ints, uints and strings (CEL specification, "Aggregate Values"). Numeric keys are one if their values
//! are: `{1: "a"}[1u]` and `{1: "a"}[1.0]` are "a", and `{1: "a", 1u: "b"}` is an error.

use std::sync::Arc;

use stampmill_claims_json::Members;

use crate::error::ErrorKind;
use crate::item::Item;

/// A map.
#[derive(Clone, Debug)]
pub(crate) enum Map<'a> {
    Claims(Members<'a>),
    Built(Arc<BuiltMap<'a>>),
}

impl<'a> Map<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Map::Claims(members) => members.len(),
            Map::Built(map) => map.entries.len(),
        }
    }

    /// The value of a key: nothing for values that are no keys, too.
    pub(crate) fn get(&self, key: &Item<'_>) -> Option<Item<'a>> {
        match (self, key) {
            (Map::Claims(members), Item::String(name)) => members.get(name).map(Item::from_claim),
            (Map::Claims(_), _) => None,
            (Map::Built(map), key) => map.get(&Probe::of(key)?),
        }
    }

    /// The value of a string key.
    pub(crate) fn field(&self, name: &str) -> Option<Item<'a>> {
        match self {
            Map::Claims(members) => members.get(name).map(Item::from_claim),
            Map::Built(map) => map.get(&Probe::String(name)),
        }
    }

    /// Keys and values in the order of the payload or the expression.
    pub(crate) fn entries(&self) -> Vec<(Item<'a>, Item<'a>)> {
        match self {
            Map::Claims(members) => {
                let entry = |(name, claim): (&'a str, _)| {
                    (Item::String(name.into()), Item::from_claim(claim))
                };
                members.iter().map(entry).collect()
            }
            Map::Built(map) => map.entries.clone(),
        }
    }

    /// Whether both have equal keys with equal values. Sorted keys keep this below quadratic time.
    pub(crate) fn equals(&self, other: &Self, equal: fn(&Item<'_>, &Item<'_>) -> bool) -> bool {
        if self.len() != other.len() {
            return false;
        }
        let (left, right) = (self.entries(), other.entries());
        sorted(&left)
            .into_iter()
            .zip(sorted(&right))
            .all(|((a_key, a), (b_key, b))| a_key == b_key && equal(a, b))
    }
}

fn sorted<'e, 'a>(entries: &'e [(Item<'a>, Item<'a>)]) -> Vec<(Option<Probe<'e>>, &'e Item<'a>)> {
    let mut sorted: Vec<_> = entries
        .iter()
        .map(|(key, value)| (Probe::of(key), value))
        .collect();
    sorted.sort_by_key(|(probe, _)| *probe);
    sorted
}

/// A map that an expression built: distinct keys, entries in the order of the expression.
#[derive(Debug)]
pub(crate) struct BuiltMap<'a> {
    entries: Vec<(Item<'a>, Item<'a>)>,
    /// Places in `entries` by ascending key.
    order: Vec<u32>,
}

impl<'a> BuiltMap<'a> {
    /// From keys and values by turns.
    pub(crate) fn new(parts: &[Item<'a>]) -> Result<Self, ErrorKind> {
        let entries: Vec<_> = parts
            .chunks_exact(2)
            .map(|entry| (entry[0].clone(), entry[1].clone()))
            .collect();
        let is_key = |key: &Item<'_>| !matches!(key, Item::Double(_)) && Probe::of(key).is_some();
        if !entries.iter().all(|(key, _)| is_key(key)) {
            return Err(ErrorKind::UnsupportedKey);
        }
        let mut order: Vec<u32> = (0..entries.len() as u32).collect();
        let probe = |place: &u32| Probe::of(&entries[*place as usize].0);
        order.sort_by(|a, b| probe(a).cmp(&probe(b)));
        if order
            .windows(2)
            .any(|pair| probe(&pair[0]) == probe(&pair[1]))
        {
            return Err(ErrorKind::RepeatedKey);
        }
        Ok(Self { entries, order })
    }

    fn get(&self, probe: &Probe<'_>) -> Option<Item<'a>> {
        let entry = |place: &u32| &self.entries[*place as usize];
        let found = self
            .order
            .binary_search_by(|place| Probe::of(&entry(place).0).as_ref().cmp(&Some(probe)))
            .ok()?;
        Some(entry(&self.order[found]).1.clone())
    }
}

/// A key as it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Probe<'k> {
    Bool(bool),
    Number(i128),
    String(&'k str),
}

impl<'k> Probe<'k> {
    /// A double stands for the integer that it equals, if there is one.
    fn of(key: &'k Item<'_>) -> Option<Self> {
        match key {
            Item::Bool(truth) => Some(Probe::Bool(*truth)),
            Item::Int(number) => Some(Probe::Number(i128::from(*number))),
            Item::UInt(number) => Some(Probe::Number(i128::from(*number))),
            Item::Double(number) if number.fract() == 0.0 => Some(Probe::Number(*number as i128)),
            Item::String(text) => Some(Probe::String(text)),
            _ => None,
        }
    }
}
