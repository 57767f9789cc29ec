//! Device authorization (RFC 8628): a device without a keyboard shows a short code, and a person types it elsewhere.

use std::fmt;

use super::{ClientId, Grant, Resource, Scope};
use crate::clock::{Random, random_bytes};

/// What the person types: eight of twenty consonants (§6.1: no vowels, so no words), 34 bits. It lives ten minutes, and
/// tries are counted (§5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCode(String);

impl UserCode {
    const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
    const LENGTH: usize = 8;

    /// A fresh code.
    pub fn generate(random: &dyn Random) -> UserCode {
        let mut code = String::with_capacity(UserCode::LENGTH);
        while code.len() < UserCode::LENGTH {
            let [byte] = random_bytes::<1>(random);
            // 240 = 12 * 20: larger bytes are thrown away, so that no letter is likelier than another.
            if byte < 240 {
                code.push(char::from(UserCode::ALPHABET[usize::from(byte % 20)]));
            }
        }
        UserCode(code)
    }

    /// Reads what was typed, in whatever case and with whatever between the letters (§6.1).
    ///
    /// ```
    /// use stampmill_token_service::domain::UserCode;
    /// let code = UserCode::parse(" wdjb-mjht").unwrap();
    /// assert_eq!(code.to_string(), "WDJB-MJHT");
    /// assert!(UserCode::parse("WDJB-MJH").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<UserCode> {
        if text.len() > 64 {
            return None;
        }
        let letters: String = text
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|letter| letter.to_ascii_uppercase())
            .collect();
        let legal = letters
            .bytes()
            .all(|byte| UserCode::ALPHABET.contains(&byte));
        (letters.len() == UserCode::LENGTH && legal).then_some(UserCode(letters))
    }

    pub(crate) fn from_store(letters: String) -> UserCode {
        UserCode(letters)
    }

    /// The eight letters.
    pub fn letters(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserCode {
    /// In two groups, as people read it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(UserCode::LENGTH / 2);
        write!(f, "{first}-{second}")
    }
}

/// What a device asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRequest {
    /// What the person types.
    pub user_code: UserCode,
    /// The only client that may redeem the device code.
    pub client: ClientId,
    /// What it asks for.
    pub scope: Scope,
    /// Whom tokens may be for.
    pub resources: Vec<Resource>,
    /// First second at which both codes are too old.
    pub expires_at: i64,
}

/// What a device hears when it polls (§3.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Polled {
    /// Nobody has decided yet.
    Pending,
    /// Nor yet, and it asked too soon: five seconds more between polls from now on.
    TooSoon,
    /// The person said no.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// The person said yes.
    Allowed(Box<Grant>),
    /// Never issued, another client's, or redeemed.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandom;

    #[test]
    fn rfc8628_6_1_codes_are_consonants_read_without_case_or_punctuation() {
        let code = UserCode::generate(&SystemRandom);
        assert_eq!(UserCode::parse(&code.to_string()), Some(code.clone()));
        let sloppy = format!(" {} . {} ", &code.letters()[..3], &code.letters()[3..]);
        assert_eq!(UserCode::parse(&sloppy.to_lowercase()), Some(code));
        for bad in ["", "AAAA-AAAA", "BCDF-GHJ", "BCDF-GHJKL", "BCDF-GHJ1"] {
            assert_eq!(UserCode::parse(bad), None, "{bad}");
        }
    }
}
