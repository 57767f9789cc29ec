//! The decision itself, free of HTTP plumbing: from a request's head to an [`AccessToken`] or a [`Refusal`].

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use http::request::Parts;
use stampmill_claim_check::ClaimCheck;
use stampmill_jose::{Expectations, JwtError, verify_jwt};
use thiserror::Error;

use crate::BoxError;
use crate::bearer::credentials;
use crate::clock::{Clock, SystemClock};
use crate::denial::Denial;
use crate::keys::{BoxFuture, KeySource, KeysUnavailable};
use crate::metadata::ResourceMetadata;
use crate::proof::{Dpop, NonceSource, ReplayStore, check_binding};
use crate::refusal::{Challenge, Refusal};
use crate::token::AccessToken;

/// The default of [`GuardBuilder::max_token_bytes`]: what common servers allow a whole header.
pub const DEFAULT_MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Everything that decides whether a request may pass. Cloning is cheap; all clones share one key cache.
#[derive(Clone)]
pub struct Guard {
    rules: Arc<Rules>,
}

struct Rules {
    expect: Expectations,
    keys: Option<Box<dyn KeySource>>,
    introspect: Option<Introspect>,
    dpop: Option<Dpop>,
    clock: Box<dyn Clock>,
    max_token_bytes: usize,
    accept_when: Option<Arc<ClaimCheck>>,
    with_values: bool,
    revoked_when: Option<RevokedWhen>,
    challenge: Challenge,
}

type Introspect =
    Box<dyn Fn(String) -> BoxFuture<'static, Result<Vec<u8>, BoxError>> + Send + Sync>;
type RevokedWhen =
    Box<dyn Fn(AccessToken) -> BoxFuture<'static, Result<bool, BoxError>> + Send + Sync>;

impl Guard {
    /// A guard that accepts tokens whose `iss` is `issuer` and whose `aud` contains `resource`.
    pub fn builder(issuer: impl Into<String>, resource: impl Into<String>) -> GuardBuilder {
        let (issuer, resource) = (issuer.into(), resource.into());
        GuardBuilder {
            realm: resource.clone(),
            issuer,
            resource,
            keys: None,
            introspect: None,
            dpop: None,
            publish_metadata: false,
            address: None,
            clock: Box::new(SystemClock),
            max_token_bytes: DEFAULT_MAX_TOKEN_BYTES,
            required_scope: Vec::new(),
            accept_when: None,
            with_values: false,
            revoked_when: None,
        }
    }

    /// Judges a request by its head. The order goes from cheap to dear, and nothing in the token is believed before its
    /// signature has been verified.
    ///
    /// # Errors
    /// A [`Refusal`] for every request that may not pass, including those that cannot be judged.
    pub async fn authorize(&self, request: &Parts) -> Result<AccessToken, Refusal> {
        let rules = &self.rules;
        let credentials =
            credentials(request, rules.dpop.is_some())?.ok_or(Refusal::NoCredentials)?;
        rules.check_length(credentials.token)?;
        let now = rules.clock.now();
        let token = rules.verify(credentials.token, now).await?;
        check_binding(rules.dpop.as_ref(), request, credentials, &token, now).await?;
        rules.check_scope(&token)?;
        rules.check_claims(&token, now)?;
        rules.check_revocation(&token).await?;
        Ok(token)
    }

    /// What this resource tells about itself (RFC 9728), if it does: [`GuardBuilder::publish_metadata`].
    pub fn metadata(&self) -> Option<&ResourceMetadata> {
        self.rules.challenge.metadata.as_ref()
    }

    /// What goes into `DPoP-Nonce` now, if nonces are asked for.
    pub(crate) fn nonce(&self) -> Option<String> {
        let nonces = self.rules.dpop.as_ref()?.nonces.as_ref()?;
        let [newest, _] = nonces.accepted(self.rules.clock.now());
        Some(newest)
    }

