//! JOSE: the tokens themselves. JSON Web Signatures (RFC 7515), Tokens (RFC 7519) and Keys (RFC 7517), signed with RSA
//! (RS256 to PS512), ECDSA (ES256 to ES512) or Ed25519 ([`Algorithm`]).
//!
//! A token is three texts joined by dots. The first says how it was signed, the second what is claimed, the third is
//! a signature over the first two *as they are written*, so nothing needs to be normalized before verifying:
//!
//! ```text
//!   eyJhbGciOiJSUzI1NiIs...  .  eyJpc3MiOiJodHRwczov...  .  kZ0pT3V8...
//!   header                      payload (the claims)        signature
//!   {"alg":"RS256",             {"iss":"https://...",       RSASSA-PKCS1-v1_5 with SHA-256
//!    "kid":"NzbL...",            "aud":"https://api...",    over the ASCII bytes `header.payload`
//!    "typ":"at+jwt"}             "exp":1700000600, ...}
//! ```
//!
//! Almost every break of such tokens came from a verifier that asked the *token* how to verify it: `alg: none` (no signature, please),
//! `alg: HS256` (take your public key for a shared secret), `jwk` and `jku` (here is the key to check me with). So nothing of the header
//! chooses anything here. The algorithm belongs to the key, keys come from the caller's [`Jwks`], and the header
//! may only agree (RFC 8725). Secrets shared for HMAC are another type, [`SharedSecret`], with another door. Then the claims are read by the same strict JSON reader everywhere, because a token with
//! two `sub` members means two people to two readers.
//!
//! ```text
//!   SigningKey ── sign_jwt(typ, claims) ──▶ token ── verify_jwt(token, Jwks, Expectations, now) ──▶ VerifiedJwt
//!       │                                               size → form → header → crit → alg → kid → signature
//!       └── public_jwk() ──▶ Jwks ── to_json() ──▶      → typ → JSON → iss → aud → azp → exp → nbf → iat → nonce
//!                            (what an issuer publishes)
//! ```
//!
//! A [`JwtError`] has one variant for each of these checks, with what was expected and what came; [`JwtError::rule`] names the
//! paragraph. Keys are parsed once, when a [`Jwk`] is read, never for each token.
//!
//! RSA itself is done by a [`Backend`]: OpenSSL, or this project's own `stampmill-rsa`. RS256 has no randomness, so both must give the same
//! bytes, and a test holds them to it.
//!
//! # Example
//! ```
//! use serde_json::json;
//! use stampmill_jose::{Expectations, Jwks, JwtError, SigningKey, verify_jwt};
//!
//! let key = SigningKey::generate_rsa(2048)?;
//! let claims = json!({
//!     "iss": "https://issuer.example", "aud": "https://api.example", "sub": "alice", "client_id": "web", "jti": "1",
//!     "iat": 1_700_000_000, "exp": 1_700_000_600,
//! });
//! let token = key.sign_jwt("at+jwt", &claims)?;
//!
//! let keys = Jwks::new(vec![key.public_jwk()]);
//! let expect = Expectations::access_token("https://issuer.example", "https://api.example");
//! let verified = verify_jwt(&token, &keys, &expect, 1_700_000_300)?;
//! assert_eq!(verified.claim_str("sub").as_deref(), Some("alice"));
//!
//! // an hour later
//! let refused = verify_jwt(&token, &keys, &expect, 1_700_003_600);
//! assert_eq!(refused, Err(JwtError::Expired { exp: 1_700_000_600, now: 1_700_003_600 }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod base64url;

mod algorithm;
mod backend;
mod dpop;
mod error;
mod expectations;
mod hash;
mod header;
mod inspect;
mod jwk;
mod jwks;
mod jws;
mod jwt;
mod keys;
mod mac;
mod signing;
mod typ;

pub use algorithm::{Algorithm, AlgorithmSet};
pub use backend::Backend;
pub use dpop::{DpopExpectations, DpopProof, dpop_proof, verify_dpop_proof};
pub use error::{JoseError, JwtError, KeyError};
pub use expectations::Expectations;
pub use hash::sha256;
pub use header::Header;
pub use inspect::{Unverified, UnverifiedPart, inspect};
pub use jwk::Jwk;
pub use jwks::Jwks;
pub use jws::{VerifiedJws, verify_jws, verify_jws_by};
pub use jwt::{MAX_TOKEN_BYTES, VerifiedJwt, verify_jwt, verify_mac_jwt};
pub use keys::{MAX_RSA_BITS, MIN_RSA_BITS};
pub use mac::{MacAlgorithm, SharedSecret};
pub use signing::SigningKey;
pub use typ::Typ;
