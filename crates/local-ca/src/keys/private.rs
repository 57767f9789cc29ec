//! A private key of any kind, and the file it is kept in: PKCS #8 in PEM, under a passphrase or not.

use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, PKeyRef, Private};
use zeroize::Zeroizing;

use super::{KeyError, KeyKind, Passphrase, PublicKey, describe, p256, pkcs8};
use crate::pem;

/// A private key; wiped when it is dropped, as far as the library that has it does that.
#[derive(Clone)]
pub(crate) enum PrivateKey {
    /// The usual kind, which needs no OpenSSL.
    P256(Arc<p256::Key>),
    Other(PKey<Private>),
}

impl PrivateKey {
    /// A new key. Where ring finds no randomness, OpenSSL says why.
    pub(crate) fn generate(kind: KeyKind) -> Result<Self, ErrorStack> {
        let ours = (kind == KeyKind::P256).then(p256::Key::generate).flatten();
        match ours {
            Some(key) => Ok(Self::P256(Arc::new(key))),
            None => kind.generate().map(Self::of),
        }
    }

    /// One that OpenSSL has made or read.
    pub(crate) fn of(key: PKey<Private>) -> Self {
        let pkcs8 = match is_p256(&key) {
            true => key.private_key_to_pkcs8().ok().map(Zeroizing::new),
            false => None,
        };
        match pkcs8.and_then(|pkcs8| p256::Key::read(&pkcs8)) {
            Some(key) => Self::P256(Arc::new(key)),
            None => Self::Other(key),
        }
    }

    /// Reads one private key, encrypted or not.
    pub(crate) fn read(pem: &[u8], passphrase: Option<&Passphrase>) -> Result<Self, KeyError> {
        let text = std::str::from_utf8(pem).map_err(|_| KeyError::Pem)?;
        if text.matches("-----BEGIN ").count() != 1 {
            return Err(KeyError::Pem);
        }
        let key = match is_encrypted(text) {
            true => {
                let passphrase = passphrase.ok_or(KeyError::PassphraseNeeded)?;
                PKey::private_key_from_pem_passphrase(pem, passphrase.expose().as_bytes())
                    .map(Self::of)
                    .map_err(|_| KeyError::Passphrase)?
            }
            false if text.contains("-----BEGIN PRIVATE KEY-----") => match usual(text) {
                Some(key) => Self::P256(Arc::new(key)),
                // The callback keeps OpenSSL from asking a terminal for a passphrase.
                None => PKey::private_key_from_pem_callback(pem, |_| Ok(0))
                    .map(Self::of)
                    .map_err(|_| KeyError::Pem)?,
            },
            false => return Err(KeyError::Pem),
        };
        // a private key, too, belongs to a public one that may be certified
        key.public()?;
        Ok(key)
    }

    /// The key as PKCS #8 PEM, unencrypted.
    pub(crate) fn pem(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::P256(key) => pem::encode_private("PRIVATE KEY", &key.write()),
            Self::Other(key) => {
                let pem = key.private_key_to_pem_pkcs8();
                Zeroizing::new(pem.expect("OpenSSL can write every key it holds"))
            }
        }
    }

    /// The same, encrypted if there is a passphrase.
    pub(crate) fn protected_pem(
        &self,
        passphrase: Option<&Passphrase>,
    ) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
        match passphrase {
            None => Ok(self.pem()),
            Some(passphrase) => pkcs8::encrypt(self.as_openssl(), passphrase).map(Zeroizing::new),
        }
    }

    /// Its public half, which may be certified.
    pub(crate) fn public(&self) -> Result<PublicKey, KeyError> {
        match self {
            Self::P256(key) => PublicKey::of_point(key.point()),
            Self::Other(key) => PublicKey::of(key),
        }
    }

    pub(crate) fn as_openssl(&self) -> &PKeyRef<Private> {
        match self {
            Self::P256(key) => key.as_openssl(),
            Self::Other(key) => key,
        }
    }

    /// For people: `P-256`, `RSA 2048 bits`.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::P256(_) => "P-256".to_owned(),
            Self::Other(key) => describe(key),
        }
    }
}

fn usual(pem: &str) -> Option<p256::Key> {
    let der = pem::decode_private(pem, "PRIVATE KEY").ok()?;
    p256::Key::read(&der)
}

fn is_p256(key: &PKeyRef<Private>) -> bool {
    // secp256k1 and brainpoolP256r1 have 256 bits as well
    let curve = key.ec_key().ok().and_then(|key| key.group().curve_name());
    curve == Some(Nid::X9_62_PRIME256V1)
}

/// Whether a key file is protected by a passphrase.
pub(crate) fn is_encrypted(pem: &str) -> bool {
    pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
}

#[cfg(test)]
mod tests {
    use openssl::ec::{EcGroup, EcKey};

    use super::*;

    #[test]
    fn every_kind_is_read_as_it_was_written() {
        for kind in [
            KeyKind::P256,
            KeyKind::P384,
            KeyKind::Rsa2048,
            KeyKind::Ed25519,
        ] {
            let key = PrivateKey::generate(kind).unwrap();
            let read = PrivateKey::read(&key.pem(), None).unwrap();
            assert!(read.as_openssl().public_eq(key.as_openssl()));
            let theirs = key.as_openssl().private_key_to_pem_pkcs8().unwrap();
            assert_eq!(*key.pem(), theirs);
        }
    }

    #[test]
    fn only_p256_is_p256() {
        for curve in [Nid::SECP256K1, Nid::BRAINPOOL_P256R1] {
            let group = EcGroup::from_curve_name(curve).unwrap();
            let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
            assert_eq!(key.bits(), 256);
            assert!(!is_p256(&key));
            assert!(matches!(PrivateKey::of(key), PrivateKey::Other(_)));
        }
        let made = KeyKind::P256.generate().unwrap();
        assert!(is_p256(&made));
        assert!(matches!(PrivateKey::of(made), PrivateKey::P256(_)));
    }

    #[test]
    fn a_passphrase_opens_what_it_closed_and_nothing_else_does() {
        let key = PrivateKey::generate(KeyKind::P256).unwrap();
        let right = Passphrase::from_file_contents(b"correct horse\r\nsecond line").unwrap();
        let wrong = Passphrase::from_file_contents(b"correct house").unwrap();
        let pem = key.protected_pem(Some(&right)).unwrap();
        assert!(is_encrypted(std::str::from_utf8(&pem).unwrap()));
        let read =
            |passphrase| PrivateKey::read(&pem, passphrase).map(|read| *read.pem() == *key.pem());
        assert_eq!(read(Some(&right)), Ok(true));
        assert_eq!(read(Some(&wrong)), Err(KeyError::Passphrase));
        assert_eq!(read(None), Err(KeyError::PassphraseNeeded));
        assert_eq!(
            PrivateKey::read(&pem[..pem.len() / 2], Some(&right)).map(drop),
            Err(KeyError::Passphrase)
        );
        assert_eq!(format!("{right:?}"), "Passphrase(..)");
        assert!(Passphrase::from_file_contents(b"\n").is_err());
    }
}
