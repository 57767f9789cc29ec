//! A client's table: its members are those of RFC 7591 §2.

use serde::Deserialize;
use stampmill_jose::Algorithm;
use toml::Spanned;

use super::source::{ALGORITHMS, Source, Words, one_of};
use super::{ConfigFileError, Settings};
use crate::domain::{
    ApplicationType, AssertionAlg, ClientId, ClientKeys, GrantType, LogoutMetadata, Registration,
    RequestRules, SecretMethod, SubjectType,
};
use crate::secret::Secret;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientTable {
    client_id: Spanned<String>,
    name: Option<String>,
    client_secret: Option<String>,
    token_endpoint_auth_method: Option<Spanned<String>>,
    application_type: Option<Spanned<String>>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    grant_types: Option<Vec<Spanned<String>>>,
    response_types: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    post_logout_redirect_uris: Vec<String>,
    backchannel_logout_uri: Option<String>,
    #[serde(default)]
    backchannel_logout_session_required: bool,
    frontchannel_logout_uri: Option<String>,
    #[serde(default)]
    frontchannel_logout_session_required: bool,
    subject_type: Option<Spanned<String>>,
    scope: Option<String>,
    /// A JWK set, as JSON in a string.
    jwks: Option<String>,
    jwks_uri: Option<String>,
    token_endpoint_auth_signing_alg: Option<Spanned<String>>,
    request_object_signing_alg: Option<Spanned<String>>,
    #[serde(default)]
    require_signed_request_object: bool,
    #[serde(default)]
    request_uris: Vec<String>,
    #[serde(default)]
    require_pushed_authorization_requests: bool,
    default_max_age: Option<i64>,
    userinfo_signed_response_alg: Option<Spanned<String>>,
    id_token_signed_response_alg: Option<Spanned<String>>,
    #[serde(default)]
    dpop_bound_access_tokens: bool,
    issue_when: Option<Spanned<String>>,
}

