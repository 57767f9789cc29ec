//! The table of signature algorithms: one row says everything this crate knows about one.

use std::fmt;

use stampmill_rsa::{Hash, Scheme as RsaScheme};

use crate::curve::Curve;
use crate::hash;

/// A digital signature algorithm of RFC 7518, RFC 8037 or RFC 9864 that this crate signs and verifies with.
///
/// There is no `None`, and the HMACs are another type, [`MacAlgorithm`](crate::MacAlgorithm): what cannot be named here
/// cannot be accepted for a public key (RFC 8725 §3.1, §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384 (RFC 7518 §3.3).
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512 (RFC 7518 §3.3).
    Rs512,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and 32 bytes of salt (RFC 7518 §3.5).
    Ps256,
    /// RSASSA-PSS with SHA-384, MGF1 with SHA-384 and 48 bytes of salt (RFC 7518 §3.5).
    Ps384,
    /// RSASSA-PSS with SHA-512, MGF1 with SHA-512 and 64 bytes of salt (RFC 7518 §3.5).
    Ps512,
    /// ECDSA on P-256 with SHA-256; signatures have 64 bytes (RFC 7518 §3.4).
    Es256,
    /// ECDSA on P-384 with SHA-384; signatures have 96 bytes (RFC 7518 §3.4).
    Es384,
    /// ECDSA on P-521 with SHA-512; signatures have 132 bytes (RFC 7518 §3.4).
    Es512,
    /// Ed25519 by the name that RFC 8037 §3.1 gave it, which leaves the curve to the key.
    EdDsa,
    /// Ed25519 by the name of RFC 9864 §2.2, which says it all.
    Ed25519,
}

/// What an algorithm does, and with what kind of key: each variant carries all that its kind of key needs, so that
/// a key of another kind has nothing to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Rsa(RsaScheme),
    Ec(Curve),
    Ed25519,
}

/// What a row says.
struct Row {
    algorithm: Algorithm,
    /// The value of `alg`.
    name: &'static str,
    /// What it is, for people.
    description: &'static str,
    scheme: Scheme,
}

/// In the order of the enum.
const TABLE: [Row; 11] = [
    Row {
        algorithm: Algorithm::Rs256,
        name: "RS256",
        description: "RSASSA-PKCS1-v1_5 with SHA-256",
        scheme: Scheme::Rsa(RsaScheme::RS256),
    },
    Row {
        algorithm: Algorithm::Rs384,
        name: "RS384",
        description: "RSASSA-PKCS1-v1_5 with SHA-384",
        scheme: Scheme::Rsa(RsaScheme::RS384),
    },
    Row {
        algorithm: Algorithm::Rs512,
        name: "RS512",
        description: "RSASSA-PKCS1-v1_5 with SHA-512",
        scheme: Scheme::Rsa(RsaScheme::RS512),
    },
    Row {
        algorithm: Algorithm::Ps256,
        name: "PS256",
        description: "RSASSA-PSS with SHA-256",
        scheme: Scheme::Rsa(RsaScheme::PS256),
    },
    Row {
        algorithm: Algorithm::Ps384,
        name: "PS384",
        description: "RSASSA-PSS with SHA-384",
        scheme: Scheme::Rsa(RsaScheme::PS384),
    },
    Row {
        algorithm: Algorithm::Ps512,
        name: "PS512",
        description: "RSASSA-PSS with SHA-512",
        scheme: Scheme::Rsa(RsaScheme::PS512),
    },
    Row {
        algorithm: Algorithm::Es256,
        name: "ES256",
        description: "ECDSA on P-256 with SHA-256",
        scheme: Scheme::Ec(Curve::P256),
    },
    Row {
        algorithm: Algorithm::Es384,
        name: "ES384",
        description: "ECDSA on P-384 with SHA-384",
        scheme: Scheme::Ec(Curve::P384),
    },
    Row {
        algorithm: Algorithm::Es512,
        name: "ES512",
        description: "ECDSA on P-521 with SHA-512",
        scheme: Scheme::Ec(Curve::P521),
    },
    Row {
        algorithm: Algorithm::EdDsa,
        name: "EdDSA",
        description: "EdDSA on the curve of the key, Ed25519 here",
        scheme: Scheme::Ed25519,
    },
    Row {
        algorithm: Algorithm::Ed25519,
        name: "Ed25519",
        description: "EdDSA on Ed25519",
        scheme: Scheme::Ed25519,
    },
];

impl Algorithm {
    /// Every algorithm, in the order of the table.
    pub const ALL: [Self; TABLE.len()] = {
        let mut all = [Self::Rs256; TABLE.len()];
        let mut index = 0;
        while index < TABLE.len() {
            all[index] = TABLE[index].algorithm;
            index += 1;
        }
        all
    };

