//! What a request asks for besides names. Nothing of it is copied: a wish for what the profile gives anyway is harmless, any other
//! is refused by name.

use crate::certificate::hex;
use crate::der::{self, NotDer, oid};
use crate::profile::{KEY_ENCIPHERMENT, ProfileError, Role, Row};
use crate::request::RequestError;

/// The wishes of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// basicConstraints with cA TRUE.
    authority: bool,
    key_usage: u16,
    extended_key_usage: Vec<Vec<u8>>,
    /// Critical extensions that nobody here knows.
    unknown_critical: Option<String>,
}

/// Extensions that the authority alone decides about: a request that has one expects what it will not get.
const REFUSED: &[&[u8]] = &[
    oid::NAME_CONSTRAINTS,
    oid::CERTIFICATE_POLICIES,
    oid::CRL_DISTRIBUTION_POINTS,
    oid::AUTHORITY_KEY_IDENTIFIER,
    oid::AUTHORITY_INFO_ACCESS,
    oid::ISSUER_ALT_NAME,
    oid::TLS_FEATURE,
];

impl Wishes {
    /// Takes in one extension of the request.
    pub(crate) fn read(
        &mut self,
        kind: &[u8],
        critical: bool,
        value: &[u8],
    ) -> Result<(), RequestError> {
        match kind {
            oid::BASIC_CONSTRAINTS => {
                let mut constraints = der::only(value, der::SEQUENCE)?.inside();
                self.authority = constraints
                    .optional(der::BOOLEAN)?
                    .is_some_and(|ca| ca.contents != [0]);
            }
            oid::KEY_USAGE => self.key_usage = usage_bits(value)?,
            oid::EXTENDED_KEY_USAGE => {
                let mut purposes = der::only(value, der::SEQUENCE)?.inside();
                while !purposes.is_empty() {
                    let purpose = purposes.expect(der::OID)?.contents;
                    self.extended_key_usage.push(purpose.to_vec());
                }
            }
            // It repeats the key, and we write it ourselves.
            oid::SUBJECT_KEY_IDENTIFIER => {}
            known if REFUSED.contains(&known) => {
                return Err(RequestError::Extension {
                    extension: oid::name(known),
                });
            }
            unknown if critical => {
                self.unknown_critical = Some(oid::name(&unknown[..unknown.len().min(32)]));
            }
            // RFC 5280 §4.2: who does not know an extension that is not critical passes over it
            _ => {}
        }
        Ok(())
    }

    /// Whether a profile gives what is wished for.
    pub(crate) fn check(&self, row: &Row) -> Result<(), ProfileError> {
        let refuse = |what: String| {
            Err(ProfileError::Wish {
                profile: row.name,
                what,
            })
        };
        if let Some(unknown) = &self.unknown_critical {
            return refuse(format!("the critical extension {unknown}"));
        }
        if self.authority && row.role != Role::SubCa {
            return refuse("basicConstraints CA:TRUE".to_owned());
        }
        // RSA keys may encipher in TLS 1.2, and many programs ask for it whatever the key.
        let granted = row.key_usage | KEY_ENCIPHERMENT;
        if let Some(bit) = (0..9).find(|bit| (self.key_usage & !granted) >> bit & 1 == 1) {
            return refuse(format!("keyUsage {}", crate::explain::KEY_USAGES[bit]));
        }
        // A program that does not know which part it will play asks for both: the two TLS parts are no danger to each other here,
        // because only the profile's is written.
        let tls = [oid::SERVER_AUTH, oid::CLIENT_AUTH];
        let plays_tls = row.extended_key_usage.iter().any(|one| tls.contains(one));
        let odd = self.extended_key_usage.iter().find(|wish| {
            let wish = wish.as_slice();
            !(row.extended_key_usage.contains(&wish) || plays_tls && tls.contains(&wish))
        });
        match odd {
            None => Ok(()),
            Some(wish) => refuse(format!("extendedKeyUsage {}", purpose(wish))),
        }
    }
}

fn purpose(octets: &[u8]) -> String {
    match octets.len() {
        0..=32 => oid::name(octets),
        _ => hex(&octets[..32]),
    }
}

/// The bits of keyUsage, bit 0 first.
fn usage_bits(value: &[u8]) -> Result<u16, NotDer> {
    let contents = der::only(value, der::BIT_STRING)?.contents;
    let (first, second) = match contents {
        [_unused, first] => (*first, 0),
        [_unused, first, second] => (*first, *second),
        [0] => (0, 0),
        _ => return Err(NotDer),
    };
    Ok(u16::from_be_bytes([first, second]).reverse_bits())
}
