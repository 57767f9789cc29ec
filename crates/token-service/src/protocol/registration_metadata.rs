//! A client's metadata as it comes and goes over the wire: RFC 7591 §2, OIDC Registration §2, RFC 9101 §10.5, RFC 9126 §6, RFC 9449 §5.2.
//!
//! Members that are not known are ignored, and so is one that is null (RFC 7591 §2); one that is known and of the wrong type is
//! an error that names it. What a member *means* is checked by [`Registration::check`], as for every other client.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use stampmill_jose::Algorithm;
use url::Url;

use super::registration::{Refusal, RegistrationRules};
use crate::domain::{
    ApplicationType, AssertionAlg, Client, ClientAuthentication, ClientKeys, ClientProfile,
    GrantType, LogoutMetadata, RedirectUri, Registration, RequestRules, ResponseType, Scope,
    SecretMethod, SubjectType, signing_algorithm,
};

/// Most entries of a list, and longest text, in bytes.
const MOST: usize = 50;
const LONGEST: usize = 2048;

/// The members of a request, each once.
pub(super) struct Members(Map<String, Value>);

impl Members {
    pub(super) fn read(json: &[u8]) -> Result<Members, Refusal> {
        serde_json::from_slice(json).map_err(|_| {
            Refusal::metadata("the body is no JSON object, or has a member more than once")
        })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() <= LONGEST => Ok(Some(text)),
            Some(_) => Err(Refusal::member(name, "a text of at most 2048 bytes")),
        }
    }

    fn owned(&self, name: &'static str) -> Result<Option<String>, Refusal> {
        Ok(self.text(name)?.map(str::to_owned))
    }

    fn texts(&self, name: &'static str) -> Result<Option<Vec<String>>, Refusal> {
        let wrong = || Refusal::member(name, "a list of at most 50 texts of at most 2048 bytes");
        let list = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(list)) if list.len() <= MOST => list,
            Some(_) => return Err(wrong()),
        };
        let texts = list.iter().map(|value| match value {
            Value::String(text) if text.len() <= LONGEST => Ok(text.clone()),
            _ => Err(wrong()),
        });
        texts.collect::<Result<_, _>>().map(Some)
    }

    fn flag(&self, name: &'static str) -> Result<bool, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Refusal::member(name, "true or false")),
        }
    }

    fn number(&self, name: &'static str) -> Result<Option<i64>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_i64()
                .map(Some)
                .ok_or_else(|| Refusal::member(name, "a whole number")),
        }
    }

    /// A word, as what it means.
    fn word<T>(
        &self,
        name: &'static str,
        meaning: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let known = |word: &str| meaning(word).ok_or_else(|| Refusal::unknown_word(name));
        self.text(name)?.map(known).transpose()
    }

    fn words<T>(
        &self,
        name: &'static str,
        meaning: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Refusal> {
        let known = |word: String| meaning(&word).ok_or_else(|| Refusal::unknown_word(name));
        let words = self.texts(name)?;
        words
            .map(|words| words.into_iter().map(known).collect())
            .transpose()
    }
}

/// What a client could ask for and would rely on, and does not exist here: better refused than silently left out.
const NOT_HERE: [(&str, &str); 9] = [
    (
        "id_token_encrypted_response_alg",
        "encryption is not supported",
    ),
    (
        "id_token_encrypted_response_enc",
        "encryption is not supported",
    ),
    (
        "userinfo_encrypted_response_alg",
        "encryption is not supported",
    ),
    (
        "userinfo_encrypted_response_enc",
        "encryption is not supported",
    ),
    (
        "request_object_encryption_alg",
        "encryption is not supported",
    ),
    (
        "request_object_encryption_enc",
        "encryption is not supported",
    ),
    (
        "authorization_encrypted_response_alg",
        "encryption is not supported",
    ),
    (
        "introspection_encrypted_response_alg",
        "encryption is not supported",
    ),
    (
        "tls_client_certificate_bound_access_tokens",
        "mutual TLS is not supported",
    ),
];

/// `token_endpoint_auth_method`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AuthMethod {
    None,
    Secret(SecretMethod),
    PrivateKey,
}

