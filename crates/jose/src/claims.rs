//! The claims that checks look at, read in one pass: everything is validated, these are kept, and nothing is allocated.

use std::cell::RefCell;
use std::sync::LazyLock;

use stampmill_claims_json::{Bound, Buffers, Claim, JsonError, Limits, Paths, parse};

use crate::error::{JwtError, clip};

/// A claim that some check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Iss,
    Aud,
    Exp,
    Nbf,
    Iat,
    Sub,
    ClientId,
    Jti,
    Azp,
    Nonce,
    Sid,
    Events,
    TokenIntrospection,
    Request,
    RequestUri,
    Htm,
    Htu,
    Ath,
}

/// In the order of the enum; of a list or object the content is kept where the last word is true.
const TABLE: [(Name, &str, bool); 18] = [
    (Name::Iss, "iss", false),
    (Name::Aud, "aud", true),
    (Name::Exp, "exp", false),
    (Name::Nbf, "nbf", false),
    (Name::Iat, "iat", false),
    (Name::Sub, "sub", false),
    (Name::ClientId, "client_id", false),
    (Name::Jti, "jti", false),
    (Name::Azp, "azp", false),
    (Name::Nonce, "nonce", false),
    (Name::Sid, "sid", false),
    (Name::Events, "events", true),
    (Name::TokenIntrospection, "token_introspection", false),
    (Name::Request, "request", false),
    (Name::RequestUri, "request_uri", false),
    (Name::Htm, "htm", false),
    (Name::Htu, "htu", false),
    (Name::Ath, "ath", false),
];

static PATHS: LazyLock<Paths> =
    LazyLock::new(|| wanted(TABLE.iter().map(|&(_, name, whole)| (name, whole))));

impl Name {
    pub(crate) fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// Slot 0 is the object itself; the names follow in the order in which they were wanted.
    fn slot(self) -> usize {
        self as usize + 1
    }
}

/// The members of an object that are wanted, to have the slots 1, 2, 3 ... in this order.
pub(crate) fn wanted(names: impl Iterator<Item = (&'static str, bool)>) -> Paths {
    let mut paths = Paths::default();
    for (name, whole) in names {
        paths.want([name], whole);
    }
    paths
}

/// Reads `bytes` for `paths` into memory that this thread uses again and again.
pub(crate) fn bind<T>(
    paths: &'static Paths,
    bytes: &[u8],
    limits: &Limits,
    read: impl FnOnce(Result<&Bound<'_>, JsonError>) -> T,
) -> T {
    thread_local! {
        static BUFFERS: RefCell<Buffers> = RefCell::default();
    }
    BUFFERS.with_borrow_mut(|buffers| match paths.bind(bytes, limits, buffers) {
        Ok(bound) => read(Ok(&bound)),
        Err(error) => read(Err(error)),
    })
}

/// The claims of a payload.
#[derive(Clone, Copy)]
pub(crate) struct Claims<'b>(&'b Bound<'b>);

impl<'b> Claims<'b> {
    /// Reads a payload, which must be an object, and has `check` look at it.
    pub(crate) fn read<T>(
        payload: &[u8],
        check: impl FnOnce(Claims<'_>) -> Result<T, JwtError>,
    ) -> Result<T, JwtError> {
        bind(&PATHS, payload, &Limits::TOKEN, |bound| {
            let bound = bound.map_err(JwtError::Payload)?;
            match bound.claim(0) {
                Some(Claim::Map(_)) => check(Claims(bound)),
                _ => Err(JwtError::Malformed {
                    what: "the payload is not a JSON object",
                }),
            }
        })
    }

    pub(crate) fn get(self, name: Name) -> Option<Claim<'b>> {
        self.0.claim(name.slot())
    }

    /// Whether there is a claim of any name; one that no check looks at is looked for in the whole payload.
    pub(crate) fn has(self, name: &str) -> bool {
        match TABLE.iter().find(|(_, known, _)| *known == name) {
            Some(&(known, ..)) => self.get(known).is_some(),
            None => parse(self.0.text().as_bytes(), &Limits::TOKEN)
                .is_ok_and(|claims| claims.get(name).is_some()),
        }
    }

    pub(crate) fn string(self, name: Name) -> Result<&'b str, JwtError> {
        match self.get(name) {
            None => Err(JwtError::ClaimMissing { claim: name.name() }),
            Some(Claim::String(text)) => Ok(text),
            Some(_) => Err(JwtError::ClaimType {
                claim: name.name(),
                expected: "a string",
            }),
        }
    }

    /// `jti`, "a unique identifier" (RFC 7519 §4.1.7): an empty text tells nothing apart.
    pub(crate) fn jti(self) -> Result<&'b str, JwtError> {
        match self.string(Name::Jti)? {
            "" => Err(JwtError::ClaimType {
                claim: Name::Jti.name(),
                expected: "a string of one character or more",
            }),
            jti => Ok(jti),
        }
    }

    /// A claim that must be this string.
    pub(crate) fn must_be(self, name: Name, expected: &str) -> Result<(), JwtError> {
        match self.string(name)? {
            actual if actual == expected => Ok(()),
            actual => Err(JwtError::Mismatch {
                claim: name.name(),
                expected: expected.to_owned(),
                actual: clip(actual),
            }),
        }
    }

    pub(crate) fn required_date(self, name: Name) -> Result<NumericDate, JwtError> {
        self.date(name)?
            .ok_or(JwtError::ClaimMissing { claim: name.name() })
    }

    pub(crate) fn date(self, name: Name) -> Result<Option<NumericDate>, JwtError> {
        let whole = |seconds| NumericDate {
            seconds,
            has_fraction: false,
        };
        match self.get(name) {
            None => Ok(None),
            Some(Claim::Int(seconds)) => Ok(Some(whole(seconds))),
            // beyond i64: later than any clock
            Some(Claim::UInt(_)) => Ok(Some(whole(i64::MAX))),
            // `as` saturates, and the reader lets no NaN through
            Some(Claim::Double(seconds)) => Ok(Some(NumericDate {
                seconds: seconds.floor() as i64,
                has_fraction: seconds.fract() != 0.0,
            })),
            Some(_) => Err(JwtError::ClaimType {
                claim: name.name(),
                expected: "a number of seconds",
            }),
        }
    }
}

/// A NumericDate: seconds since the epoch, possibly with a fraction (RFC 7519 §2).
#[derive(Clone, Copy)]
pub(crate) struct NumericDate {
    /// Rounded down.
    pub(crate) seconds: i64,
    has_fraction: bool,
}

impl NumericDate {
    pub(crate) fn is_after(self, moment: i64) -> bool {
        self.seconds > moment || (self.seconds == moment && self.has_fraction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_row_and_its_slot() {
        for (index, (name, text, _)) in TABLE.iter().enumerate() {
            assert_eq!(*name as usize, index);
            assert_eq!(PATHS.place([*text]).slot, name.slot(), "{text}");
        }
    }
}
