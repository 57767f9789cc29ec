//! DPoP: a token that is worth something only with a key (RFC 9449).
//!
//! The client signs each request with a key of its own: method, address, time, and the hash of the access token. The server binds
//! tokens to that key's thumbprint, `jkt`. Whoever steals the token has no key, and whoever records a proof has one for this
//! address and this minute, to be used once.
//!
//! ```text
//!   header  {"typ":"dpop+jwt","alg":"ES256","jwk":{ the public key }}       the only place where a key in a header is used:
//!   claims  {"jti":"...","htm":"POST","htu":"https://...","iat":...,        it proves possession, and nobody trusts it by itself
//!            "ath":"hash of the access token","nonce":"the server's"}
//! ```

use openssl::rand::rand_bytes;
use serde::Serialize;
use stampmill_claims_json::{Claim, parse};

use crate::algorithm::AlgorithmSet;
use crate::base64url;
use crate::claims::{Claims, Name};
use crate::error::{JoseError, JwtError, KeyError, clip};
use crate::hash::sha256;
use crate::header::HEADER_LIMITS;
use crate::jwk::Jwk;
use crate::jws::{Parts, signature_header};
use crate::jwt::{check_not_ahead, check_not_expired, check_valid_by_now};
use crate::signing::{SigningKey, compact, payload_of};

const TYP: &str = "dpop+jwt";

/// What a proof has to be for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DpopExpectations<'a> {
    /// The method of the request, compared exactly: `htm`.
    pub method: &'a str,
    /// The address of the request as the client knows it: `htu`. Query and fragment are not looked at.
    pub uri: &'a str,
    /// At a resource: the access token that came with the proof, whose hash must be `ath`.
    pub access_token: Option<&'a str>,
    /// The nonces of ours that are good now; if there is one, the proof must have one of them (§8, §9).
    pub nonces: &'a [&'a str],
    /// The algorithms accepted.
    pub algorithms: AlgorithmSet,
    /// How many seconds old a proof may be: 300 unless set. Its `jti` must be remembered for as long (§11.1).
    pub max_age_seconds: i64,
    /// How many seconds the client's clock may be ahead of ours: 10 unless set.
    pub leeway_seconds: i64,
}

impl<'a> DpopExpectations<'a> {
    /// A proof for a request at a server that looks at no access token, the token endpoint for instance.
    #[must_use]
    pub fn new(method: &'a str, uri: &'a str) -> Self {
        Self {
            method,
            uri,
            access_token: None,
            nonces: &[],
            algorithms: AlgorithmSet::ALL,
            max_age_seconds: 300,
            leeway_seconds: 10,
        }
    }

    /// The same, together with this access token.
    #[must_use]
    pub fn with_access_token(self, access_token: &'a str) -> Self {
        Self {
            access_token: Some(access_token),
            ..self
        }
    }

    /// The same, with one of these nonces.
    #[must_use]
    pub fn with_nonces(self, nonces: &'a [&'a str]) -> Self {
        Self { nonces, ..self }
    }

    /// The same, by these algorithms only.
    #[must_use]
    pub fn with_algorithms(self, algorithms: AlgorithmSet) -> Self {
        Self { algorithms, ..self }
    }
}

/// A proof that passed every check but one: that its `jti` has not been used before, which is for the caller to remember.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DpopProof {
    /// The thumbprint of the key (RFC 7638): what a token is bound to, `cnf.jkt` (§6.1).
    pub jkt: String,
    /// The proof's own name, for detecting its second use.
    pub jti: String,
    /// When it was made, seconds since the epoch, rounded down.
    pub iat: i64,
    /// The nonce in it, whether or not one was asked for.
    pub nonce: Option<String>,
}

