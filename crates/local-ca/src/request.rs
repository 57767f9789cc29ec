//! Certificate requests (PKCS #10, RFC 2986): a wish list, and whoever signs it unread signs anything.
//!
//! `openssl ca` with `copy_extensions = copyall` turns a request that asks for `CA:TRUE` into an authority. So a request is read here as
//! three things: names, a key, and *wishes*. Names and key are certified if the [profile](crate::Profile) allows; a wish is never
//! copied: it must ask for what the profile gives anyway, or the request is refused by the wish's name.
//!
//! ```text
//!   CertificationRequest
//!     version 0
//!     subject ................ a commonName, if it repeats one of the names below; other attributes are not certified
//!     subjectPublicKeyInfo ... P-256, P-384, RSA from 2048 bits on, Ed25519, ML-DSA, in exactly one spelling
//!     attributes
//!       extensionRequest
//!         subjectAltName ..... hosts, addresses, mail addresses, URIs; everything else is refused
//!         other extensions ... wishes
//!     signature .............. by the key above: proof that the requester holds it
//! ```

use std::fmt;

use openssl::error::ErrorStack;
use thiserror::Error;

use crate::certificate::Certificate;
use crate::der::{self, Der, NotDer, oid, write};
use crate::keys::{KeyError, KeyKind, LeafKey, PublicKey, Signer};
use crate::names::{GeneralNameError, NameError, SubjectAltName, check_common_name, shown};
use crate::pem;
use crate::subject;
use crate::wishes::Wishes;

/// Longest PEM text that is read as a request.
const MAX_PEM_BYTES: usize = 64 * 1024;

/// A request that passed every check: signed by its key, for names and a key that may be certified.
#[derive(Clone)]
pub struct CertificateRequest {
    der: Vec<u8>,
    public_key: PublicKey,
    common_name: Option<String>,
    names: Vec<SubjectAltName>,
    wishes: Wishes,
}

impl CertificateRequest {
    /// Most names that one certificate may have.
    pub const MAX_NAMES: usize = 100;

    /// A new P-256 key and a request for it. `common_name` must repeat one of the names, or be empty; clients look at
    /// the names only (RFC 9525 §2).
    ///
    /// # Errors
    /// [`RequestError`]: no names, too many, or a common name that is none of them.
    pub fn new(
        common_name: &str,
        names: &[SubjectAltName],
    ) -> Result<(Self, LeafKey), RequestError> {
        let key = LeafKey::generate(KeyKind::default())?;
        let request = Self::for_key(&key, common_name, names)?;
        Ok((request, key))
    }

    /// A request for a key that exists.
    ///
    /// # Errors
    /// As [`CertificateRequest::new`], and [`RequestError::Key`] for a key that is not certified.
    pub fn for_key(
        key: &LeafKey,
        common_name: &str,
        names: &[SubjectAltName],
    ) -> Result<Self, RequestError> {
        if names.is_empty() {
            return Err(RequestError::NoNames);
        }
        let common_name = Some(common_name).filter(|name| !name.is_empty());
        common_name.map(check_common_name).transpose()?;
        let signer = Signer::new(key.private().clone())?;
        let extensions = write::sequence([names_extension(names, false)]);
        let attribute = write::sequence([
            write::oid(oid::EXTENSION_REQUEST),
            write::set_of_one(&extensions),
        ]);
        let info = write::sequence([
            write::integer(0),
            subject::common_name(common_name),
            signer.public().spki().to_vec(),
            write::context(0, [attribute]),
        ]);
        // Ours are read like everyone's; that this very key has signed it needs no proof.
        let der = signer.signed(info)?;
        Self::with_key(Asked::read(&der)?, signer.public().clone(), &der)
    }

    /// Reads a request in PEM, one block and nothing else that begins like one.
    ///
    /// # Errors
    /// [`RequestError`], one variant a rule.
    pub fn from_pem(pem: &[u8]) -> Result<Self, RequestError> {
        Self::from_der(&unwrap_pem(pem)?)
    }

    /// Reads a request in PEM or in DER.
    ///
    /// # Errors
    /// [`RequestError`], one variant a rule.
    pub fn read(bytes: &[u8]) -> Result<Self, RequestError> {
        match bytes.first() {
            Some(&der::SEQUENCE) => Self::from_der(bytes),
            _ => Self::from_pem(bytes),
        }
    }

