//! Claims: what a token says once its signature is known to be good, and whether it says it to us, now (RFC 7519, RFC 8725).

use stampmill_claims_json::{Claim, Limits, Value, parse};

use crate::claims::{Claims, Name, NumericDate};
use crate::error::{JwtError, clip};
use crate::expectations::Expectations;
use crate::header::Header;
use crate::jwks::Jwks;
use crate::jws::{VerifiedJws, verify_jws_by, verify_jws_many, verify_mac_jws};
use crate::mac::SharedSecret;
use crate::typ::{Need, Typ};

/// Longest token that is read or made, in bytes: what fits into an HTTP header line of common servers twice.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A token that passed every check.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedJwt(VerifiedJws);

impl VerifiedJwt {
    /// The protected header.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.0.header()
    }

    /// The payload, exactly as it was signed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.0.payload()
    }

    /// The claims, a [`Value::Map`].
    #[must_use]
    pub fn claims(&self) -> Value<'_> {
        parse(self.payload(), &Limits::TOKEN).expect("verify_jwt has read these very bytes")
    }

    /// A claim that is a string, for instance `sub`.
    #[must_use]
    pub fn claim_str(&self, name: &str) -> Option<String> {
        Some(self.claims().get(name)?.as_str()?.to_owned())
    }
}

/// Verifies a token: signature first, then what it is, who made it, for whom, and when.
///
/// `now` is in seconds since the epoch. Which claims must be there is up to the kind ([`Typ`](crate::Typ)); those that are there are checked.
///
/// # Errors
/// [`JwtError`], one variant a check, in this order: those of [`verify_jws`](crate::verify_jws), `typ`, payload, `iss`,
/// `aud`, `azp`, `exp`, `nbf`, `iat`, `sub`, the claims of the kind, `nonce`.
pub fn verify_jwt(
    token: &str,
    keys: &Jwks,
    expect: &Expectations,
    now: i64,
) -> Result<VerifiedJwt, JwtError> {
    check(verify_jws_by(token, keys, expect.algorithms)?, expect, now)
}

/// [`verify_jwt`] for several tokens, each with a result of its own, in their order.
///
/// Where the keys are RSA keys of [`Backend::Stampmill`](crate::Backend::Stampmill), signatures by keys of one size go through the
/// processor's eight lanes together. Any other takes the time it takes alone.
///
/// ```
/// use serde_json::json;
/// use stampmill_jose::{Algorithm, Backend, Expectations, Jwks, JwtError, SigningKey, verify_jwts};
/// let key = SigningKey::generate(Algorithm::Rs256)?;
/// let claims = |exp: i64| json!({
///     "iss": "https://issuer.example", "aud": "https://api.example", "sub": "alice", "client_id": "web", "jti": "1",
///     "iat": 1_700_000_000, "exp": exp,
/// });
/// let tokens = [key.sign_jwt("at+jwt", &claims(1_700_000_600))?, key.sign_jwt("at+jwt", &claims(1_700_000_060))?];
///
/// let keys = Jwks::new(vec![key.public_jwk()]).with_backend(Backend::Stampmill)?;
/// let expect = Expectations::access_token("https://issuer.example", "https://api.example");
/// let results = verify_jwts(&tokens, &keys, &expect, 1_700_000_300);
/// assert!(results[0].is_ok());
/// assert_eq!(results[1], Err(JwtError::Expired { exp: 1_700_000_060, now: 1_700_000_300 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Each result as [`verify_jwt`]'s; one token's error does not touch the others.
pub fn verify_jwts(
    tokens: &[impl AsRef<str>],
    keys: &Jwks,
    expect: &Expectations,
    now: i64,
) -> Vec<Result<VerifiedJwt, JwtError>> {
    let tokens = tokens.iter().map(AsRef::as_ref);
    verify_jws_many(tokens, keys, expect.algorithms)
        .into_iter()
        .map(|jws| check(jws?, expect, now))
        .collect()
}