    pub(crate) fn challenge(&self) -> &Challenge {
        &self.rules.challenge
    }
}

impl Rules {
    fn check_length(&self, token: &str) -> Result<(), Refusal> {
        let (limit, actual) = (self.max_token_bytes, token.len());
        if actual > limit {
            Err(Refusal::TooLong { limit, actual })
        } else {
            Ok(())
        }
    }

    /// A JWT is verified here; what is none, or where there are no keys, is asked about (RFC 7662).
    async fn verify(&self, token: &str, now: i64) -> Result<AccessToken, Refusal> {
        let looks_like_a_jwt = token.bytes().filter(|&byte| byte == b'.').count() == 2;
        match (&self.keys, &self.introspect) {
            (Some(keys), Some(_)) if looks_like_a_jwt => self.verify_jwt(&**keys, token, now).await,
            (Some(keys), None) => self.verify_jwt(&**keys, token, now).await,
            (_, Some(introspect)) => self.ask(introspect, token, now).await,
            (None, None) => Err(Refusal::Keys(KeysUnavailable)),
        }
    }

    /// RFC 9068 §4: type, key by `kid`, signature, issuer, audience, times. An unknown `kid` is looked for once in a
    /// newer key set.
    async fn verify_jwt(
        &self,
        source: &dyn KeySource,
        token: &str,
        now: i64,
    ) -> Result<AccessToken, Refusal> {
        let keys = source.current().await?;
        let jwt = match verify_jwt(token, &keys, &self.expect, now) {
            Err(unknown @ JwtError::UnknownKeyId { .. }) => {
                let newer = source.newer_than(Arc::clone(&keys)).await?;
                if Arc::ptr_eq(&keys, &newer) {
                    return Err(unknown.into());
                }
                verify_jwt(token, &newer, &self.expect, now)?
            }
            decided => decided?,
        };
        Ok(AccessToken::from_verified(&jwt)?)
    }

    async fn ask(
        &self,
        introspect: &Introspect,
        token: &str,
        now: i64,
    ) -> Result<AccessToken, Refusal> {
        let answer = introspect(token.to_owned())
            .await
            .map_err(Refusal::IntrospectionUnknown)?;
        let (issuer, resource) = (&self.expect.issuer, &self.expect.audience);
        Ok(AccessToken::from_introspection(
            &answer, issuer, resource, now,
        )?)
    }

    fn check_scope(&self, token: &AccessToken) -> Result<(), Refusal> {
        match self
            .challenge
            .required_scope
            .iter()
            .find(|value| !token.has_scope(value))
        {
            Some(missing) => Err(Refusal::InsufficientScope {
                missing: missing.clone(),
            }),
            None => Ok(()),
        }
    }

    fn check_claims(&self, token: &AccessToken, now: i64) -> Result<(), Refusal> {
        let Some(check) = &self.accept_when else {
            return Ok(());
        };
        let judge = match self.with_values {
            true => Denial::with_values,
            false => Denial::of,
        };
        let Some(denial) = judge(check, token.claims_json(), now) else {
            return Ok(());
        };
        let (resource, client_id) = (&self.expect.audience, token.client_id());
        tracing::info!(resource, client_id, jti = token.jwt_id(), %denial, "access token refused");
        if let Some(values) = denial.values() {
            tracing::info!(
                jti = token.jwt_id(),
                "what the parts of the check gave:\n{values}"
            );
        }
        Err(Refusal::ClaimCheck(Box::new(denial)))
    }

    async fn check_revocation(&self, token: &AccessToken) -> Result<(), Refusal> {
        let Some(is_revoked) = &self.revoked_when else {
            return Ok(());
        };
        match is_revoked(token.clone()).await {
            Ok(false) => Ok(()),
            Ok(true) => Err(Refusal::Revoked),
            Err(error) => Err(Refusal::RevocationUnknown(error)),
        }
    }
}

