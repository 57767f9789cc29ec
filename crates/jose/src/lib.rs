//! JOSE: the tokens themselves. JSON Web Signatures (RFC 7515), Tokens (RFC 7519) and Keys (RFC 7517).
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
//! chooses anything here. What may be used is fixed before the token is looked at, by the caller's allow-list
//! ([`Expectations::algorithms`]) and by the key; the header may only name one that both permit (RFC 8725). Then the claims are read by the
//! same strict JSON reader everywhere, because a token with two `sub` members means two people to two readers.
//!
//! ```text
//!   SigningKey ── sign_jwt(typ, claims) ──▶ token ── verify_jwt(token, Jwks, Expectations, now) ──▶ VerifiedJwt
//!       │                                               size → form → header → crit → alg → kid → signature
//!       └── public_jwk() ──▶ Jwks ── to_json() ──▶      → typ → JSON → iss → aud → azp → exp → nbf → iat → sub → kind → nonce
//!                            (what an issuer publishes)
//! ```
//!
//! A [`JwtError`] has one variant for each of these checks, with what was expected and what came; [`JwtError::rule`] names the
//! paragraph. Keys are parsed once, when a [`Jwk`] is read, never for each token.
//!
//! # Algorithms and keys
//!
//! | `alg` | what | key (`kty`) | signature |
//! |---|---|---|---|
//! | RS256, RS384, RS512 | RSASSA-PKCS1-v1_5 | RSA, 2048 to 8192 bits | as long as the modulus |
//! | PS256, PS384, PS512 | RSASSA-PSS, salt as long as the hash | RSA | as long as the modulus |
//! | ES256, ES384, ES512 | ECDSA on P-256, P-384, P-521 | EC | R and S at full length: 64, 96, 132 bytes |
//! | EdDSA, Ed25519 | Ed25519, by its old and its new name | OKP | 64 bytes |
//! | HS256, HS384, HS512 | HMAC | `oct`: [`SharedSecret`], no [`Jwk`] | 32, 48, 64 bytes |
//!
//! Inside, each kind of key is a type that has operations for its own schemes only: there is no function that takes an RSA key and an
//! algorithm of elliptic curves. A shared secret goes through a door of its own, [`verify_mac_jwt`], and cannot be put into a [`Jwks`].
//! A key that says what it is for (`alg`, `use`, `key_ops`) is for nothing else; points off their curve, short or factorable moduli, weak exponents
//! and private members in a public place are refused when the key is read.
//!
//! RSA itself is done by a [`Backend`]: OpenSSL, or this project's own `stampmill-rsa`. RS256 has no randomness, so both must give the same
//! bytes; PS256 has, so each verifies what the other signs. The second takes several at once through the processor's vector lanes:
//! [`verify_jwts`], [`SigningKey::sign_jwt_in_batch`]. Tests hold them to it, and Project Wycheproof holds everything
//! (`cargo run --release -p stampmill-jose --example wycheproof -- DIR`).
//!
//! # Kinds of tokens
//!
//! An access token must not pass for an ID token, nor a request for an assertion. [`Typ`] has a row for each kind: which `typ` it
//! has, which claims must and must not be there. [`Expectations`] name the kind: [`access_token`](Expectations::access_token),
//! [`id_token`](Expectations::id_token), [`client_assertion`](Expectations::client_assertion),
//! [`request_object`](Expectations::request_object), [`logout_token`](Expectations::logout_token),
//! [`userinfo`](Expectations::userinfo), [`introspection`](Expectations::introspection). A DPoP proof is apart, since it brings its own key
//! ([`verify_dpop_proof`]). Single use (`jti`) is for the caller to remember: nothing here has a memory.
//!
//! # Where to look
//!
//! - `algorithm.rs`: the table of algorithms; `curve.rs`: that of elliptic curves. `mac.rs`: HMAC and shared secrets. `hash.rs`: the
//!   three hashes by OpenSSL. RSA's schemes and the hashes have the names of `stampmill-rsa`.
//! - `keys/`: keys ready for arithmetic: `rsa.rs`, `ec.rs`, `ed25519.rs`; `roca.rs` knows factorable ones. `backend.rs`: who does RSA.
//! - `jwk.rs`, `jwks.rs`: public keys and sets of them as JSON. `signing.rs`: private keys, making tokens.
//! - `base64url.rs`, `header.rs`, `jws.rs`: from a text to a payload whose signature is good.
//! - `typ.rs`, `expectations.rs`, `claims.rs`, `jwt.rs`: from a payload to claims that are for us, now. `dpop.rs`: proofs of possession.
//! - `inspect.rs`: looking without believing. `error.rs`: what can be wrong.
//!
//! # Example
//! ```
//! use serde_json::json;
//! use stampmill_jose::{Algorithm, Expectations, Jwks, JwtError, SigningKey, verify_jwt};
//!
//! let key = SigningKey::generate(Algorithm::Es256)?;
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
mod claims;
mod curve;
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
pub use inspect::{Unverified, UnverifiedPart, inspect, unverified_claim};
pub use jwk::Jwk;
pub use jwks::Jwks;
pub use jws::{VerifiedJws, verify_jws, verify_jws_by, verify_mac_jws};
pub use jwt::{MAX_TOKEN_BYTES, VerifiedJwt, verify_jwt, verify_jwts, verify_mac_jwt};
pub use keys::{MAX_RSA_BITS, MIN_RSA_BITS};
pub use mac::{MacAlgorithm, SharedSecret};
pub use signing::SigningKey;
pub use stampmill_rsa::{BatchLimits, BatchSigner};
pub use typ::Typ;
