//! The rules: one file an endpoint or grant. Nothing here knows of HTTP bodies, sockets or SQL.
//!
//! | file | rule |
//! |---|---|
//! | `authorization` | the authorization request: RFC 6749 §4.1.1, RFC 7636 §4.3, OIDC Core §3.1.2 |
//! | `refused_request` | where a bad one is refused: RFC 6749 §4.1.2.1, RFC 9700 §4.11.2 |
//! | `request_object` | requests that come signed: RFC 9101, OIDC Core §6 |
//! | `posted_form` | requests that come by POST: OIDC Core §3.1.2.1, RP-Initiated Logout 1.0 §2 |
//! | `pushed_request` | requests that come beforehand: RFC 9126 |
//! | `response_mode` | how the answer travels: OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode |
//! | `hybrid` | tokens beside the code: OIDC Core §3.3 |
//! | `interaction` | what the person must still do, and the answer: OIDC Core §3.1.2.3-6, RFC 9207 |
//! | `client_authentication`, `known_secrets` | RFC 6749 §2.3 |
//! | `client_keys` | `jwks_uri`: RFC 7591 §2 |
//! | `token` | the token endpoint: RFC 6749 §3.2, §5 |
//! | `authorization_code` | RFC 6749 §4.1.3, RFC 7636 §4.6 |
//! | `refresh_token` | RFC 6749 §6, RFC 9700 §4.14.2 |
//! | `device_authorization`, `device_verification`, `device_code` | RFC 8628 |
//! | `client_credentials` | RFC 6749 §4.4 |
//! | `resource` | RFC 8707 |
//! | `dpop` | RFC 9449 |
//! | `claim_checks` | `issue_when`, `accept_when` |
//! | `revocation` | RFC 7009 |
//! | `introspection` | RFC 7662, RFC 9701 |
//! | `live_token` | is a token ours, and alive? |
//! | `tokens` | what the tokens say: RFC 9068, OIDC Core §2 |
//! | `signing` | on which threads signatures are computed |
//! | `userinfo` | OIDC Core §5.3 |
//! | `claims` | which claims are told of the person: OIDC Core §5 |
//! | `subject` | what the person is called: OIDC Core §8 |
//! | `session` | a browser's session, `sid`: OpenID Connect Front-Channel Logout 1.0, Session Management 1.0 |
//! | `end_session` | OpenID Connect RP-Initiated Logout 1.0 |
//! | `registration`, `registration_metadata` | RFC 7591, RFC 7592, OIDC Registration |
//! | `backchannel_logout` | OpenID Connect Back-Channel Logout 1.0 |
//! | `discovery` | RFC 8414, OIDC Discovery |

mod authorization;
mod authorization_code;
mod backchannel_logout;
mod claim_checks;
mod claims;
mod client_authentication;
mod client_credentials;
mod client_keys;
mod client_request;
mod device_authorization;
mod device_code;
mod device_verification;
mod discovery;
mod dpop;
mod end_session;
mod error;
mod hybrid;
mod interaction;
mod introspection;
mod known_secrets;
mod live_token;
mod parameters;
pub(crate) mod paths;
mod posted_form;
mod pushed_request;
mod refresh_token;
mod refused_request;
mod registration;
mod registration_metadata;
mod request_object;
mod resource;
mod response_mode;
mod revocation;
mod sealed_request;
mod session;
mod signing;
mod subject;
mod token;
mod tokens;
mod turns;
mod userinfo;

use std::fmt;
use std::fs::File;
use std::sync::Arc;

use stampmill_jose::Jwks;

pub(crate) use authorization::{AuthorizationRequest, LONGEST_REQUEST};
pub(crate) use backchannel_logout::{Courier, Notifier};
#[cfg(test)]
pub(crate) use backchannel_logout::{Pauses, WAITING_FOR_ONE};
pub(crate) use claim_checks::{Checks, IssueWhen};
pub(crate) use claims::SINGLE as SINGLE_CLAIM;
pub(crate) use client_authentication::{BasicCredentials, CredentialsError};
pub(crate) use client_keys::Fetches;
pub(crate) use client_request::ClientRequest;
pub(crate) use device_verification::{CodeProblem, DeviceAnswer, DevicePage};
pub(crate) use discovery::Document;
pub(crate) use end_session::Logout;
pub use error::{ErrorCode, OAuthError};
pub(crate) use interaction::{Attempt, Browser, Decision, Outcome, Page, SignedIn};
pub(crate) use introspection::Introspected;
pub(crate) use known_secrets::KnownSecrets;
pub(crate) use parameters::Parameters;
use posted_form::PostedForms;
pub use registration::RegistrationRules;
pub(crate) use registration::{Pace, Refusal};
pub(crate) use response_mode::AuthorizationResponse;
pub(crate) use session::{Farewell, FrontChannelFrames};
pub(crate) use signing::Signatures;
#[cfg(test)]
pub(crate) use tokens::ACR;
pub(crate) use userinfo::{BearerError, ResourceRequest, UserInfoAnswer};

use crate::clock::{Clock, Random};
use crate::domain::{ClientId, Issuer, Resources, ResponseType, SealedSecret};
use crate::handle::HandleKeys;
use crate::keyring::Keys;
use crate::password::PasswordGate;
use crate::policy::Policy;
use crate::secret::{SealingKey, Secret};
use crate::store::Store;
use crate::throttle::Throttle;