/// Collects a guard's rules; [`GuardBuilder::build`] checks them.
pub struct GuardBuilder {
    issuer: String,
    resource: String,
    realm: String,
    keys: Option<Box<dyn KeySource>>,
    introspect: Option<Introspect>,
    dpop: Option<Dpop>,
    publish_metadata: bool,
    address: Option<String>,
    clock: Box<dyn Clock>,
    max_token_bytes: usize,
    required_scope: Vec<String>,
    accept_when: Option<Arc<ClaimCheck>>,
    with_values: bool,
    revoked_when: Option<RevokedWhen>,
}

impl GuardBuilder {
    /// The issuer's keys; required, unless every token is introspected.
    #[must_use]
    pub fn keys(mut self, keys: impl KeySource) -> GuardBuilder {
        self.keys = Some(Box::new(keys));
        self
    }

    /// Asks about tokens that are no JWTs (and, without keys, about all): the function gets the token, asks the
    /// authorization server's introspection endpoint (RFC 7662) and gives the body of the answer. How it travels and
    /// authenticates is the caller's business; what the answer is worth is decided here. An error is 503.
    #[must_use]
    pub fn introspect<F, Fut>(mut self, ask: F) -> GuardBuilder
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<u8>, BoxError>> + Send + 'static,
    {
        self.introspect = Some(Box::new(move |token| Box::pin(ask(token))));
        self
    }

    /// Takes tokens that are bound to a key, with a proof of it (RFC 9449 §7). `origin` is this service's address as clients
    /// know it, for instance `https://api.example`; the path of the request is appended to it. Without this, bound tokens
    /// are refused.
    #[must_use]
    pub fn dpop(mut self, origin: impl Into<String>, replay: impl ReplayStore) -> GuardBuilder {
        self.dpop = Some(Dpop {
            origin: origin.into().trim_end_matches('/').to_owned(),
            replay: Box::new(replay),
            nonces: None,
        });
        self
    }

    /// Proofs must carry a nonce of this service (RFC 9449 §9): every answer tells the newest in `DPoP-Nonce`, and a proof
    /// without one that counts is answered `use_dpop_nonce`. After [`dpop`](Self::dpop), without which this does nothing.
    #[must_use]
    pub fn dpop_nonces(mut self, nonces: impl NonceSource) -> GuardBuilder {
        if let Some(dpop) = &mut self.dpop {
            dpop.nonces = Some(Box::new(nonces));
        }
        self
    }

    /// Tells about itself: challenges name the address of [`Guard::metadata`] (RFC 9728 §5.1), which the caller serves.
    #[must_use]
    pub fn publish_metadata(mut self) -> GuardBuilder {
        self.publish_metadata = true;
        self
    }

    /// The same for a resource whose address is not the name that its tokens carry: what it tells is of this address, because a
    /// client believes it only where it names the URL that was asked (RFC 9728 §3.3).
    #[must_use]
    pub fn publish_metadata_of(mut self, address: impl Into<String>) -> GuardBuilder {
        self.address = Some(address.into());
        self.publish_metadata()
    }

    /// A scope value every token must have; may be called again for more of them.
    #[must_use]
    pub fn required_scope(mut self, value: impl Into<String>) -> GuardBuilder {
        self.required_scope.push(value.into());
        self
    }

    /// A claim check that must evaluate to `true` on the token's claims; it runs as machine code. A check that cannot be
    /// evaluated refuses.
    #[must_use]
    pub fn accept_when(mut self, check: impl Into<Arc<ClaimCheck>>) -> GuardBuilder {
        self.accept_when = Some(check.into());
        self
    }

    /// Where the claim check refuses, the log and [`Refusal::ClaimCheck`] also tell what each part of it gave: the values of the token's
    /// claims, which may be a person's. For finding a mistake, and not for good.
    #[must_use]
    pub fn explain_with_values(mut self) -> GuardBuilder {
        self.with_values = true;
        self
    }