    /// Reads a request in DER.
    ///
    /// # Errors
    /// [`RequestError`], one variant a rule.
    pub fn from_der(bytes: &[u8]) -> Result<Self, RequestError> {
        let asked = Asked::read(bytes)?;
        let public_key = PublicKey::from_spki(asked.spki)?;
        if let Some(digest) = weak_digest(asked.algorithm) {
            return Err(RequestError::Digest { digest });
        }
        if !public_key.verifies(asked.algorithm, asked.signed, asked.signature) {
            return Err(RequestError::Signature);
        }
        Self::with_key(asked, public_key, bytes)
    }

    /// The request, when its signature was looked at.
    fn with_key(
        asked: Asked<'_>,
        public_key: PublicKey,
        bytes: &[u8],
    ) -> Result<Self, RequestError> {
        Ok(Self {
            der: bytes.to_vec(),
            public_key,
            common_name: common_name(asked.subject, &asked.names)?,
            names: asked.names,
            wishes: asked.wishes,
        })
    }

    /// The request in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE REQUEST", &self.der)
    }

    /// The request in DER.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        self.der.clone()
    }

    /// The common name, which is one of [`CertificateRequest::names`].
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// The names asked for, each once, in the request's order.
    #[must_use]
    pub fn names(&self) -> &[SubjectAltName] {
        &self.names
    }

    /// What its subject says and that of the certificate does not, such as `O=Example`: only a common name is ever taken over.
    #[must_use]
    pub fn left_out_of(&self, certificate: &Certificate) -> Vec<String> {
        let asked = Asked::read(&self.der).expect("it was read before");
        subject::lacking(asked.subject, certificate.parsed().subject)
    }

    /// The key's kind for people: `P-256`, `RSA 2048 bits`.
    #[must_use]
    pub fn key_description(&self) -> String {
        self.public_key.describe()
    }

    pub(crate) fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// A request whose only name is its common name, with that as its name: RFC 8555 §7.4 allows it.
    pub(crate) fn naming_its_common_name(mut self) -> Self {
        if self.names.is_empty() {
            let name = self.common_name.as_deref().map(str::parse);
            self.names.extend(name.and_then(Result::ok));
            self.common_name = self.names.first().map(ToString::to_string);
        }
        self
    }

    pub(crate) fn wishes(&self) -> &Wishes {
        &self.wishes
    }
}

impl fmt::Debug for CertificateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateRequest")
            .field("common_name", &self.common_name)
            .field("names", &self.names)
            .field("key", &self.key_description())
            .finish_non_exhaustive()
    }
}

/// Why a request is not signed.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Not one block `-----BEGIN CERTIFICATE REQUEST-----`.
    #[error("not a certificate request in PEM: {reason}")]
    Pem {
        /// What is there instead.
        reason: &'static str,
    },
    /// The bytes do not form a request: cut short, damaged, trailing bytes, or not in DER.
    #[error("not a certificate request (RFC 2986): cut short, damaged, or not DER")]
    Malformed,
    /// A version that does not exist.
    #[error("version: expected 0, got {actual}")]
    Version {
        /// The number as hexadecimal digits.
        actual: String,
    },
    /// A signature that proves nothing.
    #[error(
        "the request is signed over {digest}, which proves nothing any more; SHA-256, SHA-384 and SHA-512 are taken"
    )]
    Digest {
        /// `SHA-1`, `MD5`.
        digest: &'static str,
    },
    /// The requester does not hold the key, or the request was changed.
    #[error("the request is not signed by the key it names")]
    Signature,
    /// A key that is not certified.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The requester asks for what no profile gives.
    #[error("request asks for {extension}; no profile gives that to a request")]
    Extension {
        /// Its name: `nameConstraints`.
        extension: String,
    },
    /// The same extension or list of extensions twice.
    #[error("the request has {what} twice")]
    Twice {
        /// What.
        what: &'static str,
    },
    /// No subjectAltName: there is nothing that a client would compare (RFC 9525 §6.3).
    #[error("request without subjectAltName: a common name names nothing (RFC 9525)")]
    NoNames,
    /// More names than [`CertificateRequest::MAX_NAMES`].
    #[error("{actual} names, at most {limit} are certified", limit = CertificateRequest::MAX_NAMES)]
    TooManyNames {
        /// Names in the request.
        actual: usize,
    },
    /// A name of another kind, such as a directory name.
    #[error(
        "request for a name of type {kind}; only dNSName, iPAddress, rfc822Name and uniformResourceIdentifier are certified"
    )]
    NameKind {
        /// Its name in RFC 5280 §4.2.1.6.
        kind: &'static str,
    },
    /// A name that is not well formed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A common name that is none of the names, or several.
    #[error("the common name `{common_name}` is none of the names in subjectAltName")]
    CommonName {
        /// At most 80 characters of it, escaped.
        common_name: String,
    },
    /// OpenSSL failed to make a request: out of memory, or no randomness.
    #[error("OpenSSL: {0}")]
    OpenSsl(ErrorStack),
}

