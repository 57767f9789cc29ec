//! A client's table: its members are those of RFC 7591 §2.

use std::ops::Range;

use serde::Deserialize;
use stampmill_jose::Algorithm;
use toml::Spanned;

use super::introspectors::Introspectors;
use super::source::{ALGORITHMS, Source, Words, one_of};
use super::{ConfigFileError, Settings};
use crate::domain::{
    ApplicationType, AssertionAlg, ClientId, ClientKeys, GrantType, LogoutMetadata, RedirectUri,
    Registration, RegistrationError, RequestRules, Scope, SecretMethod, SubjectType,
};
use crate::secret::Secret;

type Text = Spanned<String>;
type Texts = Spanned<Vec<Text>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientTable {
    pub(super) client_id: Text,
    name: Option<Text>,
    client_secret: Option<Text>,
    token_endpoint_auth_method: Option<Text>,
    application_type: Option<Text>,
    redirect_uris: Option<Texts>,
    grant_types: Option<Texts>,
    response_types: Option<Texts>,
    post_logout_redirect_uris: Option<Texts>,
    backchannel_logout_uri: Option<Text>,
    #[serde(default)]
    backchannel_logout_session_required: bool,
    frontchannel_logout_uri: Option<Text>,
    #[serde(default)]
    frontchannel_logout_session_required: bool,
    subject_type: Option<Text>,
    scope: Option<Text>,
    /// A JWK set, as JSON in a string.
    jwks: Option<Text>,
    jwks_uri: Option<Text>,
    token_endpoint_auth_signing_alg: Option<Text>,
    request_object_signing_alg: Option<Text>,
    require_signed_request_object: Option<Spanned<bool>>,
    request_uris: Option<Texts>,
    #[serde(default)]
    require_pushed_authorization_requests: bool,
    default_max_age: Option<Spanned<i64>>,
    userinfo_signed_response_alg: Option<Text>,
    id_token_signed_response_alg: Option<Text>,
    #[serde(default)]
    dpop_bound_access_tokens: bool,
    issue_when: Option<Text>,
}

