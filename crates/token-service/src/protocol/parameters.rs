//! Request parameters as OAuth reads them (RFC 6749 §3.1, §3.2): empty counts as absent, twice is an error, unknown is
//! ignored.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::{ErrorCode, OAuthError};

const NO_TEXT: OAuthError = OAuthError::new(
    ErrorCode::InvalidRequest,
    "a parameter is not UTF-8 once it is decoded",
);

/// Most parameters taken from one request.
const MOST: usize = 100;

/// The decoded parameters of a query or a form; wiped on drop, because passwords, secrets, codes and verifiers are
/// among them.
#[derive(Clone, Default)]
pub(crate) struct Parameters {
    form: Zeroizing<String>,
    /// Names and values one after the other, decoded; nothing if that is how the form has them already.
    decoded: Option<Zeroizing<String>>,
    pairs: Vec<Pair>,
    provenance: Provenance,
}

/// Where a parameter stands in the decoded text.
#[derive(Clone)]
struct Pair {
    name: Range<usize>,
    /// `None` for a value that is no UTF-8 once it is decoded.
    value: Option<Range<usize>>,
}

/// How an authorization request's parameters came here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Provenance {
    /// Out of a request object or a pushed request: there is nothing more to unwrap.
    pub(crate) unwrapped: bool,
    /// The client signed them.
    pub(crate) signed: bool,
    /// The client pushed them: hash of the `request_uri`.
    pub(crate) pushed: Option<[u8; 32]>,
    /// The client is pushing them now.
    #[serde(skip)]
    pub(crate) being_pushed: bool,
}

impl Parameters {
    /// Reads `application/x-www-form-urlencoded` bytes.
    pub(crate) fn parse(form: &str) -> Result<Parameters, OAuthError> {
        Parameters::of_form(Zeroizing::new(form.to_owned()))
    }

    /// The same for a form that is at hand.
    pub(crate) fn of_form(form: Zeroizing<String>) -> Result<Parameters, OAuthError> {
        const TOO_MANY: OAuthError =
            OAuthError::new(ErrorCode::InvalidRequest, "too many parameters");
        let plain = !form.bytes().any(|byte| matches!(byte, b'%' | b'+'));
        let (decoded, pairs) = match plain {
            true => (None, plain_pairs(&form)),
            false => {
                let (decoded, pairs) = decoded_pairs(&form);
                (Some(decoded), pairs)
            }
        };
        if pairs.len() > MOST {
            Err(TOO_MANY)
        } else {
            Ok(Parameters {
                form,
                decoded,
                pairs,
                provenance: Provenance::default(),
            })
        }
    }

