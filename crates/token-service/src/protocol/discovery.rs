//! What this server can do, for programs: RFC 8414 and OIDC Discovery §3, and the keys (RFC 7517). Only what works is
//! advertised.

use serde::Serialize;
use stampmill_jose::base64url;

use super::Service;
use crate::domain::{GrantType, Scope};

/// Where everything is, relative to the issuer. The router and the metadata read the same constants.
pub(crate) mod paths {
    pub(crate) const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
    pub(crate) const AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
    pub(crate) const AUTHORIZE: &str = "/authorize";
    pub(crate) const RESUME: &str = "/authorize/resume";
    pub(crate) const SIGN_IN: &str = "/sign-in";
    pub(crate) const CONSENT: &str = "/consent";
    pub(crate) const TOKEN: &str = "/token";
    pub(crate) const USERINFO: &str = "/userinfo";
    pub(crate) const JWKS: &str = "/jwks.json";
    pub(crate) const ME: &str = "/api/me";
    pub(crate) const STYLE: &str = "/style.css";

    /// Every one of them, and the front page: what may appear in a log line.
    pub(crate) const ALL: &[&str] = &[
        "/",
        OPENID_CONFIGURATION,
        AUTHORIZATION_SERVER,
        AUTHORIZE,
        RESUME,
        SIGN_IN,
        CONSENT,
        TOKEN,
        USERINFO,
        JWKS,
        ME,
        STYLE,
    ];
}

/// A JSON document that anyone may cache, with the tag that tells versions apart.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) json: String,
    pub(crate) etag: String,
}

impl Document {
    fn new(json: String) -> Document {
        let hash = openssl::sha::sha256(json.as_bytes());
        Document {
            etag: format!("\"{}\"", base64url::encode(&hash[..12])),
            json,
        }
    }
}

#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: String,
    jwks_uri: String,
    scopes_supported: &'static [&'static str],
    response_types_supported: &'static [&'static str],
    response_modes_supported: &'static [&'static str],
    grant_types_supported: Vec<&'static str>,
    subject_types_supported: &'static [&'static str],
    id_token_signing_alg_values_supported: &'static [&'static str],
    token_endpoint_auth_methods_supported: &'static [&'static str],
    claim_types_supported: &'static [&'static str],
    claims_supported: &'static [&'static str],
    code_challenge_methods_supported: &'static [&'static str],
    ui_locales_supported: &'static [&'static str],
    claims_parameter_supported: bool,
    request_parameter_supported: bool,
    // Absent would mean true (OIDC Discovery §3).
    request_uri_parameter_supported: bool,
    authorization_response_iss_parameter_supported: bool,
}

impl Service {
    /// The metadata document, the same at both well-known addresses.
    pub(crate) fn metadata(&self) -> Document {
        let at = |path: &str| format!("{}{path}", self.issuer);
        let metadata = Metadata {
            issuer: &self.issuer,
            authorization_endpoint: at(paths::AUTHORIZE),
            token_endpoint: at(paths::TOKEN),
            userinfo_endpoint: at(paths::USERINFO),
            jwks_uri: at(paths::JWKS),
            scopes_supported: &Scope::OF_PERSONS,
            response_types_supported: &["code"],
            response_modes_supported: &["query"],
            grant_types_supported: GrantType::ALL.iter().map(|(_, name)| *name).collect(),
            subject_types_supported: &["public"],
            id_token_signing_alg_values_supported: &["RS256"],
            token_endpoint_auth_methods_supported: &[
                "client_secret_basic",
                "client_secret_post",
                "none",
            ],
            claim_types_supported: &["normal"],
            claims_supported: &[
                "iss",
                "sub",
                "aud",
                "exp",
                "iat",
                "auth_time",
                "nonce",
                "at_hash",
                "name",
                "preferred_username",
                "updated_at",
                "email",
                "email_verified",
            ],
            code_challenge_methods_supported: &["S256"],
            ui_locales_supported: &["en"],
            claims_parameter_supported: false,
            request_parameter_supported: false,
            request_uri_parameter_supported: false,
            authorization_response_iss_parameter_supported: self.policy.iss_in_responses(),
        };
        Document::new(
            serde_json::to_string(&metadata).expect("strings, lists and booleans have a JSON form"),
        )
    }

    /// The keys that verify our tokens.
    pub(crate) fn key_set(&self) -> Document {
        Document::new(self.jwks.to_json())
    }
}
