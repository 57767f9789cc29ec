//! The private half: a key that signs tokens.

use std::fmt;

use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use serde::Serialize;
use stampmill_claims_json::{Limits, Value, parse};
use stampmill_rsa::BatchSigner;
use zeroize::Zeroizing;

use crate::algorithm::{Algorithm, Scheme};
use crate::backend::Backend;
use crate::base64url;
use crate::error::{JoseError, KeyError};
use crate::jwk::Jwk;
use crate::jwt::MAX_TOKEN_BYTES;
use crate::keys::{EcPrivate, MAX_RSA_BITS, MIN_RSA_BITS, PublicKey, Signer};

/// Longest PEM text that is read as a key.
const MAX_PEM_BYTES: usize = 64 * 1024;
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";

/// Size of an RSA key that nobody has asked another size for (NIST SP 800-57 part 1 §5.6.3: to the end of 2030).
const DEFAULT_RSA_BITS: u32 = 2048;

/// A private key that signs tokens by one [`Algorithm`]; its `kid` is the thumbprint of its public half (RFC 7638).
///
/// `Debug` shows the `kid`, the algorithm and the backend. OpenSSL wipes the numbers when the key is dropped, and the other
/// backend does so too.
///
/// ```
/// use stampmill_jose::{Algorithm, SigningKey};
/// let key = SigningKey::generate(Algorithm::Es256)?;
/// let again = SigningKey::from_pkcs8_pem(&key.to_pkcs8_pem())?;
/// assert_eq!(again.public_jwk(), key.public_jwk());
/// // a P-256 key has one algorithm; RSA keys have six
/// assert!(again.with_algorithm(Algorithm::Es384).is_err());
/// # Ok::<(), stampmill_jose::JoseError>(())
/// ```
pub struct SigningKey {
    key: PKey<Private>,
    signer: Signer,
    algorithm: Algorithm,
    public: Jwk,
    kid: String,
}

impl SigningKey {
    /// A new key for `algorithm` from OpenSSL's generator; RSA keys have 2048 bits and take a tenth of a second or so.
    ///
    /// # Errors
    /// [`JoseError::OpenSsl`] when there is no randomness.
    pub fn generate(algorithm: Algorithm) -> Result<Self, JoseError> {
        let key = match algorithm.scheme() {
            Scheme::Rsa(_) => PKey::from_rsa(Rsa::generate(DEFAULT_RSA_BITS)?)?,
            Scheme::Ec(curve) => PKey::from_ec_key(EcPrivate::generate(curve)?)?,
            Scheme::Ed25519 => PKey::generate_ed25519()?,
        };
        Self::new(key, algorithm)
    }