pub(super) const APPLICATIONS: Words<ApplicationType> = &[
    ("web", ApplicationType::Web),
    ("native", ApplicationType::Native),
];
pub(super) const SUBJECT_TYPES: Words<SubjectType> = &[
    ("public", SubjectType::Public),
    ("pairwise", SubjectType::Pairwise),
];
pub(super) const AUTH_METHODS: Words<AuthMethod> = &[
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
pub(super) enum AuthMethod {
    Secret(SecretMethod),
    PrivateKey,
    None,
}

impl ClientTable {
    pub(super) fn check(
        self,
        source: &Source<'_>,
        settings: &mut Settings,
        introspectors: &Introspectors,
    ) -> Result<(), ConfigFileError> {
        let id = self.id(source, settings)?;
        let introspects = introspectors.contains(&id);
        let method = self.method(source)?;
        let registration = self.registration(source, &id, method, introspects)?;
        registration.validate().map_err(|error| {
            let place = self.place(&error);
            source.refuse(place, &self.said(&error))
        })?;
        if let Some(check) = source.claim_check(self.issue_when.as_ref())? {
            settings.issue_when.insert(id, check);
        }
        settings.clients.push(registration);
        Ok(())
    }

    fn id(&self, source: &Source<'_>, settings: &Settings) -> Result<ClientId, ConfigFileError> {
        let span = self.client_id.span();
        let id = ClientId::parse(self.client_id.get_ref())
            .map_err(|error| source.refuse(span.clone(), &error.to_string()))?;
        let mut clients = settings.clients.iter();
        match clients.any(|known| known.id.as_deref() == Some(id.as_str())) {
            true => Err(source.refuse(span, "this client is in the file twice")),
            false => Ok(id),
        }
    }

    /// RFC 7591 §2: with a secret the default is client_secret_basic; without one the client is public.
    fn method(&self, source: &Source<'_>) -> Result<AuthMethod, ConfigFileError> {
        let has_keys = self.jwks.is_some() || self.jwks_uri.is_some();
        let default = match (&self.client_secret, has_keys) {
            (Some(_), _) => AuthMethod::Secret(SecretMethod::Basic),
            (None, true) => AuthMethod::PrivateKey,
            (None, false) => AuthMethod::None,
        };
        let Some(named) = &self.token_endpoint_auth_method else {
            return Ok(default);
        };
        let method = source.word(AUTH_METHODS, Some(named))?.unwrap_or(default);
        let needs = match method {
            AuthMethod::Secret(_) if self.client_secret.is_none() => Some("client_secret"),
            AuthMethod::PrivateKey if !has_keys => Some("jwks or jwks_uri"),
            _ => None,
        };
        match needs {
            None => Ok(method),
            Some(needed) => {
                let wrong = format!("a client of this token_endpoint_auth_method needs {needed}");
                Err(source.refuse(named.span(), &wrong))
            }
        }
    }

    fn registration(
        &self,
        source: &Source<'_>,
        id: &ClientId,
        method: AuthMethod,
        introspects: bool,
    ) -> Result<Registration, ConfigFileError> {
        let defaults = Registration::default();
        let by_key = method == AuthMethod::PrivateKey;
        let application = source
            .word(APPLICATIONS, self.application_type.as_ref())?
            .unwrap_or(ApplicationType::Web);
        let addresses = |uris: &Option<Texts>| {
            for uri in texts(uris) {
                RedirectUri::register(uri.get_ref(), application)
                    .map_err(|error| source.refuse(uri.span(), &error.to_string()))?;
            }
            Ok::<_, ConfigFileError>(values(uris))
        };
        source.parsed::<Scope>(self.scope.as_ref())?;
        Ok(Registration {
            id: Some(id.to_string()),
            name: value(&self.name).unwrap_or_else(|| id.to_string()),
            secret_method: match method {
                AuthMethod::Secret(method) => Some(method),
                AuthMethod::PrivateKey | AuthMethod::None => None,
            },
            secret: value(&self.client_secret).map(Secret::new),
            requests: self.requests(source, by_key)?,
            userinfo_alg: source.word(ALGORITHMS, self.userinfo_signed_response_alg.as_ref())?,
            profile: defaults.profile,
            jwks: value(&self.jwks).filter(|_| by_key),
            jwks_uri: value(&self.jwks_uri).filter(|_| by_key),
            dpop_bound: self.dpop_bound_access_tokens,
            application,
            redirect_uris: addresses(&self.redirect_uris)?,
            grant_types: self.grant_types(source, introspects)?,
            introspects,
            response_types: match &self.response_types {
                None => defaults.response_types,
                Some(words) => source.response_types(words.get_ref())?,
            },
            post_logout_redirect_uris: addresses(&self.post_logout_redirect_uris)?,
            logout: LogoutMetadata {
                backchannel_logout_uri: value(&self.backchannel_logout_uri),
                backchannel_logout_session_required: self.backchannel_logout_session_required,
                frontchannel_logout_uri: value(&self.frontchannel_logout_uri),
                frontchannel_logout_session_required: self.frontchannel_logout_session_required,
            },
            subject_type: source
                .word(SUBJECT_TYPES, self.subject_type.as_ref())?
                .unwrap_or(SubjectType::Public),
            sector_identifier: None,
            scope: value(&self.scope).unwrap_or(defaults.scope),
            id_token_alg: source
                .word(ALGORITHMS, self.id_token_signed_response_alg.as_ref())?
                .unwrap_or(Algorithm::Rs256),
        })
    }

    /// RFC 7591 §2: authorization_code if nothing is said, save for a resource server that has nowhere to send people to.
    fn grant_types(
        &self,
        source: &Source<'_>,
        introspects: bool,
    ) -> Result<Vec<GrantType>, ConfigFileError> {
        let Some(words) = &self.grant_types else {
            return Ok(match introspects && self.redirect_uris.is_none() {
                true => Vec::new(),
                false => vec![GrantType::AuthorizationCode],
            });
        };
        let one = |word: &Text| {
            let names = GrantType::ALL.map(|(_, name)| name);
            let unknown = || source.refuse(word.span(), &one_of(names));
            GrantType::parse(word.get_ref()).ok_or_else(unknown)
        };
        words.get_ref().iter().map(one).collect()
    }

    fn requests(&self, source: &Source<'_>, by_key: bool) -> Result<RequestRules, ConfigFileError> {
        let keys = match (&self.jwks, &self.jwks_uri) {
            (Some(_), Some(uri)) => {
                return Err(source.refuse(uri.span(), &RegistrationError::KeysTwice.to_string()));
            }
            (Some(jwks), None) => Some((jwks, ClientKeys::parse(jwks.get_ref()))),
            (None, Some(uri)) => Some((uri, ClientKeys::at(uri.get_ref()))),
            (None, None) => None,
        };
        let keys = keys.map(|(text, keys)| {
            keys.map_err(|error| source.refuse(text.span(), &error.to_string()))
        });
        Ok(RequestRules {
            // Those it authenticates with stand elsewhere, and are good for its requests, too.
            keys: keys.transpose()?.filter(|_| !by_key),
            token_endpoint_auth_signing_alg: source.named(
                self.token_endpoint_auth_signing_alg.as_ref(),
                AssertionAlg::parse,
            )?,
            request_object_signing_alg: source.named(
                self.request_object_signing_alg.as_ref(),
                Algorithm::from_name,
            )?,
            require_signed_request_object: value(&self.require_signed_request_object)
                .unwrap_or_default(),
            request_uris: values(&self.request_uris),
            require_pushed_authorization_requests: self.require_pushed_authorization_requests,
            default_max_age: value(&self.default_max_age),
        })
    }

    /// Where the value stands that an error is about; the client's id for one that is about something missing.
    fn place(&self, error: &RegistrationError) -> Range<usize> {
        use RegistrationError as E;
        let grant = |grant: GrantType| {
            let mut words = texts(&self.grant_types);
            let word = words.find(|word| word.get_ref() == grant.name());
            word.map(Spanned::span)
        };
        let by_name = |name: &str| match name {
            "jwks_uri" => span(&self.jwks_uri),
            "request_uris" => span(&self.request_uris),
            "backchannel_logout_uri" => span(&self.backchannel_logout_uri),
            "frontchannel_logout_uri" => span(&self.frontchannel_logout_uri),
            _ => None,
        };
        let place = match error {
            E::Name => span(&self.name),
            E::NoGrant => span(&self.grant_types),
            E::NoRedirectUri => {
                span(&self.redirect_uris).or_else(|| grant(GrantType::AuthorizationCode))
            }
            E::WeakSecret | E::PublicSecret | E::SecretAndKeys => span(&self.client_secret),
            E::Jwks(_) => span(&self.jwks),
            E::KeysTwice => span(&self.jwks_uri),
            E::Address(name) | E::LogoutUri(name) | E::Text(name) => by_name(name),
            E::DefaultMaxAge => span(&self.default_max_age),
            E::NoKeysForRequests => span(&self.request_uris)
                .or_else(|| span(&self.request_object_signing_alg))
                .or_else(|| span(&self.require_signed_request_object)),
            E::NothingToRenew => grant(GrantType::RefreshToken),
            E::ResponseTypeWithoutGrant => span(&self.response_types),
            E::PublicClientCredentials => grant(GrantType::ClientCredentials),
            E::NoSector => span(&self.subject_type),
            E::FrontchannelOrigin => span(&self.frontchannel_logout_uri),
            E::PublicIntrospection => span(&self.token_endpoint_auth_method),
            E::Scope(_) => span(&self.scope),
            E::RedirectUri(_) => span(&self.redirect_uris),
            E::ClientId => None,
        };
        place.unwrap_or_else(|| self.client_id.span())
    }

    /// The error in the words of the file.
    fn said(&self, error: &RegistrationError) -> String {
        match error {
            RegistrationError::NoRedirectUri if self.grant_types.is_none() => format!(
                "this client has nothing to do yet: expected redirect_uris (its grant is authorization_code unless grant_types \
                 says otherwise), or other grant_types, or a resource with introspected_by = [{:?}]",
                self.client_id.get_ref()
            ),
            RegistrationError::NoGrant => format!(
                "a client without grant_types is a resource server, and no resource has introspected_by = [{:?}]; else {}",
                self.client_id.get_ref(),
                one_of(GrantType::ALL.map(|(_, name)| name))
            ),
            other => other.to_string(),
        }
    }
}

fn span<T>(member: &Option<Spanned<T>>) -> Option<Range<usize>> {
    member.as_ref().map(Spanned::span)
}

fn value<T: Clone>(member: &Option<Spanned<T>>) -> Option<T> {
    member.as_ref().map(|member| member.get_ref().clone())
}

fn texts(member: &Option<Texts>) -> impl Iterator<Item = &Text> {
    member.iter().flat_map(|texts| texts.get_ref())
}

fn values(member: &Option<Texts>) -> Vec<String> {
    texts(member).map(|text| text.get_ref().clone()).collect()
}
