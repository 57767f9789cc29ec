//! Clients: the programs that ask for tokens (RFC 6749 §2, RFC 7591 §2).

use std::fmt;

use stampmill_jose::{Algorithm, base64url};
use url::Url;

use super::display_name::display_name;
use super::{
    ClientKeys, ClientProfile, LogoutMetadata, RedirectUri, RedirectUriError, RequestRules,
    ResponseType, Scope, ScopeError, UserId,
};
use crate::clock::{Random, SystemRandom, random_bytes};
use crate::secret::{SealingKey, Secret};

/// `client_id`: up to 64 of `A-Z a-z 0-9 - . _`, and never the look of a user id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(String);

impl ClientId {
    /// Reads a client id.
    pub fn parse(text: &str) -> Result<ClientId, RegistrationError> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        // RFC 9068 §5: `sub` is a client or a person, and nobody may be able to pass for the other.
        let like_a_user = text.starts_with(UserId::PREFIX);
        if (1..=64).contains(&text.len()) && text.bytes().all(legal) && !like_a_user {
            Ok(ClientId(text.into()))
        } else {
            Err(RegistrationError::ClientId)
        }
    }

    /// A fresh id, with 64 random bits so that no two meet.
    pub fn generate(random: &dyn Random) -> ClientId {
        ClientId(format!(
            "client-{}",
            base64url::encode(random_bytes::<8>(random))
        ))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `application_type`: where the client runs (OIDC Registration §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplicationType {
    /// On a server.
    Web,
    /// On the user's machine: loopback ports vary, schemes of one's own are allowed (RFC 8252).
    Native,
}

/// How a client that holds a secret presents it (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretMethod {
    /// In the `Authorization: Basic` header.
    Basic,
    /// As `client_id` and `client_secret` in the body.
    Post,
    /// Not at all: it is the key of an HMAC over an assertion (OIDC Core §9).
    Jwt,
}

/// A client secret as the store keeps it: AES-256-GCM under the data folder's key, bound to its client.
///
/// Sealed rather than hashed, because later methods (an HMAC over an assertion) need the secret itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SealedSecret(Vec<u8>);

impl SealedSecret {
    /// Seals a secret for a client.
    pub fn seal(
        key: &SealingKey,
        random: &dyn Random,
        client: &ClientId,
        secret: &Secret,
    ) -> SealedSecret {
        SealedSecret(key.seal(random, &purpose(client), secret.expose().as_bytes()))
    }

    /// Opens it again; `None` if the row or the key is not what it was.
    pub fn open(&self, key: &SealingKey, client: &ClientId) -> Option<Secret> {
        let plain = key.open(&purpose(client), &self.0)?;
        std::str::from_utf8(&plain).ok().map(Secret::new)
    }

    pub(crate) fn from_store(bytes: Vec<u8>) -> SealedSecret {
        SealedSecret(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn purpose(client: &ClientId) -> String {
    format!("client_secret:{client}")
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedSecret(..)")
    }
}

/// `token_endpoint_auth_method`, with what it needs: a public client *has* no secret, a confidential one always has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// `none`: anybody can hold the program, so it keeps no secret.
    Public,
    /// `private_key_jwt`: it signs assertions with a key of its own (RFC 7523, OIDC Core §9).
    PrivateKey {
        /// The public halves.
        keys: ClientKeys,
    },
    /// `client_secret_basic`, `client_secret_post` or `client_secret_jwt`.
    Confidential {
        /// The secret, sealed.
        secret: SealedSecret,
        /// The one way it may come.
        method: SecretMethod,
    },
}

impl ClientAuthentication {
    /// The registered name (RFC 7591 §2).
    pub fn name(&self) -> &'static str {
        match self {
            ClientAuthentication::Public => "none",
            ClientAuthentication::Confidential {
                method: SecretMethod::Basic,
                ..
            } => "client_secret_basic",
            ClientAuthentication::Confidential {
                method: SecretMethod::Post,
                ..
            } => "client_secret_post",
            ClientAuthentication::Confidential {
                method: SecretMethod::Jwt,
                ..
            } => "client_secret_jwt",
            ClientAuthentication::PrivateKey { .. } => "private_key_jwt",
        }
    }
}

/// The grants a client may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantType {
    /// A person allows it (RFC 6749 §4.1).
    AuthorizationCode,
    /// A grant is renewed while the person is away (RFC 6749 §6).
    RefreshToken,
    /// The client acts for itself (RFC 6749 §4.4).
    ClientCredentials,
    /// A person allows it from another device (RFC 8628).
    DeviceCode,
}

