//! What an API adds to accept tokens: one tower layer, and no authorization server.
//!
//! A *resource server* (RFC 6749 §1.1) gets requests from strangers who hold up a token and say "she let me". This crate
//! decides whether to believe them. The token is a JWT that the authorization server signed (RFC 9068), so the decision
//! needs the server's public keys and a clock, and no question to the server itself:
//!
//! ```text
//!   Authorization: Bearer eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJSUzI1NiIsImtpZCI6Ii4uLiJ9.eyJpc3Mi...
//!        |
//!        v
//!   find the token      one header, one token, never the query    RFC 6750 §2.1, RFC 9700 §4.3.2    400, or bare 401
//!        v
//!   verify the JWT      typ, key by kid, signature, iss, aud,     RFC 9068 §4, RFC 8725             401 invalid_token
//!        v              exp, nbf
//!   read the claims     sub, client_id, jti                       RFC 9068 §2.2                     401 invalid_token
//!        v
//!   bound to a key?     a proof of it, for this request, new      RFC 9449 §7                       401 invalid_dpop_proof
//!        v
//!   required scope      every required value is there             RFC 6750 §3.1                     403 insufficient_scope
//!        v
//!   claim check         a CEL expression, compiled to machine     this service's own rule           403 insufficient_scope
//!        v              code, says true
//!   revoked?            a question to whoever knows the grants    RFC 7009                          401 invalid_token
//!        v
//!   the handler         finds an AccessToken in the extensions
//! ```
//!
//! Each arrow can only refuse, and a step that cannot be carried out refuses too: keys out of reach are 503, a claim check
//! that meets a missing claim is 403, and none of them is ever "let it pass this time".
//!
//! A token that is no JWT is a reference: [`GuardBuilder::introspect`] asks the authorization server what it is worth (RFC
//! 7662), and the answer passes the same steps. A token that is bound to a key (`cnf`) needs [`GuardBuilder::dpop`] and a
//! proof with each request; without, and for bindings not known here (mutual TLS), it is refused rather than accepted as
//! if it were free. [`GuardBuilder::publish_metadata`] tells whoever was refused where tokens come from (RFC 9728).
//!
//! The layer reads no body and no cookie: a bearer token in the header is immune to cross-site request forgery precisely
//! because no browser adds it by itself.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::{Extension, Router, routing::get};
//! use stampmill_claim_check::ClaimCheck;
//! use stampmill_jose::Jwks;
//! use stampmill_resource_guard::{AccessToken, Guard, GuardLayer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let guard = Guard::builder("https://localhost:8443", "https://localhost:8443/api")
//!     .keys(Arc::new(Jwks::from_json(br#"{"keys":[]}"#)?))
//!     .required_scope("profile")
//!     .accept_when(ClaimCheck::compile("claims.exp - claims.iat <= 600")?)
//!     .build()?;
//!
//! let api: Router = Router::new()
//!     .route("/api/me", get(|Extension(token): Extension<AccessToken>| async move { token.subject().to_owned() }))
//!     .layer(GuardLayer::new(guard));
//! # let _ = api;
//! # Ok(())
//! # }
//! ```
//!
//! # When a good token is refused
//! The client reads `insufficient_scope` and no more: it may be the thief. The operator finds in the log (`tracing`, level `info`) which
//! check said no and which part of it decided, and code that calls [`Guard::authorize`] itself has it in [`Refusal::ClaimCheck`].
//! Neither tells the value of a claim, unless [`GuardBuilder::explain_with_values`] says so.
//! ```text
//! INFO access token refused resource="https://files.example" client_id="web" jti="aF3…" denial=the claim check `claims.exp > now &&
//!      'ops' in claims.roles` is false: decided by `'ops' in claims.roles`
//! ```
//!
//! Keys that change are fetched through [`CachedKeys`]; how it keeps a stream of forged `kid`s from becoming a stream of
//! fetches is on its page.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bearer;
mod clock;
mod denial;
mod guard;
mod keys;
mod layer;
mod metadata;
mod proof;
mod refusal;
mod token;

pub use bearer::MalformedCredentials;
pub use clock::{Clock, SystemClock};
pub use denial::Denial;
pub use guard::{DEFAULT_MAX_TOKEN_BYTES, Guard, GuardBuilder, GuardError};
pub use keys::{BoxFuture, CachedKeys, KeySource, KeysUnavailable};
pub use layer::{GuardLayer, Guarded, GuardedBody};
pub use metadata::ResourceMetadata;
pub use proof::{NonceSource, ProofError, ReplayMemory, ReplayStore, RollingNonces};
pub use refusal::Refusal;
pub use token::{AccessToken, ProfileError};

/// An error of the caller's own code, which is logged and never shown to the client.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