    /// Name and value of each, as far as it is text.
    fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let text = self.decoded.as_ref().unwrap_or(&self.form).as_str();
        let pairs = self.pairs.iter();
        pairs.map(|pair| {
            (
                &text[pair.name.clone()],
                pair.value.clone().map(|value| &text[value]),
            )
        })
    }

    /// Parameters by name and value; nothing if there are too many.
    pub(crate) fn of_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Option<Parameters> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs);
        Parameters::parse(&Zeroizing::new(form.finish())).ok()
    }

    /// The same without these.
    pub(crate) fn without(&self, names: &[&str]) -> Parameters {
        let kept = self.iter().filter(|(name, _)| !names.contains(name));
        let kept = kept.filter_map(|(name, value)| Some((name, value?.to_owned())));
        let same = Parameters::of_pairs(kept).expect("there were more of them before");
        same.from(self.provenance)
    }

    /// The same with one more.
    pub(crate) fn with(self, name: &str, value: &str) -> Parameters {
        let pair = form_urlencoded::Serializer::new(String::new())
            .append_pair(name, value)
            .finish();
        let joint = if self.form.is_empty() { "" } else { "&" };
        let form = Zeroizing::new(format!("{}{joint}{pair}", self.form.as_str()));
        let mut decoded = Zeroizing::new(String::with_capacity(form.len()));
        let mut pairs: Vec<Pair> = self
            .iter()
            .map(|(name, value)| Pair::appended(&mut decoded, name, value))
            .collect();
        pairs.push(Pair::appended(&mut decoded, name, Some(value)));
        Parameters {
            form,
            decoded: Some(decoded),
            pairs,
            provenance: self.provenance,
        }
    }

    /// The same, having come so.
    pub(crate) fn from(self, provenance: Provenance) -> Parameters {
        Parameters { provenance, ..self }
    }

    /// How they came.
    pub(crate) fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The one value of a parameter; an error if it came twice or is no text.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, OAuthError> {
        const TWICE: OAuthError = OAuthError::new(
            ErrorCode::InvalidRequest,
            "a parameter was sent more than once",
        );
        let mut values = self.iter().filter(|(known, _)| *known == name);
        match (values.next(), values.next()) {
            (None, None) => Ok(None),
            (Some((_, value)), None) => value.map(Some).ok_or(NO_TEXT),
            _ => Err(TWICE),
        }
    }

    /// Every value of a parameter that may come more than once; an error if one is no text.
    pub(crate) fn all(&self, name: &str) -> Result<Vec<&str>, OAuthError> {
        let values = self.iter().filter(|(known, _)| *known == name);
        values.map(|(_, value)| value.ok_or(NO_TEXT)).collect()
    }

    /// An error if any parameter, known or not, came twice or is no text. `resource` may repeat (RFC 8707 §2).
    pub(crate) fn refuse_repeats(&self) -> Result<(), OAuthError> {
        self.all("resource")?;
        let mut single = self.iter().filter(|(name, _)| *name != "resource");
        single.try_for_each(|(name, _)| self.one(name).map(drop))
    }

    /// The encoded form these were read from.
    pub(crate) fn as_form(&self) -> &str {
        &self.form
    }
}