    /// A new RSA key of `bits` bits (2048 to 8192, a multiple of 8) for RS256 from OpenSSL's generator. 2048 bits take a tenth
    /// of a second or so, 4096 bits seconds.
    ///
    /// # Errors
    /// [`KeyError::ModulusSize`] for other sizes; [`JoseError::OpenSsl`] when there is no randomness.
    pub fn generate_rsa(bits: u32) -> Result<Self, JoseError> {
        let size = bits as usize;
        if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&size) || !size.is_multiple_of(8) {
            return Err(KeyError::ModulusSize { actual: size }.into());
        }
        Self::new(PKey::from_rsa(Rsa::generate(bits)?)?, Algorithm::Rs256)
    }

    /// Reads an unencrypted PKCS #8 key in PEM (RFC 5958, RFC 7468 §10), as `openssl genpkey` writes it.
    ///
    /// The algorithm is the key's own: ES256, ES384 or ES512 by its curve, EdDSA, and RS256 for RSA;
    /// [`with_algorithm`](Self::with_algorithm) changes it.
    ///
    /// # Errors
    /// [`KeyError::Pem`] when it is anything else, [`KeyError::KeyType`] or [`KeyError::Curve`] when it is a kind of key that is not known here,
    /// [`KeyError::ModulusSize`] and [`KeyError::Exponent`] when it is weak, [`KeyError::Inconsistent`] when a number of it is damaged.
    pub fn from_pkcs8_pem(pem: &[u8]) -> Result<Self, JoseError> {
        check_envelope(pem)?;
        // Without the callback OpenSSL would ask a terminal for the passphrase of an encrypted key.
        let key =
            PKey::private_key_from_pem_callback(pem, |_| Ok(0)).map_err(|_| KeyError::Pem {
                reason: "damaged or cut short",
            })?;
        let algorithm = match PublicKey::of(&key)? {
            PublicKey::Rsa(_) => Algorithm::Rs256,
            PublicKey::Ec(key) => key.curve().algorithm(),
            PublicKey::Ed25519(_) => Algorithm::EdDsa,
        };
        check_consistency(&key)?;
        Self::new(key, algorithm)
    }

    /// The key as PKCS #8 PEM, unencrypted: write it where only the owner can read. The buffer is wiped when it is dropped.
    #[must_use]
    pub fn to_pkcs8_pem(&self) -> Zeroizing<Vec<u8>> {
        let pem = self
            .key
            .private_key_to_pem_pkcs8()
            .expect("OpenSSL can write every key it holds");
        Zeroizing::new(pem)
    }

    /// The same key, signing by another algorithm of its kind: an RSA key by PS256, for instance.
    ///
    /// # Errors
    /// [`KeyError::AlgorithmOfOtherKind`].
    pub fn with_algorithm(self, algorithm: Algorithm) -> Result<Self, KeyError> {
        let signer = Signer::new(&self.key, algorithm, self.backend())?;
        let public = self.public.signed_by(algorithm);
        Ok(Self {
            signer,
            algorithm,
            public,
            ..self
        })
    }

    /// The same key, with another backend doing the arithmetic if it is RSA. Elliptic curves stay with OpenSSL.
    ///
    /// # Errors
    /// [`KeyError::Backend`] when that backend does not take the key.
    pub fn with_backend(self, backend: Backend) -> Result<Self, KeyError> {
        let signer = Signer::new(&self.key, self.algorithm, backend)?;
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

    /// The value of `alg` in its tokens, for instance `ES256`.
    #[must_use]
    pub fn alg(&self) -> &'static str {
        self.algorithm.name()
    }

    /// The algorithm it signs by.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half, to be published.
    #[must_use]
    pub fn public_jwk(&self) -> Jwk {
        self.public.clone()
    }

    /// A token in compact form whose header says `alg`, `kid` and `typ`, for instance `at+jwt` (RFC 9068 §2.1) or `JWT`.
    ///
    /// # Errors
    /// [`JoseError`] when `claims` is not a JSON object or has a name twice, when the token would be larger than
    /// [`MAX_TOKEN_BYTES`], or when signing fails.
    pub fn sign_jwt(&self, typ: &str, claims: &impl Serialize) -> Result<String, JoseError> {
        let payload = payload_of(claims)?;
        compact(&self.header(typ)?, &payload, |message| self.sign(message))
    }

    /// [`sign_jwt`](Self::sign_jwt) in company: the signature of an RSA key of [`Backend::Stampmill`] is made by `signer`, which takes
    /// what waits through the processor's eight lanes together and holds no thread meanwhile. Any other key signs at the first poll.
    ///
    /// # Errors
    /// As [`sign_jwt`](Self::sign_jwt), and when the signer is shutting down.
    pub async fn sign_jwt_in_batch(
        &self,
        signer: &BatchSigner,
        typ: &str,
        claims: &impl Serialize,
    ) -> Result<String, JoseError> {
        let mut token = signing_input(&self.header(typ)?, &payload_of(claims)?);
        let signature = self.signer.sign_in_batch(signer, token.as_bytes()).await?;
        push_part(&mut token, &signature);
        within_limit(token)
    }

    fn header(&self, typ: &str) -> Result<Vec<u8>, JoseError> {
        #[derive(Serialize)]
        struct Header<'a> {
            alg: &'static str,
            kid: &'a str,
            typ: &'a str,
        }
        Ok(serde_json::to_vec(&Header {
            alg: self.alg(),
            kid: &self.kid,
            typ,
        })?)
    }

    /// The JWS compact serialization of any header and payload (RFC 7515 §7.1). The header is taken as it is: for
    /// test vectors and for lessons that need a bad one. Tokens are made by [`SigningKey::sign_jwt`].
    ///
    /// # Errors
    /// [`JoseError`] when signing fails.
    pub fn sign_compact(&self, header: &[u8], payload: &[u8]) -> Result<String, JoseError> {
        join(header, payload, |message| self.sign(message))
    }

    /// The signature of `message` as JOSE writes it: for RSA as many bytes as the modulus has, for ECDSA R and S at full
    /// length, for Ed25519 64 bytes.
    ///
    /// # Errors
    /// [`JoseError`] when the backend fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        self.signer.sign(message)
    }

    fn new(key: PKey<Private>, algorithm: Algorithm) -> Result<Self, JoseError> {
        let signer = Signer::new(&key, algorithm, Backend::default())?;
        let public = Jwk::for_signing(PublicKey::of(&key)?, algorithm);
        Ok(Self {
            kid: public.thumbprint(),
            signer,
            algorithm,
            public,
            key,
        })
    }
}

