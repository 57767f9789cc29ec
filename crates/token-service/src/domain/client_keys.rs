//! A client's public keys: what its assertions and request objects are verified with.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use stampmill_jose::Jwks;
use url::Url;

use super::{RegistrationError, has_plain_host};

/// A client's public keys, by value or by address: never both (RFC 7591 §2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientKeys {
    /// `jwks`.
    Set(KeySet),
    /// `jwks_uri`: fetched when needed, and kept for a while.
    At(KeyAddress),
}

/// A JWK set, parsed once.
#[derive(Clone)]
pub struct KeySet {
    json: String,
    keys: Arc<Jwks>,
}

/// An https address where a JWK set is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyAddress(String);

impl ClientKeys {
    /// Reads a JWK set; at least one key of it must be one that signatures can be verified with.
    pub fn parse(json: &str) -> Result<ClientKeys, RegistrationError> {
        let keys = usable_keys(json.as_bytes()).map_err(RegistrationError::Jwks)?;
        let json = json.to_owned();
        Ok(ClientKeys::Set(KeySet { json, keys }))
    }

    /// Takes an address; nobody has looked there yet.
    pub fn at(uri: &str) -> Result<ClientKeys, RegistrationError> {
        let address = is_fetchable(uri).then(|| KeyAddress(uri.to_owned()));
        let address = address.ok_or(RegistrationError::Address("jwks_uri"))?;
        Ok(ClientKeys::At(address))
    }

    /// Whichever of the two the text is: a JWK set is a JSON object and no address begins as one.
    pub(crate) fn read(text: &str) -> Result<ClientKeys, RegistrationError> {
        match text.starts_with("https:") {
            true => ClientKeys::at(text),
            false => ClientKeys::parse(text),
        }
    }

    /// The text it was read from.
    pub fn as_text(&self) -> &str {
        match self {
            ClientKeys::Set(set) => &set.json,
            ClientKeys::At(address) => &address.0,
        }
    }
}

impl KeySet {
    /// The set to verify with.
    pub fn jwks(&self) -> &Arc<Jwks> {
        &self.keys
    }
}

impl KeyAddress {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The keys of a JWK set, or why none of them can be used.
pub(crate) fn usable_keys(json: &[u8]) -> Result<Arc<Jwks>, String> {
    let keys = Jwks::from_json(json).map_err(|error| error.to_string())?;
    if keys.keys().is_empty() {
        let skipped = keys.skipped().first().map(ToString::to_string);
        return Err(skipped.unwrap_or_else(|| "it has no keys".into()));
    }
    Ok(Arc::new(keys))
}

/// Longest address of any kind in a client's metadata, in bytes.
pub(crate) const LONGEST_ADDRESS: usize = 2048;

/// An address this server may be told to fetch from: https, a host of plain characters, no user name, no fragment. Where it leads is looked at when it is
/// fetched, each time.
pub(crate) fn is_fetchable(uri: &str) -> bool {
    let plain = uri.len() <= LONGEST_ADDRESS && uri.bytes().all(|byte| byte.is_ascii_graphic());
    plain
        && uri.starts_with("https://")
        && Url::parse(uri).is_ok_and(|url| {
            has_plain_host(&url)
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        })
}

impl PartialEq for KeySet {
    fn eq(&self, other: &KeySet) -> bool {
        self.json == other.json
    }
}

impl Eq for KeySet {}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({} keys)", self.keys.keys().len())
    }
}

impl Serialize for ClientKeys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_text())
    }
}

impl<'de> Deserialize<'de> for ClientKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ClientKeys, D::Error> {
        let text = String::deserialize(deserializer)?;
        ClientKeys::read(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::HOSTS_THAT_ARE_NONE;

    #[test]
    fn addresses_are_https_and_nothing_else() {
        assert!(ClientKeys::at("https://client.example:8443/jwks.json?v=1").is_ok());
        for bad in [
            "http://client.example/jwks.json",
            "https://u@client.example/",
            "https://client.example/#x",
            "https:client.example",
            "https://client.example/ä",
            "file:///etc/passwd",
            "data:application/json,{}",
            "",
        ] {
            assert!(ClientKeys::at(bad).is_err(), "{bad}");
        }
        for odd in HOSTS_THAT_ARE_NONE {
            assert!(ClientKeys::at(&format!("https://{odd}/")).is_err(), "{odd}");
        }
        assert!(ClientKeys::at(&format!("https://a.example/{}", "x".repeat(2048))).is_err());
    }
}
