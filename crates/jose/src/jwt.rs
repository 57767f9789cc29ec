//! Claims: what a token says once its signature is known to be good, and whether it says it to us, now (RFC 7519, RFC 8725).

use stampmill_claims_json::{Limits, Map, Value, parse};

use crate::algorithm::AlgorithmSet;
use crate::error::{JwtError, clip};
use crate::header::Header;
use crate::jwks::Jwks;
use crate::jws::{VerifiedJws, verify_jws_by, verify_mac_jws};
use crate::mac::SharedSecret;

/// Longest token that is read or made, in bytes: what fits into an HTTP header line of common servers twice.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// What a token must be, for us, now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expectations {
    /// The kind of token.
    pub typ: Typ,
    /// The only issuer trusted: compared as a string, exactly (RFC 7519 §4.1.1).
    pub issuer: String,
    /// Who we are: must be among the token's audiences, exactly.
    pub audience: String,
    /// How far ahead of ours the issuer's clock may be, in seconds, for `nbf` and `iat`: 10 unless set, and at most
    /// [`Expectations::MAX_LEEWAY_SECONDS`]. It never lengthens `exp`.
    pub leeway_seconds: i64,
    /// For ID tokens: the nonce that was sent with the request.
    pub nonce: Option<String>,
    /// The algorithms accepted, of those that the key permits (RFC 8725 §3.1): all signature algorithms unless set.
    pub algorithms: AlgorithmSet,
}

impl Expectations {
    /// FAPI 2.0 Security Profile §5.3.2.1: accept 10 seconds, refuse beyond 60.
    pub const MAX_LEEWAY_SECONDS: i64 = 60;

    /// A token of this kind by `issuer` for `audience`, 10 seconds of leeway.
    #[must_use]
    pub fn new(typ: Typ, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            typ,
            issuer: issuer.into(),
            audience: audience.into(),
            leeway_seconds: 10,
            nonce: None,
            algorithms: AlgorithmSet::ALL,
        }
    }

    /// An access token for the resource `audience` (RFC 9068).
    #[must_use]
    pub fn access_token(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self::new(Typ::AccessToken, issuer, audience)
    }

    /// An ID token for the client `client_id` (OpenID Connect Core §2).
    #[must_use]
    pub fn id_token(issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self::new(Typ::IdToken, issuer, client_id)
    }

    /// The same, answering the request that carried `nonce`.
    #[must_use]
    pub fn with_nonce(self, nonce: impl Into<String>) -> Self {
        Self {
            nonce: Some(nonce.into()),
            ..self
        }
    }

    /// The same, by these algorithms only.
    #[must_use]
    pub fn with_algorithms(self, algorithms: AlgorithmSet) -> Self {
        Self { algorithms, ..self }
    }

    fn leeway(&self) -> i64 {
        self.leeway_seconds.clamp(0, Self::MAX_LEEWAY_SECONDS)
    }
}

/// The kind of a token, so that one kind never passes for another (RFC 8725 §3.11).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Typ {
    /// `at+jwt` (RFC 9068 §2.1, §4); must have `sub`, `client_id` and `jti`.
    AccessToken,
    /// `JWT`, or nothing: OpenID Connect Core does not ask for a type. Must have `sub`.
    IdToken,
    /// This type and no other, for instance `logout+jwt`.
    Exact(String),
}

impl Typ {
    fn name(&self) -> &str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::IdToken => "JWT",
            Self::Exact(name) => name,
        }
    }

    /// String claims that this kind has besides `iss`.
    fn required(&self) -> &'static [&'static str] {
        match self {
            Self::AccessToken => &["sub", "client_id", "jti"], // RFC 9068 §2.2
            Self::IdToken => &["sub"],                         // OpenID Connect Core §2
            Self::Exact(_) => &[],
        }
    }

    /// Media types are compared without case, and `application/` may be left out (RFC 7515 §4.1.9).
    fn permits(&self, typ: Option<&str>) -> bool {
        let Some(typ) = typ else {
            return *self == Self::IdToken;
        };
        short(typ).eq_ignore_ascii_case(short(self.name()))
    }
}

fn short(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.get(..PREFIX.len()) {
        // a further slash means a parameter, where the prefix has to stay (RFC 7515 §4.1.9)
        Some(prefix)
            if prefix.eq_ignore_ascii_case(PREFIX) && !typ[PREFIX.len()..].contains('/') =>
        {
            &typ[PREFIX.len()..]
        }
        _ => typ,
    }
}

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
/// `now` is in seconds since the epoch. `iss`, `aud`, `exp` and `iat` must be there, and what [`Typ`] adds.
///
/// # Errors
/// [`JwtError`], one variant a check, in this order: those of [`verify_jws`](crate::verify_jws), `typ`, payload, `iss`,
/// `aud`, `azp`, `exp`, `nbf`, `iat`, the claims of the kind, `nonce`.
pub fn verify_jwt(
    token: &str,
    keys: &Jwks,
    expect: &Expectations,
    now: i64,
) -> Result<VerifiedJwt, JwtError> {
    check(verify_jws_by(token, keys, expect.algorithms)?, expect, now)
}