const APPLICATIONS: Words<ApplicationType> = &[
    ("web", ApplicationType::Web),
    ("native", ApplicationType::Native),
];
const SUBJECT_TYPES: Words<SubjectType> = &[
    ("public", SubjectType::Public),
    ("pairwise", SubjectType::Pairwise),
];
const AUTH_METHODS: Words<AuthMethod> = &[
    (
        "client_secret_basic",
        AuthMethod::Secret(SecretMethod::Basic),
    ),
    ("client_secret_post", AuthMethod::Secret(SecretMethod::Post)),
    ("client_secret_jwt", AuthMethod::Secret(SecretMethod::Jwt)),
    ("private_key_jwt", AuthMethod::PrivateKey),
    ("none", AuthMethod::None),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum AuthMethod {
    Secret(SecretMethod),
    PrivateKey,
    None,
}

impl ClientTable {
    pub(super) fn check(
        self,
        source: &Source<'_>,
        settings: &mut Settings,
    ) -> Result<(), ConfigFileError> {
        let span = self.client_id.span();
        let id = ClientId::parse(self.client_id.get_ref())
            .map_err(|error| source.refuse(span.clone(), &error.to_string()))?;
        let known = settings
            .clients
            .iter()
            .any(|known| known.id.as_deref() == Some(id.as_str()));
        if known {
            return Err(source.refuse(span, "this client is in the file twice"));
        }
        // RFC 7591 §2: with a secret the default is client_secret_basic; without one the client is public.
        let has_keys = self.jwks.is_some() || self.jwks_uri.is_some();
        let default = match (&self.client_secret, has_keys) {
            (Some(_), _) => AuthMethod::Secret(SecretMethod::Basic),
            (None, true) => AuthMethod::PrivateKey,
            (None, false) => AuthMethod::None,
        };
        let method = source.word(AUTH_METHODS, self.token_endpoint_auth_method.as_ref())?;
        let method = method.unwrap_or(default);
        let needs = match method {
            AuthMethod::Secret(_) if self.client_secret.is_none() => Some("client_secret"),
            AuthMethod::PrivateKey if !has_keys => Some("jwks or jwks_uri"),
            _ => None,
        };
        if let Some(needed) = needs {
            let wrong = format!("a client of this token_endpoint_auth_method needs {needed}");
            return Err(source.refuse(span, &wrong));
        }
        let secret_method = match method {
            AuthMethod::Secret(method) => Some(method),
            AuthMethod::PrivateKey | AuthMethod::None => None,
        };
        let words = self.grant_types.iter().flatten();
        let grant_types = words
            .map(|word| {
                GrantType::parse(word.get_ref()).ok_or_else(|| {
                    source.refuse(word.span(), &one_of(GrantType::ALL.map(|(_, name)| name)))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let defaults = Registration::default();
        let response_types = match &self.response_types {
            None => defaults.response_types,
            Some(words) => source.response_types(words)?,
        };
        let by_key = method == AuthMethod::PrivateKey;
        let keys_for_requests = match (&self.jwks, &self.jwks_uri) {
            _ if by_key => None,
            (Some(jwks), _) => Some(ClientKeys::parse(jwks)),
            (None, Some(uri)) => Some(ClientKeys::at(uri)),
            (None, None) => None,
        };
        let keys_for_requests = keys_for_requests
            .transpose()
            .map_err(|error| source.refuse(span.clone(), &error.to_string()))?;
        let registration = Registration {
            id: Some(id.to_string()),
            name: self.name.unwrap_or_else(|| id.to_string()),
            secret_method,
            secret: self.client_secret.map(Secret::new),
            requests: RequestRules {
                keys: keys_for_requests,
                token_endpoint_auth_signing_alg: source.named(
                    self.token_endpoint_auth_signing_alg.as_ref(),
                    AssertionAlg::parse,
                )?,
                request_object_signing_alg: source.named(
                    self.request_object_signing_alg.as_ref(),
                    Algorithm::from_name,
                )?,
                require_signed_request_object: self.require_signed_request_object,
                request_uris: self.request_uris,
                require_pushed_authorization_requests: self.require_pushed_authorization_requests,
                default_max_age: self.default_max_age,
            },
            userinfo_alg: source.word(ALGORITHMS, self.userinfo_signed_response_alg.as_ref())?,
            profile: defaults.profile,
            jwks: self.jwks.filter(|_| by_key),
            jwks_uri: self.jwks_uri.filter(|_| by_key),
            dpop_bound: self.dpop_bound_access_tokens,
            application: source
                .word(APPLICATIONS, self.application_type.as_ref())?
                .unwrap_or(ApplicationType::Web),
            redirect_uris: self.redirect_uris,
            grant_types: match self.grant_types.is_some() {
                true => grant_types,
                // RFC 7591 §2.
                false => vec![GrantType::AuthorizationCode],
            },
            response_types,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            logout: LogoutMetadata {
                backchannel_logout_uri: self.backchannel_logout_uri,
                backchannel_logout_session_required: self.backchannel_logout_session_required,
                frontchannel_logout_uri: self.frontchannel_logout_uri,
                frontchannel_logout_session_required: self.frontchannel_logout_session_required,
            },
            subject_type: source
                .word(SUBJECT_TYPES, self.subject_type.as_ref())?
                .unwrap_or(SubjectType::Public),
            sector_identifier: None,
            scope: self.scope.unwrap_or(defaults.scope),
            id_token_alg: source
                .word(ALGORITHMS, self.id_token_signed_response_alg.as_ref())?
                .unwrap_or(Algorithm::Rs256),
        };
        registration
            .validate()
            .map_err(|error| source.refuse(span, &error.to_string()))?;
        if let Some(check) = source.claim_check(self.issue_when.as_ref())? {
            settings.issue_when.insert(id, check);
        }
        settings.clients.push(registration);
        Ok(())
    }
}