impl From<ErrorStack> for RequestError {
    /// Not by `#[from]`: the text above tells what OpenSSL said, and a `source` would tell it once more.
    fn from(error: ErrorStack) -> Self {
        Self::OpenSsl(error)
    }
}

impl From<NotDer> for RequestError {
    fn from(_: NotDer) -> Self {
        Self::Malformed
    }
}

/// The parts of a request.
struct Asked<'a> {
    /// What the signature covers.
    signed: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
    subject: &'a [u8],
    spki: &'a [u8],
    names: Vec<SubjectAltName>,
    wishes: Wishes,
}

impl<'a> Asked<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, RequestError> {
        let mut request = der::only(bytes, der::SEQUENCE)?.inside();
        let info = request.expect(der::SEQUENCE)?;
        let algorithm = request.expect(der::SEQUENCE)?.whole;
        let signature = request.expect(der::BIT_STRING)?.contents;
        request.finish()?;
        let signature = signature.strip_prefix(&[0]).ok_or(NotDer)?;

        let signed = info.whole;
        let mut info = info.inside();
        match info.expect(der::INTEGER)?.contents {
            [0] => {}
            other => {
                let actual = crate::certificate::hex(&other[..other.len().min(8)]);
                return Err(RequestError::Version { actual });
            }
        }
        let subject = info.expect(der::SEQUENCE)?.whole;
        let spki = info.expect(der::SEQUENCE)?.whole;
        let extensions = match info.is_empty() {
            true => None,
            false => extension_request(info.expect(der::CONTEXT_0)?.inside())?,
        };
        info.finish()?;
        let (names, wishes) = extensions.map(requested).transpose()?.unwrap_or_default();
        Ok(Self {
            signed,
            algorithm,
            signature,
            subject,
            spki,
            names,
            wishes,
        })
    }
}