impl GrantType {
    /// Every grant there is, with its wire name.
    pub const ALL: [(GrantType, &'static str); 4] = [
        (GrantType::AuthorizationCode, "authorization_code"),
        (GrantType::RefreshToken, "refresh_token"),
        (GrantType::ClientCredentials, "client_credentials"),
        (
            GrantType::DeviceCode,
            "urn:ietf:params:oauth:grant-type:device_code",
        ),
    ];

    /// Reads the wire name.
    pub fn parse(name: &str) -> Option<GrantType> {
        GrantType::ALL
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(grant, _)| *grant)
    }

    /// The wire name.
    pub fn name(self) -> &'static str {
        GrantType::ALL
            .iter()
            .find(|(grant, _)| *grant == self)
            .map_or("", |(_, name)| name)
    }
}

/// A registered client. Made only by [`Registration::check`], so what it says holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// The name people see on the consent page.
    pub name: String,
    /// How it authenticates.
    pub authentication: ClientAuthentication,
    /// Where it runs.
    pub application: ApplicationType,
    /// Where its users may be sent back to; not empty with the code grant.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it may do at the token endpoint.
    pub grant_types: Vec<GrantType>,
    /// What it may ask the authorization endpoint for.
    pub response_types: Vec<ResponseType>,
    /// Where its users may be sent once they have signed out (RP-Initiated Logout §3.1).
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where it hears that a session ended.
    pub logout: LogoutMetadata,
    /// Where its people have names of their own, `sub` by sector (OIDC Core §8.1); `None` where `sub` is the same for all
    /// clients.
    pub sector: Option<String>,
    /// The most it may ask for.
    pub scope: Scope,
    /// What its ID tokens are signed with (`id_token_signed_response_alg`, OIDC Registration §2).
    pub id_token_alg: Algorithm,
    /// What its UserInfo answers are signed with; nothing, and they are plain JSON (`userinfo_signed_response_alg`).
    pub userinfo_alg: Option<Algorithm>,
    /// Whether it gets no token but one bound to a key (`dpop_bound_access_tokens`, RFC 9449 §5.2).
    pub dpop_bound: bool,
    /// How its requests have to come.
    pub requests: RequestRules,
    /// What it says of itself.
    pub profile: ClientProfile,
    /// Registered at, in seconds since the epoch.
    pub created_at: i64,
}

impl Client {
    /// Whether the client may use the grant.
    pub fn may(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// What is left of a scope that it was given earlier: a registration may have been replaced since (RFC 7592 §2.2).
    pub fn may_still_have(&self, given: &Scope) -> Scope {
        given.retain(|token| self.scope.contains(token))
    }

    /// What its signatures are verified with, if it has keys of its own.
    pub fn keys(&self) -> Option<&ClientKeys> {
        match &self.authentication {
            ClientAuthentication::PrivateKey { keys } => Some(keys),
            _ => self.requests.keys.as_ref(),
        }
    }

    /// Whether somebody who allowed this client would find another in its place: other addresses, another name, something else
    /// said of itself, or no proof any more that it is itself.
    pub fn is_another_than(&self, before: &Client) -> bool {
        self.name != before.name
            || self.redirect_uris != before.redirect_uris
            || self.application != before.application
            || self.profile != before.profile
            || self.is_public() != before.is_public()
    }

    /// Whether the client keeps no secret.
    pub fn is_public(&self) -> bool {
        self.authentication == ClientAuthentication::Public
    }
}

/// `subject_type` (OIDC Core §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectType {
    /// `sub` is the same for all such clients.
    Public,
    /// `sub` is another in each sector, so that clients cannot compare whom they know.
    Pairwise,
}