/// Verifies a proof, the value of the one `DPoP` header field, by the checks of RFC 9449 §4.3. That there is one such field only, that `jti` is
/// new, and that the key is the one a token is bound to, the caller sees to.
///
/// ```
/// use stampmill_jose::{Algorithm, DpopExpectations, JwtError, SigningKey, dpop_proof, verify_dpop_proof};
///
/// let key = SigningKey::generate(Algorithm::Es256)?;
/// let proof = dpop_proof(&key, "POST", "https://server.example.com/token", None, None, 1_562_262_616)?;
///
/// let expect = DpopExpectations::new("POST", "https://Server.Example.com:443/token?client_id=web");
/// assert_eq!(verify_dpop_proof(&proof, &expect, 1_562_262_618)?.jkt, key.kid());
///
/// // the same proof at another place
/// let refused = verify_dpop_proof(&proof, &DpopExpectations::new("POST", "https://eve.example/token"), 1_562_262_618);
/// assert!(matches!(refused, Err(JwtError::Mismatch { claim: "htu", .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`JwtError`], one variant a check, in this order: size, form, header, `alg`, `typ`, `jwk`, signature, payload, `jti`, `htm`,
/// `htu`, `iat`, `exp` and `nbf` where they are there, `ath`, `nonce`. A missing or wrong nonce is [`JwtError::Nonce`]: answer `use_dpop_nonce`.
pub fn verify_dpop_proof(
    proof: &str,
    expect: &DpopExpectations<'_>,
    now: i64,
) -> Result<DpopProof, JwtError> {
    let parts = Parts::split(proof)?;
    let bytes = parts.header()?;
    let (header, algorithm) = signature_header(&bytes, expect.algorithms)?;
    if !header
        .typ
        .as_deref()
        .is_some_and(|typ| typ.eq_ignore_ascii_case(TYP))
    {
        return Err(JwtError::Type {
            expected: TYP.to_owned(),
            actual: header.typ.as_deref().map(clip),
        });
    }
    let key = embedded_key(&bytes)?;
    key.verify(
        algorithm,
        parts.signing_input.as_bytes(),
        &parts.signature()?,
    )?;
    Claims::read(&parts.payload()?, |claims| {
        let jti = claims.jti()?.to_owned();
        claims.must_be(Name::Htm, expect.method)?;
        check_uri(claims, expect.uri)?;
        let iat = check_age(claims, expect, now)?;
        if let Some(token) = expect.access_token {
            claims.must_be(Name::Ath, &access_token_hash(token))?;
        }
        Ok(DpopProof {
            jkt: key.thumbprint(),
            jti,
            iat,
            nonce: check_nonce(claims, expect.nonces)?,
        })
    })
}

/// A proof for one request: what a client sends in the `DPoP` header field. `access_token` goes along at a resource, `nonce` when the server
/// has given one; `now` is in seconds since the epoch.
///
/// # Errors
/// [`JoseError`] when signing fails.
pub fn dpop_proof(
    key: &SigningKey,
    method: &str,
    uri: &str,
    access_token: Option<&str>,
    nonce: Option<&str>,
    now: i64,
) -> Result<String, JoseError> {
    #[derive(Serialize)]
    struct Header<'a> {
        typ: &'static str,
        alg: &'static str,
        jwk: &'a Jwk,
    }
    #[derive(Serialize)]
    struct Claims<'a> {
        jti: String,
        htm: &'a str,
        htu: &'a str,
        iat: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        ath: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        nonce: Option<&'a str>,
    }
    let mut jti = [0; 16];
    rand_bytes(&mut jti)?;
    let header = serde_json::to_vec(&Header {
        typ: TYP,
        alg: key.alg(),
        jwk: &key.public_jwk(),
    })?;
    let payload = payload_of(&Claims {
        jti: base64url::encode(jti),
        htm: method,
        htu: without_query(uri),
        iat: now,
        ath: access_token.map(access_token_hash),
        nonce,
    })?;
    compact(&header, &payload, |message| key.sign(message))
}

