//! What can go wrong, by whose fault.

use stampmill_modexp::{ModulusError, OperandError};

use crate::groups::Group;

/// Why a peer's public value was refused: the peer's fault, or somebody's between.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicValueError {
    /// Outside `2 ..= p - 2` (RFC 7919 §5.1, NIST SP 800-56A Rev. 3 §5.6.2.3.1): 0, 1 and p - 1 force the shared secret.
    #[error("public value is {found}; group {group} allows 2 to p - 2")]
    OutOfRange {
        /// The group.
        group: Group,
        /// What was found.
        found: OutOfRange,
    },
    /// Not in the subgroup that `g` generates: an honest peer never sends it, and it tells one bit of our private value.
    #[error(
        "public value is outside the subgroup of group {group} that its generator spans (not a quadratic residue)"
    )]
    OutsideSubgroup {
        /// The group.
        group: Group,
    },
}

/// Where a public value lies that is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfRange {
    /// Zero: every power of it is zero.
    #[error("0")]
    Zero,
    /// One: every power of it is one.
    #[error("1")]
    One,
    /// `p - 1`, which is -1: its powers are 1 and -1.
    #[error("p - 1")]
    MinusOne,
    /// `p` or above: not a residue at all.
    #[error("p or above")]
    NotBelowP,
}

/// Why an operation on our own side failed.
#[derive(Debug, thiserror::Error)]
pub enum DhError {
    /// The engine named by `STAMPMILL_ENGINE` cannot be used.
    #[error(transparent)]
    Engine(ModulusError),
    /// The random number generator failed.
    #[error("the random number generator failed: {0}")]
    Random(String),
    /// A private value outside `1 ..= p - 2`.
    #[error("private value is outside 1 to p - 2 of group {group}")]
    PrivateValue {
        /// The group.
        group: Group,
    },
    /// The private value has more bytes than arithmetic takes, leading zeros counted.
    #[error(transparent)]
    Operand(#[from] OperandError),
    /// The two sides use different groups.
    #[error("our key pair is of group {ours}, the peer's public value of group {theirs}")]
    GroupMismatch {
        /// Our group.
        ours: Group,
        /// The peer's.
        theirs: Group,
    },
    /// HKDF with SHA-256 gives at most 255 · 32 bytes (RFC 5869 §2.3).
    #[error("{requested} bytes of key requested; HKDF-SHA-256 gives at most 8160")]
    KeyLength {
        /// The number of bytes asked for.
        requested: usize,
    },
}
