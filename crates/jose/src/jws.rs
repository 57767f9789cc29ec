//! Signatures over bytes: the compact serialization, before anything is known of claims (RFC 7515 §5.2).

use stampmill_claims_json::{Limits, Value, parse};
use stampmill_rsa::{VerifyJob, verify_many};

use crate::algorithm::{Algorithm, AlgorithmSet};
use crate::base64url;
use crate::error::{JwtError, clip};
use crate::header::Header;
use crate::jwk::Jwk;
use crate::jwks::Jwks;
use crate::jwt::MAX_TOKEN_BYTES;
use crate::mac::SharedSecret;

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

/// Verifies the signature of a token in compact form with the key of `keys` that its header names, by any algorithm of that key.
///
/// A header without `kid` is accepted when exactly one key can be meant (OpenID Connect Core §10.1).
///
/// # Errors
/// [`JwtError`], one variant a check, in this order: size, form, header, `crit`, `alg`, `kid`, signature.
pub fn verify_jws(token: &str, keys: &Jwks) -> Result<VerifiedJws, JwtError> {
    verify_jws_by(token, keys, AlgorithmSet::ALL)
}

/// [`verify_jws`] by an algorithm of this allow-list only.
///
/// # Errors
/// The same.
pub fn verify_jws_by(
    token: &str,
    keys: &Jwks,
    allowed: AlgorithmSet,
) -> Result<VerifiedJws, JwtError> {
    let unverified = Unverified::read(token, keys, allowed)?;
    unverified.verify()?;
    unverified.verified()
}

/// [`verify_jws_by`] for each of several tokens; results in their order. Signatures of RSA keys of
/// [`Backend::Stampmill`](crate::Backend::Stampmill) go through the processor's eight lanes together.
pub(crate) fn verify_jws_many<'a>(
    tokens: impl Iterator<Item = &'a str>,
    keys: &Jwks,
    allowed: AlgorithmSet,
) -> Vec<Result<VerifiedJws, JwtError>> {
    let tokens: Vec<_> = tokens
        .map(|token| Unverified::read(token, keys, allowed))
        .collect();
    let jobs: Vec<_> = tokens
        .iter()
        .filter_map(|token| token.as_ref().ok()?.lane_job())
        .collect();
    let mut verdicts = verify_many(&jobs).into_iter();
    let finish = |token: Result<Unverified<'_>, JwtError>| {
        let token = token?;
        match token.lane_job() {
            Some(_) => verdicts
                .next()
                .expect("one verdict for each job")
                .map_err(|_| token.key.refusal())?,
            None => token.verify()?,
        }
        token.verified()
    };
    tokens.into_iter().map(finish).collect()
}

/// A token read as far as its signature, with the key that is to judge it.
struct Unverified<'a> {
    parts: Parts<'a>,
    header: Header,
    algorithm: Algorithm,
    key: &'a Jwk,
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    fn read(token: &'a str, keys: &'a Jwks, allowed: AlgorithmSet) -> Result<Self, JwtError> {
        let parts = Parts::split(token)?;
        let bytes = parts.header()?;
        let (header, algorithm) = signature_header(&bytes, allowed)?;
        let key = keys.select(header.kid.as_deref(), algorithm)?;
        Ok(Self {
            signature: parts.signature()?,
            parts,
            header,
            algorithm,
            key,
        })
    }

    /// The algorithms are the key's (RFC 8725 §3.1): the header says which of them, and may not say another.
    fn verify(&self) -> Result<(), JwtError> {
        let message = self.parts.signing_input.as_bytes();
        self.key.verify(self.algorithm, message, &self.signature)
    }

    /// The same as a job for the lanes, if that is how the key verifies by this algorithm.
    fn lane_job(&self) -> Option<VerifyJob<'_>> {
        let message = self.parts.signing_input.as_bytes();
        self.key.lane_job(self.algorithm, message, &self.signature)
    }

    fn verified(self) -> Result<VerifiedJws, JwtError> {
        self.parts.verified(self.header)
    }
}

/// A header with an algorithm of the allow-list.
pub(crate) fn signature_header(
    bytes: &[u8],
    allowed: AlgorithmSet,
) -> Result<(Header, Algorithm), JwtError> {
    let named = |name: &str| {
        let algorithm = Algorithm::from_name(name)?;
        allowed
            .contains(algorithm)
            .then_some((algorithm, algorithm.name()))
    };
    Header::read(bytes, named, || allowed.to_string())
}

/// Verifies the HMAC of a token in compact form: only by the secret's own algorithm.
///
/// # Errors
/// [`JwtError`], in the order of [`verify_jws`].
pub fn verify_mac_jws(token: &str, secret: &SharedSecret) -> Result<VerifiedJws, JwtError> {
    let parts = Parts::split(token)?;
    let only = secret.algorithm().name();
    let bytes = parts.header()?;
    let (header, ()) = Header::read(
        &bytes,
        |name| (name == only).then_some(((), only)),
        || only.to_owned(),
    )?;
    if let (Some(named), Some(kid)) = (&header.kid, secret.kid())
        && named != kid
    {
        return Err(JwtError::UnknownKeyId {
            kid: clip(named),
            keys: 1,
        });
    }
    if !secret.verifies(parts.signing_input.as_bytes(), &parts.signature()?) {
        return Err(JwtError::Signature {
            kid: clip(secret.kid().unwrap_or("(unnamed)")),
        });
    }
    parts.verified(header)
}

/// The three parts of a token, still encoded.
pub(crate) struct Parts<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    /// `header.payload`, the bytes that were signed.
    pub(crate) signing_input: &'a str,
}

impl<'a> Parts<'a> {
    pub(crate) fn split(token: &'a str) -> Result<Self, JwtError> {
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

    pub(crate) fn header(&self) -> Result<Vec<u8>, JwtError> {
        decode(self.header, "the header is not base64url")
    }

    pub(crate) fn signature(&self) -> Result<Vec<u8>, JwtError> {
        decode(self.signature, "the signature is not base64url")
    }

    pub(crate) fn payload(&self) -> Result<Vec<u8>, JwtError> {
        decode(self.payload, "the payload is not base64url")
    }

    /// What is left to do once the signature is known to be good.
    pub(crate) fn verified(&self, header: Header) -> Result<VerifiedJws, JwtError> {
        Ok(VerifiedJws {
            header,
            payload: self.payload()?,
        })
    }
}

fn decode(part: &str, what: &'static str) -> Result<Vec<u8>, JwtError> {
    base64url::decode(part).map_err(|_| JwtError::Malformed { what })
}