    /// The algorithm named `name`, compared exactly: `rs256` is not `RS256` (RFC 7515 §4.1.1).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE
            .iter()
            .find(|row| row.name == name)
            .map(|row| row.algorithm)
    }

    /// The value of `alg`, for instance `RS256`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What it is, for people: `ECDSA on P-256 with SHA-256`.
    #[must_use]
    pub fn description(self) -> &'static str {
        self.row().description
    }

    /// How many bytes each of its signatures has; RSA has as many as the key's modulus, which only the key knows.
    #[must_use]
    pub fn signature_bytes(self) -> Option<usize> {
        match self.scheme() {
            Scheme::Rsa(_) => None,
            Scheme::Ec(curve) => Some(2 * curve.coordinate_bytes()),
            Scheme::Ed25519 => Some(64),
        }
    }

    /// The value of `kty` that its keys have: `RSA`, `EC` or `OKP`.
    #[must_use]
    pub fn key_type(self) -> &'static str {
        match self.scheme() {
            Scheme::Rsa(_) => "RSA",
            Scheme::Ec(_) => "EC",
            Scheme::Ed25519 => "OKP",
        }
    }

    /// The left half of the algorithm's hash of `text`, in base64url: the value of `at_hash` for an access token and of
    /// `c_hash` for a code (OpenID Connect Core §3.1.3.6, §3.3.2.11). Ed25519 hashes with SHA-512 (RFC 8032 §5.1).
    ///
    /// ```
    /// use stampmill_jose::Algorithm;
    /// // the access token and at_hash of OpenID Connect Core Appendix A.3
    /// let at_hash = Algorithm::Rs256.left_half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y");
    /// assert_eq!(at_hash, "77QmUPtjPfzWtF2AnpK9RQ");
    /// ```
    #[must_use]
    pub fn left_half_hash(self, text: &str) -> String {
        let hash = hash::digest(self.hash(), text.as_bytes());
        crate::base64url::encode(&hash[..hash.len() / 2])
    }

    pub(crate) fn scheme(self) -> Scheme {
        self.row().scheme
    }

    fn hash(self) -> Hash {
        match self.scheme() {
            Scheme::Rsa(scheme) => scheme.hash(),
            Scheme::Ec(curve) => curve.hash(),
            Scheme::Ed25519 => Hash::Sha512,
        }
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An allow-list of algorithms (RFC 8725 §3.1).
///
/// ```
/// use stampmill_jose::{Algorithm, AlgorithmSet};
/// let allowed = AlgorithmSet::of(&[Algorithm::Es256, Algorithm::Ps256]);
/// assert!(allowed.contains(Algorithm::Ps256) && !allowed.contains(Algorithm::Rs256));
/// assert_eq!(allowed.to_string(), "PS256, ES256");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AlgorithmSet(u16);

impl AlgorithmSet {
    /// Every [`Algorithm`].
    pub const ALL: Self = Self::of(&Algorithm::ALL);
    /// What the FAPI 2.0 Security Profile permits (§5.4.1): PS256, ES256 and Ed25519 by both names.
    pub const FAPI: Self = Self::of(&[
        Algorithm::Ps256,
        Algorithm::Es256,
        Algorithm::EdDsa,
        Algorithm::Ed25519,
    ]);

    /// These algorithms and no others.
    #[must_use]
    pub const fn of(algorithms: &[Algorithm]) -> Self {
        let mut set = 0;
        let mut index = 0;
        while index < algorithms.len() {
            set |= 1 << algorithms[index] as u16;
            index += 1;
        }
        Self(set)
    }

    /// Whether `algorithm` is one of them.
    #[must_use]
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & (1 << algorithm as u16) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The algorithms that are in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The algorithms, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL
            .into_iter()
            .filter(move |&algorithm| self.contains(algorithm))
    }
}

impl fmt::Display for AlgorithmSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Algorithm::name).collect();
        match names.is_empty() {
            true => f.write_str("no algorithm"),
            false => f.write_str(&names.join(", ")),
        }
    }
}

impl fmt::Debug for AlgorithmSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_closed_and_exact() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.algorithm as usize, index, "the order of the enum");
            assert_eq!(Algorithm::from_name(row.name), Some(row.algorithm));
            assert_eq!(row.algorithm.name(), row.name);
            let alone = AlgorithmSet::of(&[row.algorithm]);
            assert!(alone.iter().eq([row.algorithm]));
        }
        for refused in [
            "none", "None", "NONE", "HS256", "rs256", "RS256 ", "", "ES256K", "ES521", "Ed448",
        ] {
            assert_eq!(Algorithm::from_name(refused), None, "{refused}");
        }
    }
}
