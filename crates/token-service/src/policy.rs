//! The one value every protocol rule reads.
//!
//! A rule asks the policy, never a setting, a Cargo feature or an environment variable, so "how strict is this
//! server?" has one answer and one place to read it. [`Policy::strict`] is the only constructor there is; a configuration
//! may change what [`Policy::with_pkce`], [`Policy::with_pushed_requests_only`], [`Policy::with_dpop_nonces`] and
//! [`Policy::with_lifetimes`] let it, and nothing else.

use crate::domain::{Client, Grace};

/// How strictly the service speaks OAuth: lifetimes in seconds, and which rules are in force.
///
/// Fields are private and there is no `Default`: the only way to a `Policy` is a constructor whose name says what it
/// is.
///
/// ```compile_fail
/// // No weaker policy can be written down.
/// let policy = stampmill_token_service::Policy { exact_redirect_uris: false, ..stampmill_token_service::Policy::strict() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    code_lifetime: i64,
    access_token_lifetime: i64,
    id_token_lifetime: i64,
    session_lifetime: i64,
    interaction_lifetime: i64,
    refresh_token_lifetime: i64,
    offline_lifetime: i64,
    refresh_grace: Grace,
    signing_key_lifetime: i64,
    device_code_lifetime: i64,
    device_poll_interval: i64,
    pushed_request_lifetime: i64,
    pushed_requests_only: bool,
    pkce: Pkce,
    exact_redirect_uris: bool,
    revoke_grant_on_code_reuse: bool,
    iss_in_responses: bool,
    remember_consent_of_public_clients: bool,
    registered_authentication_method_only: bool,
    dpop_nonces: bool,
}

impl Policy {
    /// OAuth 2.1 shape: PKCE with S256 for everyone, exact redirect URIs, one use a code, `iss` in every answer.
    pub const fn strict() -> Policy {
        Policy {
            // RFC 6749 §4.1.2 allows ten minutes; FAPI 2 §5.3.2.1 sixty seconds, and no honest client needs more.
            code_lifetime: 60,
            // A JWT cannot be called back at resource servers that do not ask us (RFC 9068 §5), so it dies soon.
            access_token_lifetime: 600,
            id_token_lifetime: 600,
            session_lifetime: 12 * 3600,
            interaction_lifetime: 600,
            // A fortnight of silence ends it, and three months end it anyway: then the person signs in again.
            refresh_token_lifetime: 14 * 86_400,
            offline_lifetime: 90 * 86_400,
            // An answer lost on the way is asked for again within seconds; a thief comes later, or too often.
            refresh_grace: Grace {
                seconds: 30,
                uses: 5,
            },
            signing_key_lifetime: 90 * 86_400,
            device_code_lifetime: 600,
            device_poll_interval: 5,
            // RFC 9126 §2.2 names 5 to 600 seconds; a redirect takes one.
            pushed_request_lifetime: 90,
            pushed_requests_only: false,
            pkce: Pkce::All,
            exact_redirect_uris: true,
            revoke_grant_on_code_reuse: true,
            iss_in_responses: true,
            remember_consent_of_public_clients: false,
            registered_authentication_method_only: true,
            // A proof is good once and for five minutes as it is; with nonces each client asks twice at first.
            dpop_nonces: false,
        }
    }

    /// Seconds an authorization code lives (RFC 6749 §4.1.2).
    pub const fn code_lifetime(&self) -> i64 {
        self.code_lifetime
    }

    /// Seconds an access token lives: its `exp - iat`, and `expires_in` of the token response.
    pub const fn access_token_lifetime(&self) -> i64 {
        self.access_token_lifetime
    }

    /// Seconds an ID token lives.
    pub const fn id_token_lifetime(&self) -> i64 {
        self.id_token_lifetime
    }

    /// Seconds a browser session lives after its sign-in, used or not.
    pub const fn session_lifetime(&self) -> i64 {
        self.session_lifetime
    }

    /// Seconds between showing the sign-in page and the last answer to it.
    pub const fn interaction_lifetime(&self) -> i64 {
        self.interaction_lifetime
    }

    /// Seconds a refresh token lives unused. Each use gives a new one.
    pub const fn refresh_token_lifetime(&self) -> i64 {
        self.refresh_token_lifetime
    }

    /// Seconds after which a grant cannot be refreshed any more, however often it was.
    pub const fn offline_lifetime(&self) -> i64 {
        self.offline_lifetime
    }

    /// When a refresh token that was used already still gets its successor: an answer was lost, or two tabs asked at
    /// once.
    pub const fn refresh_grace(&self) -> Grace {
        self.refresh_grace
    }

    /// Seconds a device code and its user code live (RFC 8628 §3.2).
    pub const fn device_code_lifetime(&self) -> i64 {
        self.device_code_lifetime
    }

    /// Seconds a device waits between polls (RFC 8628 §3.2); longer once it did not.
    pub const fn device_poll_interval(&self) -> i64 {
        self.device_poll_interval
    }

    /// Whether DPoP proofs must carry a nonce of ours (RFC 9449 §8, §9).
    pub const fn dpop_nonces(&self) -> bool {
        self.dpop_nonces
    }

    /// The same policy with nonces asked for in DPoP proofs, or not.
    pub const fn with_dpop_nonces(mut self, wanted: bool) -> Policy {
        self.dpop_nonces = wanted;
        self
    }

    /// Seconds a key signs before the next one does.
    pub const fn signing_key_lifetime(&self) -> i64 {
        self.signing_key_lifetime
    }

