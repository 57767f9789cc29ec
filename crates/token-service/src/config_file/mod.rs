//! The configuration file of `serve --config`: TOML, read strictly. Its reference is docs/configuration.md, which a test holds against
//! the tables here.
//!
//! ```text
//!   text ──▶ tables        as serde reads them: keys that are known, values of their types, each with its place in the text
//!               ▼
//!            check         each value against its rule, then against the others
//!               ▼
//!            ConfigFile    types that cannot be illegal; or a refusal, with the line and a caret under the value
//! ```
//! A member that is not known, a value that is not legal and a claim check that does not compile refuse the whole file. Members have the
//! names of RFC 7591 and RFC 8414 where those have one.

mod client;
mod introspectors;
#[cfg(test)]
mod reference;
mod source;
mod tables;
#[cfg(test)]
mod tests;
mod unasked;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use openssl::x509::X509;
use serde::Deserialize;
use stampmill_claim_check::ClaimCheck;
use stampmill_jose::Backend;
use stampmill_outbound::Networks;
use toml::Spanned;

use self::client::ClientTable;
use self::introspectors::{ClientElsewhere, Introspectors};
use self::source::{Source, Words};
use self::tables::{AuthorityTable, LifetimesTable, RegistrationTable, ResourceTable, UserTable};
use self::unasked::Unasked;
use crate::authority::AuthoritySettings;
use crate::domain::{Client, ClientId, Registration, ResourceServer, ResponseType, User};
use crate::policy::{Pkce, Policy};
use crate::protocol::RegistrationRules;
use crate::server::{Listen, Server};
use crate::store::{Store, StoreError};

/// Where the service keeps what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// In the data folder's database: an answered grant survives whatever ends the server.
    #[default]
    File,
    /// In memory, beginning with the folder's registered clients, people and keys: the rest is forgotten when the server ends.
    /// For tests and measurements: only where the server listens on loopback and the issuer is there, too.
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
    /// Clients that the file counts on and does not have.
    pub(crate) elsewhere: Vec<ClientElsewhere>,
    /// Rules of resources that nobody would ask for.
    pub(crate) unasked: Vec<Unasked>,
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
            elsewhere: Vec::new(),
            unasked: Vec::new(),
        }
    }
}

impl Settings {
    /// Whether every client that the file counts on is in it: where nothing was registered yet, none is elsewhere.
    ///
    /// # Errors
    /// The refusal of the file, with the place that names the client.
    pub fn check_alone(&self) -> Result<(), ConfigFileError> {
        match self.elsewhere.first() {
            Some(client) => Err(client.refusal.clone()),
            None => Ok(()),
        }
    }

    /// The same where some were registered; `Err` is a failure of the store.
    pub(crate) async fn check_beside(
        &self,
        store: &dyn Store,
    ) -> Result<Result<(), ConfigFileError>, StoreError> {
        for client in &self.elsewhere {
            if store.client(&client.id).await?.is_none() {
                return Ok(Err(client.refusal.clone()));
            }
        }
        Ok(Ok(()))
    }

    /// Tells in the log of what is legal and has no effect, for a service with this issuer.
    pub(crate) fn tell_unasked(&self, issuer: &str) {
        for warning in self.unasked.iter().filter_map(|rule| rule.under(issuer)) {
            tracing::warn!("{warning}");
        }
    }

    /// What the authorization endpoint hands out: `code`, and what some client is configured or registered for.
    pub(crate) fn response_types(&self, registered: &[Client]) -> Vec<ResponseType> {
        let all = ResponseType::ALL.map(|(response_type, _)| response_type);
        let wanted = |one: &ResponseType| {
            let mut clients = self.clients.iter();
            let mut rules = self.registration.iter();
            let mut beside = registered.iter();
            !one.is_hybrid()
                || clients.any(|client| client.response_types.contains(one))
                || rules.any(|rules| rules.response_types.contains(one))
                || beside.any(|client| client.response_types.contains(one))
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
#[derive(Debug, Clone, thiserror::Error)]
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
    issuer: Option<Spanned<String>>,
    listen: Option<Spanned<String>>,
    listen_plain: Option<Spanned<String>>,
    signer: Option<Spanned<String>>,
    store: Option<Spanned<String>>,
    pkce: Option<Spanned<String>>,
    #[serde(default)]
    require_pushed_authorization_requests: bool,
    #[serde(default)]
    dpop_nonces: bool,
    networks: Option<Vec<Spanned<String>>>,
    trusted_authorities: Option<Spanned<String>>,
    registration: Option<RegistrationTable>,
    authority: Option<AuthorityTable>,
    lifetimes: Option<LifetimesTable>,
    #[serde(default)]
    resources: Vec<ResourceTable>,
    #[serde(default)]
    clients: Vec<ClientTable>,
    #[serde(default)]
    users: Vec<UserTable>,
}

const PKCE: Words<Pkce> = &[("all", Pkce::All), ("public", Pkce::Public)];
const SIGNERS: Words<Backend> = &[
    ("openssl", Backend::OpenSsl),
    ("stampmill", Backend::Stampmill),
];
const STORES: Words<Storage> = &[("file", Storage::File), ("memory", Storage::Memory)];

impl File {
    fn check(self, source: &Source<'_>) -> Result<ConfigFile, ConfigFileError> {
        let pkce = source.word(PKCE, self.pkce.as_ref())?.unwrap_or(Pkce::All);
        let mut policy = Policy::strict()
            .with_pkce(pkce)
            .with_pushed_requests_only(self.require_pushed_authorization_requests)
            .with_dpop_nonces(self.dpop_nonces);
        if let Some(table) = &self.lifetimes {
            policy = table.change(policy, source)?;
        }
        let mut settings = Settings {
            policy,
            ..Settings::default()
        };
        if let Some(storage) = source.word(STORES, self.store.as_ref())? {
            settings.storage = storage;
        }
        let listen = source.parsed(self.listen.as_ref())?;
        let listen_plain = source.parsed(self.listen_plain.as_ref())?;
        let issuer = self.issuer.as_ref().map(|issuer| issuer.get_ref().as_str());
        if let Some(issuer) = &self.issuer {
            Server::check(None, None, Some(issuer.get_ref()))
                .map_err(|error| source.refuse(issuer.span(), &error.to_string()))?;
        }
        if let Some(plain) = &self.listen_plain {
            Server::check(Some(Listen::Localhost(0)), listen_plain, None)
                .map_err(|error| source.refuse(plain.span(), &error.to_string()))?;
        }
        if let Some(store) = &self.store {
            Server::check_storage(settings.storage, listen, issuer)
                .map_err(|error| source.refuse(store.span(), &error.to_string()))?;
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
        let mut introspectors = Introspectors::default();
        for table in self.resources {
            let span = table.resource.span();
            let server = table.check(source, &mut introspectors, &mut settings.unasked)?;
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
            table.check(source, &mut settings, &introspectors)?;
        }
        settings.elsewhere = introspectors.elsewhere(source, &settings.clients);
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
            issuer: self.issuer.map(Spanned::into_inner),
            listen,
            listen_plain,
            backend: source
                .word(SIGNERS, self.signer.as_ref())?
                .unwrap_or(Backend::OpenSsl),
            settings,
        })
    }
}
