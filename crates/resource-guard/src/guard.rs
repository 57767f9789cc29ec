//! The decision itself, free of HTTP plumbing: from a request's head to an [`AccessToken`] or a [`Refusal`].

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use http::request::Parts;
use stampmill_claim_check::{ClaimCheck, Context};
use stampmill_jose::{Expectations, JwtError, VerifiedJwt, verify_jwt};
use thiserror::Error;

use crate::BoxError;
use crate::bearer::bearer_token;
use crate::clock::{Clock, SystemClock};
use crate::keys::{BoxFuture, KeySource};
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
    keys: Box<dyn KeySource>,
    clock: Box<dyn Clock>,
    max_token_bytes: usize,
    accept_when: Option<ClaimCheck>,
    revoked_when: Option<RevokedWhen>,
    challenge: Challenge,
}

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
            clock: Box::new(SystemClock),
            max_token_bytes: DEFAULT_MAX_TOKEN_BYTES,
            required_scope: Vec::new(),
            accept_when: None,
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
        let token = bearer_token(request)?.ok_or(Refusal::NoCredentials)?;
        rules.check_length(token)?;
        let now = rules.clock.now();
        let jwt = rules.verify(token, now).await?;
        let token = AccessToken::from_verified(jwt)?;
        rules.check_scope(&token)?;
        rules.check_claims(&token, now)?;
        rules.check_revocation(&token).await?;
        Ok(token)
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

    /// RFC 9068 §4: type, key by `kid`, signature, issuer, audience, times. An unknown `kid` is looked for once in a
    /// newer key set.
    async fn verify(&self, token: &str, now: i64) -> Result<VerifiedJwt, Refusal> {
        let keys = self.keys.current().await?;
        match verify_jwt(token, &keys, &self.expect, now) {
            Err(unknown @ JwtError::UnknownKeyId { .. }) => {
                let newer = self.keys.newer_than(Arc::clone(&keys)).await?;
                if Arc::ptr_eq(&keys, &newer) {
                    return Err(unknown.into());
                }
                Ok(verify_jwt(token, &newer, &self.expect, now)?)
            }
            decided => Ok(decided?),
        }
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
        match check.decide(token.jwt().payload(), &Context { now }) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refusal::ClaimCheckFalse),
            Err(error) => Err(Refusal::ClaimCheckError(error)),
        }
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
    clock: Box<dyn Clock>,
    max_token_bytes: usize,
    required_scope: Vec<String>,
    accept_when: Option<ClaimCheck>,
    revoked_when: Option<RevokedWhen>,
}

impl GuardBuilder {
    /// The issuer's keys; required.
    #[must_use]
    pub fn keys(mut self, keys: impl KeySource) -> GuardBuilder {
        self.keys = Some(Box::new(keys));
        self
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
    pub fn accept_when(mut self, check: ClaimCheck) -> GuardBuilder {
        self.accept_when = Some(check);
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
        Ok(Guard {
            rules: Arc::new(Rules {
                expect: Expectations::access_token(self.issuer, self.resource),
                keys: self.keys.ok_or(GuardError::NoKeys)?,
                clock: self.clock,
                max_token_bytes: self.max_token_bytes,
                accept_when: self.accept_when,
                revoked_when: self.revoked_when,
                challenge: Challenge {
                    realm: self.realm,
                    required_scope: self.required_scope,
                },
            }),
        })
    }
}

/// Why a guard cannot be built.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuardError {
    /// [`GuardBuilder::keys`] was not called.
    #[error("a guard needs the issuer's keys")]
    NoKeys,
    /// The realm is empty, or holds a quote, a backslash or something that is not printable ASCII.
    #[error("{0:?} cannot be a realm: expected printable ASCII without quote and backslash")]
    Realm(String),
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
                &self.rules.accept_when.as_ref().map(ClaimCheck::source),
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