impl fmt::Debug for Parameters {
    /// Names only: values hold codes, verifiers and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

impl Pair {
    /// A parameter whose text is appended to the others'.
    fn appended(decoded: &mut String, name: &str, value: Option<&str>) -> Pair {
        let mut append = |text: &str| {
            let start = decoded.len();
            decoded.push_str(text);
            start..decoded.len()
        };
        Pair {
            name: append(name),
            value: value.map(append),
        }
    }
}

/// Where the parameters stand in a form in which nothing is encoded, empty ones left out; one more than there may be is
/// enough to refuse it.
fn plain_pairs(form: &str) -> Vec<Pair> {
    let mut start = 0;
    let parts = form.split('&').map(|part| {
        let from = start;
        start += part.len() + 1;
        let name = from..from + part.find('=').unwrap_or(part.len());
        let value = (name.end + 1).min(from + part.len())..from + part.len();
        Pair {
            name,
            value: Some(value),
        }
    });
    let present = parts.filter(|pair| pair.value.as_ref().is_some_and(|value| !value.is_empty()));
    present.take(MOST + 1).collect()
}

/// The same for any form, and the text they stand in.
fn decoded_pairs(form: &str) -> (Zeroizing<String>, Vec<Pair>) {
    // Decoded, it is no longer than before: even U+FFFD, three bytes, stands for three characters or more. So nothing is
    // moved, and nothing left behind.
    let mut decoded = Zeroizing::new(String::with_capacity(form.len()));
    let decodes_to_utf8 = decodes_to_utf8(form);
    let present = form_urlencoded::parse(form.as_bytes()).filter(|(_, value)| !value.is_empty());
    let pairs = present.take(MOST + 1).map(|(name, value)| {
        // The decoder writes U+FFFD for what is no UTF-8. Copied into an answer, that would not be the value that was
        // sent.
        let exact = decodes_to_utf8 || !value.contains(char::REPLACEMENT_CHARACTER);
        let pair = Pair::appended(&mut decoded, &name, exact.then_some(&*value));
        if let Cow::Owned(value) = value {
            drop(Zeroizing::new(value));
        }
        pair
    });
    let pairs = pairs.collect();
    (decoded, pairs)
}

/// Whether the form's bytes are UTF-8 after percent-decoding (RFC 6749 appendix B). Separators are ASCII, so no
/// sequence spans them.
fn decodes_to_utf8(form: &str) -> bool {
    let mut bytes = Zeroizing::new(Vec::with_capacity(form.len()));
    let mut rest = form.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = match (byte, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    std::str::from_utf8(&bytes).is_ok()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

/// Appends form-encoded pairs to a URI's query, keeping what is there (RFC 6749 §3.1.2).
pub(crate) fn append_query<'a>(
    uri: &str,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    let joint = if !uri.contains('?') {
        "?"
    } else if uri.ends_with(['?', '&']) {
        ""
    } else {
        "&"
    };
    format!("{uri}{joint}{query}")
}

/// Appends form-encoded pairs as a URI's fragment (RFC 6749 §4.2.2). Registered URIs have none.
pub(crate) fn append_fragment<'a>(
    uri: &str,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let fragment = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    format!("{uri}#{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6749_3_1_empty_is_absent_and_twice_is_refused() {
        let parameters = Parameters::parse("a=1&b=&c=2&c=3&d=&d=4&e=%2B+x").unwrap();
        assert_eq!(parameters.one("a"), Ok(Some("1")));
        assert_eq!(parameters.one("b"), Ok(None));
        assert_eq!(
            parameters.one("d"),
            Ok(Some("4")),
            "the empty one does not count"
        );
        assert_eq!(parameters.one("e"), Ok(Some("+ x")));
        assert_eq!(
            parameters.one("c").unwrap_err().code,
            ErrorCode::InvalidRequest
        );
        assert!(parameters.refuse_repeats().is_err());
        assert_eq!(format!("{parameters:?}"), r#"{"a", "c", "c", "d", "e"}"#);
    }

    #[test]
    fn values_are_wiped() {
        fn is_wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        let parameters = Parameters::parse("password=x").unwrap();
        is_wiped(&parameters.form);
        is_wiped(&parameters.decoded.unwrap_or_default());
    }

    #[test]
    fn rfc6749_appendix_b_values_are_utf8() {
        let parameters = Parameters::parse("a=%ff&b=%C3%A4&c=%e2%82&d=%EF%BF%BD&e=%zz%").unwrap();
        assert!(parameters.one("a").is_err() && parameters.one("c").is_err());
        assert_eq!(parameters.one("b"), Ok(Some("ä")));
        assert_eq!(parameters.one("e"), Ok(Some("%zz%")));
        assert!(parameters.refuse_repeats().is_err());
        let honest = Parameters::parse("d=%EF%BF%BD").unwrap();
        assert_eq!(honest.one("d"), Ok(Some("\u{fffd}")), "sent as such");
    }

    #[test]
    fn plain_forms_are_read_as_encoded_ones_are() {
        for form in ["a=1&b=2", "a", "=x", "a=", "&&a=b=c&", "", "a=1&a=2&=&b"] {
            let (text, encoded) = decoded_pairs(form);
            let read = |text: &str, pairs: &[Pair]| -> Vec<_> {
                let read = pairs.iter().map(|pair| {
                    let value = pair.value.clone().map(|value| text[value].to_owned());
                    (text[pair.name.clone()].to_owned(), value)
                });
                read.collect()
            };
            let plain = plain_pairs(form);
            assert_eq!(read(form, &plain), read(&text, &encoded), "{form}");
        }
    }

    #[test]
    fn one_more_is_read_like_the_others() {
        let more = Parameters::parse("a=1&b=%ff").unwrap().with("c", "x y");
        assert_eq!(more.as_form(), "a=1&b=%ff&c=x+y");
        assert_eq!(more.one("a"), Ok(Some("1")));
        assert!(more.one("b").is_err());
        assert_eq!(more.one("c"), Ok(Some("x y")));
    }

    #[test]
    fn bounded() {
        assert!(Parameters::parse(&"a=1&".repeat(MOST)).is_ok());
        assert!(Parameters::parse(&"a=1&".repeat(MOST + 1)).is_err());
    }

    #[test]
    fn rfc6749_3_1_2_a_registered_query_is_kept() {
        assert_eq!(
            append_query("https://a/cb", [("code", "x y")]),
            "https://a/cb?code=x+y"
        );
        assert_eq!(
            append_query("https://a/cb?t=1", [("code", "&")]),
            "https://a/cb?t=1&code=%26"
        );
        assert_eq!(
            append_query("https://a/cb?", [("a", "b")]),
            "https://a/cb?a=b"
        );
    }
}
