//! The table of signature algorithms: one row says everything this crate knows about one.

use std::fmt;

/// A signature algorithm of RFC 7518 that this crate signs and verifies with.
///
/// There is no `None` and no HMAC: what cannot be named cannot be accepted (RFC 8725 §3.1, §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
    Rs256,
}

/// What a row says.
struct Row {
    algorithm: Algorithm,
    /// The value of `alg`.
    name: &'static str,
    /// The value of `kty` of the keys it works with.
    key_type: &'static str,
    /// The hash that `at_hash`, `c_hash` and `s_hash` are made with (OpenID Connect Core §3.1.3.6).
    hash: fn(&[u8]) -> Vec<u8>,
}

const TABLE: &[Row] = &[Row {
    algorithm: Algorithm::Rs256,
    name: "RS256",
    key_type: "RSA",
    hash: |bytes| openssl::sha::sha256(bytes).to_vec(),
}];

impl Algorithm {
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

    /// The value of `kty` that its keys have, for instance `RSA`.
    #[must_use]
    pub fn key_type(self) -> &'static str {
        self.row().key_type
    }

    /// The left half of the algorithm's hash of `text`, in base64url: the value of `at_hash` for an access token and of
    /// `c_hash` for a code (OpenID Connect Core §3.1.3.6, §3.3.2.11).
    ///
    /// ```
    /// use stampmill_jose::Algorithm;
    /// // the access token and at_hash of OpenID Connect Core Appendix A.3
    /// let at_hash = Algorithm::Rs256.left_half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y");
    /// assert_eq!(at_hash, "77QmUPtjPfzWtF2AnpK9RQ");
    /// ```
    #[must_use]
    pub fn left_half_hash(self, text: &str) -> String {
        let hash = (self.row().hash)(text.as_bytes());
        crate::base64url::encode(&hash[..hash.len() / 2])
    }

    fn row(self) -> &'static Row {
        TABLE
            .iter()
            .find(|row| row.algorithm == self)
            .expect("every algorithm has a row: a test walks the enum")
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// SHA-256 of `bytes` (FIPS 180-4), 32 bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    openssl::sha::sha256(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_closed_and_exact() {
        for row in TABLE {
            assert_eq!(Algorithm::from_name(row.name), Some(row.algorithm));
            assert_eq!(row.algorithm.name(), row.name);
        }
        for refused in [
            "none", "None", "NONE", "HS256", "rs256", "RS256 ", "", "RS384",
        ] {
            assert_eq!(Algorithm::from_name(refused), None, "{refused}");
        }
    }
}
