//! Keys as files: PKCS#1 (RFC 8017 appendix A.1), PKCS#8 (RFC 5958) and SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), in DER and
//! in PEM (RFC 7468). OpenSSL reads and writes them.

use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::pkey::{Id, PKey, Private, Public};
use openssl::rsa::Rsa;
use zeroize::Zeroizing;

use crate::error::KeyError;
use crate::numbers::Numbers;
use crate::private_key::PrivateKey;
use crate::public_key::PublicKey;

/// What holds for every writer below.
const CAN_WRITE: &str = "OpenSSL can write every RSA key it was given";

/// # Reading and writing files
impl PrivateKey {
    /// Reads an unencrypted key in PEM: `PRIVATE KEY` (PKCS#8), or `RSA PRIVATE KEY` (PKCS#1).
    ///
    /// # Errors
    /// Not such a key, or one outside this crate's [limits](crate#limits), or one whose numbers do not fit together.
    pub fn from_pem(pem: &[u8]) -> Result<PrivateKey, KeyError> {
        // The callback is there so that OpenSSL does not ask the terminal for the pass phrase of an encrypted key.
        let key = PKey::private_key_from_pem_callback(pem, |_| Ok(0));
        from_private(&key.map_err(unreadable("a private key in PEM"))?)
    }

    /// Reads an unencrypted key in DER: PKCS#8's `PrivateKeyInfo`.
    ///
    /// # Errors
    /// As [`from_pem`](PrivateKey::from_pem).
    pub fn from_pkcs8_der(der: &[u8]) -> Result<PrivateKey, KeyError> {
        let key = PKey::private_key_from_pkcs8(der);
        from_private(&key.map_err(unreadable("a private key in PKCS#8 DER"))?)
    }

    /// Reads a key in DER: PKCS#1's `RSAPrivateKey`.
    ///
    /// # Errors
    /// As [`from_pem`](PrivateKey::from_pem).
    pub fn from_pkcs1_der(der: &[u8]) -> Result<PrivateKey, KeyError> {
        let key = Rsa::private_key_from_der(der);
        let key = key.map_err(unreadable("a private key in PKCS#1 DER"))?;
        PrivateKey::from_numbers(&Numbers::from_openssl(&key)?)
    }

    /// PKCS#8's `PrivateKeyInfo` in DER, unencrypted.
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        let key = PKey::from_rsa(self.to_openssl());
        Zeroizing::new(
            key.and_then(|key| key.private_key_to_pkcs8())
                .expect(CAN_WRITE),
        )
    }

    /// The same in PEM: `PRIVATE KEY`. Write it where only its owner can read.
    pub fn to_pkcs8_pem(&self) -> Zeroizing<Vec<u8>> {
        let key = PKey::from_rsa(self.to_openssl());
        let pem = key.and_then(|key| key.private_key_to_pem_pkcs8());
        Zeroizing::new(pem.expect(CAN_WRITE))
    }

    /// PKCS#1's `RSAPrivateKey` in DER, unencrypted.
    pub fn to_pkcs1_der(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.to_openssl().private_key_to_der().expect(CAN_WRITE))
    }

    /// The same in PEM: `RSA PRIVATE KEY`.
    pub fn to_pkcs1_pem(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.to_openssl().private_key_to_pem().expect(CAN_WRITE))
    }

    fn to_openssl(&self) -> Rsa<Private> {
        self.to_numbers()
            .to_openssl()
            .expect("eight numbers make a key; memory alone can fail")
    }
}

/// # Reading and writing files
impl PublicKey {
    /// Reads a key in PEM: `PUBLIC KEY` (SubjectPublicKeyInfo), or `RSA PUBLIC KEY` (PKCS#1).
    ///
    /// # Errors
    /// Not such a key, or one outside this crate's [limits](crate#limits).
    pub fn from_pem(pem: &[u8]) -> Result<PublicKey, KeyError> {
        let key = PKey::public_key_from_pem(pem);
        from_public(&key.map_err(unreadable("a public key in PEM"))?)
    }

    /// Reads a key in DER: X.509's `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// As [`from_pem`](PublicKey::from_pem).
    pub fn from_spki_der(der: &[u8]) -> Result<PublicKey, KeyError> {
        let key = PKey::public_key_from_der(der);
        from_public(&key.map_err(unreadable("a public key in SubjectPublicKeyInfo DER"))?)
    }

    /// Reads a key in DER: PKCS#1's `RSAPublicKey`.
    ///
    /// # Errors
    /// As [`from_pem`](PublicKey::from_pem).
    pub fn from_pkcs1_der(der: &[u8]) -> Result<PublicKey, KeyError> {
        let key = Rsa::public_key_from_der_pkcs1(der);
        let key = key.map_err(unreadable("a public key in PKCS#1 DER"))?;
        PublicKey::new(&key.n().to_vec(), &key.e().to_vec())
    }

    /// X.509's `SubjectPublicKeyInfo` in DER.
    pub fn to_spki_der(&self) -> Vec<u8> {
        self.to_openssl().public_key_to_der().expect(CAN_WRITE)
    }

    /// The same in PEM: `PUBLIC KEY`.
    pub fn to_spki_pem(&self) -> Vec<u8> {
        self.to_openssl().public_key_to_pem().expect(CAN_WRITE)
    }

    /// PKCS#1's `RSAPublicKey` in DER.
    pub fn to_pkcs1_der(&self) -> Vec<u8> {
        let der = self.to_openssl().public_key_to_der_pkcs1();
        der.expect(CAN_WRITE)
    }

    /// The same in PEM: `RSA PUBLIC KEY`.
    pub fn to_pkcs1_pem(&self) -> Vec<u8> {
        let pem = self.to_openssl().public_key_to_pem_pkcs1();
        pem.expect(CAN_WRITE)
    }

    fn to_openssl(&self) -> Rsa<Public> {
        let numbers = BigNum::from_slice(&self.n()).and_then(|n| {
            let e = BigNum::from_slice(self.e())?;
            Rsa::from_public_components(n, e)
        });
        numbers.expect("two numbers make a key; memory alone can fail")
    }
}

fn from_private(key: &PKey<Private>) -> Result<PrivateKey, KeyError> {
    plain_rsa(key.id())?;
    let key = key.rsa().map_err(|_| KeyError::NotRsa)?;
    PrivateKey::from_numbers(&Numbers::from_openssl(&key)?)
}

fn from_public(key: &PKey<Public>) -> Result<PublicKey, KeyError> {
    plain_rsa(key.id())?;
    let key = key.rsa().map_err(|_| KeyError::NotRsa)?;
    PublicKey::new(&key.n().to_vec(), &key.e().to_vec())
}

/// A key marked `id-RSASSA-PSS` is for that scheme alone, with the parameters in it (RFC 4055 §1.2): this crate's
/// keys serve every scheme, so that reading it would drop the restriction.
fn plain_rsa(id: Id) -> Result<(), KeyError> {
    match id {
        Id::RSA => Ok(()),
        Id::RSA_PSS => Err(KeyError::Restricted),
        _ => Err(KeyError::NotRsa),
    }
}

fn unreadable(format: &'static str) -> impl FnOnce(ErrorStack) -> KeyError {
    move |stack| {
        let reason = stack.errors().first().and_then(|error| error.reason());
        KeyError::Unreadable {
            format,
            reason: reason.unwrap_or("unknown").to_owned(),
        }
    }
}
