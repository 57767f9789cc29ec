//! What a client registers beside who it is and what it may: how its requests come, and what people are told of it.
//!
//! Both are kept as JSON, in the names of RFC 7591 §2, OIDC Registration §2, RFC 9101 §10.5 and RFC 9126 §6.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use stampmill_jose::{Algorithm, MacAlgorithm};

use super::client_keys::{LONGEST_ADDRESS, is_fetchable};
use super::{ClientKeys, RegistrationError};

/// How a client's requests have to come. [`Registration::check`](super::Registration::check) makes sure that it can be
/// kept to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestRules {
    /// Its keys, if it does not authenticate with them: what its request objects are verified with all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<ClientKeys>,
    /// The one algorithm its assertions are signed with (`token_endpoint_auth_signing_alg`); any if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<AssertionAlg>,
    /// The one algorithm its request objects are signed with; any if none.
    #[serde(skip_serializing_if = "Option::is_none", with = "algorithm")]
    pub request_object_signing_alg: Option<Algorithm>,
    /// Whether it sends nothing but signed request objects (RFC 9101 §10.5).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_signed_request_object: bool,
    /// Where its request objects may be fetched from; a fragment tells versions apart (OIDC Registration §2).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_uris: Vec<String>,
    /// Whether it pushes every request (RFC 9126 §6).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_pushed_authorization_requests: bool,
    /// `max_age` of a request that says none, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<i64>,
}

/// What a client's assertions may be signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssertionAlg {
    /// With its own key.
    Signature(Algorithm),
    /// With the secret.
    Mac(MacAlgorithm),
}

impl AssertionAlg {
    /// Reads an `alg`.
    pub fn parse(name: &str) -> Option<AssertionAlg> {
        let mac = MacAlgorithm::from_name(name).filter(|mac| *mac == MacAlgorithm::Hs256);
        let signature = Algorithm::from_name(name).map(AssertionAlg::Signature);
        signature.or(mac.map(AssertionAlg::Mac))
    }

    /// The `alg`.
    pub fn name(self) -> &'static str {
        match self {
            AssertionAlg::Signature(algorithm) => algorithm.name(),
            AssertionAlg::Mac(algorithm) => algorithm.name(),
        }
    }
}

impl RequestRules {
    /// Most addresses of request objects.
    const MOST_URIS: usize = 20;

    pub(super) fn check(&self, has_keys: bool) -> Result<(), RegistrationError> {
        let needs_keys = self.require_signed_request_object
            || self.request_object_signing_alg.is_some()
            || !self.request_uris.is_empty();
        if needs_keys && !has_keys {
            return Err(RegistrationError::NoKeysForRequests);
        }
        let fetchable = |uri: &String| {
            let (address, _) = uri.split_once('#').unwrap_or((uri, ""));
            uri.len() <= LONGEST_ADDRESS && is_fetchable(address)
        };
        if self.request_uris.len() > Self::MOST_URIS || !self.request_uris.iter().all(fetchable) {
            return Err(RegistrationError::Address("request_uris"));
        }
        if self.default_max_age.is_some_and(|seconds| seconds < 0) {
            return Err(RegistrationError::DefaultMaxAge);
        }
        Ok(())
    }
}

/// What a client says of itself, for people and for other programs. Nothing of it decides anything here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientProfile {
    /// Its home page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Its picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// What it does with what it learns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Its terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// Whom to write to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// Where a third party may ask it to begin a sign-in (OIDC Core §4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initiate_login_uri: Option<String>,
    /// Whether it wants `auth_time`; every ID token has it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_auth_time: bool,
    /// The classes it would like; there is one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub default_acr_values: Vec<String>,
    /// Which program it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// Which version of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    /// Where a list of redirect URIs says that they belong together (OIDC Registration §5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector_identifier_uri: Option<String>,
}

impl ClientProfile {
    /// Longest text that is no address, in bytes, and most of a kind.
    const LONGEST_TEXT: usize = 200;
    const MOST: usize = 10;

    pub(super) fn check(&self) -> Result<(), RegistrationError> {
        for (name, uri) in [
            ("client_uri", &self.client_uri),
            ("logo_uri", &self.logo_uri),
            ("policy_uri", &self.policy_uri),
            ("tos_uri", &self.tos_uri),
            ("initiate_login_uri", &self.initiate_login_uri),
            ("sector_identifier_uri", &self.sector_identifier_uri),
        ] {
            // OIDC Core §4 asks for https of initiate_login_uri; what people click on shall be no `javascript:` either.
            if uri.as_ref().is_some_and(|uri| !is_fetchable(uri)) {
                return Err(RegistrationError::Address(name));
            }
        }
        let lists = [
            ("contacts", &self.contacts),
            ("default_acr_values", &self.default_acr_values),
        ];
        let too_many = lists.iter().find(|(_, list)| list.len() > Self::MOST);
        if let Some((name, _)) = too_many {
            return Err(RegistrationError::Text(name));
        }
        let texts = lists
            .iter()
            .flat_map(|(name, list)| list.iter().map(move |text| (*name, text)));
        let ids = [
            ("software_id", &self.software_id),
            ("software_version", &self.software_version),
        ];
        let ids = ids
            .into_iter()
            .filter_map(|(name, text)| Some((name, text.as_ref()?)));
        for (name, text) in texts.chain(ids) {
            if text.is_empty()
                || text.len() > Self::LONGEST_TEXT
                || text.chars().any(char::is_control)
            {
                return Err(RegistrationError::Text(name));
            }
        }
        Ok(())
    }
}

impl Serialize for AssertionAlg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for AssertionAlg {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AssertionAlg, D::Error> {
        let name = String::deserialize(deserializer)?;
        AssertionAlg::parse(&name).ok_or_else(|| serde::de::Error::custom("no such alg"))
    }
}

mod algorithm {
    use super::{Algorithm, Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        algorithm: &Option<Algorithm>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        algorithm.map(Algorithm::name).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Algorithm>, D::Error> {
        let name: Option<String> = Option::deserialize(deserializer)?;
        let known = |name: String| Algorithm::from_name(&name);
        name.map(|name| known(name).ok_or_else(|| serde::de::Error::custom("no such alg")))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back() {
        let rules = RequestRules {
            keys: Some(ClientKeys::at("https://client.example/jwks").unwrap()),
            token_endpoint_auth_signing_alg: Some(AssertionAlg::Mac(MacAlgorithm::Hs256)),
            request_object_signing_alg: Some(Algorithm::Ps256),
            require_signed_request_object: true,
            request_uris: vec!["https://client.example/r#abc".into()],
            require_pushed_authorization_requests: true,
            default_max_age: Some(0),
        };
        let json = serde_json::to_string(&rules).unwrap();
        assert_eq!(serde_json::from_str::<RequestRules>(&json).unwrap(), rules);
        assert_eq!(
            serde_json::to_string(&RequestRules::default()).unwrap(),
            "{}"
        );
        assert!(
            serde_json::from_str::<RequestRules>(r#"{"request_object_signing_alg":"none"}"#)
                .is_err()
        );
        assert_eq!(
            serde_json::to_string(&ClientProfile::default()).unwrap(),
            "{}"
        );
    }

    #[test]
    fn addresses_for_people_are_https() {
        for uri in [
            "javascript:alert(1)",
            "http://a.example/",
            "data:text/html,x",
        ] {
            let profile = ClientProfile {
                logo_uri: Some(uri.into()),
                ..ClientProfile::default()
            };
            assert_eq!(
                profile.check(),
                Err(RegistrationError::Address("logo_uri")),
                "{uri}"
            );
        }
    }
}