/// §4.3: "the public key in jwk", which must hold nothing private.
fn embedded_key(header: &[u8]) -> Result<Jwk, JwtError> {
    let absent = || KeyError::Member {
        member: "jwk",
        expected: "the client's public key",
    };
    parse(header, &HEADER_LIMITS)
        .map_err(JwtError::Header)?
        .get("jwk")
        .ok_or_else(absent)
        .and_then(Jwk::from_value)
        .map_err(JwtError::EmbeddedKey)
}

/// `ath`: base64url of SHA-256 of the token's ASCII (§4.2).
fn access_token_hash(token: &str) -> String {
    base64url::encode(sha256(token.as_bytes()))
}

fn check_age(claims: Claims<'_>, expect: &DpopExpectations<'_>, now: i64) -> Result<i64, JwtError> {
    let iat = claims.required_date(Name::Iat)?;
    check_not_ahead(iat, now, expect.leeway_seconds)?;
    // No proof needs these two; but what a JWT says of itself holds.
    if let Some(exp) = claims.date(Name::Exp)? {
        check_not_expired(exp, now)?;
    }
    if let Some(nbf) = claims.date(Name::Nbf)? {
        check_valid_by_now(nbf, now, expect.leeway_seconds)?;
    }
    let limit = expect.max_age_seconds;
    match iat.seconds < now.saturating_sub(limit) {
        true => Err(JwtError::TooOld {
            iat: iat.seconds,
            now,
            limit,
        }),
        false => Ok(iat.seconds),
    }
}

fn check_nonce(claims: Claims<'_>, good: &[&str]) -> Result<Option<String>, JwtError> {
    let nonce = match claims.get(Name::Nonce) {
        Some(Claim::String(nonce)) => Some(nonce),
        _ => None,
    };
    match good.is_empty() || nonce.is_some_and(|nonce| good.contains(&nonce)) {
        true => Ok(nonce.map(ToOwned::to_owned)),
        false => Err(JwtError::Nonce),
    }
}

fn check_uri(claims: Claims<'_>, expected: &str) -> Result<(), JwtError> {
    let htu = claims.string(Name::Htu)?;
    match (normalized(htu), normalized(expected)) {
        (Some(actual), Some(expected)) if actual == expected => Ok(()),
        _ => Err(JwtError::Mismatch {
            claim: "htu",
            expected: without_query(expected).to_owned(),
            actual: clip(htu),
        }),
    }
}

/// An address as it is compared (§4.3): without query and fragment, scheme and host in small letters, without the
/// scheme's own port, and with a path (RFC 3986 §6.2.2.1, §6.2.3). `None` if it is no address of a server.
fn normalized(uri: &str) -> Option<String> {
    let (scheme, rest) = without_query(uri).split_once("://")?;
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let scheme = scheme.to_ascii_lowercase();
    let own_port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let host = authority.strip_suffix(own_port).unwrap_or(authority);
    let host = host.strip_suffix(':').unwrap_or(host);
    if host.is_empty() || host.contains('@') {
        return None;
    }
    Some(format!("{scheme}://{}{path}", host.to_ascii_lowercase()))
}

fn without_query(uri: &str) -> &str {
    uri.split(['?', '#']).next().unwrap_or(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_as_rfc_3986_says() {
        let same = [
            "https://api.example/v1",
            "HTTPS://API.Example:443/v1",
            "https://api.example/v1?q=1",
            "https://api.example/v1#f",
            "https://api.example:/v1",
        ];
        assert!(
            same.iter()
                .all(|uri| normalized(uri) == normalized(same[0]))
        );
        assert_eq!(normalized("http://a"), normalized("http://A:80/?x"));
        for other in [
            "https://api.example/v1/",
            "https://api.example/V1",
            "https://api.example:8443/v1",
            "http://api.example/v1",
            "https://api.example:80/v1",
            "https://api.example.eve/v1",
            "https://api.example@eve/v1",
            "/v1",
            "",
            "https://",
            "ftp://api.example/v1",
        ] {
            assert_ne!(normalized(other), normalized(same[0]), "{other}");
        }
    }
}
