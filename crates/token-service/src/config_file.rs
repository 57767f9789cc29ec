//! The configuration file of `serve --config`: TOML, read strictly.
//!
//! ```toml
//! issuer = "https://id.example"
//! listen = "0.0.0.0:8443"
//! pkce = "all"                          # or "public"
//! require_pushed_authorization_requests = false
//! dpop_nonces = false                   # true: DPoP proofs must carry a nonce of ours (RFC 9449 §8)
//! networks = ["public"]                 # where addresses that clients name may lead; "loopback", "10.0.0.0/8"
//! trusted_authorities = "partners.pem"  # believed there besides this machine's; a file beside this one
//! signer = "openssl"                    # or "stampmill": RSA by this project's own arithmetic
//! store = "file"                        # or "memory": what happens is forgotten when the server ends; for tests
//!
//! [registration]                        # without it, no client registers itself
//! access = "token"                      # or "open"
//! scope = "openid profile"
//! response_types = ["code"]
//! per_minute = 30
//! most_clients = 10000
//!
//! [authority]                           # without it, nobody else gets anything from this folder's certificate authority
//! listen = "127.0.0.1:8380"             # certificates, CRL and OCSP over plain HTTP; what is issued points there
//! url = "http://ca.internal"            # how others reach that, if not by this address
//! acme = true                           # /acme beside the service's own addresses; what follows is for it
//! external_account_required = false     # true: accounts need a key of `stampmill ca eab`
//! terms_of_service = "https://ca.internal/terms"
//! terms_asked_again = false             # true: who agreed to other terms agrees to these before the next order
//! challenges = ["http-01"]              # all three if left out
//! http_01_port = 80
//! tls_alpn_01_port = 443
//! name_server = "127.0.0.1:53"          # instead of the system's
//! networks = ["loopback"]               # where names that are to be proved may lead
//! caa_identities = ["ca.internal"]      # with none, CAA records are not looked at
//!
//! [lifetimes]                           # in seconds
//! access_token = 300
//!
//! [[resources]]
//! resource = "https://api.example"
//! format = "opaque"                     # or "jwt"
//! introspected_by = ["api"]
//! accept_when = "claims.scope.contains('api')"
//!
//! [[clients]]
//! client_id = "app"
//! name = "The application"
//! client_secret = "..."
//! redirect_uris = ["https://app.example/callback"]
//! grant_types = ["authorization_code", "refresh_token"]
//! response_types = ["code", "code id_token"]  # only "code" if left out
//! post_logout_redirect_uris = ["https://app.example/bye"]
//! backchannel_logout_uri = "https://app.example/logout"
//! scope = "openid profile offline_access api"
//! jwks_uri = "https://app.example/jwks.json"  # or jwks; request objects are verified with it
//! require_signed_request_object = true  # and request_object_signing_alg, request_uris
//! require_pushed_authorization_requests = true
//! issue_when = "claims.sub != claims.client_id"
//!
//! [[users]]
//! username = "alice"
//! password_hash = "$argon2id$..."       # stampmill user hash
//! name = "Alice Example"
//! email = "alice@example.com"
//! email_verified = true
//! claims = { given_name = "Alice", address = { country = "GB" } }
//! ```
//!
//! A member that is not known, a value that is not legal and a claim check that does not compile refuse the whole file,
//! with the line and a caret under the place. Members have the names of RFC 7591 and RFC 8414 where those have one.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use openssl::x509::X509;
use serde::Deserialize;
use stampmill_claim_check::ClaimCheck;
use stampmill_jose::{Algorithm, Backend};
use stampmill_local_ca::acme::AcmeSettings;
use stampmill_outbound::{Network, Networks};
use toml::Spanned;

use crate::admin::{email_address, person_name};
use crate::authority::AuthoritySettings;
use crate::clock::{Clock, SystemClock, SystemRandom};
use crate::domain::{
    ApplicationType, AssertionAlg, ClientId, ClientKeys, GrantType, LogoutMetadata, PersonClaims,
    Registration, RequestRules, Resource, ResourceServer, ResponseType, Scope, SecretMethod,
    SubjectType, TokenFormat, User, UserId, Username,
};
use crate::password::PasswordHash;
use crate::policy::{Lifetimes, Pkce, Policy};
use crate::protocol::RegistrationRules;
use crate::secret::Secret;
use crate::server::Listen;

/// Where the service keeps what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// In the data folder's database: an answered grant survives whatever ends the server.
    #[default]
    File,
    /// In memory, beginning with the folder's registered clients, people and keys: the rest is forgotten when the server ends.
    /// For tests and measurements.
    Memory,
}

