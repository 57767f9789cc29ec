//! Claims for the `cel` crate, the cheapest way that it has: its own values straight from the text, strings borrowed.
//!
//! What its documentation shows goes through `serde_json::Value` and copies each string twice.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Formatter};

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelNull, CelString, CelUInt,
};
use cel::common::value::Val;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value of the payload, which it borrows from.
pub(crate) struct Claims<'p>(pub(crate) Box<dyn Val + 'p>);

impl<'de> Deserialize<'de> for Claims<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Build)
    }
}

struct Build;

impl<'de> Visitor<'de> for Build {
    type Value = Claims<'de>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Claims<'de>, E> {
        Ok(Claims(Box::new(CelNull)))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Claims<'de>, E> {
        Ok(Claims(Box::new(CelBool::from(truth))))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Claims<'de>, E> {
        Ok(Claims(Box::new(CelInt::from(number))))
    }

    /// An int where it fits, as everywhere here.
    fn visit_u64<E: Error>(self, number: u64) -> Result<Claims<'de>, E> {
        Ok(match i64::try_from(number) {
            Ok(number) => Claims(Box::new(CelInt::from(number))),
            Err(_) => Claims(Box::new(CelUInt::from(number))),
        })
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Claims<'de>, E> {
        Ok(Claims(Box::new(CelDouble::from(number))))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Claims<'de>, E> {
        Ok(Claims(Box::new(CelString::from(text))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Claims<'de>, E> {
        Ok(Claims(Box::new(CelString::from(text.to_owned()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Claims<'de>, A::Error> {
        let mut elements = Vec::new();
        while let Some(Claims(element)) = list.next_element()? {
            elements.push(element);
        }
        Ok(Claims(Box::new(CelList::from(elements))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Claims<'de>, A::Error> {
        let mut map = HashMap::new();
        while let Some((Name(name), Claims(value))) = members.next_entry()? {
            let name = match name {
                Cow::Borrowed(name) => name.into(),
                Cow::Owned(name) => name.into(),
            };
            map.insert(name, value);
        }
        Ok(Claims(Box::new(CelMap::from(map))))
    }
}

/// A member's name, borrowed unless it has escapes.
#[derive(serde::Deserialize)]
struct Name<'p>(#[serde(borrow)] Cow<'p, str>);
