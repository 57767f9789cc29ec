//! A private key under a passphrase: `EncryptedPrivateKeyInfo` (RFC 5958 §3) with PBES2, scrypt and AES-256 (RFC 8018, 7914).
//!
//! OpenSSL's own writer would stretch the passphrase with 2,048 rounds of PBKDF2, which a graphics card undoes. Reading needs nothing
//! of ours: OpenSSL, and everybody else, reads this form.

use openssl::error::ErrorStack;
use openssl::pkey::{PKeyRef, Private};
use openssl::symm::{Cipher, encrypt as aes};
use zeroize::Zeroizing;

use super::Passphrase;
use crate::der::{oid, write};

/// scrypt's cost: 16 MiB and about a fifth of a second. OpenSSL reads up to 32 MiB, so that the memory is at its limit and the
/// rest is repetition (`p`), as OWASP's password storage guidance puts it for N = 2^14.
const N: u64 = 1 << 14;
const R: u64 = 8;
const P: u64 = 5;
const MEMORY_LIMIT: u64 = 32 * 1024 * 1024;

/// The key in PEM, encrypted.
pub(super) fn encrypt(
    key: &PKeyRef<Private>,
    passphrase: &Passphrase,
) -> Result<Vec<u8>, ErrorStack> {
    let plain = Zeroizing::new(key.private_key_to_pkcs8()?);
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    openssl::rand::rand_bytes(&mut salt)?;
    openssl::rand::rand_bytes(&mut iv)?;
    let mut secret = Zeroizing::new([0; 32]);
    openssl::pkcs5::scrypt(
        passphrase.expose().as_bytes(),
        &salt,
        N,
        R,
        P,
        MEMORY_LIMIT,
        &mut *secret,
    )?;
    let sealed = aes(Cipher::aes_256_cbc(), &*secret, Some(&iv), &plain)?;

    let stretching = write::sequence([
        write::oid(oid::SCRYPT),
        write::sequence([
            write::octet_string(&salt),
            write::integer(N),
            write::integer(R),
            write::integer(P),
            write::integer(32), // length of the key
        ]),
    ]);
    let cipher = write::sequence([write::oid(oid::AES_256_CBC), write::octet_string(&iv)]);
    let scheme = write::sequence([
        write::oid(oid::PBES2),
        write::sequence([stretching, cipher]),
    ]);
    let der = write::sequence([scheme, write::octet_string(&sealed)]);
    Ok(crate::pem::encode("ENCRYPTED PRIVATE KEY", &der).into_bytes())
}
