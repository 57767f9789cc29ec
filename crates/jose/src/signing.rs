//! The private half: a key that signs tokens.

use std::fmt;

use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use serde::Serialize;
use stampmill_claims_json::{Limits, parse};
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
use crate::backend::{Backend, Signer};
use crate::base64url;
use crate::error::{JoseError, KeyError};
use crate::jwk::{Jwk, MAX_RSA_BITS, MIN_RSA_BITS};
use crate::jwt::MAX_TOKEN_BYTES;

/// Longest PEM text that is read as a key.
const MAX_PEM_BYTES: usize = 64 * 1024;
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";

/// An RSA private key that signs RS256 tokens; its `kid` is the thumbprint of its public half (RFC 7638).
///
/// `Debug` shows the `kid` and the backend. OpenSSL wipes the numbers when the key is dropped, and the other backend does so too.
pub struct SigningKey {
    key: PKey<Private>,
    signer: Signer,
    public: Jwk,
    kid: String,
}

impl SigningKey {
    /// A new key of `bits` bits (2048 to 8192, a multiple of 8) from OpenSSL's generator. 2048 bits take a tenth of a second or
    /// so, 4096 bits seconds.
    ///
    /// # Errors
    /// [`KeyError::ModulusSize`] for other sizes; [`JoseError::OpenSsl`] when there is no randomness.
    pub fn generate_rsa(bits: u32) -> Result<Self, JoseError> {
        let size = bits as usize;
        if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&size) || !size.is_multiple_of(8) {
            return Err(KeyError::ModulusSize { actual: size }.into());
        }
        Self::new(PKey::from_rsa(Rsa::generate(bits)?)?)
    }

    /// Reads an unencrypted PKCS #8 key in PEM (RFC 5958, RFC 7468 §10), as `openssl genpkey` writes it.
    ///
    /// # Errors
    /// [`KeyError::Pem`] when it is anything else, [`KeyError::KeyType`] when it is not RSA, [`KeyError::ModulusSize`] and
    /// [`KeyError::Exponent`] when it is weak, [`KeyError::Inconsistent`] when a number of it is damaged.
    pub fn from_pkcs8_pem(pem: &[u8]) -> Result<Self, JoseError> {
        check_envelope(pem)?;
        // Without the callback OpenSSL would ask a terminal for the passphrase of an encrypted key.
        let key =
            PKey::private_key_from_pem_callback(pem, |_| Ok(0)).map_err(|_| KeyError::Pem {
                reason: "damaged or cut short",
            })?;
        if key.id() != Id::RSA {
            return Err(KeyError::KeyType {
                expected: "RSA",
                actual: format!("OpenSSL key type {}", key.id().as_raw()),
            }
            .into());
        }
        let rsa = key.rsa()?;
        let signing_key = Self::new(key)?;
        // After the size check, because primality takes time with the size: one wrong factor and a signature
        // made with the Chinese remainder theorem would give the other factor away (Boneh, DeMillo, Lipton 1997).
        if !rsa.check_key().unwrap_or(false) {
            return Err(KeyError::Inconsistent.into());
        }
        Ok(signing_key)
    }

    /// The key as PKCS #8 PEM, unencrypted: write it where only the owner can read. The buffer is wiped when it is dropped.
    #[must_use]
    pub fn to_pkcs8_pem(&self) -> Zeroizing<Vec<u8>> {
        let pem = self
            .key
            .private_key_to_pem_pkcs8()
            .expect("OpenSSL can write every RSA key it holds");
        Zeroizing::new(pem)
    }

    /// The same key, with another backend doing the arithmetic.
    ///
    /// # Errors
    /// [`KeyError::Backend`] when that backend does not take the key.
    pub fn with_backend(self, backend: Backend) -> Result<Self, KeyError> {
        let signer = Signer::new(backend, &self.key)?;
        Ok(Self { signer, ..self })
    }

    /// Which backend signs.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.signer.backend()
    }

    /// The name by which verifiers find the public key: its RFC 7638 thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// `RS256`.
    #[must_use]
    pub fn alg(&self) -> &'static str {
        self.algorithm().name()
    }

    /// The algorithm, for [`Algorithm::left_half_hash`].
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.public.alg()
    }

    /// The public half, to be published.
    #[must_use]
    pub fn public_jwk(&self) -> Jwk {
        self.public.clone()
    }

    /// A token in compact form whose header says `alg`, `kid` and `typ`, for instance `at+jwt` (RFC 9068 §2.1) or `JWT`.
    ///
    /// What is signed passes the strict reader first, so that no token leaves which our own verifier would refuse to read.
    ///
    /// # Errors
    /// [`JoseError`] when `claims` is not a JSON object or has a name twice, when the token would be larger than
    /// [`MAX_TOKEN_BYTES`], or when signing fails.
    pub fn sign_jwt(&self, typ: &str, claims: &impl Serialize) -> Result<String, JoseError> {
        #[derive(Serialize)]
        struct Header<'a> {
            alg: &'static str,
            kid: &'a str,
            typ: &'a str,
        }
        let payload = serde_json::to_vec(claims)?;
        match parse(&payload, &Limits::TOKEN).map_err(JoseError::Claims)? {
            stampmill_claims_json::Value::Map(_) => {}
            _ => return Err(JoseError::NotAnObject),
        }
        let header = serde_json::to_vec(&Header {
            alg: self.alg(),
            kid: &self.kid,
            typ,
        })?;
        let token = self.sign_compact(&header, &payload)?;
        match token.len() {
            actual if actual > MAX_TOKEN_BYTES => Err(JoseError::TooLarge {
                limit: MAX_TOKEN_BYTES,
                actual,
            }),
            _ => Ok(token),
        }
    }

    /// The JWS compact serialization of any header and payload (RFC 7515 §7.1). The header is taken as it is: for
    /// test vectors and for lessons that need a bad one. Tokens are made by [`SigningKey::sign_jwt`].
    ///
    /// # Errors
    /// [`JoseError`] when signing fails.
    pub fn sign_compact(&self, header: &[u8], payload: &[u8]) -> Result<String, JoseError> {
        // signing input = BASE64URL(header) || '.' || BASE64URL(payload), in ASCII (RFC 7515 §5.1)
        let mut token = base64url::encode(header);
        token.push('.');
        token.push_str(&base64url::encode(payload));
        let signature = self.sign(token.as_bytes())?;
        token.push('.');
        token.push_str(&base64url::encode(signature));
        Ok(token)
    }

    /// The RS256 signature of `message`: as many bytes as the modulus has.
    ///
    /// # Errors
    /// [`JoseError`] when the backend fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        self.signer.sign(message)
    }

    fn new(key: PKey<Private>) -> Result<Self, JoseError> {
        let public = Jwk::from_rsa(&key.rsa()?)?;
        Ok(Self {
            signer: Signer::new(Backend::default(), &key)?,
            kid: public.thumbprint(),
            public,
            key,
        })
    }
}

/// Exactly one unencrypted PKCS #8 block, with a sentence for what people give instead.
fn check_envelope(pem: &[u8]) -> Result<(), KeyError> {
    let refuse = |reason| Err(KeyError::Pem { reason });
    if pem.len() > MAX_PEM_BYTES {
        return refuse("longer than 64 KiB");
    }
    let Ok(text) = std::str::from_utf8(pem) else {
        return refuse("not text");
    };
    match text.matches("-----BEGIN ").count() {
        0 => refuse("no BEGIN line"),
        1 if text.contains(PEM_BEGIN) => Ok(()),
        1 if text.contains("BEGIN ENCRYPTED PRIVATE KEY") => refuse("it is encrypted"),
        1 if text.contains("BEGIN RSA PRIVATE KEY") => {
            refuse("it is PKCS #1; `openssl pkcs8 -topk8 -nocrypt` converts it")
        }
        1 if text.contains("PUBLIC KEY") => refuse("it is a public key"),
        1 if text.contains("CERTIFICATE") => refuse("it is a certificate"),
        1 => refuse("another kind of PEM block"),
        _ => refuse("more than one PEM block"),
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("backend", &self.backend())
            .finish_non_exhaustive()
    }
}
