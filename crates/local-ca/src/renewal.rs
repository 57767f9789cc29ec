//! When a certificate is exchanged for the next: what the ACME server tells its clients (RFC 9773), and what a service whose own
//! certificate comes from this authority asks itself.
//!
//! ```text
//!   notBefore                          2/3 of the life            notAfter
//!      ├──────────────────────────────────────┼──────┼───────────────┤
//!                                             └window┘  a 24th of the life
//!   revoked: the window is over already
//! ```

use crate::certificate::Certificate;
use crate::der::oid;
use crate::keys::{KeyKind, LeafKey, PublicKey};
use crate::moment::DAY;
use crate::profile::{Profile, ProfileError};
use crate::request::{CertificateRequest, RequestError};
use crate::store::Entry;
use crate::subject;

/// What the next certificate is made with: as the one before, and a key of its own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Successor {
    /// The kind of its key.
    pub key: KeyKind,
    /// Its profile, and as many days.
    pub profile: Profile,
    before: Certificate,
}

impl Successor {
    /// As the records have the one before; of another length where `days` says so.
    ///
    /// # Errors
    /// [`ProfileError::Unknown`], where its profile is none of this version's.
    pub fn of(entry: &Entry, days: Option<u32>) -> Result<Self, ProfileError> {
        let before = entry.certificate();
        let profile: Profile = entry.profile.parse()?;
        let seconds = entry.not_after - entry.not_before + 1;
        let profile = match (days, u32::try_from(seconds / DAY)) {
            (Some(days), _) => profile.days(days),
            // somebody allowed that long a life before
            (None, Ok(days)) if seconds % DAY == 0 => profile.days(days).long(),
            // what was cut to its issuer's life gets the profile's length
            (None, _) => profile,
        };
        Ok(Self {
            key: kind_of(&before),
            profile,
            before,
        })
    }

    /// The request for it: the same common name and names, signed with the new key.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn request(&self, key: &LeafKey) -> Result<CertificateRequest, RequestError> {
        let attributes = subject::attributes(self.before.parsed().subject);
        let mut attributes = attributes.into_iter();
        let common_name = attributes.find(|(kind, _)| kind == oid::COMMON_NAME);
        let common_name = common_name.map_or(String::new(), |(_, text)| text);
        CertificateRequest::for_key(key, &common_name, &self.before.names())
    }
}

/// The kind of its key, P-256 where that is none that is made here.
fn kind_of(certificate: &Certificate) -> KeyKind {
    let plain = |text: &str| -> String {
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|c| c.to_ascii_lowercase()).collect()
    };
    let described = PublicKey::from_spki(certificate.parsed().spki).map(|key| key.describe());
    let described = plain(described.unwrap_or_default().trim_end_matches(" bits"));
    let mut kinds = KeyKind::all();
    kinds
        .find(|kind| plain(kind.name()) == described)
        .unwrap_or_default()
}

/// From when to when a certificate should be replaced, in seconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenewalWindow {
    /// Its first second.
    pub start: i64,
    /// Its last second.
    pub end: i64,
}

impl RenewalWindow {
    /// When two thirds of the life are over, for a 24th of it; for a revoked certificate the hour before its revocation, which is: now
    /// (RFC 9773 §4.2).
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        if let Some((at, _)) = entry.revoked {
            return Self {
                start: at - 3600,
                end: at - 1,
            };
        }
        let life = entry.not_after - entry.not_before;
        let start = entry.not_before + life * 2 / 3;
        Self {
            start,
            end: start + (life / 24).max(1),
        }
    }

    /// A moment within the window, so that what was issued on one day is not renewed in one second. It is drawn from the serial number,
    /// which is random: whoever asks again, after a restart, gets the same moment.
    ///
    /// `serial` is hexadecimal, as [`Entry::serial`] has it.
    #[must_use]
    pub fn moment(&self, serial: &str) -> i64 {
        let digits = serial.get(serial.len().saturating_sub(8)..);
        let drawn = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let width = (self.end - self.start).max(0) + 1;
        self.start + i64::from(drawn.unwrap_or(0)) % width
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_lie_within_and_are_not_all_one() {
        let window = RenewalWindow {
            start: 1000,
            end: 1099,
        };
        let moments: Vec<i64> = [
            "00000000",
            "00000063",
            "ab00000064",
            "ffffffffffffffff",
            "1",
            "",
        ]
        .iter()
        .map(|serial| window.moment(serial))
        .collect();
        assert_eq!(moments, [1000, 1099, 1000, 1095, 1001, 1000]);
    }
}