const AUTH_METHODS: [(&str, AuthMethod); 5] = [
    (
        "client_secret_basic",
        AuthMethod::Secret(SecretMethod::Basic),
    ),
    ("client_secret_post", AuthMethod::Secret(SecretMethod::Post)),
    ("client_secret_jwt", AuthMethod::Secret(SecretMethod::Jwt)),
    ("private_key_jwt", AuthMethod::PrivateKey),
    ("none", AuthMethod::None),
];

/// What is asked for, with the defaults of RFC 7591 §2 where nothing is said.
pub(super) fn registration(
    members: &Members,
    rules: &RegistrationRules,
) -> Result<Registration, Refusal> {
    const STATEMENT: &str =
        "software statements are not taken: nobody who signs them is trusted here";
    if members.has("software_statement") {
        return Err(Refusal::statement(STATEMENT));
    }
    for (name, why) in NOT_HERE {
        let asked = members.0.get(name);
        if asked.is_some_and(|value| !value.is_null() && *value != Value::Bool(false)) {
            return Err(Refusal::metadata(&format!("{name}: {why}")));
        }
    }
    let method = members.word("token_endpoint_auth_method", |word| {
        let known = AUTH_METHODS.iter().find(|(name, _)| *name == word);
        known.map(|(_, method)| *method)
    })?;
    let method = method.unwrap_or(AuthMethod::Secret(SecretMethod::Basic));
    let (grant_types, response_types) = flows(members, rules)?;
    let (jwks, jwks_uri) = keys(members)?;
    let authenticates_by_key = method == AuthMethod::PrivateKey;
    if authenticates_by_key && jwks.is_none() && jwks_uri.is_none() {
        return Err(Refusal::metadata("private_key_jwt needs jwks or jwks_uri"));
    }
    let mut requests = requests(members)?;
    if !authenticates_by_key {
        requests.keys = match (&jwks, &jwks_uri) {
            (Some(jwks), _) => Some(ClientKeys::parse(jwks)?),
            (None, Some(uri)) => Some(ClientKeys::at(uri)?),
            (None, None) => None,
        };
    }
    assertion_alg_fits(method, requests.token_endpoint_auth_signing_alg)?;
    let redirect_uris = members.texts("redirect_uris")?.unwrap_or_default();
    Ok(Registration {
        id: None,
        name: name(members, &redirect_uris)?,
        secret_method: match method {
            AuthMethod::Secret(method) => Some(method),
            AuthMethod::PrivateKey | AuthMethod::None => None,
        },
        secret: None,
        application: members
            .word("application_type", application)?
            .unwrap_or(ApplicationType::Web),
        redirect_uris,
        introspects: false,
        grant_types,
        response_types,
        post_logout_redirect_uris: members
            .texts("post_logout_redirect_uris")?
            .unwrap_or_default(),
        logout: LogoutMetadata {
            backchannel_logout_uri: members.owned("backchannel_logout_uri")?,
            backchannel_logout_session_required: members
                .flag("backchannel_logout_session_required")?,
            frontchannel_logout_uri: members.owned("frontchannel_logout_uri")?,
            frontchannel_logout_session_required: members
                .flag("frontchannel_logout_session_required")?,
        },
        subject_type: members
            .word("subject_type", subject_type)?
            .unwrap_or(SubjectType::Public),
        sector_identifier: sector_identifier(members)?,
        scope: scope(members, rules)?.to_string(),
        jwks: jwks.filter(|_| authenticates_by_key),
        jwks_uri: jwks_uri.filter(|_| authenticates_by_key),
        id_token_alg: members
            .word("id_token_signed_response_alg", signing_algorithm)?
            .unwrap_or(Algorithm::Rs256),
        userinfo_alg: members.word("userinfo_signed_response_alg", signing_algorithm)?,
        dpop_bound: members.flag("dpop_bound_access_tokens")?,
        requests,
        profile: profile(members)?,
    })
}