/// What rules are configured with.
#[derive(Debug)]
pub struct Settings {
    /// How strict the service is.
    pub policy: Policy,
    /// Resource servers tokens are issued for, besides the service itself.
    pub resources: Vec<ResourceServer>,
    /// Clients that come and go with the configuration.
    pub clients: Vec<Registration>,
    /// People that come and go with the configuration; each time they are read they have other ids.
    pub users: Vec<User>,
    /// The clients' claim checks.
    pub issue_when: HashMap<ClientId, ClaimCheck>,
    /// Where we connect to when a client names an address.
    pub networks: Networks,
    /// Certificate authorities believed there, besides this machine's and our own.
    pub trusted_authorities: Vec<X509>,
    /// Who may register clients; nobody, if there is nothing.
    pub registration: Option<RegistrationRules>,
    /// Where what happens is kept.
    pub storage: Storage,
    /// What others get from the folder's certificate authority; nothing, if there is nothing.
    pub authority: Option<AuthoritySettings>,
}

impl Default for Settings {
    /// The strict policy, and nothing else.
    fn default() -> Settings {
        Settings {
            policy: Policy::strict(),
            resources: Vec::new(),
            clients: Vec::new(),
            users: Vec::new(),
            issue_when: HashMap::new(),
            networks: Networks::public(),
            trusted_authorities: Vec::new(),
            registration: None,
            storage: Storage::default(),
            authority: None,
        }
    }
}

impl Settings {
    /// What the authorization endpoint hands out: `code`, and what some client is configured for.
    pub(crate) fn response_types(&self) -> Vec<ResponseType> {
        let all = ResponseType::ALL.map(|(response_type, _)| response_type);
        let wanted = |one: &ResponseType| {
            let mut clients = self.clients.iter();
            let mut registered = self.registration.iter();
            !one.is_hybrid()
                || clients.any(|client| client.response_types.contains(one))
                || registered.any(|rules| rules.response_types.contains(one))
        };
        all.into_iter().filter(wanted).collect()
    }
}

/// A configuration file, read and checked.
#[derive(Debug)]
pub struct ConfigFile {
    /// The issuer identifier, if the file names one.
    pub issuer: Option<String>,
    /// Where to listen with TLS, if the file says.
    pub listen: Option<Listen>,
    /// Where to listen without.
    pub listen_plain: Option<SocketAddr>,
    /// Who computes RSA signatures.
    pub backend: Backend,
    /// The rest.
    pub settings: Settings,
}

/// Why a file is refused: what is wrong, and where.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// It cannot be read.
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        /// Which file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// Something in it is wrong; the text shows the line.
    #[error("the configuration is refused\n{0}")]
    Refused(String),
}