    /// Whether this client must send a `code_challenge` (RFC 9700 §2.1.1: public clients must, others should).
    pub fn requires_pkce_of(&self, client: &Client) -> bool {
        self.pkce == Pkce::All || client.is_public()
    }

    /// The same policy with PKCE asked of these clients. A verifier is checked whenever there was a challenge, and
    /// `plain` is refused always.
    pub const fn with_pkce(mut self, pkce: Pkce) -> Policy {
        self.pkce = pkce;
        self
    }

    /// The same policy with other lifetimes, each within its bounds.
    pub fn with_lifetimes(mut self, lifetimes: &Lifetimes) -> Result<Policy, LifetimeError> {
        // A new key is published a quarter of an hour before it signs, so keys live longer than that.
        if lifetimes.signing_key.is_some_and(|seconds| seconds < 3600) {
            return Err(LifetimeError::SIGNING_KEY);
        }
        for (name, wanted, longest, mine) in [
            (
                "signing_key",
                lifetimes.signing_key,
                3660 * 86_400,
                &mut self.signing_key_lifetime,
            ),
            ("code", lifetimes.code, 600, &mut self.code_lifetime),
            (
                "access_token",
                lifetimes.access_token,
                86_400,
                &mut self.access_token_lifetime,
            ),
            (
                "id_token",
                lifetimes.id_token,
                86_400,
                &mut self.id_token_lifetime,
            ),
            (
                "session",
                lifetimes.session,
                90 * 86_400,
                &mut self.session_lifetime,
            ),
            (
                "refresh_token",
                lifetimes.refresh_token,
                366 * 86_400,
                &mut self.refresh_token_lifetime,
            ),
            (
                "offline",
                lifetimes.offline,
                366 * 86_400,
                &mut self.offline_lifetime,
            ),
        ] {
            match wanted {
                None => {}
                Some(seconds) if (1..=longest).contains(&seconds) => *mine = seconds,
                Some(_) => {
                    return Err(LifetimeError {
                        name,
                        shortest: 1,
                        longest,
                    });
                }
            }
        }
        Ok(self)
    }

    /// Seconds within which the browser comes with a `request_uri` that was pushed (RFC 9126 §2.2).
    pub const fn pushed_request_lifetime(&self) -> i64 {
        self.pushed_request_lifetime
    }

    /// Whether every client pushes its requests (RFC 9126 §5).
    pub const fn requires_pushed_requests(&self) -> bool {
        self.pushed_requests_only
    }

    /// The same policy with pushed requests demanded of every client, or of those that registered so.
    pub const fn with_pushed_requests_only(mut self, demanded: bool) -> Policy {
        self.pushed_requests_only = demanded;
        self
    }

    /// Whether redirect URIs are compared as whole strings, loopback ports excepted (RFC 9700 §2.1).
    pub const fn exact_redirect_uris(&self) -> bool {
        self.exact_redirect_uris
    }

    /// Whether a second use of a code kills the tokens of the first (RFC 6749 §4.1.2).
    pub const fn revoke_grant_on_code_reuse(&self) -> bool {
        self.revoke_grant_on_code_reuse
    }

    /// Whether authorization responses name their issuer (RFC 9207 §2).
    pub const fn iss_in_responses(&self) -> bool {
        self.iss_in_responses
    }

    /// Whether any public client, whose name anyone can borrow, may skip the consent page after the first time (RFC 8252 §8.6);
    /// otherwise only one whose answer goes to its registered https address, on a host that is not this machine.
    pub const fn remember_consent_of_public_clients(&self) -> bool {
        self.remember_consent_of_public_clients
    }

    /// Whether a client may authenticate by its registered method alone (RFC 7591 §2).
    pub const fn registered_authentication_method_only(&self) -> bool {
        self.registered_authentication_method_only
    }
}

/// Of whom PKCE is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pkce {
    /// Of every client (OAuth 2.1 §4.1.1).
    All,
    /// Of clients without a secret. For confidential ones that cannot send it: theirs is the `nonce` (RFC 9700 §2.1.1).
    Public,
}

/// Lifetimes in seconds that differ from the strict policy's; `None` for those that do not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of a code: 600 at most (RFC 6749 §4.1.2).
    pub code: Option<i64>,
    /// Of an access token: a day at most.
    pub access_token: Option<i64>,
    /// Of an ID token: a day at most.
    pub id_token: Option<i64>,
    /// Of a sign-in: 90 days at most.
    pub session: Option<i64>,
    /// Of a refresh token that is not used: 366 days at most.
    pub refresh_token: Option<i64>,
    /// Of a grant, however often it is refreshed: 366 days at most.
    pub offline: Option<i64>,
    /// Of a signing key: an hour at least.
    pub signing_key: Option<i64>,
}

/// A lifetime out of bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lifetime {name} is {shortest} to {longest} seconds")]
pub struct LifetimeError {
    /// Which.
    pub name: &'static str,
    /// Its shortest, in seconds.
    pub shortest: i64,
    /// Its longest, in seconds.
    pub longest: i64,
}

impl LifetimeError {
    const SIGNING_KEY: LifetimeError = LifetimeError {
        name: "signing_key",
        shortest: 3600,
        longest: 3660 * 86_400,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_is_strict() {
        let policy = Policy::strict();
        assert!(
            policy.pkce == Pkce::All
                && policy.exact_redirect_uris()
                && policy.revoke_grant_on_code_reuse()
        );
        assert!(policy.iss_in_responses() && policy.registered_authentication_method_only());
        assert!(!policy.remember_consent_of_public_clients());
        assert!(policy.code_lifetime() <= 60 && policy.access_token_lifetime() <= 600);
    }
}
