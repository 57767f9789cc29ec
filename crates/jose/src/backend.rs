//! Who does the arithmetic of RSA. Everything else of a token is the same for both; so are the bytes of an RS256 signature,
//! because RSASSA-PKCS1-v1_5 has no randomness (RFC 8017 §8.2).

use std::fmt;
use std::str::FromStr;

use crate::error::KeyError;

/// Which implementation of RSA signs or verifies. Elliptic curves are always OpenSSL's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// OpenSSL's.
    #[default]
    OpenSsl,
    /// `stampmill-rsa`, over this project's own modular exponentiation: moduli up to 4096 bits.
    Stampmill,
}

impl Backend {
    /// Every backend.
    pub const ALL: &[Self] = &[Self::OpenSsl, Self::Stampmill];

    /// Its name in settings: `openssl` or `stampmill`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenSsl => "openssl",
            Self::Stampmill => "stampmill",
        }
    }

    /// The error of a key that this backend does not take.
    pub(crate) fn refused(self, reason: &dyn fmt::Display) -> KeyError {
        KeyError::Backend {
            backend: self.name(),
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = KeyError;

    fn from_str(name: &str) -> Result<Self, KeyError> {
        Self::ALL
            .iter()
            .copied()
            .find(|backend| backend.name() == name)
            .ok_or(KeyError::Member {
                member: "backend",
                expected: "openssl or stampmill",
            })
    }
}
