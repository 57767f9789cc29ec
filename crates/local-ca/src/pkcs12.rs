//! PKCS #12 (RFC 7292): certificate, chain and key in one file under a password, as Windows, Java and browsers import them.

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::stack::Stack;

use crate::certificate::Certificate;
use crate::keys::{LeafKey, Passphrase};

/// How the file is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pkcs12Protection {
    /// PBES2 with AES-256, a MAC with SHA-256: what today's programs write.
    #[default]
    Modern,
    /// Triple DES and SHA-1, for programs from before 2020. Whoever has the file can guess passwords quickly.
    Legacy,
}

/// Rounds of PBKDF2: OWASP's figure for SHA-256.
const ROUNDS: u32 = 600_000;

/// The file: the certificate with its intermediates and this root, and the key.
///
/// # Errors
/// OpenSSL's, when the key is not the certificate's.
pub fn pkcs12(
    certificate: &Certificate,
    key: &LeafKey,
    root: &Certificate,
    password: &Passphrase,
    protection: Pkcs12Protection,
) -> Result<Vec<u8>, ErrorStack> {
    let mut others = Stack::new()?;
    for intermediate in certificate.intermediates() {
        others.push(intermediate.clone())?;
    }
    others.push(root.as_openssl().to_owned())?;
    let mut builder = Pkcs12::builder();
    let name = certificate.names().first().map(ToString::to_string);
    builder
        .name(name.as_deref().unwrap_or("certificate"))
        .pkey(key.as_openssl())
        .cert(certificate.as_openssl())
        .ca(others);
    match protection {
        Pkcs12Protection::Modern => builder
            .key_algorithm(Nid::AES_256_CBC)
            .cert_algorithm(Nid::AES_256_CBC)
            .mac_md(MessageDigest::sha256())
            .key_iter(ROUNDS)
            .mac_iter(ROUNDS),
        Pkcs12Protection::Legacy => builder
            .key_algorithm(Nid::PBE_WITHSHA1AND3_KEY_TRIPLEDES_CBC)
            .cert_algorithm(Nid::PBE_WITHSHA1AND3_KEY_TRIPLEDES_CBC)
            .mac_md(MessageDigest::sha1())
            .key_iter(2048)
            .mac_iter(2048),
    };
    builder.build2(password.expose())?.to_der()
}
