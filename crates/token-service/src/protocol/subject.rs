//! What a person is called (`sub`): OIDC Core §8.
//!
//! A *public* name is the same for every client. A *pairwise* one is the same within a sector, the host its clients return
//! people to, and another in each: two clients that lay their lists of people beside each other learn nothing. It is computed
//! with a key of ours (§8.1: "any algorithm ... with a salt that is kept secret"), so there is nothing to store and nobody
//! else can tell whether two names are one person.

use super::Service;
use crate::domain::{Client, UserId};

impl Service {
    /// `sub` of a person for a client, wherever it is told.
    pub(super) fn subject(&self, client: &Client, user: &UserId) -> String {
        match &client.sector {
            None => user.to_string(),
            // With the prefix of all people's names, so that it cannot be a client's id (RFC 9068 §5).
            Some(sector) => format!(
                "{}{}",
                UserId::PREFIX,
                self.sealing
                    .pseudonym("pairwise subject", &format!("{sector} {user}"))
            ),
        }
    }
}