/// Verifies a token under a shared secret: [`verify_jwt`] with an HMAC in place of a signature.
///
/// The algorithm is the secret's; [`Expectations::algorithms`], an allow-list of signatures, has no say here.
///
/// ```
/// use serde_json::json;
/// use stampmill_jose::{Expectations, MacAlgorithm, SharedSecret, verify_mac_jwt};
/// let secret = SharedSecret::new(MacAlgorithm::Hs256, "a client secret of 32 bytes, or more")?;
/// let claims = json!({"iss": "web", "sub": "web", "aud": "https://issuer.example", "jti": "1", "exp": 1_700_000_060});
/// let token = secret.sign_jwt("JWT", &claims)?;
/// let expect = Expectations::client_assertion("web", "https://issuer.example");
/// assert!(verify_mac_jwt(&token, &secret, &expect, 1_700_000_000).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`verify_jwt`].
pub fn verify_mac_jwt(
    token: &str,
    secret: &SharedSecret,
    expect: &Expectations,
    now: i64,
) -> Result<VerifiedJwt, JwtError> {
    check(verify_mac_jws(token, secret)?, expect, now)
}

/// Everything about a token whose signature is known to be good.
fn check(jws: VerifiedJws, expect: &Expectations, now: i64) -> Result<VerifiedJwt, JwtError> {
    check_type(jws.header(), expect)?;
    Claims::read(jws.payload(), |claims| {
        check_issuer(claims, expect)?;
        check_audience(claims, expect)?;
        check_times(claims, expect, now)?;
        check_kind(claims, expect)?;
        check_nonce(claims, expect)
    })?;
    Ok(VerifiedJwt(jws))
}

fn check_type(header: &Header, expect: &Expectations) -> Result<(), JwtError> {
    if expect.typ.permits(header.typ.as_deref()) {
        return Ok(());
    }
    Err(JwtError::Type {
        expected: expect.typ.name().to_owned(),
        actual: header.typ.as_deref().map(clip),
    })
}

fn check_issuer(claims: Claims<'_>, expect: &Expectations) -> Result<(), JwtError> {
    if absent(claims, Name::Iss, expect.typ.row().parties) {
        return Ok(());
    }
    let issuer = claims.string(Name::Iss)?;
    if issuer == expect.issuer {
        return Ok(());
    }
    Err(JwtError::Issuer {
        expected: expect.issuer.clone(),
        actual: clip(issuer),
    })
}

fn check_audience(claims: Claims<'_>, expect: &Expectations) -> Result<(), JwtError> {
    if absent(claims, Name::Aud, expect.typ.row().parties) {
        return Ok(());
    }
    let malformed = || JwtError::ClaimType {
        claim: Name::Aud.name(),
        expected: "a string or a list of strings",
    };
    let refused = |actual: &str| {
        Err(JwtError::Audience {
            expected: expect.audience.clone(),
            actual: clip(actual),
        })
    };
    let count = match claims.get(Name::Aud) {
        None => {
            return Err(JwtError::ClaimMissing {
                claim: Name::Aud.name(),
            });
        }
        Some(Claim::String(one)) if expect.is_for(one) => 1,
        Some(Claim::String(one)) => return refused(one),
        Some(Claim::List(several)) => {
            let names = several.iter().map(|audience| match audience {
                Claim::String(name) => Ok(name),
                _ => Err(malformed()),
            });
            let names: Vec<&str> = names.collect::<Result<_, _>>()?;
            if !names.iter().any(|name| expect.is_for(name)) {
                return refused(&names.join(", "));
            }
            names.len()
        }
        Some(_) => return Err(malformed()),
    };
    match expect.typ {
        Typ::IdToken => check_authorized_party(claims, expect, count),
        _ => Ok(()),
    }
}

/// OpenID Connect Core §3.1.3.7 steps 4 and 5: with several audiences `azp` says for which client; if it is there, it is us.
fn check_authorized_party(
    claims: Claims<'_>,
    expect: &Expectations,
    audiences: usize,
) -> Result<(), JwtError> {
    let party = match claims.get(Name::Azp) {
        None if audiences == 1 => return Ok(()),
        None => None,
        Some(_) => Some(claims.string(Name::Azp)?),
    };
    if party == Some(expect.audience.as_str()) {
        return Ok(());
    }
    Err(JwtError::AuthorizedParty {
        expected: expect.audience.clone(),
        actual: party.map(clip),
    })
}

