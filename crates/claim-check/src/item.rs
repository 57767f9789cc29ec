//! A value while an expression is evaluated: borrowed from claims and literals where possible.

use std::sync::Arc;

use stampmill_claims_json::{Claim, Elements};

use crate::limits::LIST_ELEMENT_BYTES;
use crate::map::{BuiltMap, Map};
use crate::network::{Cidr, Network};
use crate::shared::{Shared, Text};
use crate::time::{Duration, Timestamp};
use crate::types::TypeName;
use crate::value::Value;

/// A value of CEL, borrowing from the claims and from the expression.
#[derive(Clone, Debug)]
pub(crate) enum Item<'a> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    String(Text<'a>),
    Bytes(Shared<'a, [u8]>),
    Timestamp(Timestamp),
    Duration(Duration),
    Network(Network),
    Type(TypeName),
    Optional(Option<Arc<Item<'a>>>),
    List(List<'a>),
    Map(Map<'a>),
}

/// A list: an array of the payload, or one that the expression built.
#[derive(Clone, Debug)]
pub(crate) enum List<'a> {
    Claims(Elements<'a>),
    Built(Arc<Vec<Item<'a>>>),
}

impl<'a> Item<'a> {
    pub(crate) fn from_claim(claim: Claim<'a>) -> Self {
        match claim {
            Claim::Null => Item::Null,
            Claim::Bool(truth) => Item::Bool(truth),
            Claim::Int(number) => Item::Int(number),
            Claim::UInt(number) => Item::UInt(number),
            Claim::Double(number) => Item::Double(number),
            Claim::String(text) => Item::String(text.into()),
            Claim::List(elements) => Item::List(List::Claims(elements)),
            Claim::Map(members) => Item::Map(Map::Claims(members)),
        }
    }

    pub(crate) fn list(elements: Arc<Vec<Item<'a>>>) -> Self {
        Item::List(List::Built(elements))
    }

    pub(crate) fn map(map: Arc<BuiltMap<'a>>) -> Self {
        Item::Map(Map::Built(map))
    }

    pub(crate) fn type_of(&self) -> TypeName {
        match self {
            Item::Null => TypeName::Null,
            Item::Bool(_) => TypeName::Bool,
            Item::Int(_) => TypeName::Int,
            Item::UInt(_) => TypeName::UInt,
            Item::Double(_) => TypeName::Double,
            Item::String(_) => TypeName::String,
            Item::Bytes(_) => TypeName::Bytes,
            Item::Timestamp(_) => TypeName::Timestamp,
            Item::Duration(_) => TypeName::Duration,
            Item::Network(Network::Ip(_)) => TypeName::Ip,
            Item::Network(Network::Cidr(_)) => TypeName::Cidr,
            Item::Type(_) => TypeName::Meta,
            Item::Optional(_) => TypeName::Optional,
            Item::List(_) => TypeName::List,
            Item::Map(_) => TypeName::Map,
        }
    }

    /// What the value counts as an element: one, and what it holds. A list that holds another a hundred times weighs a
    /// hundred times as much, although it shares it: whoever copies, compares or prints the value walks all of it.
    pub(crate) fn weight(&self) -> usize {
        1 + match self {
            Item::String(text) => text.len() / LIST_ELEMENT_BYTES,
            Item::Bytes(bytes) => bytes.len() / LIST_ELEMENT_BYTES,
            Item::List(list) => list.iter().map(|element| element.weight()).sum(),
            Item::Map(map) => map
                .entries()
                .iter()
                .map(|(key, value)| key.weight() + value.weight())
                .sum(),
            Item::Optional(Some(value)) => value.weight(),
            _ => 0,
        }
    }

    pub(crate) fn some(value: Item<'a>) -> Self {
        Item::Optional(Some(Arc::new(value)))
    }

    /// A value from outside; nothing for those that no value of CEL can be: times out of range, maps with bad keys.
    pub(crate) fn from_value(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::Null => Item::Null,
            Value::Bool(truth) => Item::Bool(*truth),
            Value::Int(number) => Item::Int(*number),
            Value::UInt(number) => Item::UInt(*number),
            Value::Double(number) => Item::Double(*number),
            Value::String(text) => Item::String(text.as_str().into()),
            Value::Bytes(bytes) => Item::Bytes(bytes.as_slice().into()),
            Value::Timestamp { seconds, nanos } => {
                Item::Timestamp(Timestamp::new(*seconds, *nanos).ok()?)
            }
            Value::Duration { nanoseconds } => Item::Duration(Duration(*nanoseconds)),
            Value::Ip(address) => Item::Network(Network::Ip(*address)),
            Value::Cidr { address, length } => Item::Network(Network::Cidr(Cidr {
                address: *address,
                length: *length,
            })),
            Value::Type(name) => Item::Type(TypeName::by_name(name)?),
            Value::Optional(None) => Item::Optional(None),
            Value::Optional(Some(value)) => Item::some(Item::from_value(value)?),
            Value::List(elements) => {
                let elements: Option<Vec<_>> = elements.iter().map(Item::from_value).collect();
                Item::list(Arc::new(elements?))
            }
            Value::Map(entries) => {
                let parts: Option<Vec<_>> = entries
                    .iter()
                    .flat_map(|(key, value)| [key, value])
                    .map(Item::from_value)
                    .collect();
                Item::map(Arc::new(BuiltMap::new(&parts?).ok()?))
            }
        })
    }

    /// The value as it is handed out, independent of claims and expression.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Item::Null => Value::Null,
            Item::Bool(truth) => Value::Bool(*truth),
            Item::Int(number) => Value::Int(*number),
            Item::UInt(number) => Value::UInt(*number),
            Item::Double(number) => Value::Double(*number),
            Item::String(text) => Value::String((**text).to_owned()),
            Item::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Item::Timestamp(timestamp) => Value::Timestamp {
                seconds: timestamp.seconds(),
                nanos: timestamp.nanos(),
            },
            Item::Duration(Duration(nanoseconds)) => Value::Duration {
                nanoseconds: *nanoseconds,
            },
            Item::Network(Network::Ip(address)) => Value::Ip(*address),
            Item::Network(Network::Cidr(cidr)) => Value::Cidr {
                address: cidr.address,
                length: cidr.length,
            },
            Item::Type(ty) => Value::Type(ty.name()),
            Item::Optional(value) => {
                Value::Optional(value.as_ref().map(|value| Box::new(value.to_value())))
            }
            Item::List(list) => {
                Value::List(list.iter().map(|element| element.to_value()).collect())
            }
            Item::Map(map) => Value::Map(
                map.entries()
                    .iter()
                    .map(|(key, value)| (key.to_value(), value.to_value()))
                    .collect(),
            ),
        }
    }

    /// The same value borrowing from this one; only lists and maps built by the expression share their reference count.
    pub(crate) fn borrowed(&self) -> Item<'_> {
        match self {
            Item::String(text) => Item::String(text.borrowed()),
            Item::Bytes(bytes) => Item::Bytes(bytes.borrowed()),
            other => other.clone(),
        }
    }
}

impl<'a> List<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            List::Claims(elements) => elements.len(),
            List::Built(elements) => elements.len(),
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<Item<'a>> {
        match self {
            List::Claims(elements) => elements.get(index).map(Item::from_claim),
            List::Built(elements) => elements.get(index).cloned(),
        }
    }

    /// All elements, shared.
    pub(crate) fn elements(&self) -> impl Iterator<Item = Item<'a>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Item<'_>> {
        (0..self.len()).filter_map(|index| match self {
            List::Claims(elements) => elements.get(index).map(Item::from_claim),
            List::Built(elements) => elements.get(index).map(Item::borrowed),
        })
    }
}