/// RFC 7591 §2.1: grant and response types agree. Response types that nobody asked for by name follow from the grants.
fn flows(
    members: &Members,
    rules: &RegistrationRules,
) -> Result<(Vec<GrantType>, Vec<ResponseType>), Refusal> {
    const DISAGREE: &str = "grant_types and response_types disagree: each response type here brings a code (RFC 7591 section 2.1)";
    let types = members.words("response_types", |word| {
        ResponseType::parse(word).filter(|one| rules.response_types.contains(one))
    })?;
    // OIDC Registration §2 has clients of hybrid response types name `implicit` too. It is left out of what is registered
    // (RFC 7591 §2 allows that): there is no such grant here, and what they ask for is the hybrid flow.
    let hybrid = types
        .iter()
        .flatten()
        .any(|response_type| response_type.is_hybrid());
    let grants = members.words("grant_types", |word| match word {
        "implicit" if hybrid => Some(None),
        word => GrantType::parse(word).map(Some),
    })?;
    let grants: Vec<GrantType> = match grants {
        Some(grants) => grants.into_iter().flatten().collect(),
        None => vec![GrantType::AuthorizationCode],
    };
    let codes = grants.contains(&GrantType::AuthorizationCode);
    let types = types.unwrap_or_else(|| {
        if codes {
            vec![ResponseType::Code]
        } else {
            Vec::new()
        }
    });
    if codes == types.is_empty() {
        return Err(Refusal::metadata(DISAGREE));
    }
    Ok((grants, types))
}

fn keys(members: &Members) -> Result<(Option<String>, Option<String>), Refusal> {
    let jwks = match members.0.get("jwks") {
        None | Some(Value::Null) => None,
        Some(set @ Value::Object(_)) => Some(set.to_string()),
        Some(_) => return Err(Refusal::member("jwks", "a JWK set")),
    };
    let jwks_uri = members.owned("jwks_uri")?;
    match (&jwks, &jwks_uri) {
        (Some(_), Some(_)) => Err(Refusal::metadata("jwks and jwks_uri exclude each other")),
        _ => Ok((jwks, jwks_uri)),
    }
}

fn requests(members: &Members) -> Result<RequestRules, Refusal> {
    Ok(RequestRules {
        keys: None,
        token_endpoint_auth_signing_alg: members
            .word("token_endpoint_auth_signing_alg", AssertionAlg::parse)?,
        request_object_signing_alg: members
            .word("request_object_signing_alg", Algorithm::from_name)?,
        require_signed_request_object: members.flag("require_signed_request_object")?,
        request_uris: members.texts("request_uris")?.unwrap_or_default(),
        require_pushed_authorization_requests: members
            .flag("require_pushed_authorization_requests")?,
        default_max_age: members.number("default_max_age")?,
    })
}

fn profile(members: &Members) -> Result<ClientProfile, Refusal> {
    Ok(ClientProfile {
        client_uri: members.owned("client_uri")?,
        logo_uri: members.owned("logo_uri")?,
        policy_uri: members.owned("policy_uri")?,
        tos_uri: members.owned("tos_uri")?,
        contacts: members.texts("contacts")?.unwrap_or_default(),
        initiate_login_uri: members.owned("initiate_login_uri")?,
        require_auth_time: members.flag("require_auth_time")?,
        default_acr_values: members.texts("default_acr_values")?.unwrap_or_default(),
        software_id: members.owned("software_id")?,
        software_version: members.owned("software_version")?,
        sector_identifier_uri: members.owned("sector_identifier_uri")?,
    })
}

/// A client that signs names a signature, one whose secret is a key names an HMAC; others sign nothing.
fn assertion_alg_fits(method: AuthMethod, alg: Option<AssertionAlg>) -> Result<(), Refusal> {
    let fits = match (method, alg) {
        (_, None) => true,
        (AuthMethod::PrivateKey, Some(AssertionAlg::Signature(_))) => true,
        (AuthMethod::Secret(SecretMethod::Jwt), Some(AssertionAlg::Mac(_))) => true,
        // OIDC Registration §2 lets it stand beside a method it does not matter to.
        (AuthMethod::Secret(SecretMethod::Basic | SecretMethod::Post) | AuthMethod::None, _) => {
            true
        }
        _ => false,
    };
    match fits {
        true => Ok(()),
        false => Err(Refusal::metadata(
            "token_endpoint_auth_signing_alg does not go with token_endpoint_auth_method",
        )),
    }
}

/// Of what is asked for, what may be registered for; without a word, all of it (RFC 7591 §2).
fn scope(members: &Members, rules: &RegistrationRules) -> Result<Scope, Refusal> {
    match members.text("scope")? {
        None => Ok(rules.scope.clone()),
        Some(text) => {
            let asked: Scope = text
                .parse()
                .map_err(|_| Refusal::member("scope", "scope tokens separated by spaces"))?;
            Ok(asked.retain(|token| rules.scope.contains(token)))
        }
    }
}

