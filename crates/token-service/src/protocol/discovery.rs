//! What this server can do, for programs: RFC 8414 and OIDC Discovery §3, and the keys (RFC 7517). Only what works is
//! advertised.

use serde::Serialize;
use stampmill_jose::{Algorithm, AlgorithmSet, MacAlgorithm, base64url};

use super::response_mode::ResponseMode;
use super::{Service, paths, tokens};
use crate::domain::{GrantType, PERSON_CLAIMS, SIGNING_ALGORITHMS, Scope, SubjectType};

/// A JSON document that anyone may cache, with the tag that tells versions apart.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) json: String,
    pub(crate) etag: String,
}

impl Document {
    pub(crate) fn new(json: String) -> Document {
        let hash = openssl::sha::sha256(json.as_bytes());
        Document {
            etag: format!("\"{}\"", base64url::encode(&hash[..12])),
            json,
        }
    }
}

/// How clients authenticate (RFC 7591 §2).
const AUTH_METHODS: &[&str] = &[
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "none",
];

/// Claims of ID tokens that are not about the person.
const OF_TOKENS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "sid",
    "at_hash",
    "c_hash",
];

#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: String,
    jwks_uri: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    device_authorization_endpoint: String,
    end_session_endpoint: String,
    pushed_authorization_request_endpoint: String,
    require_pushed_authorization_requests: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_endpoint: Option<String>,
    check_session_iframe: String,
    backchannel_logout_supported: bool,
    backchannel_logout_session_supported: bool,
    frontchannel_logout_supported: bool,
    frontchannel_logout_session_supported: bool,
    scopes_supported: &'static [&'static str],
    response_types_supported: Vec<&'static str>,
    response_modes_supported: Vec<&'static str>,
    grant_types_supported: Vec<&'static str>,
    subject_types_supported: Vec<&'static str>,
    userinfo_signing_alg_values_supported: Vec<&'static str>,
    id_token_signing_alg_values_supported: Vec<&'static str>,
    token_endpoint_auth_methods_supported: &'static [&'static str],
    token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    revocation_endpoint_auth_methods_supported: &'static [&'static str],
    revocation_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    introspection_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    introspection_signing_alg_values_supported: Vec<&'static str>,
    dpop_signing_alg_values_supported: Vec<&'static str>,
    acr_values_supported: &'static [&'static str],
    claim_types_supported: &'static [&'static str],
    claims_supported: Vec<&'static str>,
    code_challenge_methods_supported: &'static [&'static str],
    ui_locales_supported: &'static [&'static str],
    claims_parameter_supported: bool,
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
    require_request_uri_registration: bool,
    request_object_signing_alg_values_supported: Vec<&'static str>,
    authorization_response_iss_parameter_supported: bool,
}

impl Service {
    /// The metadata document, the same at all its addresses.
    pub(crate) fn metadata(&self) -> Document {
        let at = |path: &str| self.issuer.address(path);
        let with_a_secret = AUTH_METHODS.iter().copied().filter(|name| *name != "none");
        let signatures = || AlgorithmSet::ALL.iter().map(Algorithm::name);
        let assertions = || signatures().chain([MacAlgorithm::Hs256.name()]).collect();
        let of_persons: Vec<_> = PERSON_CLAIMS.iter().map(|(name, ..)| *name).collect();
        let metadata = Metadata {
            issuer: self.issuer(),
            authorization_endpoint: at(paths::AUTHORIZE),
            token_endpoint: at(paths::TOKEN),
            userinfo_endpoint: at(paths::USERINFO),
            jwks_uri: at(paths::JWKS),
            revocation_endpoint: at(paths::REVOCATION),
            introspection_endpoint: at(paths::INTROSPECTION),
            device_authorization_endpoint: at(paths::DEVICE_AUTHORIZATION),
            end_session_endpoint: at(paths::END_SESSION),
            pushed_authorization_request_endpoint: at(paths::PUSHED_AUTHORIZATION_REQUEST),
            require_pushed_authorization_requests: self.policy.requires_pushed_requests(),
            registration_endpoint: self.registration.as_ref().map(|_| at(paths::REGISTRATION)),
            check_session_iframe: at(paths::CHECK_SESSION),
            backchannel_logout_supported: true,
            backchannel_logout_session_supported: true,
            frontchannel_logout_supported: true,
            frontchannel_logout_session_supported: true,
            scopes_supported: &Scope::OF_PERSONS,
            response_types_supported: self.response_types.iter().map(|one| one.name()).collect(),
            response_modes_supported: ResponseMode::ALL.iter().map(|(_, name)| *name).collect(),
            grant_types_supported: GrantType::ALL.iter().map(|(_, name)| *name).collect(),
            subject_types_supported: SubjectType::ALL.map(|(_, name)| name).to_vec(),
            userinfo_signing_alg_values_supported: SIGNING_ALGORITHMS.map(Algorithm::name).to_vec(),
            id_token_signing_alg_values_supported: SIGNING_ALGORITHMS.map(Algorithm::name).to_vec(),
            token_endpoint_auth_methods_supported: AUTH_METHODS,
            token_endpoint_auth_signing_alg_values_supported: assertions(),
            dpop_signing_alg_values_supported: AlgorithmSet::ALL
                .iter()
                .map(Algorithm::name)
                .collect(),
            revocation_endpoint_auth_methods_supported: AUTH_METHODS,
            revocation_endpoint_auth_signing_alg_values_supported: assertions(),
            introspection_endpoint_auth_methods_supported: with_a_secret.collect(),
            introspection_endpoint_auth_signing_alg_values_supported: assertions(),
            introspection_signing_alg_values_supported: SIGNING_ALGORITHMS
                .map(Algorithm::name)
                .to_vec(),
            acr_values_supported: &[tokens::ACR],
            claim_types_supported: &["normal"],
            claims_supported: OF_TOKENS.iter().chain(&of_persons).copied().collect(),
            code_challenge_methods_supported: &["S256"],
            ui_locales_supported: &["en"],
            claims_parameter_supported: true,
            request_parameter_supported: true,
            request_uri_parameter_supported: true,
            require_request_uri_registration: true,
            request_object_signing_alg_values_supported: signatures().collect(),
            authorization_response_iss_parameter_supported: self.policy.iss_in_responses(),
        };
        Document::new(
            serde_json::to_string(&metadata).expect("strings, lists and booleans have a JSON form"),
        )
    }
}