/// Verifies a token under a shared secret: [`verify_jwt`] with an HMAC in place of a signature.
///
/// The algorithm is the secret's; [`Expectations::algorithms`], an allow-list of signatures, has no say here.
///
/// ```
/// use serde_json::json;
/// use stampmill_jose::{Expectations, MacAlgorithm, SharedSecret, verify_mac_jwt};
/// let secret = SharedSecret::new(MacAlgorithm::Hs256, "a client secret of 32 bytes, or more")?;
/// let claims = json!({"iss": "web", "sub": "web", "aud": "https://issuer.example", "iat": 1_700_000_000, "exp": 1_700_000_060});
/// let token = secret.sign_jwt("JWT", &claims)?;
/// let expect = Expectations::id_token("web", "https://issuer.example");
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
    let payload = parse(jws.payload(), &Limits::TOKEN).map_err(JwtError::Payload)?;
    let claims = payload.as_map().ok_or(JwtError::Malformed {
        what: "the payload is not a JSON object",
    })?;
    check_issuer(claims, expect)?;
    check_audience(claims, expect)?;
    check_times(claims, expect, now)?;
    for claim in expect.typ.required() {
        string(claims, claim)?;
    }
    check_nonce(claims, expect)?;
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

fn check_issuer(claims: &Map<'_>, expect: &Expectations) -> Result<(), JwtError> {
    let issuer = string(claims, "iss")?;
    if issuer == expect.issuer {
        return Ok(());
    }
    Err(JwtError::Issuer {
        expected: expect.issuer.clone(),
        actual: clip(issuer),
    })
}

fn check_audience(claims: &Map<'_>, expect: &Expectations) -> Result<(), JwtError> {
    const CLAIM: &str = "aud";
    let malformed = JwtError::ClaimType {
        claim: CLAIM,
        expected: "a string or a list of strings",
    };
    let audiences: Vec<&str> = match claims.get(CLAIM) {
        None => return Err(JwtError::ClaimMissing { claim: CLAIM }),
        Some(Value::String(one)) => vec![one],
        Some(Value::List(several)) => several
            .iter()
            .map(Value::as_str)
            .collect::<Option<_>>()
            .ok_or(malformed)?,
        Some(_) => return Err(malformed),
    };
    if !audiences.contains(&expect.audience.as_str()) {
        return Err(JwtError::Audience {
            expected: expect.audience.clone(),
            actual: clip(&audiences.join(", ")),
        });
    }
    match expect.typ {
        Typ::IdToken => check_authorized_party(claims, expect, audiences.len()),
        _ => Ok(()),
    }
}

/// OpenID Connect Core §3.1.3.7 steps 4 and 5: with several audiences `azp` says for which client; if it is there, it is us.
fn check_authorized_party(
    claims: &Map<'_>,
    expect: &Expectations,
    audiences: usize,
) -> Result<(), JwtError> {
    let party = match claims.get("azp") {
        None if audiences == 1 => return Ok(()),
        None => None,
        Some(_) => Some(string(claims, "azp")?),
    };
    if party == Some(expect.audience.as_str()) {
        return Ok(());
    }
    Err(JwtError::AuthorizedParty {
        expected: expect.audience.clone(),
        actual: party.map(clip),
    })
}

fn check_times(claims: &Map<'_>, expect: &Expectations, now: i64) -> Result<(), JwtError> {
    let leeway = expect.leeway();
    let latest = now.saturating_add(leeway);
    let exp = required_date(claims, "exp")?;
    // "on or after which the JWT MUST NOT be accepted" (RFC 7519 §4.1.4)
    if !exp.is_after(now) {
        return Err(JwtError::Expired {
            exp: exp.seconds,
            now,
        });
    }
    if let Some(nbf) = date(claims, "nbf")?
        && nbf.is_after(latest)
    {
        return Err(JwtError::NotYetValid {
            nbf: nbf.seconds,
            now,
            leeway,
        });
    }
    let iat = required_date(claims, "iat")?;
    if iat.is_after(latest) {
        return Err(JwtError::IssuedInFuture {
            iat: iat.seconds,
            now,
            leeway,
        });
    }
    Ok(())
}

fn check_nonce(claims: &Map<'_>, expect: &Expectations) -> Result<(), JwtError> {
    match &expect.nonce {
        Some(nonce) if string(claims, "nonce")? != nonce => Err(JwtError::Nonce),
        _ => Ok(()),
    }
}

fn string<'v>(claims: &'v Map<'_>, claim: &'static str) -> Result<&'v str, JwtError> {
    match claims.get(claim) {
        None => Err(JwtError::ClaimMissing { claim }),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(JwtError::ClaimType {
            claim,
            expected: "a string",
        }),
    }
}

/// A NumericDate: seconds since the epoch, possibly with a fraction (RFC 7519 §2).
#[derive(Clone, Copy)]
struct NumericDate {
    /// Rounded down.
    seconds: i64,
    has_fraction: bool,
}

impl NumericDate {
    fn is_after(self, moment: i64) -> bool {
        self.seconds > moment || (self.seconds == moment && self.has_fraction)
    }
}

fn required_date(claims: &Map<'_>, claim: &'static str) -> Result<NumericDate, JwtError> {
    date(claims, claim)?.ok_or(JwtError::ClaimMissing { claim })
}

fn date(claims: &Map<'_>, claim: &'static str) -> Result<Option<NumericDate>, JwtError> {
    let whole = |seconds| NumericDate {
        seconds,
        has_fraction: false,
    };
    match claims.get(claim) {
        None => Ok(None),
        Some(Value::Int(seconds)) => Ok(Some(whole(*seconds))),
        // beyond i64: later than any clock
        Some(Value::UInt(_)) => Ok(Some(whole(i64::MAX))),
        // `as` saturates, and the reader lets no NaN through
        Some(Value::Double(seconds)) => Ok(Some(NumericDate {
            seconds: seconds.floor() as i64,
            has_fraction: seconds.fract() != 0.0,
        })),
        Some(_) => Err(JwtError::ClaimType {
            claim,
            expected: "a number of seconds",
        }),
    }
}
