//! What can be wrong with a token, a key, or our own use of them: three enums, one for each party at fault.

use stampmill_claims_json::JsonError;
use thiserror::Error;

use crate::algorithm::Algorithm;

/// Why a token was refused: the sender's fault. One variant a check; each tells what was expected and what came.
///
/// No variant holds the token, its signature or its payload. What a header says is cut to 80 characters and escaped,
/// because before the signature is checked anyone may have written it. An answer on the wire should say less still: RFC 6750 §3.1
/// knows only `invalid_token`.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum JwtError {
    /// Longer than [`MAX_TOKEN_BYTES`](crate::MAX_TOKEN_BYTES).
    #[error("the token has {actual} bytes, at most {limit} are read")]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
        /// Bytes received.
        actual: usize,
    },
    /// Not three parts, not base64url, or a part that is not an object.
    #[error("not a JWT in compact form: {what}")]
    Malformed {
        /// Which rule of RFC 7515 §7.1 is broken.
        what: &'static str,
    },
    /// The header is not strict JSON.
    #[error("the header is not acceptable JSON: {0}")]
    Header(#[source] JsonError),
    /// A header member has another type than its definition says, or is too long.
    #[error("the header member `{name}` is not a short string")]
    HeaderMember {
        /// The member.
        name: &'static str,
    },
    /// `alg` is absent, not in the allow-list, or not the key's: `none`, an HMAC, or another signature algorithm.
    #[error("alg: expected {expected}, got {}", shown(actual.as_deref()))]
    AlgorithmNotAllowed {
        /// The allow-list, or what is left of it with the key that the header names.
        expected: String,
        /// What the header says.
        actual: Option<String>,
    },
    /// The header has a `crit` list: extensions that a reader must understand, and this one understands none.
    #[error("crit: no critical header extension is understood here, got `{names}`")]
    CriticalHeader {
        /// The names in the list.
        names: String,
    },
    /// The header names no key and the set has several (or none).
    #[error("kid: absent, and there are {keys} keys to choose from")]
    KeyIdMissing {
        /// Keys in the set.
        keys: usize,
    },
    /// No key of the set has this identifier. The set may be outdated: fetch it once again.
    #[error("kid: `{kid}` is none of the {keys} known keys")]
    UnknownKeyId {
        /// What the header says.
        kid: String,
        /// Keys in the set.
        keys: usize,
    },
    /// The token is of another kind (RFC 8725 §3.11).
    #[error("typ: expected {expected}, got {}", shown(actual.as_deref()))]
    Type {
        /// The kind asked for.
        expected: String,
        /// What the header says.
        actual: Option<String>,
    },
    /// The signature does not belong to these bytes and this key.
    #[error("signature: does not verify with key `{kid}`")]
    Signature {
        /// The key that was tried.
        kid: String,
    },
    /// The payload is not strict JSON. Signed, yet unacceptable.
    #[error("the payload is not acceptable JSON: {0}")]
    Payload(#[source] JsonError),
    /// A claim that this kind of token must have is absent.
    #[error("{claim}: absent")]
    ClaimMissing {
        /// The claim.
        claim: &'static str,
    },
    /// A claim has another type than its definition says.
    #[error("{claim}: expected {expected}")]
    ClaimType {
        /// The claim.
        claim: &'static str,
        /// The type asked for.
        expected: &'static str,
    },
    /// Issued by someone else.
    #[error("iss: expected `{expected}`, got `{actual}`")]
    Issuer {
        /// The issuer trusted.
        expected: String,
        /// The claim.
        actual: String,
    },
    /// Meant for someone else.
    #[error("aud: expected `{expected}` among them, got `{actual}`")]
    Audience {
        /// Who we are.
        expected: String,
        /// The claim, several joined by a comma.
        actual: String,
    },
    /// An ID token that was given to another client (OpenID Connect Core §3.1.3.7).
    #[error("azp: expected `{expected}`, got {}", shown(actual.as_deref()))]
    AuthorizedParty {
        /// Our client identifier.
        expected: String,
        /// The claim.
        actual: Option<String>,
    },
    /// An ID token that answers another request.
    #[error("nonce: not the one that was sent with the request")]
    Nonce,
    /// Too late.
    #[error("exp: expired at {exp}, now it is {now}")]
    Expired {
        /// The claim, seconds since the epoch, rounded down.
        exp: i64,
        /// Our clock.
        now: i64,
    },
    /// Too early.
    #[error("nbf: not valid before {nbf}, now it is {now} (leeway {leeway} s)")]
    NotYetValid {
        /// The claim, seconds since the epoch, rounded down.
        nbf: i64,
        /// Our clock.
        now: i64,
        /// How much a clock may be ahead.
        leeway: i64,
    },
    /// Issued later than now: a clock is wrong, or someone prepares tokens.
    #[error("iat: issued at {iat}, now it is {now} (leeway {leeway} s)")]
    IssuedInFuture {
        /// The claim, seconds since the epoch, rounded down.
        iat: i64,
        /// Our clock.
        now: i64,
        /// How much a clock may be ahead.
        leeway: i64,
    },
    /// Valid for longer than is accepted.
    #[error("exp: {exp} is more than {limit} s after {from}")]
    LifetimeTooLong {
        /// The claim, seconds since the epoch, rounded down.
        exp: i64,
        /// Now, or `nbf` if that is earlier.
        from: i64,
        /// Seconds allowed.
        limit: i64,
    },
    /// Made too long ago.
    #[error("iat: issued at {iat}, more than {limit} s before {now}")]
    TooOld {
        /// The claim, seconds since the epoch, rounded down.
        iat: i64,
        /// Our clock.
        now: i64,
        /// Seconds allowed.
        limit: i64,
    },
    /// A claim that is about something else: `sub`, or `htm`, `htu` and `ath` of a DPoP proof.
    #[error("{claim}: expected `{expected}`, got `{actual}`")]
    Mismatch {
        /// The claim.
        claim: &'static str,
        /// What it has to be.
        expected: String,
        /// What it is.
        actual: String,
    },
    /// A claim that this kind of token must not have.
    #[error("{claim}: must not be there")]
    ClaimForbidden {
        /// The claim.
        claim: &'static str,
    },
    /// The key in the header of a DPoP proof is absent or not acceptable.
    #[error("jwk: {0}")]
    EmbeddedKey(#[source] KeyError),
}

impl JwtError {
    /// The check that failed and where it is written down: `("aud", "RFC 7519 §4.1.3")`.
    #[must_use]
    pub fn rule(&self) -> (&'static str, &'static str) {
        match self {
            Self::TooLarge { .. } => ("size", "RFC 8725 §3.13"),
            Self::Malformed { .. } => ("form", "RFC 7515 §7.1"),
            Self::Header(_) | Self::HeaderMember { .. } => ("header", "RFC 7515 §4"),
            Self::AlgorithmNotAllowed { .. } => ("alg", "RFC 8725 §3.1"),
            Self::CriticalHeader { .. } => ("crit", "RFC 7515 §4.1.11"),
            Self::KeyIdMissing { .. } | Self::UnknownKeyId { .. } => {
                ("kid", "OpenID Connect Core §10.1")
            }
            Self::Type { .. } => ("typ", "RFC 8725 §3.11"),
            Self::Signature { .. } => ("signature", "RFC 7515 §5.2"),
            Self::Payload(_) => ("payload", "RFC 7519 §7.2"),
            Self::ClaimMissing { claim } | Self::ClaimType { claim, .. } => (claim, "RFC 7519 §4"),
            Self::ClaimForbidden { claim } => (claim, "RFC 8725 §3.12"),
            Self::Mismatch { claim: "sub", .. } => ("sub", "RFC 7519 §4.1.2"),
            Self::Mismatch { claim, .. } => (claim, "RFC 9449 §4.3"),
            Self::EmbeddedKey(_) => ("jwk", "RFC 9449 §4.3"),
            Self::TooOld { .. } => ("iat", "RFC 9449 §4.3"),
            Self::LifetimeTooLong { .. } => ("exp", "RFC 7523 §3"),
            Self::Issuer { .. } => ("iss", "RFC 7519 §4.1.1"),
            Self::Audience { .. } => ("aud", "RFC 7519 §4.1.3"),
            Self::AuthorizedParty { .. } => ("azp", "OpenID Connect Core §3.1.3.7"),
            Self::Nonce => ("nonce", "OpenID Connect Core §3.1.3.7"),
            Self::Expired { .. } => ("exp", "RFC 7519 §4.1.4"),
            Self::NotYetValid { .. } => ("nbf", "RFC 7519 §4.1.5"),
            Self::IssuedInFuture { .. } => ("iat", "RFC 7519 §4.1.6"),
        }
    }
}

/// Why a key or a set of keys was refused.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not strict JSON.
    #[error("not acceptable JSON: {0}")]
    Json(#[from] JsonError),
    /// A member is absent or has another form than RFC 7517 and RFC 7518 give it.
    #[error("`{member}`: expected {expected}")]
    Member {
        /// The member.
        member: &'static str,
        /// The form asked for.
        expected: &'static str,
    },
    /// A member of private keys in a place for public ones. Whoever published it has to replace the key.
    #[error("`{member}` is a part of a private key: the key must be considered stolen")]
    PrivateMember {
        /// The member.
        member: &'static str,
    },
    /// Another key type than those that are read.
    #[error("key type: expected {expected}, got `{actual}`")]
    KeyType {
        /// The key types this crate knows.
        expected: &'static str,
        /// What `kty` says.
        actual: String,
    },
    /// A curve other than P-256, P-384, P-521 and Ed25519.
    #[error("curve: expected P-256, P-384, P-521 or Ed25519, got `{actual}`")]
    Curve {
        /// What the key says.
        actual: String,
    },
    /// The coordinates are no point of the curve.
    #[error("the point is not on the curve {curve}")]
    NotOnCurve {
        /// The curve.
        curve: &'static str,
    },
    /// An algorithm that works with another kind of key.
    #[error("{algorithm} does not work with this kind of key")]
    AlgorithmOfOtherKind {
        /// The algorithm asked for.
        algorithm: Algorithm,
    },
    /// A shared secret that is shorter than its hash (RFC 7518 §3.2).
    #[error("shared secret: expected at least {min} bytes, got {actual}")]
    SecretTooShort {
        /// Bytes asked for.
        min: usize,
        /// Bytes it has.
        actual: usize,
    },
    /// A key that says of itself that it is not for what it is to do here.
    #[error("`{member}`: the key is not for verifying signatures by an algorithm of its kind")]
    NotForSignatures {
        /// `use`, `key_ops` or `alg`.
        member: &'static str,
    },
    /// Too short to be safe, or too long to be quick.
    #[error("RSA modulus: expected {min} to {max} bits, got {actual}", min = crate::MIN_RSA_BITS, max = crate::MAX_RSA_BITS)]
    ModulusSize {
        /// Its length.
        actual: usize,
    },
    /// A modulus with the fingerprint of a generator whose keys can be factored (ROCA, CVE-2017-15361).
    #[error("RSA modulus: made by a generator whose keys can be factored (ROCA)")]
    Factorable,
    /// An exponent that is even, below 65537 or above 64 bits (FIPS 186-5 §5.1, NIST SP 800-56B §6.2).
    #[error("RSA exponent: expected an odd number from 65537 to 2^64")]
    Exponent,
    /// Two keys of a set answer to the same name.
    #[error("two keys have the kid `{kid}`")]
    DuplicateKeyId {
        /// The name.
        kid: String,
    },
    /// More keys than [`Jwks::MAX_KEYS`](crate::Jwks::MAX_KEYS).
    #[error("{actual} keys, at most {limit} are read")]
    TooManyKeys {
        /// Keys allowed.
        limit: usize,
        /// Keys in the set.
        actual: usize,
    },
    /// The text is not one unencrypted private key in PKCS #8 PEM (RFC 5958, RFC 7468 §10).
    #[error("not a private key in PKCS #8 PEM: {reason}")]
    Pem {
        /// What is there instead.
        reason: &'static str,
    },
    /// The numbers of the key do not fit together; signing with it could give its factors away.
    #[error("the numbers of the key contradict each other")]
    Inconsistent,
    /// The backend does not take this key.
    #[error("{backend}: {reason}")]
    Backend {
        /// Which backend.
        backend: &'static str,
        /// What it says.
        reason: String,
    },
}

/// Why nothing was signed or made: our own misuse, or bad luck.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JoseError {
    /// The claims cannot be serialized.
    #[error("the claims cannot be written as JSON: {0}")]
    Serialize(#[from] serde_json::Error),
    /// The claims are not an object.
    #[error("the claims of a JWT are a JSON object (RFC 7519 §4)")]
    NotAnObject,
    /// The claims are JSON that our own verifier would refuse, for instance with a name twice.
    #[error("the claims are not acceptable JSON: {0}")]
    Claims(#[source] JsonError),
    /// Larger than a verifier reads.
    #[error("the token would have {actual} bytes, at most {limit} are read")]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
        /// Bytes the token would have.
        actual: usize,
    },
    /// The key is not usable.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// OpenSSL failed: out of memory, or no randomness.
    #[error("OpenSSL: {0}")]
    OpenSsl(#[from] openssl::error::ErrorStack),
    /// The signature could not be computed.
    #[error("signing failed: {0}")]
    Sign(String),
}

/// A text for an error message: 80 characters of it, escaped.
pub(crate) fn clip(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    let mut shown: String = text
        .chars()
        .take(MAX_CHARS)
        .flat_map(char::escape_default)
        .collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        shown.push_str("...");
    }
    shown
}

fn shown(text: Option<&str>) -> String {
    text.map_or_else(|| "none".to_owned(), |text| format!("`{text}`"))
}
