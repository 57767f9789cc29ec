//! Signatures over bytes: the compact serialization, before anything is known of claims (RFC 7515 §5.2).

use stampmill_claims_json::{Limits, Value, parse};

use crate::base64url;
use crate::error::JwtError;
use crate::header::Header;
use crate::jwk::{Jwk, Jwks};
use crate::jwt::MAX_TOKEN_BYTES;

/// A payload whose signature verified. It may be any bytes; [`verify_jwt`](crate::verify_jwt) goes on to the claims.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedJws {
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
}

impl VerifiedJws {
    /// The protected header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload bytes.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload as claims, whatever they say: nobody has asked yet who made them, for whom, and when.
    ///
    /// # Errors
    /// [`JwtError::Payload`] if the payload is not strict JSON.
    pub fn claims(&self) -> Result<Value<'_>, JwtError> {
        parse(&self.payload, &Limits::TOKEN).map_err(JwtError::Payload)
    }
}

/// Verifies the signature of a token in compact form with the key of `keys` that its header names.
///
/// A header without `kid` is accepted when there is exactly one key (OpenID Connect Core §10.1).
///
/// # Errors
/// [`JwtError`], one variant a check, in this order: size, form, header, `crit`, `alg`, `kid`, signature.
pub fn verify_jws(token: &str, keys: &Jwks) -> Result<VerifiedJws, JwtError> {
    let parts = Parts::split(token)?;
    let header = Header::parse(&decode(parts.header, "the header is not base64url")?)?;
    let key = select(keys, &header)?;
    let signature = decode(parts.signature, "the signature is not base64url")?;
    // The algorithm is the key's (RFC 8725 §3.1): that the header agrees is checked, not believed.
    if key.alg() != header.alg {
        return Err(JwtError::AlgorithmNotAllowed {
            expected: key.alg().name(),
            actual: Some(header.alg.name().to_owned()),
        });
    }
    if !key.verifies(parts.signing_input.as_bytes(), &signature) {
        return Err(JwtError::Signature {
            kid: key.kid().unwrap_or("(unnamed)").to_owned(),
        });
    }
    let payload = decode(parts.payload, "the payload is not base64url")?;
    Ok(VerifiedJws { header, payload })
}

/// The three parts of a token, still encoded.
struct Parts<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    /// `header.payload`, the bytes that were signed.
    signing_input: &'a str,
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Result<Self, JwtError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwtError::TooLarge {
                limit: MAX_TOKEN_BYTES,
                actual: token.len(),
            });
        }
        let three = JwtError::Malformed {
            what: "expected three parts separated by dots",
        };
        let (signing_input, signature) = token.rsplit_once('.').ok_or(three.clone())?;
        let (header, payload) = signing_input.split_once('.').ok_or(three.clone())?;
        // A dot left in the payload would be a fourth part (or a fifth: an encrypted token has five).
        if payload.contains('.') {
            return Err(three);
        }
        Ok(Self {
            header,
            payload,
            signature,
            signing_input,
        })
    }
}

fn decode(part: &str, what: &'static str) -> Result<Vec<u8>, JwtError> {
    base64url::decode(part).map_err(|_| JwtError::Malformed { what })
}

fn select<'k>(keys: &'k Jwks, header: &Header) -> Result<&'k Jwk, JwtError> {
    let count = keys.keys().len();
    match (&header.kid, keys.keys()) {
        (Some(kid), _) => keys.find(kid).ok_or_else(|| JwtError::UnknownKeyId {
            kid: crate::error::clip(kid),
            keys: count,
        }),
        (None, [only]) => Ok(only),
        (None, _) => Err(JwtError::KeyIdMissing { keys: count }),
    }
}