impl SubjectType {
    /// Both, with their wire names.
    pub const ALL: [(SubjectType, &'static str); 2] = [
        (SubjectType::Public, "public"),
        (SubjectType::Pairwise, "pairwise"),
    ];
}

/// OIDC Core §8.1: the host that all redirect URIs share, unless a document speaks for several.
fn sector(
    identifier: Option<String>,
    redirect_uris: &[RedirectUri],
) -> Result<String, RegistrationError> {
    if let Some(host) = identifier {
        return Ok(host);
    }
    let host = |uri: &RedirectUri| Some(Url::parse(uri.as_str()).ok()?.host_str()?.to_owned());
    let mut hosts: Vec<_> = redirect_uris.iter().map(host).collect();
    hosts.dedup();
    match <[Option<String>; 1]>::try_from(hosts) {
        Ok([Some(host)]) => Ok(host),
        _ => Err(RegistrationError::NoSector),
    }
}

/// What is asked for when a client is registered.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The id; `None` for a fresh one.
    pub id: Option<String>,
    /// The name people see, 1 to 100 characters.
    pub name: String,
    /// `None` for a public client, else how its secret will come.
    pub secret_method: Option<SecretMethod>,
    /// The secret of a confidential client; `None` for a generated one of 256 bits.
    pub secret: Option<Secret>,
    /// Where it runs.
    pub application: ApplicationType,
    /// Where its users may be sent back to.
    pub redirect_uris: Vec<String>,
    /// What it may do; at least one thing, unless it introspects.
    pub grant_types: Vec<GrantType>,
    /// Whether it is a resource server that asks about tokens (RFC 7662): it has to authenticate, and needs no grant.
    pub introspects: bool,
    /// What it may ask the authorization endpoint for; `code` alone by default (RFC 7591 §2).
    pub response_types: Vec<ResponseType>,
    /// Where its users may be sent once they have signed out.
    pub post_logout_redirect_uris: Vec<String>,
    /// Where it hears that a session ended.
    pub logout: LogoutMetadata,
    /// What its people are called.
    pub subject_type: SubjectType,
    /// The host of a `sector_identifier_uri` whose document names every redirect URI: whoever fetched it has checked that.
    pub sector_identifier: Option<String>,
    /// The most it may ask for, separated by spaces.
    pub scope: String,
    /// Its public keys, if it authenticates by `private_key_jwt`; it has no secret then.
    pub jwks: Option<String>,
    /// The address of its public keys, in place of `jwks`.
    pub jwks_uri: Option<String>,
    /// What its ID tokens are signed with; RS256 by default (OIDC Registration §2).
    pub id_token_alg: Algorithm,
    /// What its UserInfo answers are signed with; plain JSON by default.
    pub userinfo_alg: Option<Algorithm>,
    /// Whether it gets no token but one bound to a key (RFC 9449 §5.2).
    pub dpop_bound: bool,
    /// How its requests have to come; its `keys` are for a client that does not authenticate with them.
    pub requests: RequestRules,
    /// What it says of itself.
    pub profile: ClientProfile,
}

impl Default for Registration {
    /// The defaults of RFC 7591 §2: a confidential client of a server, for codes and nothing else. A redirect URI has to
    /// be added.
    fn default() -> Registration {
        Registration {
            id: None,
            name: "A client".into(),
            secret_method: Some(SecretMethod::Basic),
            secret: None,
            application: ApplicationType::Web,
            redirect_uris: Vec::new(),
            grant_types: vec![GrantType::AuthorizationCode],
            introspects: false,
            response_types: vec![ResponseType::Code],
            post_logout_redirect_uris: Vec::new(),
            logout: LogoutMetadata::default(),
            subject_type: SubjectType::Public,
            sector_identifier: None,
            scope: "openid".into(),
            id_token_alg: Algorithm::Rs256,
            userinfo_alg: None,
            jwks: None,
            jwks_uri: None,
            dpop_bound: false,
            requests: RequestRules::default(),
            profile: ClientProfile::default(),
        }
    }
}

impl Registration {
    /// Whether [`check`](Self::check) would make a client, without making one.
    pub fn validate(&self) -> Result<(), RegistrationError> {
        let key = SealingKey::generate(&SystemRandom);
        self.clone().check(&key, &SystemRandom, 0).map(drop)
    }

