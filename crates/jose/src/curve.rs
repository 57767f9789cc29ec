//! The table of elliptic curves (RFC 7518 §6.2.1.1).

use openssl::nid::Nid;
use stampmill_rsa::Hash;

use crate::algorithm::Algorithm;

/// A NIST curve. Each has one algorithm, and that has one hash (§3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

/// What a row says.
struct Row {
    curve: Curve,
    /// The value of `crv`.
    name: &'static str,
    /// What OpenSSL calls it.
    nid: Nid,
    /// Octets of a coordinate, and of each half of a signature (§6.2.1.2, §3.4).
    coordinate_bytes: usize,
    algorithm: Algorithm,
    hash: Hash,
}

/// In the order of the enum.
const TABLE: [Row; 3] = [
    Row {
        curve: Curve::P256,
        name: "P-256",
        nid: Nid::X9_62_PRIME256V1,
        coordinate_bytes: 32,
        algorithm: Algorithm::Es256,
        hash: Hash::Sha256,
    },
    Row {
        curve: Curve::P384,
        name: "P-384",
        nid: Nid::SECP384R1,
        coordinate_bytes: 48,
        algorithm: Algorithm::Es384,
        hash: Hash::Sha384,
    },
    Row {
        curve: Curve::P521,
        name: "P-521",
        nid: Nid::SECP521R1,
        coordinate_bytes: 66,
        algorithm: Algorithm::Es512,
        hash: Hash::Sha512,
    },
];

impl Curve {
    /// Every curve, in the order of the table.
    pub(crate) const ALL: [Self; TABLE.len()] = [TABLE[0].curve, TABLE[1].curve, TABLE[2].curve];

    /// The curve that `crv` names.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.name() == name)
    }

    /// The curve that OpenSSL calls so.
    pub(crate) fn from_nid(nid: Nid) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.nid() == nid)
    }

    pub(crate) fn name(self) -> &'static str {
        self.row().name
    }

    pub(crate) fn nid(self) -> Nid {
        self.row().nid
    }

    pub(crate) fn coordinate_bytes(self) -> usize {
        self.row().coordinate_bytes
    }

    pub(crate) fn algorithm(self) -> Algorithm {
        self.row().algorithm
    }

    pub(crate) fn hash(self) -> Hash {
        self.row().hash
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Scheme;

    #[test]
    fn rows_belong_to_their_curves() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.curve as usize, index, "the order of the enum");
            assert_eq!(Curve::from_name(row.name), Some(row.curve));
            assert_eq!(Curve::from_nid(row.nid), Some(row.curve));
            assert_eq!(row.algorithm.scheme(), Scheme::Ec(row.curve));
        }
        assert_eq!(Curve::from_name("P-224"), None);
        assert_eq!(Curve::from_nid(Nid::SECP256K1), None);
    }
}