/// The authorization server without its sockets: what every rule may ask.
///
/// Nothing of it changes but behind a lock of its own: other rules are another service (`Service::under`) over the same store,
/// keys and counters.
pub struct Service {
    pub(crate) issuer: Issuer,
    pub(crate) policy: Policy,
    pub(crate) resources: Resources,
    /// What the authorization endpoint hands out: `code`, and what the configuration gives to some client.
    pub(crate) response_types: Vec<ResponseType>,
    /// May this token be issued?
    pub(crate) issue_when: IssueWhen,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) signatures: Arc<Signatures>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) sealing: SealingKey,
    pub(crate) handles: Arc<HandleKeys>,
    pub(crate) known_secrets: Arc<KnownSecrets>,
    pub(crate) passwords: Arc<PasswordGate>,
    pub(crate) throttle: Arc<Throttle>,
    /// Who may register clients; nobody, if there is nothing.
    pub(crate) registration: Option<RegistrationRules>,
    pub(crate) pace: Arc<Pace>,
    /// What other sites posted, until the browser comes back for it.
    posted_forms: Arc<PostedForms>,
    /// What clients named for us to fetch.
    pub(crate) fetches: Fetches,
    /// Tells clients, in the background, that a session ended.
    pub(crate) notifier: Notifier,
    /// The same for user codes of devices, by person.
    pub(crate) code_throttle: Arc<Throttle>,
    /// A secret nobody knows: an unknown client is compared with it, so that it costs what a known one costs.
    pub(crate) nobody: (ClientId, SealedSecret),
    /// The data folder's lock, let go when the last service ends. After the store in this list, so that it is closed first.
    pub(crate) lock: Option<Arc<File>>,
}

/// What a [`Service`] is made of.
pub(crate) struct Parts {
    pub(crate) issuer: Issuer,
    pub(crate) policy: Policy,
    pub(crate) resources: Resources,
    pub(crate) response_types: Vec<ResponseType>,
    pub(crate) issue_when: Checks,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) signatures: Signatures,
    pub(crate) sealing: SealingKey,
    pub(crate) registration: Option<RegistrationRules>,
    pub(crate) fetches: Fetches,
    pub(crate) notifier: Notifier,
    pub(crate) lock: Option<File>,
}

/// What of a service the configuration changes while it runs.
pub(crate) struct Rules {
    pub(crate) policy: Policy,
    pub(crate) resources: Resources,
    pub(crate) response_types: Vec<ResponseType>,
    pub(crate) issue_when: Checks,
    pub(crate) registration: Option<RegistrationRules>,
    pub(crate) fetches: Fetches,
    pub(crate) courier: Arc<dyn Courier>,
}

impl Service {
    pub(crate) fn new(parts: Parts) -> Service {
        let Parts {
            issuer,
            policy,
            resources,
            response_types,
            issue_when,
            clock,
            random,
            store,
            signatures,
            sealing,
            registration,
            fetches,
            notifier,
            lock,
        } = parts;
        let id = ClientId::generate(&*random);
        let secret = SealedSecret::seal(&sealing, &*random, &id, &Secret::generate(&*random));
        Service {
            issuer,
            policy,
            resources,
            response_types,
            issue_when: IssueWhen::new(issue_when),
            clock,
            signatures: Arc::new(signatures),
            keys: Arc::new(Keys::none()),
            passwords: Arc::new(PasswordGate::new(&*random)),
            throttle: Arc::default(),
            registration,
            pace: Arc::default(),
            posted_forms: Arc::default(),
            fetches,
            notifier,
            code_throttle: Arc::default(),
            nobody: (id, secret),
            random,
            store,
            handles: Arc::new(HandleKeys::new(&sealing)),
            sealing,
            known_secrets: Arc::default(),
            lock: lock.map(Arc::new),
        }
    }

    /// The same service under other rules: what it keeps, and what it has counted, are common to both.
    pub(crate) fn under(&self, rules: Rules) -> Service {
        Service {
            policy: rules.policy,
            resources: rules.resources,
            response_types: rules.response_types,
            issue_when: self.issue_when.under(rules.issue_when),
            registration: rules.registration,
            fetches: rules.fetches,
            notifier: self.notifier.through(rules.courier),
            issuer: self.issuer.clone(),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            store: Arc::clone(&self.store),
            signatures: Arc::clone(&self.signatures),
            keys: Arc::clone(&self.keys),
            sealing: self.sealing.clone(),
            handles: Arc::clone(&self.handles),
            known_secrets: Arc::clone(&self.known_secrets),
            passwords: Arc::clone(&self.passwords),
            throttle: Arc::clone(&self.throttle),
            pace: Arc::clone(&self.pace),
            posted_forms: Arc::clone(&self.posted_forms),
            code_throttle: Arc::clone(&self.code_throttle),
            nobody: self.nobody.clone(),
            lock: self.lock.clone(),
        }
    }

    /// The issuer identifier.
    pub fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    /// The keys that verify our tokens.
    pub(crate) fn jwks(&self) -> Arc<Jwks> {
        Arc::clone(&self.keys.ring().jwks)
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("issuer", &self.issuer())
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