fn check_times(claims: Claims<'_>, expect: &Expectations, now: i64) -> Result<(), JwtError> {
    let leeway = expect.leeway();
    let row = expect.typ.row();
    let exp = needed_date(claims, Name::Exp, row.exp)?;
    if let Some(exp) = exp {
        check_not_expired(exp, now)?;
    }
    let nbf = claims.date(Name::Nbf)?;
    if let Some(nbf) = nbf {
        check_valid_by_now(nbf, now, leeway)?;
    }
    if let Some(iat) = needed_date(claims, Name::Iat, row.iat)? {
        check_not_ahead(iat, now, leeway)?;
    }
    match (exp, expect.max_lifetime_seconds) {
        (Some(exp), Some(limit)) => check_lifetime(exp, nbf, limit, now),
        _ => Ok(()),
    }
}

fn check_lifetime(
    exp: NumericDate,
    nbf: Option<NumericDate>,
    limit: i64,
    now: i64,
) -> Result<(), JwtError> {
    let from = nbf.map_or(now, |nbf| nbf.seconds.min(now));
    match exp.is_after(from.saturating_add(limit)) {
        true => Err(JwtError::LifetimeTooLong {
            exp: exp.seconds,
            from,
            limit,
        }),
        false => Ok(()),
    }
}

/// "on or after which the JWT MUST NOT be accepted" (RFC 7519 §4.1.4)
pub(crate) fn check_not_expired(exp: NumericDate, now: i64) -> Result<(), JwtError> {
    match exp.is_after(now) {
        true => Ok(()),
        false => Err(JwtError::Expired {
            exp: exp.seconds,
            now,
        }),
    }
}

/// "before which the JWT MUST NOT be accepted" (RFC 7519 §4.1.5)
pub(crate) fn check_valid_by_now(nbf: NumericDate, now: i64, leeway: i64) -> Result<(), JwtError> {
    match nbf.is_after(now.saturating_add(leeway)) {
        true => Err(JwtError::NotYetValid {
            nbf: nbf.seconds,
            now,
            leeway,
        }),
        false => Ok(()),
    }
}

/// `iat` in the future: a clock is wrong, or someone prepares tokens.
pub(crate) fn check_not_ahead(iat: NumericDate, now: i64, leeway: i64) -> Result<(), JwtError> {
    match iat.is_after(now.saturating_add(leeway)) {
        true => Err(JwtError::IssuedInFuture {
            iat: iat.seconds,
            now,
            leeway,
        }),
        false => Ok(()),
    }
}

/// What the row of the kind says, and what the caller adds to it.
fn check_kind(claims: Claims<'_>, expect: &Expectations) -> Result<(), JwtError> {
    let row = expect.typ.row();
    if let Some(expected) = &expect.subject {
        claims.must_be(Name::Sub, expected)?;
    }
    for &name in row.strings {
        match name {
            Name::Jti => claims.jti()?,
            name => claims.string(name)?,
        };
    }
    let forbidden = row.forbidden.iter().copied();
    if let Some(name) = forbidden
        .into_iter()
        .find(|&name| claims.get(name).is_some())
    {
        return Err(JwtError::ClaimForbidden { claim: name.name() });
    }
    if let Some(claim) = expect.required.iter().find(|name| !claims.has(name)) {
        return Err(JwtError::ClaimMissing { claim });
    }
    (row.rule)(claims)
}

fn check_nonce(claims: Claims<'_>, expect: &Expectations) -> Result<(), JwtError> {
    match &expect.nonce {
        Some(nonce) if claims.string(Name::Nonce)? != nonce => Err(JwtError::Nonce),
        _ => Ok(()),
    }
}

/// Whether an optional claim is not there.
fn absent(claims: Claims<'_>, name: Name, need: Need) -> bool {
    need == Need::Optional && claims.get(name).is_none()
}

fn needed_date(
    claims: Claims<'_>,
    name: Name,
    need: Need,
) -> Result<Option<NumericDate>, JwtError> {
    match need {
        Need::Required => claims.required_date(name).map(Some),
        Need::Optional => claims.date(name),
    }
}