/// Nobody can recognize an application without a name; where it stands is the most honest one.
fn name(members: &Members, redirect_uris: &[String]) -> Result<String, Refusal> {
    let host = |uri: &String| Some(Url::parse(uri).ok()?.host_str()?.to_owned());
    let host = redirect_uris.first().and_then(host);
    let name = members.owned("client_name")?.or(host);
    Ok(name.unwrap_or_else(|| "An application".to_owned()))
}

fn subject_type(word: &str) -> Option<SubjectType> {
    let known = SubjectType::ALL.iter().find(|(_, name)| *name == word);
    known.map(|(subject_type, _)| *subject_type)
}

/// OIDC Core §8.1: the host of `sector_identifier_uri`. What is there is looked at before anything is registered.
fn sector_identifier(members: &Members) -> Result<Option<String>, Refusal> {
    let uri = members.text("sector_identifier_uri")?;
    Ok(uri.and_then(|uri| Some(Url::parse(uri).ok()?.host_str()?.to_owned())))
}

fn application(word: &str) -> Option<ApplicationType> {
    match word {
        "web" => Some(ApplicationType::Web),
        "native" => Some(ApplicationType::Native),
        _ => None,
    }
}

/// What is really registered (RFC 7591 §3.2.1), in the names it came by.
pub(super) fn metadata(client: &Client) -> Map<String, Value> {
    let uris = |uris: &[RedirectUri]| {
        uris.iter()
            .map(|uri| json!(uri.as_str()))
            .collect::<Value>()
    };
    let grants: Vec<&str> = client.grant_types.iter().map(|one| one.name()).collect();
    let types: Vec<&str> = client.response_types.iter().map(|one| one.name()).collect();
    let application = match client.application {
        ApplicationType::Web => "web",
        ApplicationType::Native => "native",
    };
    let mut all = Map::new();
    for (name, value) in [
        ("client_id", json!(client.id.as_str())),
        ("client_id_issued_at", json!(client.created_at)),
        ("client_name", json!(client.name)),
        ("application_type", json!(application)),
        ("redirect_uris", uris(&client.redirect_uris)),
        (
            "post_logout_redirect_uris",
            uris(&client.post_logout_redirect_uris),
        ),
        ("grant_types", json!(grants)),
        ("response_types", json!(types)),
        (
            "token_endpoint_auth_method",
            json!(client.authentication.name()),
        ),
        ("scope", json!(client.scope.to_string())),
        (
            "subject_type",
            json!(if client.sector.is_some() {
                "pairwise"
            } else {
                "public"
            }),
        ),
        (
            "id_token_signed_response_alg",
            json!(client.id_token_alg.name()),
        ),
        ("dpop_bound_access_tokens", json!(client.dpop_bound)),
    ] {
        all.insert(name.to_owned(), value);
    }
    if let Some(algorithm) = client.userinfo_alg {
        let name = "userinfo_signed_response_alg".to_owned();
        all.insert(name, json!(algorithm.name()));
    }
    for part in [
        json!(client.requests),
        json!(client.profile),
        json!(client.logout),
    ] {
        if let Value::Object(members) = part {
            all.extend(members);
        }
    }
    // Kept beside the rules for requests, and known to the world by other names.
    all.remove("keys");
    match client.keys() {
        None => {}
        Some(ClientKeys::At(address)) => {
            all.insert("jwks_uri".to_owned(), json!(address.as_str()));
        }
        Some(keys @ ClientKeys::Set(_)) => {
            let set = serde_json::from_str(keys.as_text()).unwrap_or_default();
            all.insert("jwks".to_owned(), set);
        }
    }
    if matches!(
        client.authentication,
        ClientAuthentication::Confidential { .. }
    ) {
        // RFC 7591 §3.2.1: required beside a secret; it never expires.
        all.insert("client_secret_expires_at".to_owned(), json!(0));
    }
    all
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        struct EachOnce;
        impl<'de> Visitor<'de> for EachOnce {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a member came twice"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(EachOnce)
    }
}
