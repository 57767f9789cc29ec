//! Refresh tokens: a family a grant, each token the successor of the one before (RFC 9700 §4.14.2).
//!
//! ```text
//!   R0 ── used ──▶ R1 ── used ──▶ R2        one of them is current: here R2
//!                  │
//!                  └─ used once more, soon, and R2 not used yet: R2 again (the answer was lost, or two tabs asked)
//!   R0 used once more: somebody else holds the family. It dies.
//! ```
//!
//! A family is one row: its grant's number, which generation is current, the hash of that token and of its direct predecessor.
//! An older token needs none: its text proves that it is of the family ([`handle`](crate::handle)), and its generation that it
//! was used.
//!
//! To give the *same* successor twice without having kept it, it is computed from its predecessor, a seed that is drawn when
//! it is made, and the service's key: nobody gets it from a copy of the database.

use super::Grant;
use crate::secret::Digest;

/// A refresh token that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The grant it renews; its client is the only one that may use it.
    pub grant: Grant,
    /// First second at which the family's current token is too old.
    pub expires_at: i64,
    /// The key it is bound to, if any (RFC 9449 §5).
    pub dpop_jkt: Option<String>,
    /// Whether it brought its successor already.
    pub used: bool,
}

/// The first token of a family, to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRefreshToken {
    /// The hash of its secret.
    pub hash: Digest,
    /// The key it is bound to, and those that follow it.
    pub dpop_jkt: Option<String>,
    /// First second at which it is too old.
    pub expires_at: i64,
}

/// What takes a token's place, if the token is the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// What its secret was made with, beside its predecessor's.
    pub seed: [u8; 16],
    /// The hash of its secret.
    pub hash: Digest,
    /// First second at which it is too old.
    pub expires_at: i64,
}

/// How often, and how long after its first use, a token still gets its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace {
    /// From the first use on.
    pub seconds: i64,
    /// Beside the first use.
    pub uses: u32,
}

/// What became of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The token was current; its successor is now.
    Rotated,
    /// The direct predecessor, within its grace: the same successor once more.
    Again {
        /// What it was made with.
        seed: [u8; 16],
    },
    /// An older one, or too late: the grant is revoked.
    Reused,
    /// Unknown, expired, or its grant is gone.
    Dead,
}