    /// Asked last, for each token that passed everything else: is the grant behind it revoked? An error refuses too.
    #[must_use]
    pub fn revoked_when<F, Fut>(mut self, is_revoked: F) -> GuardBuilder
    where
        F: Fn(AccessToken) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<bool, BoxError>> + Send + 'static,
    {
        self.revoked_when = Some(Box::new(move |token| Box::pin(is_revoked(token))));
        self
    }

    /// Another clock than the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> GuardBuilder {
        self.clock = Box::new(clock);
        self
    }

    /// The realm named in `WWW-Authenticate`; the resource unless set.
    #[must_use]
    pub fn realm(mut self, realm: impl Into<String>) -> GuardBuilder {
        self.realm = realm.into();
        self
    }

    /// The longest token that is read, in bytes; [`DEFAULT_MAX_TOKEN_BYTES`] unless set.
    #[must_use]
    pub fn max_token_bytes(mut self, limit: usize) -> GuardBuilder {
        self.max_token_bytes = limit;
        self
    }

    /// The guard.
    ///
    /// # Errors
    /// When no keys were given, or a realm or scope value cannot stand in a header.
    pub fn build(self) -> Result<Guard, GuardError> {
        if self.realm.is_empty() || !self.realm.bytes().all(is_quotable) {
            return Err(GuardError::Realm(self.realm));
        }
        if let Some(bad) = self
            .required_scope
            .iter()
            .find(|value| !is_scope_token(value))
        {
            return Err(GuardError::Scope(bad.clone()));
        }
        if self.keys.is_none() && self.introspect.is_none() {
            return Err(GuardError::NoKeys);
        }
        let dpop = self.dpop.is_some();
        let metadata = match self.publish_metadata {
            false => None,
            true => {
                let address = self.address.as_ref().unwrap_or(&self.resource);
                Some(
                    ResourceMetadata::new(address, &self.issuer, &self.required_scope, dpop)
                        .filter(|metadata| metadata.url.bytes().all(is_quotable))
                        .ok_or_else(|| GuardError::NotAnAddress(address.clone()))?,
                )
            }
        };
        Ok(Guard {
            rules: Arc::new(Rules {
                expect: Expectations::access_token(self.issuer, self.resource),
                keys: self.keys,
                introspect: self.introspect,
                dpop: self.dpop,
                clock: self.clock,
                max_token_bytes: self.max_token_bytes,
                accept_when: self.accept_when,
                with_values: self.with_values,
                revoked_when: self.revoked_when,
                challenge: Challenge {
                    realm: self.realm,
                    required_scope: self.required_scope,
                    dpop,
                    metadata,
                },
            }),
        })
    }
}

/// Why a guard cannot be built.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuardError {
    /// Neither [`GuardBuilder::keys`] nor [`GuardBuilder::introspect`] was called.
    #[error("a guard needs the issuer's keys, or somebody to ask about tokens")]
    NoKeys,
    /// The realm is empty, or holds a quote, a backslash or something that is not printable ASCII.
    #[error("{0:?} cannot be a realm: expected printable ASCII without quote and backslash")]
    Realm(String),
    /// Metadata is found by the resource's own address (RFC 9728 §3.1), and this is none.
    #[error(
        "{0:?} has no place for metadata: expected an https address without query and fragment"
    )]
    NotAnAddress(String),
    /// Not a scope token (RFC 6749 §3.3).
    #[error("{0:?} is no scope value: expected the characters of RFC 6749 §3.3")]
    Scope(String),
}

fn is_quotable(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\'
}

/// `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )` (RFC 6749 §3.3).
fn is_scope_token(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| is_quotable(byte) && byte != b' ')
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("issuer", &self.rules.expect.issuer)
            .field("resource", &self.rules.expect.audience)
            .field("required_scope", &self.rules.challenge.required_scope)
            .field(
                "accept_when",
                &self.rules.accept_when.as_ref().map(|check| check.source()),
            )
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for GuardBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardBuilder")
            .field("issuer", &self.issuer)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}
