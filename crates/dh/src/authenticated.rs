//! The exchange with signatures, so that nobody can sit between the two sides.
//!
//! ```text
//!   initiator                                   responder
//!   A = g^a              ------ A ------>
//!                        <-- B, signature --    B = g^b, signs (responder, both names, A, B)
//!   checks, signs        --- signature --->     checks
//!   B^a                                         A^b
//! ```
//!
//! What is signed binds the role (a signature cannot be sent back to its maker), both public values (an old signature
//! fits no new exchange) and both names (nobody can put his own name under the other's exchange: Diffie, van Oorschot
//! and Wiener, "Authentication and Authenticated Key Exchanges", 1992, and Krawczyk's SIGMA paper, 2003, show why).

use crate::error::DhError;
use crate::groups::Group;
use crate::key_pair::{KeyPair, SharedSecret};
use crate::public_value::PublicValue;

/// Who one is and whom one expects. This crate knows no certificates: keys and trust are the implementor's.
pub trait Authenticator {
    /// Why signing or verifying failed.
    type Error;

    /// Our own name.
    fn own_name(&self) -> &str;

    /// The name of the peer we want to talk to.
    fn peer_name(&self) -> &str;

    /// Signs with our own key.
    ///
    /// # Errors
    /// The key could not be used.
    fn sign(&self, transcript: &[u8]) -> Result<Vec<u8>, Self::Error>;

    /// Checks a signature against the key we trust for [`peer_name`](Authenticator::peer_name).
    ///
    /// # Errors
    /// The signature is not the peer's over this transcript.
    fn verify_peer(&self, transcript: &[u8], signature: &[u8]) -> Result<(), Self::Error>;
}

/// Which side of the exchange one is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends the first message.
    Initiator,
    /// Answers it.
    Responder,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Initiator => "initiator",
            Role::Responder => "responder",
        }
    }

    fn other(self) -> Role {
        match self {
            Role::Initiator => Role::Responder,
            Role::Responder => Role::Initiator,
        }
    }
}

/// Why an authenticated exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError<E> {
    /// The peer's signature does not hold: nothing was agreed.
    #[error("the peer's signature on the exchange does not hold: {0}")]
    Signature(E),
    /// The exchange itself failed.
    #[error(transparent)]
    Exchange(#[from] DhError),
}

impl KeyPair {
    /// Signs this side of the exchange.
    ///
    /// # Errors
    /// What the authenticator says.
    pub fn sign_exchange<A: Authenticator>(
        &self,
        role: Role,
        peer: &PublicValue,
        by: &A,
    ) -> Result<Vec<u8>, A::Error> {
        by.sign(&self.transcript(role, role, peer, by))
    }

    /// Checks the peer's signature, and only then agrees.
    ///
    /// # Errors
    /// The signature does not hold, or the exchange failed.
    pub fn agree_authenticated<A: Authenticator>(
        &self,
        role: Role,
        peer: &PublicValue,
        signature: &[u8],
        by: &A,
    ) -> Result<SharedSecret, AuthenticationError<A::Error>> {
        by.verify_peer(&self.transcript(role.other(), role, peer, by), signature)
            .map_err(AuthenticationError::Signature)?;
        Ok(self.agree(peer)?)
    }

    /// What the side `signer` signs, as seen from the side `own`.
    fn transcript<A: Authenticator>(
        &self,
        signer: Role,
        own: Role,
        peer: &PublicValue,
        by: &A,
    ) -> Vec<u8> {
        let ours = (by.own_name(), self.public());
        let theirs = (by.peer_name(), peer);
        match own {
            Role::Initiator => transcript(self.group(), signer, ours, theirs),
            Role::Responder => transcript(self.group(), signer, theirs, ours),
        }
    }
}

/// Every part with its length before it, so that no two different exchanges have the same transcript.
fn transcript(
    group: Group,
    signer: Role,
    (initiator, a): (&str, &PublicValue),
    (responder, b): (&str, &PublicValue),
) -> Vec<u8> {
    let parts: [&[u8]; 7] = [
        b"stampmill authenticated Diffie-Hellman v1",
        group.name().as_bytes(),
        signer.name().as_bytes(),
        initiator.as_bytes(),
        a.as_bytes(),
        responder.as_bytes(),
        b.as_bytes(),
    ];
    let mut transcript = Vec::new();
    for part in parts {
        transcript.extend((part.len() as u64).to_be_bytes());
        transcript.extend(part);
    }
    transcript
}
