//! Questions: `OCSPRequest` (RFC 6960 §4.1.1), as strictly as everything that comes from outside.

use openssl::sha::{sha1, sha256, sha384, sha512};

use crate::authority::Issuer;
use crate::der::{self, Der, Element, NotDer, oid};

/// Longest question that is read: one about one certificate has about 100 bytes (RFC 5019 §2.1.1 allows one), a signed one a few
/// thousand. Most certificates in one.
pub(crate) const MAX_BYTES: usize = 8 * 1024;
const MAX_IDS: usize = 100;
/// A nonce has 1 to 128 octets (RFC 9654 §2.1).
const MAX_NONCE: usize = 128;

/// What is asked.
pub(super) struct OcspRequest<'a> {
    pub(super) ids: Vec<CertId<'a>>,
    /// The nonce extension's value as it came, to be sent back unchanged.
    pub(super) nonce: Option<&'a [u8]>,
}

/// Whether the first is the hash of the second. OpenSSL's plain functions: the way over its providers costs more than the hash.
type IsHashOf = fn(&[u8], &[u8]) -> bool;

/// `CertID`: a certificate by its issuer's hashes and its serial number.
pub(crate) struct CertId<'a> {
    /// As it stands: the answer repeats it.
    pub(super) whole: &'a [u8],
    is_hash_of: IsHashOf,
    name_hash: &'a [u8],
    key_hash: &'a [u8],
    /// Contents octets.
    pub(crate) serial: &'a [u8],
}

impl<'a> OcspRequest<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, NotDer> {
        if bytes.len() > MAX_BYTES {
            return Err(NotDer);
        }
        let mut request = der::only(bytes, der::SEQUENCE)?.inside();
        let mut tbs = request.expect(der::SEQUENCE)?.inside();
        // A signature of the asker's is not looked at: we answer everybody.
        let _signature = request.optional(der::CONTEXT_0)?;
        request.finish()?;

        if let Some(version) = tbs.optional(der::CONTEXT_0)? {
            match der::only(version.contents, der::INTEGER)?.contents {
                [0] => {}
                _ => return Err(NotDer),
            }
        }
        let _requestor = tbs.optional(0xa1)?;
        let mut list = tbs.expect(der::SEQUENCE)?.inside();
        let mut ids = Vec::new();
        while !list.is_empty() {
            if ids.len() == MAX_IDS {
                return Err(NotDer);
            }
            let mut one = list.expect(der::SEQUENCE)?.inside();
            ids.push(CertId::read(one.expect(der::SEQUENCE)?)?);
            let _extensions = one.optional(der::CONTEXT_0)?;
            one.finish()?;
        }
        let extensions = tbs.optional(0xa2)?;
        tbs.finish()?;
        let nonce = extensions.map(nonce).transpose()?.flatten();
        match ids.is_empty() {
            true => Err(NotDer),
            false => Ok(Self { ids, nonce }),
        }
    }
}

fn nonce(extensions: Element<'_>) -> Result<Option<&[u8]>, NotDer> {
    let mut list: Der<'_> = der::only(extensions.contents, der::SEQUENCE)?.inside();
    let mut found = None;
    while !list.is_empty() {
        let mut extension = list.expect(der::SEQUENCE)?.inside();
        let kind = extension.expect(der::OID)?.contents;
        extension.optional(der::BOOLEAN)?;
        let value = extension.expect(der::OCTET_STRING)?.contents;
        extension.finish()?;
        if kind == oid::OCSP_NONCE {
            let nonce = der::only(value, der::OCTET_STRING)?.contents;
            if nonce.is_empty() || nonce.len() > MAX_NONCE || found.replace(value).is_some() {
                return Err(NotDer);
            }
        }
    }
    Ok(found)
}

impl<'a> CertId<'a> {
    pub(crate) fn read(element: Element<'a>) -> Result<Self, NotDer> {
        let mut parts = element.inside();
        let mut algorithm = parts.expect(der::SEQUENCE)?.inside();
        let is_hash_of: IsHashOf = match algorithm.expect(der::OID)?.contents {
            oid::SHA1 => |hash, bytes| *hash == sha1(bytes),
            oid::SHA256 => |hash, bytes| *hash == sha256(bytes),
            oid::SHA384 => |hash, bytes| *hash == sha384(bytes),
            oid::SHA512 => |hash, bytes| *hash == sha512(bytes),
            _ => return Err(NotDer),
        };
        let id = Self {
            whole: element.whole,
            is_hash_of,
            name_hash: parts.expect(der::OCTET_STRING)?.contents,
            key_hash: parts.expect(der::OCTET_STRING)?.contents,
            serial: parts.expect(der::INTEGER)?.contents,
        };
        parts.finish()?;
        Ok(id)
    }

    /// Whether the certificate's issuer is this one: by the hashes of its name and of its key's bits, with the asker's hash.
    pub(super) fn is_of(&self, issuer: &Issuer) -> bool {
        self.is_by(issuer.subject(), issuer.signer.public().bits())
    }

    /// The same of an issuer by its name, whole, and its key's bits.
    pub(crate) fn is_by(&self, name: &[u8], key_bits: &[u8]) -> bool {
        (self.is_hash_of)(self.name_hash, name) && (self.is_hash_of)(self.key_hash, key_bits)
    }
}