    /// Checks every member against the others and makes the client and, for a confidential one, its secret.
    pub fn check(
        self,
        key: &SealingKey,
        random: &dyn Random,
        now: i64,
    ) -> Result<(Client, Option<Secret>), RegistrationError> {
        let id = self
            .id
            .map_or_else(|| Ok(ClientId::generate(random)), |id| ClientId::parse(&id))?;
        let name = display_name(&self.name).ok_or(RegistrationError::Name)?;
        let name = name.to_owned();
        let register = |uris: &[String]| {
            let uris = uris.iter();
            uris.map(|uri| RedirectUri::register(uri, self.application))
                .collect::<Result<Vec<_>, _>>()
        };
        let redirect_uris = register(&self.redirect_uris)?;
        let post_logout_redirect_uris = register(&self.post_logout_redirect_uris)?;
        self.logout.check(&redirect_uris)?;
        let sector = match self.subject_type {
            SubjectType::Public => None,
            SubjectType::Pairwise => Some(sector(self.sector_identifier, &redirect_uris)?),
        };
        if self.grant_types.is_empty() && !self.introspects {
            return Err(RegistrationError::NoGrant);
        }
        if self.grant_types.contains(&GrantType::AuthorizationCode) && redirect_uris.is_empty() {
            return Err(RegistrationError::NoRedirectUri);
        }
        // RFC 7591 §2.1: every response type there is brings a code.
        let without_code = !self.grant_types.contains(&GrantType::AuthorizationCode);
        if without_code && self.response_types.iter().any(|one| one.is_hybrid()) {
            return Err(RegistrationError::ResponseTypeWithoutGrant);
        }
        // OIDC Registration §2, of the implicit grant, whose way the tokens of a hybrid answer take.
        let hybrid = self.response_types.iter().any(|one| one.is_hybrid());
        if hybrid && self.application == ApplicationType::Web {
            let unfit = redirect_uris.iter().find(|uri| !uri.is_fit_for_hybrid());
            if let Some(unfit) = unfit {
                let unfit = unfit.as_str().to_owned();
                return Err(RedirectUriError::HybridOnThisMachine(unfit).into());
            }
        }
        // RFC 7591 §2.1: nothing would ever hand out the first refresh token.
        let person = [GrantType::AuthorizationCode, GrantType::DeviceCode];
        let renews_nothing = !person.iter().any(|grant| self.grant_types.contains(grant));
        if self.grant_types.contains(&GrantType::RefreshToken) && renews_nothing {
            return Err(RegistrationError::NothingToRenew);
        }
        // RFC 6749 §4.4: whoever has no secret cannot speak for itself.
        let keys = match (&self.jwks, &self.jwks_uri) {
            (Some(_), Some(_)) => return Err(RegistrationError::KeysTwice),
            (Some(jwks), None) => Some(ClientKeys::parse(jwks)?),
            (None, Some(uri)) => Some(ClientKeys::at(uri)?),
            (None, None) => None,
        };
        if keys.is_some() && self.requests.keys.is_some() {
            return Err(RegistrationError::KeysTwice);
        }
        self.requests
            .check(keys.is_some() || self.requests.keys.is_some())?;
        self.profile.check()?;
        let public = self.secret_method.is_none() && keys.is_none();
        if public && self.grant_types.contains(&GrantType::ClientCredentials) {
            return Err(RegistrationError::PublicClientCredentials);
        }
        if public && self.introspects {
            return Err(RegistrationError::PublicIntrospection);
        }
        let (authentication, secret) = match self.secret_method {
            Some(_) if keys.is_some() => return Err(RegistrationError::SecretAndKeys),
            None if self.secret.is_some() => return Err(RegistrationError::PublicSecret),
            None => match keys {
                None => (ClientAuthentication::Public, None),
                Some(keys) => (ClientAuthentication::PrivateKey { keys }, None),
            },
            Some(method) => {
                let secret = self.secret.unwrap_or_else(|| Secret::generate(random));
                let printable = secret.expose().bytes().all(|byte| byte.is_ascii_graphic());
                if !(MIN_SECRET..=MAX_SECRET).contains(&secret.expose().len()) || !printable {
                    return Err(RegistrationError::WeakSecret);
                }
                (
                    ClientAuthentication::Confidential {
                        secret: SealedSecret::seal(key, random, &id, &secret),
                        method,
                    },
                    Some(secret),
                )
            }
        };
        let client = Client {
            id,
            name,
            authentication,
            application: self.application,
            redirect_uris,
            grant_types: self.grant_types,
            response_types: self.response_types,
            post_logout_redirect_uris,
            logout: self.logout,
            sector,
            scope: self.scope.parse()?,
            id_token_alg: self.id_token_alg,
            userinfo_alg: self.userinfo_alg,
            dpop_bound: self.dpop_bound,
            requests: self.requests,
            profile: self.profile,
            created_at: now,
        };
        Ok((client, secret))
    }
}

