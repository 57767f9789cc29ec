//! The value that a text denotes.

use std::borrow::Cow;

/// A JSON value; strings without escapes borrow from the text they were read from.
///
/// Equality keeps the kinds of numbers apart (`1` is not `1.0`) and does not regard the order of members.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integral number in the range of `i64`.
    Int(i64),
    /// An integral number above [`i64::MAX`].
    UInt(u64),
    /// A number with a fraction or an exponent; always finite.
    Double(f64),
    /// A string, unescaped.
    String(Cow<'a, str>),
    /// An array.
    List(Vec<Value<'a>>),
    /// An object.
    Map(Map<'a>),
}

impl<'a> Value<'a> {
    /// The member `name`, if this is an object that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.as_map()?.get(name)
    }

    /// The text, if this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is an integer in the range of `i64`.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The elements, if this is an array.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Value<'a>]> {
        match self {
            Value::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// The members, if this is an object.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map<'a>> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The same value with strings of its own, independent of the text.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(truth) => Value::Bool(truth),
            Value::Int(number) => Value::Int(number),
            Value::UInt(number) => Value::UInt(number),
            Value::Double(number) => Value::Double(number),
            Value::String(text) => Value::String(Cow::Owned(text.into_owned())),
            Value::List(elements) => {
                Value::List(elements.into_iter().map(Value::into_owned).collect())
            }
            Value::Map(map) => Value::Map(map.into_owned()),
        }
    }
}

/// The members of an object: names are distinct, the order is the text's.
#[derive(Clone, Debug, Default)]
pub struct Map<'a> {
    members: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> Map<'a> {
    /// For the reader, which has seen that names are distinct.
    pub(crate) fn from_distinct(members: Vec<(Cow<'a, str>, Value<'a>)>) -> Self {
        Self { members }
    }

    /// The member `name`. Looks at one name after the other: objects in tokens are small, and limited.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.members
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, value)| value)
    }

    /// Number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Names and values in the order of the text.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value<'a>)> {
        self.members.iter().map(|(name, value)| (&**name, value))
    }

    /// Names and values in the order of the names' bytes: what comparing two objects needs to stay below quadratic time.
    #[must_use]
    pub fn sorted(&self) -> Vec<(&str, &Value<'a>)> {
        let mut members: Vec<_> = self.iter().collect();
        members.sort_unstable_by_key(|(name, _)| *name);
        members
    }

    fn into_owned(self) -> Map<'static> {
        let members = self
            .members
            .into_iter()
            .map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned()))
            .collect();
        Map { members }
    }
}

impl PartialEq for Map<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.sorted() == other.sorted()
    }
}
