//! Scopes: a set of words a client asks for (RFC 6749 §3.3).

use std::fmt;
use std::str::FromStr;

/// A set of scope tokens, kept in the order of asking (which means nothing).
///
/// ```
/// use stampmill_token_service::domain::Scope;
/// let asked: Scope = "openid email openid".parse().unwrap();
/// assert_eq!(asked.to_string(), "openid email");
/// assert!(asked.contains("email") && !asked.contains("profile"));
/// assert!("openid \"quoted\"".parse::<Scope>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope(Vec<String>);

/// Why a text is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Not a character RFC 6749 §3.3 allows.
    #[error("scope tokens hold the characters 0x21, 0x23-0x5B and 0x5D-0x7E; found {found:?}")]
    Character {
        /// The offending character.
        found: char,
    },
    /// More bytes than any honest scope has.
    #[error("a scope has at most {} bytes; found {found}", Scope::MAX_BYTES)]
    TooLong {
        /// Its length.
        found: usize,
    },
    /// More words than any honest scope has.
    #[error("a scope has at most {} words", Scope::MAX_TOKENS)]
    TooMany,
}

impl Scope {
    /// Longest scope that is read, in bytes. Anyone may send one, so its length bounds what reading it costs.
    pub const MAX_BYTES: usize = 1024;

    /// Most words in a scope, repeated ones counted once.
    pub const MAX_TOKENS: usize = 64;

    /// Asks for a refresh token (OIDC Core §11).
    pub const OFFLINE_ACCESS: &str = "offline_access";

    /// Scopes about the signed-in person (OIDC Core §5.4, §11). They mean nothing without one.
    pub const OF_PERSONS: [&str; 6] = [
        "openid",
        "profile",
        "email",
        "address",
        "phone",
        Scope::OFFLINE_ACCESS,
    ];

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the token is in the set.
    pub fn contains(&self, token: &str) -> bool {
        self.0.iter().any(|mine| mine == token)
    }

    /// Whether every token of this set is in the other.
    pub fn is_subset(&self, other: &Scope) -> bool {
        self.0.iter().all(|token| other.contains(token))
    }

    /// Whether both hold the same tokens, in whatever order.
    pub fn same_set(&self, other: &Scope) -> bool {
        self.is_subset(other) && other.is_subset(self)
    }

    /// The tokens of this set that `keep` accepts.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) -> Scope {
        Scope(self.0.iter().filter(|token| keep(token)).cloned().collect())
    }

    /// This set and the other together.
    pub fn union(&self, other: &Scope) -> Scope {
        let added = other.0.iter().filter(|token| !self.contains(token));
        Scope(self.0.iter().chain(added).cloned().collect())
    }

    /// The tokens, in the order of asking.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Scope, ScopeError> {
        if text.len() > Scope::MAX_BYTES {
            return Err(ScopeError::TooLong { found: text.len() });
        }
        let mut tokens: Vec<String> = Vec::new();
        for token in text.split(' ').filter(|token| !token.is_empty()) {
            if let Some(found) = token
                .chars()
                .find(|c| !matches!(c, '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e'))
            {
                return Err(ScopeError::Character { found });
            }
            if tokens.iter().any(|known| known == token) {
                continue;
            }
            if tokens.len() == Scope::MAX_TOKENS {
                return Err(ScopeError::TooMany);
            }
            tokens.push(token.to_owned());
        }
        Ok(Scope(tokens))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_means_nothing() {
        let one: Scope = "openid email".parse().unwrap();
        let other: Scope = " email  openid ".parse().unwrap();
        assert!(one.same_set(&other));
        assert!(!one.same_set(&"openid".parse().unwrap()));
    }

    #[test]
    fn rfc6749_3_3_characters() {
        for bad in ["a\"b", "a\\b", "a\tb", "ä", "a\nb"] {
            assert!(bad.parse::<Scope>().is_err(), "{bad:?}");
        }
        assert!(matches!(
            "a\"b".parse::<Scope>(),
            Err(ScopeError::Character { found: '"' })
        ));
        assert_eq!("!#[]~".parse::<Scope>().unwrap().to_string(), "!#[]~");
    }

    #[test]
    fn bounded_in_bytes_and_words() {
        let words = |count: usize| {
            (0..count)
                .map(|n| format!("s{n}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert!(words(Scope::MAX_TOKENS).parse::<Scope>().is_ok());
        assert_eq!(
            words(Scope::MAX_TOKENS + 1).parse::<Scope>(),
            Err(ScopeError::TooMany)
        );
        assert!("a".repeat(Scope::MAX_BYTES).parse::<Scope>().is_ok());
        assert_eq!("a ".repeat(500).parse::<Scope>().unwrap().to_string(), "a");
        let sixty_kilobytes = words(10_000);
        assert!(sixty_kilobytes.len() > 58_000);
        let found = sixty_kilobytes.len();
        assert_eq!(
            sixty_kilobytes.parse::<Scope>(),
            Err(ScopeError::TooLong { found })
        );
    }
}
