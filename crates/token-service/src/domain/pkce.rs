//! Proof Key for Code Exchange (RFC 7636): who redeems a code proves to be who asked for it.
//!
//! `code_challenge = BASE64URL(SHA256(ASCII(code_verifier)))` (§4.2). There is no type for the method `plain`: it
//! cannot be asked for.

use std::fmt;

use stampmill_jose::base64url;
use subtle::ConstantTimeEq;

use crate::secret::Secret;

/// The S256 challenge: 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeChallenge([u8; 32]);

/// The verifier: 43 to 128 unreserved characters (§4.1).
#[derive(Clone)]
pub struct CodeVerifier(Secret);

/// Why a challenge or verifier is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PkceError {
    /// Not the base64url form of 32 bytes.
    #[error("an S256 code_challenge is 43 base64url characters, the hash of the verifier")]
    Challenge,
    /// Wrong length or characters.
    #[error(
        "a code_verifier is 43 to 128 characters of A-Z a-z 0-9 - . _ ~; this one has {length}"
    )]
    Verifier {
        /// Bytes received.
        length: usize,
    },
}

impl CodeChallenge {
    /// Reads a challenge from its 43 characters.
    pub fn parse(text: &str) -> Result<CodeChallenge, PkceError> {
        let bytes = base64url::decode(text).map_err(|_| PkceError::Challenge)?;
        Ok(CodeChallenge(
            bytes.try_into().map_err(|_| PkceError::Challenge)?,
        ))
    }

    /// The 32 bytes of a row.
    pub fn from_bytes(bytes: [u8; 32]) -> CodeChallenge {
        CodeChallenge(bytes)
    }

    /// The 32 bytes for a row.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether the verifier hashes to this challenge (§4.6).
    pub fn accepts(&self, verifier: &CodeVerifier) -> bool {
        openssl::sha::sha256(verifier.0.expose().as_bytes())
            .ct_eq(&self.0)
            .into()
    }
}

impl CodeVerifier {
    /// Reads a verifier; the error never shows it.
    pub fn parse(text: &str) -> Result<CodeVerifier, PkceError> {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if (43..=128).contains(&text.len()) && text.bytes().all(unreserved) {
            Ok(CodeVerifier(Secret::new(text)))
        } else {
            Err(PkceError::Verifier { length: text.len() })
        }
    }
}

impl fmt::Debug for CodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeVerifier(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7636_appendix_b() {
        let challenge =
            CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert!(
            challenge.accepts(
                &CodeVerifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap()
            )
        );
        assert!(
            !challenge.accepts(
                &CodeVerifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK").unwrap()
            )
        );
    }

    #[test]
    fn rfc7636_4_1_lengths_and_characters() {
        assert!(CodeVerifier::parse(&"a".repeat(42)).is_err());
        assert!(CodeVerifier::parse(&"a".repeat(43)).is_ok());
        assert!(CodeVerifier::parse(&"~".repeat(128)).is_ok());
        assert!(CodeVerifier::parse(&"a".repeat(129)).is_err());
        assert!(CodeVerifier::parse(&"+".repeat(43)).is_err());
        assert!(CodeChallenge::parse(&"a".repeat(42)).is_err());
        assert!(CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM=").is_err());
    }
}