/// Least and most characters of a client secret. Nobody types it, so it can be long enough that nobody guesses it.
const MIN_SECRET: usize = 32;
const MAX_SECRET: usize = 512;

/// Why a client cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// Not a client id.
    #[error(
        "a client id is 1 to 64 characters of A-Z a-z 0-9 - . _ and does not begin with \"user-\""
    )]
    ClientId,
    /// Not a name.
    #[error(
        "a client's name is 1 to 100 printable characters: some that are seen, and none that hides or turns others around"
    )]
    Name,
    /// A client that may do nothing.
    #[error("the client needs at least one grant type")]
    NoGrant,
    /// RFC 6749 §3.1.2.2.
    #[error("a client that uses authorization_code needs at least one redirect URI")]
    NoRedirectUri,
    /// A secret that can be guessed, or cannot be sent.
    #[error(
        "a client secret is {MIN_SECRET} to {MAX_SECRET} printable ASCII characters without spaces"
    )]
    WeakSecret,
    /// Not a usable JWK set.
    #[error("jwks cannot be used: {0}")]
    Jwks(String),
    /// RFC 7591 §2.
    #[error("a client has jwks or jwks_uri, not both")]
    KeysTwice,
    /// Not an address that may be fetched from, or shown.
    #[error(
        "{0}: expected https addresses of at most 2048 printable ASCII characters, without user name or fragment, the host of letters, digits, hyphens and dots"
    )]
    Address(&'static str),
    /// Not a text to keep.
    #[error("{0}: expected at most 10 texts of 1 to 200 bytes without control characters")]
    Text(&'static str),
    /// OIDC Registration §2.
    #[error("default_max_age is a number of seconds")]
    DefaultMaxAge,
    /// RFC 9101 §10.5, OIDC Core §6.
    #[error("a client that sends signed request objects needs jwks or jwks_uri")]
    NoKeysForRequests,
    /// RFC 7591 §2.
    #[error("a client authenticates with a secret or with keys of its own, not with both")]
    SecretAndKeys,
    /// RFC 7591 §2.
    #[error("a client of this token_endpoint_auth_method has no client_secret")]
    PublicSecret,
    /// RFC 7591 §2.1.
    #[error("refresh_token goes with a grant of a person, such as authorization_code")]
    NothingToRenew,
    /// RFC 7591 §2.1.
    #[error("a response type with a code goes with the grant authorization_code")]
    ResponseTypeWithoutGrant,
    /// RFC 6749 §4.4.
    #[error("client_credentials needs a client with a secret (RFC 6749 §4.4); this one is public")]
    PublicClientCredentials,
    /// RFC 7662 §2.1.
    #[error(
        "a resource server has to authenticate before it may introspect (RFC 7662 §2.1): this client has no client_secret, jwks or jwks_uri"
    )]
    PublicIntrospection,
    /// Not an address to tell of the end of a session.
    #[error(
        "{0} is an https address of at most 2048 characters without fragment or user name, the host of letters, digits, hyphens and dots; http only on this machine"
    )]
    LogoutUri(&'static str),
    /// OIDC Core §8.1.
    #[error(
        "subject_type pairwise needs redirect URIs of one host, or a sector_identifier_uri that names them all"
    )]
    NoSector,
    /// OpenID Connect Front-Channel Logout 1.0 §2.
    #[error("frontchannel_logout_uri has scheme, host and port of one of the redirect URIs")]
    FrontchannelOrigin,
    /// A redirect URI that would leak codes.
    #[error(transparent)]
    RedirectUri(#[from] RedirectUriError),
    /// A scope that is none.
    #[error(transparent)]
    Scope(#[from] ScopeError),
}