/// The claims as a payload. What is signed passes the strict reader first, so that no token leaves which our own verifier
/// would refuse to read.
pub(crate) fn payload_of(claims: &impl Serialize) -> Result<Vec<u8>, JoseError> {
    let payload = serde_json::to_vec(claims)?;
    match parse(&payload, &Limits::TOKEN).map_err(JoseError::Claims)? {
        Value::Map(_) => {}
        _ => return Err(JoseError::NotAnObject),
    }
    Ok(payload)
}

/// A token of a size that a verifier reads.
pub(crate) fn compact(
    header: &[u8],
    payload: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, JoseError>,
) -> Result<String, JoseError> {
    within_limit(join(header, payload, sign)?)
}

fn within_limit(token: String) -> Result<String, JoseError> {
    match token.len() {
        actual if actual > MAX_TOKEN_BYTES => Err(JoseError::TooLarge {
            limit: MAX_TOKEN_BYTES,
            actual,
        }),
        _ => Ok(token),
    }
}

/// The compact serialization (RFC 7515 §7.1).
fn join(
    header: &[u8],
    payload: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, JoseError>,
) -> Result<String, JoseError> {
    let mut token = signing_input(header, payload);
    let signature = sign(token.as_bytes())?;
    push_part(&mut token, &signature);
    Ok(token)
}

/// `BASE64URL(header) || '.' || BASE64URL(payload)`, in ASCII (RFC 7515 §5.1).
fn signing_input(header: &[u8], payload: &[u8]) -> String {
    let mut input = base64url::encode(header);
    push_part(&mut input, payload);
    input
}

fn push_part(token: &mut String, part: &[u8]) {
    token.push('.');
    token.push_str(&base64url::encode(part));
}

/// Whether the numbers of a key from outside fit together. After the size check, because primality takes time with the size.
fn check_consistency(key: &PKey<Private>) -> Result<(), JoseError> {
    let consistent = match key.id() {
        // One wrong factor and a signature made with the Chinese remainder theorem would give the other factor away
        // (Boneh, DeMillo, Lipton 1997).
        Id::RSA => key.rsa()?.check_key().unwrap_or(false),
        // the public point belongs to the private number
        Id::EC => key.ec_key()?.check_key().is_ok(),
        // an Ed25519 key is its seed and nothing else (RFC 8410 §7)
        _ => true,
    };
    match consistent {
        true => Ok(()),
        false => Err(KeyError::Inconsistent.into()),
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
            .field("algorithm", &self.algorithm)
            .field("backend", &self.backend())
            .finish_non_exhaustive()
    }
}
