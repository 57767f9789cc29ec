//! Refresh tokens: a family a grant, each token the successor of the one before (RFC 9700 §4.14.2).
//!
//! ```text
//!   R0 ── used ──▶ R1 ── used ──▶ R2        one of them is current: here R2
//!                  │
//!                  └─ used once more, soon, and R2 not used yet: R2 again (the answer was lost, or two tabs asked)
//!   R0 used once more: somebody else holds the family. It dies.
//! ```
//!
//! The store keeps the hash of each. To give the *same* successor twice without having kept it, a token's successor is
//! computed from the token, a seed in its row and the service's key: nobody gets it from a copy of the database.

use super::Grant;
use crate::secret::Digest;

/// A refresh token's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The grant it renews; its client is the only one that may use it.
    pub grant: Grant,
    /// With the token and the service's key it makes the successor.
    pub seed: [u8; 16],
    /// First second at which it is too old.
    pub expires_at: i64,
    /// The key it is bound to, if any (RFC 9449 §5).
    pub dpop_jkt: Option<String>,
    /// Whether it brought its successor already.
    pub used: bool,
}

/// A refresh token to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRefreshToken {
    /// Its hash.
    pub hash: Digest,
    /// For its own successor.
    pub seed: [u8; 16],
    /// The key it is bound to.
    pub dpop_jkt: Option<String>,
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
    Again,
    /// An older one, or too late: the grant is revoked.
    Reused,
    /// Unknown, expired, or its grant is gone.
    Dead,
}