impl ConfigFile {
    /// Longest file that is read, in bytes.
    pub const MAX_BYTES: u64 = 1 << 20;

    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<ConfigFile, ConfigFileError> {
        let name = path.display().to_string();
        let unreadable = |reason: String| ConfigFileError::Unreadable {
            path: name.clone(),
            reason,
        };
        let length = std::fs::metadata(path)
            .map_err(|error| unreadable(error.to_string()))?
            .len();
        if length > ConfigFile::MAX_BYTES {
            return Err(unreadable(format!("it has {length} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        ConfigFile::parse(&name, &text)
    }

    /// Checks a file's text; `name` stands in errors.
    ///
    /// ```
    /// use stampmill_token_service::ConfigFile;
    /// let error = ConfigFile::parse("id.toml", "isuer = 'https://id.example'").unwrap_err();
    /// assert!(error.to_string().contains("id.toml:1:1"));
    /// assert!(error.to_string().contains("unknown field `isuer`"));
    /// ```
    pub fn parse(name: &str, text: &str) -> Result<ConfigFile, ConfigFileError> {
        let source = Source { name, text };
        let file: File = toml::from_str(text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            source.refuse(span, error.message())
        })?;
        file.check(&source)
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    issuer: Option<String>,
    listen: Option<Spanned<String>>,
    listen_plain: Option<Spanned<String>>,
    signer: Option<Spanned<String>>,
    store: Option<Spanned<String>>,
    pkce: Option<Spanned<String>>,
    #[serde(default)]
    require_pushed_authorization_requests: bool,
    trusted_authorities: Option<Spanned<String>>,
    registration: Option<RegistrationTable>,
    authority: Option<AuthorityTable>,
    networks: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    dpop_nonces: bool,
    lifetimes: Option<Spanned<LifetimesTable>>,
    #[serde(default)]
    resources: Vec<ResourceTable>,
    #[serde(default)]
    clients: Vec<ClientTable>,
    #[serde(default)]
    users: Vec<UserTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistrationTable {
    access: Spanned<String>,
    scope: Option<Spanned<String>>,
    response_types: Option<Vec<Spanned<String>>>,
    per_minute: Option<u32>,
    most_clients: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorityTable {
    listen: Option<Spanned<String>>,
    url: Option<Spanned<String>>,
    acme: Option<bool>,
    #[serde(default)]
    external_account_required: bool,
    terms_of_service: Option<String>,
    #[serde(default)]
    terms_asked_again: bool,
    challenges: Option<Spanned<Vec<Spanned<String>>>>,
    http_01_port: Option<u16>,
    tls_alpn_01_port: Option<u16>,
    name_server: Option<Spanned<String>>,
    networks: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    caa_identities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LifetimesTable {
    code: Option<i64>,
    access_token: Option<i64>,
    id_token: Option<i64>,
    session: Option<i64>,
    refresh_token: Option<i64>,
    offline: Option<i64>,
    signing_key: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceTable {
    resource: Spanned<String>,
    format: Option<Spanned<String>>,
    signing_alg: Option<Spanned<String>>,
    scope: Option<Spanned<String>>,
    #[serde(default)]
    introspected_by: Vec<Spanned<String>>,
    access_token_lifetime: Option<Spanned<i64>>,
    accept_when: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientTable {
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserTable {
    username: Spanned<String>,
    password_hash: Spanned<String>,
    #[serde(default)]
    name: String,
    email: Option<Spanned<String>>,
    #[serde(default)]
    email_verified: bool,
    #[serde(default)]
    claims: HashMap<Spanned<String>, toml::Value>,
}

/// What a word in the file may be, with its meaning.
type Words<T> = &'static [(&'static str, T)];

const PKCE: Words<Pkce> = &[("all", Pkce::All), ("public", Pkce::Public)];
const SIGNERS: Words<Backend> = &[
    ("openssl", Backend::OpenSsl),
    ("stampmill", Backend::Stampmill),
];
const STORES: Words<Storage> = &[("file", Storage::File), ("memory", Storage::Memory)];
const FORMATS: Words<TokenFormat> = &[("jwt", TokenFormat::Jwt), ("opaque", TokenFormat::Opaque)];
const ALGORITHMS: Words<Algorithm> = &[
    ("RS256", Algorithm::Rs256),
    ("PS256", Algorithm::Ps256),
    ("ES256", Algorithm::Es256),
    ("EdDSA", Algorithm::EdDsa),
];
const ACCESS: Words<bool> = &[("token", false), ("open", true)];
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

impl File {
    fn check(self, source: &Source<'_>) -> Result<ConfigFile, ConfigFileError> {
        let pkce = source.word(PKCE, self.pkce.as_ref())?.unwrap_or(Pkce::All);
        let mut policy = Policy::strict()
            .with_pkce(pkce)
            .with_pushed_requests_only(self.require_pushed_authorization_requests)
            .with_dpop_nonces(self.dpop_nonces);
        if let Some(table) = &self.lifetimes {
            policy = policy
                .with_lifetimes(&table.get_ref().lifetimes())
                .map_err(|error| source.refuse(table.span(), &error.to_string()))?;
        }
        let mut settings = Settings {
            policy,
            ..Settings::default()
        };
        if let Some(storage) = source.word(STORES, self.store.as_ref())? {
            settings.storage = storage;
        }
        if let Some(words) = &self.networks {
            settings.networks = source.networks(words)?;
        }
        if let Some(file) = &self.trusted_authorities {
            settings.trusted_authorities = source.certificates(file)?;
        }
        if let Some(table) = self.registration {
            settings.registration = Some(table.check(source)?);
        }
        if let Some(table) = self.authority {
            settings.authority = Some(table.check(source)?);
        }
        for table in self.resources {
            let span = table.resource.span();
            let server = table.check(source)?;
            if settings
                .resources
                .iter()
                .any(|known| known.resource == server.resource)
            {
                return Err(source.refuse(span, "this resource is in the file twice"));
            }
            settings.resources.push(server);
        }
        for table in self.clients {
            table.check(source, &mut settings)?;
        }
        for table in self.users {
            let span = table.username.span();
            let user = table.check(source)?;
            let mut known = settings.users.iter();
            if known.any(|known| known.username == user.username) {
                return Err(source.refuse(span, "this user is in the file twice"));
            }
            settings.users.push(user);
        }
        Ok(ConfigFile {
            issuer: self.issuer,
            listen: source.parsed(self.listen.as_ref())?,
            listen_plain: source.parsed(self.listen_plain.as_ref())?,
            backend: source
                .word(SIGNERS, self.signer.as_ref())?
                .unwrap_or(Backend::OpenSsl),
            settings,
        })
    }
}

impl RegistrationTable {
    fn check(self, source: &Source<'_>) -> Result<RegistrationRules, ConfigFileError> {
        let defaults = RegistrationRules::default();
        let open = source.word(ACCESS, Some(&self.access))?.unwrap_or(false);
        Ok(RegistrationRules {
            open,
            scope: source
                .parsed(self.scope.as_ref())?
                .unwrap_or(defaults.scope),
            response_types: match &self.response_types {
                None => defaults.response_types,
                Some(words) => source.response_types(words)?,
            },
            per_minute: self.per_minute.unwrap_or(defaults.per_minute),
            most_clients: self.most_clients.map_or(defaults.most_clients, i64::from),
        })
    }
}

impl AuthorityTable {
    fn check(self, source: &Source<'_>) -> Result<AuthoritySettings, ConfigFileError> {
        let mut acme = AcmeSettings::new("");
        acme.external_account_required = self.external_account_required;
        acme.terms_of_service = self.terms_of_service;
        acme.terms_asked_again = self.terms_asked_again;
        acme.http_01_port = self.http_01_port.unwrap_or(acme.http_01_port);
        acme.tls_alpn_01_port = self.tls_alpn_01_port.unwrap_or(acme.tls_alpn_01_port);
        acme.caa_identities = self.caa_identities;
        if let Some(words) = &self.networks {
            acme.networks = source.networks(words)?;
        }
        if let Some(words) = &self.challenges {
            let kinds = words.get_ref().iter();
            let kinds = kinds.map(|word| source.parsed(Some(word)));
            acme.challenges = kinds
                .collect::<Result<Option<Vec<_>>, _>>()?
                .filter(|kinds| !kinds.is_empty())
                .ok_or_else(|| source.refuse(words.span(), "expected at least one challenge"))?;
        }
        Ok(AuthoritySettings {
            listen: source.parsed(self.listen.as_ref())?,
            url: source.parsed(self.url.as_ref())?,
            acme: self.acme.unwrap_or(true).then_some(acme),
            name_server: source.parsed(self.name_server.as_ref())?,
        })
    }
}

impl LifetimesTable {
    fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            code: self.code,
            access_token: self.access_token,
            id_token: self.id_token,
            session: self.session,
            refresh_token: self.refresh_token,
            offline: self.offline,
            signing_key: self.signing_key,
        }
    }
}

impl ResourceTable {
    fn check(self, source: &Source<'_>) -> Result<ResourceServer, ConfigFileError> {
        const A_DAY: std::ops::RangeInclusive<i64> = 1..=86_400;
        if let Some(lifetime) = &self.access_token_lifetime
            && !A_DAY.contains(lifetime.get_ref())
        {
            let wrong = "a lifetime is 1 to 86400 seconds";
            return Err(source.refuse(lifetime.span(), wrong));
        }
        let resource = Resource::parse(self.resource.get_ref())
            .map_err(|error| source.refuse(self.resource.span(), &error.to_string()))?;
        let introspected_by = self.introspected_by.iter().map(|id| {
            ClientId::parse(id.get_ref())
                .map_err(|error| source.refuse(id.span(), &error.to_string()))
        });
        Ok(ResourceServer {
            resource,
            format: source
                .word(FORMATS, self.format.as_ref())?
                .unwrap_or(TokenFormat::Jwt),
            signing_alg: source
                .word(ALGORITHMS, self.signing_alg.as_ref())?
                .unwrap_or(Algorithm::Rs256),
            scope: source.parsed::<Scope>(self.scope.as_ref())?,
            introspected_by: introspected_by.collect::<Result<_, _>>()?,
            access_token_lifetime: self.access_token_lifetime.map(Spanned::into_inner),
            accept_when: source.claim_check(self.accept_when.as_ref())?.map(Arc::new),
        })
    }
}

impl ClientTable {
    fn check(self, source: &Source<'_>, settings: &mut Settings) -> Result<(), ConfigFileError> {
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

impl UserTable {
    fn check(self, source: &Source<'_>) -> Result<User, ConfigFileError> {
        let span = self.username.span();
        let username = Username::parse(self.username.get_ref())
            .map_err(|error| source.refuse(span.clone(), &error.to_string()))?;
        let password = PasswordHash::parse(self.password_hash.get_ref()).ok_or_else(|| {
            let message =
                "expected an argon2id hash as `stampmill user hash` makes it, not a password";
            source.refuse(self.password_hash.span(), message)
        })?;
        let name = person_name(&self.name, &username)
            .map_err(|error| source.refuse(span, &error.to_string()))?;
        if let Some(email) = &self.email {
            email_address(Some(email.get_ref()))
                .map_err(|error| source.refuse(email.span(), &error.to_string()))?;
        }
        let mut claims = PersonClaims::default();
        for (name, value) in self.claims {
            let set = serde_json::to_value(value).map_err(|error| error.to_string());
            set.and_then(|value| {
                let set = claims.set(name.get_ref(), value);
                set.map_err(|error| error.to_string())
            })
            .map_err(|message| source.refuse(name.span(), &message))?;
        }
        Ok(User {
            id: UserId::generate(&SystemRandom),
            username,
            password,
            name,
            email: self.email.map(Spanned::into_inner),
            email_verified: self.email_verified,
            claims,
            updated_at: SystemClock.now(),
        })
    }
}

/// The text errors point into.
struct Source<'a> {
    name: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn refuse(&self, span: Range<usize>, message: &str) -> ConfigFileError {
        // A secret on the line must not get into a log: the line is shown up to it.
        let shown = redact(self.text);
        let snippet = Snippet::source(shown.as_str())
            .path(self.name)
            .annotation(AnnotationKind::Primary.span(span));
        let group = Level::ERROR.primary_title(message).element(snippet);
        ConfigFileError::Refused(Renderer::plain().render(&[group]))
    }

    fn word<T: Copy>(
        &self,
        words: Words<T>,
        word: Option<&Spanned<String>>,
    ) -> Result<Option<T>, ConfigFileError> {
        let Some(word) = word else {
            return Ok(None);
        };
        let known = words.iter().find(|(name, _)| name == word.get_ref());
        match known {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => {
                let names = words.iter().map(|(name, _)| *name);
                Err(self.refuse(word.span(), &one_of(names)))
            }
        }
    }

    /// A word of a table that is kept elsewhere.
    fn named<T>(
        &self,
        word: Option<&Spanned<String>>,
        meaning: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigFileError> {
        let known = |word: &Spanned<String>| {
            let unknown = || self.refuse(word.span(), "this algorithm is not supported");
            meaning(word.get_ref()).ok_or_else(unknown)
        };
        word.map(known).transpose()
    }

    /// Certificates in PEM, of a file beside the configuration.
    fn certificates(&self, file: &Spanned<String>) -> Result<Vec<X509>, ConfigFileError> {
        let refused = |why: String| self.refuse(file.span(), &why);
        let folder = Path::new(self.name).parent().unwrap_or(Path::new(""));
        let pem = std::fs::read(folder.join(file.get_ref()))
            .map_err(|error| refused(format!("cannot be read: {error}")))?;
        match X509::stack_from_pem(&pem) {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            _ => Err(refused("there is no certificate in PEM in it".to_owned())),
        }
    }

    fn networks(&self, words: &[Spanned<String>]) -> Result<Networks, ConfigFileError> {
        let public = words.iter().any(|word| word.get_ref() == "public");
        let mut networks = match public {
            true => Networks::public(),
            false => Networks::none(),
        };
        for word in words {
            networks = match word.get_ref().as_str() {
                "public" => networks,
                "loopback" => networks.with_loopback(),
                range => {
                    let range = range.parse::<Network>();
                    networks.with(range.map_err(|error| {
                        let message = format!("expected public, loopback or a range: {error}");
                        self.refuse(word.span(), &message)
                    })?)
                }
            };
        }
        Ok(networks)
    }

    fn response_types(
        &self,
        words: &[Spanned<String>],
    ) -> Result<Vec<ResponseType>, ConfigFileError> {
        let one = |word: &Spanned<String>| {
            let known = ResponseType::parse(word.get_ref());
            let names = ResponseType::ALL.map(|(_, name)| name);
            known.ok_or_else(|| self.refuse(word.span(), &one_of(names)))
        };
        words.iter().map(one).collect()
    }

    fn parsed<T: FromStr<Err: fmt::Display>>(
        &self,
        value: Option<&Spanned<String>>,
    ) -> Result<Option<T>, ConfigFileError> {
        value
            .map(|value| {
                let parsed = value.get_ref().parse();
                parsed.map_err(|error: T::Err| self.refuse(value.span(), &error.to_string()))
            })
            .transpose()
    }

    fn claim_check(
        &self,
        expression: Option<&Spanned<String>>,
    ) -> Result<Option<ClaimCheck>, ConfigFileError> {
        let Some(expression) = expression else {
            return Ok(None);
        };
        ClaimCheck::compile(expression.get_ref())
            .map(Some)
            .map_err(|error| {
                let span = self.inside(expression, error.span());
                self.refuse(span, &error.kind().to_string())
            })
    }

    /// A place in a string's value as a place in the file; the whole string where escapes keep the two apart.
    fn inside(&self, string: &Spanned<String>, span: Range<usize>) -> Range<usize> {
        let whole = string.span();
        let written = self.text.get(whole.clone()).unwrap_or_default();
        match written.find(string.get_ref().as_str()) {
            Some(at) => whole.start + at + span.start..whole.start + at + span.end,
            None => whole,
        }
    }
}

fn one_of(names: impl IntoIterator<Item = &'static str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    format!("expected one of {}", names.join(", "))
}

/// The text with the values of `client_secret` and `password_hash` crossed out; every other byte keeps its place.
fn redact(text: &str) -> String {
    let hide = |line: &str| match line.split_once('=') {
        Some((name, value)) if name.contains("client_secret") || name.contains("password") => {
            let hidden: String = value
                .bytes()
                .map(|byte| if byte == b'\n' { '\n' } else { '*' })
                .collect();
            format!("{name}={hidden}")
        }
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(hide).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        ConfigFile::parse("id.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn everything_there_is() {
        let file = ConfigFile::parse(
            "id.toml",
            r#"
            issuer = "https://id.example"
            listen = "127.0.0.1:8443"
            listen_plain = "127.0.0.1:8080"
            signer = "openssl"
            pkce = "public"
            networks = ["loopback", "10.0.0.0/8"]
            dpop_nonces = true
            [lifetimes]
            code = 30
            access_token = 300
            id_token = 300
            session = 3600
            refresh_token = 86400
            offline = 864000
            signing_key = 604800
            [[resources]]
            resource = "https://api.example"
            format = "opaque"
            signing_alg = "ES256"
            scope = "api.read api.write"
            introspected_by = ["api"]
            access_token_lifetime = 60
            accept_when = "claims.exp > now"
            [[clients]]
            client_id = "app"
            name = "The application"
            client_secret = "0123456789abcdef0123456789abcdef"
            token_endpoint_auth_method = "client_secret_post"
            application_type = "web"
            redirect_uris = ["https://app.example/cb"]
            grant_types = ["authorization_code", "refresh_token"]
            scope = "openid offline_access"
            backchannel_logout_uri = "https://app.example/out"
            backchannel_logout_session_required = true
            frontchannel_logout_uri = "https://app.example/frame"
            frontchannel_logout_session_required = true
            id_token_signed_response_alg = "EdDSA"
            subject_type = "pairwise"
            issue_when = "claims.sub != claims.client_id"
            [[clients]]
            client_id = "spa"
            redirect_uris = ["https://spa.example/"]
            [[users]]
            username = "Alice"
            password_hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2E$7h0V0J9S0WQ6r7rvOqg1bqg9bS7pZb4m1fV5oY0q3mA"
            name = "Alice Example"
            email = "alice@example.com"
            email_verified = true
            claims = { given_name = "Alice", phone_number_verified = true, address = { country = "GB" } }
            "#,
        )
        .unwrap();
        assert_eq!(file.issuer.as_deref(), Some("https://id.example"));
        let policy = &file.settings.policy;
        assert_eq!(
            (policy.code_lifetime(), policy.access_token_lifetime()),
            (30, 300)
        );
        assert_eq!(
            (policy.offline_lifetime(), policy.refresh_token_lifetime()),
            (864_000, 86_400)
        );
        assert!(policy.dpop_nonces());
        let networks = &file.settings.networks;
        assert!(networks.allow([127, 0, 0, 1].into()) && networks.allow([10, 1, 2, 3].into()));
        assert!(!networks.allow([9, 9, 9, 9].into()));
        let [api] = &file.settings.resources[..] else {
            panic!("one resource")
        };
        assert_eq!(
            (api.format, api.access_token_lifetime),
            (TokenFormat::Opaque, Some(60))
        );
        let [app, spa] = &file.settings.clients[..] else {
            panic!("two clients")
        };
        assert_eq!(
            (app.secret_method, spa.secret_method),
            (Some(SecretMethod::Post), None)
        );
        assert_eq!(
            (api.signing_alg, app.id_token_alg),
            (Algorithm::Es256, Algorithm::EdDsa)
        );
        assert_eq!(file.settings.issue_when.len(), 1);
        assert_eq!(
            (app.subject_type, spa.subject_type),
            (SubjectType::Pairwise, SubjectType::Public)
        );
        let [alice] = &file.settings.users[..] else {
            panic!("one user")
        };
        assert_eq!(alice.username.as_str(), "alice");
        assert_eq!(alice.claim("given_name"), Some("Alice".into()));
        assert!(alice.email_verified && alice.name == "Alice Example");
    }

    #[test]
    fn the_file_for_the_conformance_suite_is_good() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/conformance/stampmill.toml"
        );
        let file = ConfigFile::read(Path::new(path)).unwrap();
        assert_eq!(
            (file.settings.clients.len(), file.settings.users.len()),
            (5, 1)
        );
    }

    #[test]
    fn registration_and_requests_as_the_file_says() {
        let text = r#"
            require_pushed_authorization_requests = true
            [registration]
            access = "open"
            scope = "openid"
            response_types = ["code", "code id_token"]
            per_minute = 5
            [[clients]]
            client_id = "app"
            redirect_uris = ["https://app.example/cb"]
            jwks_uri = "https://app.example/jwks.json"
            token_endpoint_auth_signing_alg = "ES256"
            request_object_signing_alg = "PS256"
            require_signed_request_object = true
            request_uris = ["https://app.example/r.jwt"]
            require_pushed_authorization_requests = true
            default_max_age = 60
        "#;
        let settings = ConfigFile::parse("id.toml", text).unwrap().settings;
        assert!(settings.policy.requires_pushed_requests());
        let rules = settings.registration.as_ref().unwrap();
        assert_eq!(
            (rules.open, rules.per_minute, rules.most_clients),
            (true, 5, 10_000)
        );
        assert!(
            settings
                .response_types()
                .contains(&ResponseType::CodeIdToken)
        );
        let [app] = &settings.clients[..] else {
            panic!("one client")
        };
        assert!(app.jwks_uri.is_some() && app.secret_method.is_none());
        let requests = &app.requests;
        assert!(
            requests.require_signed_request_object
                && requests.require_pushed_authorization_requests
        );
        assert_eq!(requests.default_max_age, Some(60));
        assert!(Settings::default().registration.is_none());
        let client = "[[clients]]\nclient_id = 'a'\nredirect_uris = ['https://a.example/cb']\n";
        for (text, message) in [
            (
                "[registration]\naccess = 'all'",
                "expected one of token, open",
            ),
            ("[registration]\nscope = 'openid'", "missing field `access`"),
            ("trusted_authorities = 'nowhere.pem'", "id.toml:1:23"),
            (
                &format!("{client}jwks_uri = 'http://a.example/'"),
                "jwks_uri: expected https",
            ),
            (
                &format!("{client}request_uris = ['https://a.example/r']"),
                "needs jwks or jwks_uri",
            ),
            (
                &format!("{client}request_object_signing_alg = 'none'"),
                "this algorithm is not supported",
            ),
        ] {
            let error = refused(text);
            assert!(error.contains(message), "{text}\n{error}");
        }
    }

    #[test]
    fn the_authority_serves_others_as_the_file_says() {
        let text = r#"
            [authority]
            listen = "127.0.0.1:8380"
            url = "http://ca.internal"
            external_account_required = true
            terms_of_service = "https://ca.internal/terms"
            challenges = ["http-01", "dns-01"]
            http_01_port = 5002
            tls_alpn_01_port = 5001
            name_server = "127.0.0.1:8053"
            networks = ["loopback", "10.0.0.0/8"]
            caa_identities = ["ca.internal"]
        "#;
        let settings = ConfigFile::parse("id.toml", text).unwrap().settings;
        let authority = settings.authority.unwrap();
        let acme = authority.acme.as_ref().unwrap();
        assert!(acme.external_account_required && acme.networks.allow([10, 0, 0, 1].into()));
        assert_eq!((acme.http_01_port, acme.tls_alpn_01_port), (5002, 5001));
        assert_eq!((acme.challenges.len(), acme.caa_identities.len()), (2, 1));
        assert!(authority.name_server.is_some() && authority.check().is_ok());
        let plain = ConfigFile::parse("id.toml", "[authority]\nacme = false").unwrap();
        assert!(plain.settings.authority.unwrap().acme.is_none());
        assert!(Settings::default().authority.is_none());
        for (text, message) in [
            ("[authority]\nlisten = 'here'", "id.toml:2:10"),
            (
                "[authority]\nurl = 'https://ca.internal'",
                "expected http://HOST",
            ),
            ("[authority]\nchallenges = ['post']", "id.toml:2:15"),
            (
                "[authority]\nchallenges = []",
                "expected at least one challenge",
            ),
            ("[authority]\nport = 1", "unknown field `port`"),
        ] {
            let error = refused(text);
            assert!(error.contains(message), "{text}\n{error}");
        }
    }

    #[test]
    fn an_empty_file_is_the_strict_policy() {
        let file = ConfigFile::parse("id.toml", "").unwrap();
        assert_eq!(file.settings.policy, Policy::strict());
        assert!(file.settings.clients.is_empty() && file.listen.is_none());
    }

    #[test]
    fn a_claim_check_that_does_not_compile_is_shown_at_its_place() {
        let text =
            "[[resources]]\nresource = 'https://a.example'\naccept_when = \"claims.exp > )\"\n";
        assert_eq!(
            refused(text),
            r#"the configuration is refused
error: expected an expression
 --> id.toml:3:29
  |
3 | accept_when = "claims.exp > )"
  |                             ^"#
        );
    }

    #[test]
    fn mistakes_are_shown_with_line_and_caret() {
        let client = "[[clients]]\nclient_id = 'a'\nredirect_uris = ['https://a.example/cb']\n";
        let user = "[[users]]\nusername = 'a'\npassword_hash = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2E$7h0V0J9S0WQ6r7rvOqg1bqg9bS7pZb4m1fV5oY0q3mA'\n";
        for (text, message, place) in [
            ("x = 1", "unknown field `x`", "1:1"),
            ("listen = 'nowhere'", "no address to listen on", "1:10"),
            ("networks = ['lan']", "expected public, loopback", "1:13"),
            ("networks = ['public', '10.0.0.0/40']", "range", "1:23"),
            ("pkce = 'none'", "expected one of all, public", "1:8"),
            ("signer = 'abacus'", "expected one of openssl", "1:10"),
            ("store = 'cloud'", "expected one of file, memory", "1:9"),
            ("issuer = 5", "invalid type: integer", "1:10"),
            ("issuer = ", "", "1:10"),
            (
                "\n[lifetimes]\ncode = 601",
                "code is 1 to 600 seconds",
                "2:1",
            ),
            (
                "[[resources]]\nresource = 'nowhere'",
                "absolute URI",
                "2:12",
            ),
            (
                "[[resources]]\nresource = 'https://a.example'\nformat = 'xml'",
                "expected one of jwt, opaque",
                "3:10",
            ),
            (
                "[[resources]]\nresource = 'https://a.example'\n[[resources]]\nresource = 'https://a.example'",
                "twice",
                "4:12",
            ),
            ("[[clients]]\nclient_id = 'a b'", "client id", "2:13"),
            ("[[clients]]\nclient_id = 'a'", "redirect URI", "2:13"),
            (
                &format!("{client}grant_types = ['password']"),
                "expected one of authorization_code",
                "4:16",
            ),
            (
                &format!("{client}issue_when = 'clams.x'"),
                "undeclared reference to `clams`",
                "4:15",
            ),
            (
                &format!("{client}token_endpoint_auth_method = 'client_secret_basic'"),
                "needs client_secret",
                "2:13",
            ),
            (&format!("{client}{client}"), "twice", "5:13"),
            (
                &format!("{client}subject_type = 'secret'"),
                "expected one of public, pairwise",
                "4:16",
            ),
            (
                "[[users]]\nusername = 'a'\npassword_hash = 'hunter2'",
                "argon2id",
                "3:17",
            ),
            (&format!("{user}{user}"), "twice", "5:12"),
            (
                &format!("{user}claims = {{ shoe_size = 43 }}"),
                "no claim about a person",
                "4:12",
            ),
            (
                &format!("{user}claims = {{ gender = 1 }}"),
                "the claim gender is a text",
                "4:12",
            ),
            (&format!("{user}email = 'nowhere'"), "something@host", "4:9"),
            (
                &format!("{user}password = 'hunter2'"),
                "unknown field",
                "4:1",
            ),
            (
                &format!("{client}client_secret = 'short'"),
                "32 to 512",
                "2:13",
            ),
        ] {
            let error = refused(text);
            assert!(error.contains(message), "{text}\n{error}");
            assert!(
                error.contains(&format!("id.toml:{place}")),
                "{place} {text}\n{error}"
            );
        }
    }

    #[test]
    fn no_error_shows_a_secret() {
        for text in [
            "[[clients]]\nclient_id = 'a'\nclient_secret = 'hunter2hunter2'\n",
            "[[clients]]\nclient_secret = 'hunter2hunter2' x\n",
            "[[clients]]\nclient_secret = ['hunter2hunter2']\n",
            "[[users]]\nusername = 'a'\npassword_hash = 'hunter2'\n",
            "[[users]]\nusername = 'a'\npassword = 'hunter2'\n",
        ] {
            let error = refused(text);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