/// `extensionRequest` (RFC 2985 §5.4.2), the list of extensions among the attributes. Other attributes, such as a challenge password, ask for nothing.
fn extension_request(mut attributes: Der<'_>) -> Result<Option<Der<'_>>, RequestError> {
    let mut found = None;
    while !attributes.is_empty() {
        let mut attribute = attributes.expect(der::SEQUENCE)?.inside();
        let kind = attribute.expect(der::OID)?.contents;
        let mut values = attribute.expect(der::SET)?.inside();
        attribute.finish()?;
        if kind != oid::EXTENSION_REQUEST {
            continue;
        }
        let extensions = values.expect(der::SEQUENCE)?.inside();
        values.finish()?;
        if found.replace(extensions).is_some() {
            return Err(RequestError::Twice {
                what: "extensionRequest",
            });
        }
    }
    Ok(found)
}

fn requested(mut extensions: Der<'_>) -> Result<(Vec<SubjectAltName>, Wishes), RequestError> {
    let (mut names, mut wishes) = (None, Wishes::default());
    let mut seen: Vec<&[u8]> = Vec::new();
    while !extensions.is_empty() {
        let mut extension = extensions.expect(der::SEQUENCE)?.inside();
        let kind = extension.expect(der::OID)?.contents;
        let critical = extension.optional(der::BOOLEAN)?.is_some();
        let value = extension.expect(der::OCTET_STRING)?.contents;
        extension.finish()?;
        if seen.contains(&kind) {
            return Err(RequestError::Twice {
                what: oid::known(kind).unwrap_or("the same extension"),
            });
        }
        seen.push(kind);
        match kind {
            oid::SUBJECT_ALT_NAME => names = Some(general_names(value)?),
            _ => wishes.read(kind, critical, value)?,
        }
    }
    Ok((names.unwrap_or_default(), wishes))
}

/// `GeneralName` (RFC 5280 §4.2.1.6): the choice is the context tag.
fn general_names(value: &[u8]) -> Result<Vec<SubjectAltName>, RequestError> {
    let mut outer = Der::new(value);
    let mut list = outer.expect(der::SEQUENCE)?.inside();
    outer.finish()?;
    let mut names = Vec::new();
    let mut count = 0;
    while !list.is_empty() {
        let element = list.element()?;
        count += 1;
        if count > CertificateRequest::MAX_NAMES {
            let mut actual = count;
            while list.element().is_ok() {
                actual += 1;
            }
            return Err(RequestError::TooManyNames { actual });
        }
        let name = general_name(element)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn general_name(element: der::Element<'_>) -> Result<SubjectAltName, RequestError> {
    SubjectAltName::from_general_name(element).map_err(|error| match error {
        GeneralNameError::Malformed => RequestError::Malformed,
        GeneralNameError::Kind(kind) => RequestError::NameKind { kind },
        GeneralNameError::Name(error) => error.into(),
    })
}

/// The common name, which repeats one of the names character for character once both are in lower case (Baseline Requirements §7.1.4.3).
fn common_name(subject: &[u8], names: &[SubjectAltName]) -> Result<Option<String>, RequestError> {
    let attributes = subject::attributes(subject);
    let mut entries = attributes
        .iter()
        .filter(|(kind, _)| kind == oid::COMMON_NAME);
    let Some((_, text)) = entries.next() else {
        return Ok(None);
    };
    let known = names
        .iter()
        .map(ToString::to_string)
        .find(|name| name.eq_ignore_ascii_case(text));
    // Without any names there is nothing to repeat: an authority's request has none, and a server's is refused for that.
    let known = known.or_else(|| names.is_empty().then(|| text.clone()));
    match (known, entries.next()) {
        (Some(name), None) => {
            check_common_name(&name)?;
            Ok(Some(name))
        }
        _ => Err(RequestError::CommonName {
            common_name: shown(text),
        }),
    }
}

/// subjectAltName: critical exactly when the subject is empty (RFC 5280 §4.2.1.6).
pub(crate) fn names_extension(names: &[SubjectAltName], critical: bool) -> Vec<u8> {
    let names = write::sequence(names.iter().map(SubjectAltName::to_general_name));
    write::extension(oid::SUBJECT_ALT_NAME, critical, &names)
}

/// The bytes inside the one PEM block (RFC 7468 §7).
/// A digest that nobody should sign over any more: others can make a second request with the same (RFC 6194, RFC 6151).
fn weak_digest(algorithm: &[u8]) -> Option<&'static str> {
    const WEAK: [(&[u8], &str); 4] = [
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", "SHA-1"),
        (b"\x2a\x86\x48\xce\x3d\x04\x01", "SHA-1"),
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", "MD5"),
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02", "MD2"),
    ];
    let name =
        der::only(algorithm, der::SEQUENCE).and_then(|whole| whole.inside().expect(der::OID));
    let name = name.ok()?.contents;
    let row = WEAK.iter().find(|(oid, _)| *oid == name);
    row.map(|(_, digest)| *digest)
}

fn unwrap_pem(text: &[u8]) -> Result<Vec<u8>, RequestError> {
    let refuse = |reason| RequestError::Pem { reason };
    if text.len() > MAX_PEM_BYTES {
        return Err(refuse("longer than 64 KiB"));
    }
    let text = std::str::from_utf8(text).map_err(|_| refuse("not text"))?;
    if text.matches("-----BEGIN ").count() > 1 {
        return Err(refuse("more than one PEM block"));
    }
    let old = "NEW CERTIFICATE REQUEST";
    let label = match text.contains(&format!("-----BEGIN {old}-----")) {
        true => old,
        false => "CERTIFICATE REQUEST",
    };
    pem::decode(text, label).map_err(refuse)
}
