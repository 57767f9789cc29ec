//! Certificate requests (PKCS #10, RFC 2986): a wish list, and whoever signs it unread signs anything.
//!
//! `openssl ca` with `copy_extensions = copyall` turns a request that asks for `CA:TRUE` into an authority. So what may be asked for
//! is a short list, and all else is refused by name:
//!
//! ```text
//!   CertificationRequest
//!     version 0
//!     subject ................ a commonName, if it repeats one of the names below; other attributes are not certified
//!     subjectPublicKeyInfo ... P-256, P-384 or RSA from 2048 bits on, in exactly one spelling
//!     attributes
//!       extensionRequest
//!         subjectAltName ..... DNS names and addresses; everything else is refused
//!     signature .............. by the key above: proof that the requester holds it
//! ```

use std::fmt;

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Public};
use openssl::stack::Stack;
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509Extension, X509Name, X509NameRef, X509Req, X509v3Context};
use thiserror::Error;

use crate::der::{self, Der, NotDer};
use crate::keys::{self, KeyError, KeyKind, LeafKey};
use crate::names::{NameError, SubjectAltName, check_common_name};

/// Longest PEM text that is read as a request.
const MAX_PEM_BYTES: usize = 64 * 1024;

/// A request that passed every check: signed by its key, for names and a key that may be certified.
#[derive(Clone)]
pub struct CertificateRequest {
    pem: String,
    public_key: PKey<Public>,
    common_name: Option<String>,
    names: Vec<SubjectAltName>,
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
        let mut builder = X509Req::builder()?;
        builder.set_version(0)?;
        let common_name = Some(common_name).filter(|name| !name.is_empty());
        common_name.map(check_common_name).transpose()?;
        builder.set_subject_name(&*subject(common_name)?)?;
        builder.set_pubkey(key.as_openssl())?;
        let mut extensions = Stack::new()?;
        extensions.push(names_extension(
            names,
            false,
            &builder.x509v3_context(None),
        )?)?;
        builder.add_extensions(&extensions)?;
        builder.sign(key.as_openssl(), keys::digest_for(key.as_openssl()))?;
        // Ours are read like everyone's.
        Self::from_der(&builder.build().to_der()?)
    }

    /// Reads a request in PEM, one block and nothing else that begins like one.
    ///
    /// # Errors
    /// [`RequestError`], one variant a rule.
    pub fn from_pem(pem: &[u8]) -> Result<Self, RequestError> {
        Self::from_der(&unwrap_pem(pem)?)
    }

    /// Reads a request in DER.
    ///
    /// # Errors
    /// [`RequestError`], one variant a rule.
    pub fn from_der(bytes: &[u8]) -> Result<Self, RequestError> {
        let asked = Asked::read(bytes)?;
        let request = X509Req::from_der(bytes).map_err(|_| RequestError::Malformed)?;
        let public_key = request
            .public_key()
            .map_err(|_| RequestError::Key(KeyError::Type))?;
        keys::check_public(&public_key)?;
        if !request.verify(&public_key).unwrap_or(false) {
            return Err(RequestError::Signature);
        }
        let common_name = common_name(request.subject_name(), &asked.names)?;
        Ok(Self {
            pem: String::from_utf8(request.to_pem()?).expect("PEM is ASCII"),
            public_key,
            common_name,
            names: asked.names,
        })
    }

    /// The request in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.pem.clone()
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

    /// The key's kind for people: `P-256`, `RSA 2048 bits`.
    #[must_use]
    pub fn key_description(&self) -> String {
        keys::describe(&self.public_key)
    }

    pub(crate) fn public_key(&self) -> &PKey<Public> {
        &self.public_key
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
    /// The requester does not hold the key, or the request was changed.
    #[error("the request is not signed by the key it names")]
    Signature,
    /// A key that is not certified.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The requester asks for more than names.
    #[error("request asks for {extension}; only names are certified")]
    Extension {
        /// Its name, with what it says where that matters: `basicConstraints CA:TRUE`.
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
    /// A name of another kind, such as an e-mail address.
    #[error("request for a name of type {kind}; only dNSName and iPAddress are certified")]
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

/// What of the request OpenSSL's reader would be too polite about.
struct Asked {
    names: Vec<SubjectAltName>,
}

impl Asked {
    fn read(bytes: &[u8]) -> Result<Self, RequestError> {
        let mut outer = Der::new(bytes);
        let mut request = outer.expect(der::SEQUENCE)?.inside();
        outer.finish()?;
        let mut info = request.expect(der::SEQUENCE)?.inside();
        let _signature_algorithm = request.expect(der::SEQUENCE)?;
        let _signature = request.expect(der::BIT_STRING)?;
        request.finish()?;

        match info.expect(der::INTEGER)?.contents {
            [0] => {}
            other => {
                let actual = other
                    .iter()
                    .take(8)
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                return Err(RequestError::Version { actual });
            }
        }
        let _subject = info.expect(der::SEQUENCE)?;
        check_key_algorithm(info.expect(der::SEQUENCE)?.inside())?;
        let extensions = match info.is_empty() {
            true => None,
            false => extension_request(info.expect(der::CONTEXT_0)?.inside())?,
        };
        info.finish()?;
        let names = extensions
            .map(requested_names)
            .transpose()?
            .unwrap_or_default();
        match names.len() {
            0 => Err(RequestError::NoNames),
            _ => Ok(Self { names }),
        }
    }
}

/// The only spellings of `AlgorithmIdentifier` that are certified: curves by name, never by parameters (RFC 5480 §2.1.1), and
/// RSA with NULL (RFC 3279 §2.3.1).
const KEY_ALGORITHMS: &[&[u8]] = &[
    b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", // P-256
    b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22", // P-384
    b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00",             // RSA
];

fn check_key_algorithm(mut key_info: Der<'_>) -> Result<(), RequestError> {
    let algorithm = key_info.expect(der::SEQUENCE)?.whole;
    let _key = key_info.expect(der::BIT_STRING)?;
    key_info.finish()?;
    match KEY_ALGORITHMS.contains(&algorithm) {
        true => Ok(()),
        false => Err(KeyError::Type.into()),
    }
}

/// `extensionRequest` of PKCS #9 (RFC 2985 §5.4.2).
const EXTENSION_REQUEST: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e";

/// The list of extensions among the attributes. Other attributes, such as a challenge password, ask for nothing.
fn extension_request(mut attributes: Der<'_>) -> Result<Option<Der<'_>>, RequestError> {
    let mut found = None;
    while !attributes.is_empty() {
        let mut attribute = attributes.expect(der::SEQUENCE)?.inside();
        let kind = attribute.expect(der::OID)?.contents;
        let mut values = attribute.expect(der::SET)?.inside();
        attribute.finish()?;
        if kind != EXTENSION_REQUEST {
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

const SUBJECT_ALT_NAME: &[u8] = b"\x55\x1d\x11";

/// Names for refusals; anything else is shown as a dotted identifier.
const EXTENSIONS: &[(&[u8], &str)] = &[
    (b"\x55\x1d\x0e", "subjectKeyIdentifier"),
    (b"\x55\x1d\x0f", "keyUsage"),
    (b"\x55\x1d\x12", "issuerAltName"),
    (b"\x55\x1d\x13", "basicConstraints"),
    (b"\x55\x1d\x1e", "nameConstraints"),
    (b"\x55\x1d\x1f", "cRLDistributionPoints"),
    (b"\x55\x1d\x20", "certificatePolicies"),
    (b"\x55\x1d\x23", "authorityKeyIdentifier"),
    (b"\x55\x1d\x25", "extendedKeyUsage"),
    (b"\x2b\x06\x01\x05\x05\x07\x01\x01", "authorityInfoAccess"),
    (b"\x2b\x06\x01\x05\x05\x07\x01\x18", "tlsFeature"),
];

fn requested_names(mut extensions: Der<'_>) -> Result<Vec<SubjectAltName>, RequestError> {
    let mut names = None;
    while !extensions.is_empty() {
        let mut extension = extensions.expect(der::SEQUENCE)?.inside();
        let kind = extension.expect(der::OID)?.contents;
        if extension.peek() == Some(der::BOOLEAN) {
            let _critical = extension.expect(der::BOOLEAN)?;
        }
        let value = extension.expect(der::OCTET_STRING)?.contents;
        extension.finish()?;
        if kind != SUBJECT_ALT_NAME {
            return Err(RequestError::Extension {
                extension: extension_name(kind, value),
            });
        }
        if names.replace(general_names(value)?).is_some() {
            return Err(RequestError::Twice {
                what: "subjectAltName",
            });
        }
    }
    Ok(names.unwrap_or_default())
}

fn extension_name(kind: &[u8], value: &[u8]) -> String {
    match EXTENSIONS.iter().find(|(oid, _)| *oid == kind) {
        // cA TRUE stands first in the sequence: 30 .. 01 01 ff (RFC 5280 §4.2.1.9)
        Some((_, name)) if *name == "basicConstraints" => match value.get(2..5) {
            Some([0x01, 0x01, 0xff]) => format!("{name} CA:TRUE"),
            _ => (*name).to_owned(),
        },
        Some((_, name)) => (*name).to_owned(),
        None => format!("the extension {}", der::dotted(&kind[..kind.len().min(32)])),
    }
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
    let kind = match element.tag {
        0x82 => {
            // IA5String: what is not ASCII is refused by the rules for host names
            let text = String::from_utf8_lossy(element.contents);
            return Ok(SubjectAltName::dns(&text)?);
        }
        0x87 => return Ok(SubjectAltName::ip_octets(element.contents)?),
        0xa0 => "otherName",
        0x81 => "rfc822Name",
        0xa3 => "x400Address",
        0xa4 => "directoryName",
        0xa5 => "ediPartyName",
        0x86 => "uniformResourceIdentifier",
        0x88 => "registeredID",
        _ => return Err(RequestError::Malformed),
    };
    Err(RequestError::NameKind { kind })
}

/// The common name, which repeats one of the names character for character once both are in lower case (Baseline Requirements §7.1.4.3).
fn common_name(
    subject: &X509NameRef,
    names: &[SubjectAltName],
) -> Result<Option<String>, RequestError> {
    let mut entries = subject.entries_by_nid(Nid::COMMONNAME);
    let Some(entry) = entries.next() else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(entry.data().as_slice()).into_owned();
    let lower = text.to_ascii_lowercase();
    let known = names.iter().any(|name| name.to_string() == lower);
    match known && entries.next().is_none() {
        true => check_common_name(&lower)
            .map(|()| Some(lower))
            .map_err(Into::into),
        false => Err(RequestError::CommonName {
            common_name: text
                .chars()
                .take(80)
                .flat_map(char::escape_default)
                .collect(),
        }),
    }
}

/// A subject of one common name, or an empty one.
pub(crate) fn subject(common_name: Option<&str>) -> Result<X509Name, ErrorStack> {
    let mut subject = X509Name::builder()?;
    if let Some(common_name) = common_name {
        subject.append_entry_by_nid(Nid::COMMONNAME, common_name)?;
    }
    Ok(subject.build())
}

/// subjectAltName: critical exactly when the subject is empty (RFC 5280 §4.2.1.6).
pub(crate) fn names_extension(
    names: &[SubjectAltName],
    critical: bool,
    context: &X509v3Context<'_>,
) -> Result<X509Extension, ErrorStack> {
    let mut extension = SubjectAlternativeName::new();
    if critical {
        extension.critical();
    }
    for name in names {
        match name {
            SubjectAltName::Dns(name) => extension.dns(name.as_str()),
            SubjectAltName::Ip(address) => extension.ip(&address.to_string()),
        };
    }
    extension.build(context)
}

/// The bytes inside the one PEM block (RFC 7468 §7).
fn unwrap_pem(pem: &[u8]) -> Result<Vec<u8>, RequestError> {
    let refuse = |reason| RequestError::Pem { reason };
    if pem.len() > MAX_PEM_BYTES {
        return Err(refuse("longer than 64 KiB"));
    }
    let text = std::str::from_utf8(pem).map_err(|_| refuse("not text"))?;
    if text.matches("-----BEGIN ").count() > 1 {
        return Err(refuse("more than one PEM block"));
    }
    for label in ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"] {
        let Some((_, rest)) = text.split_once(&format!("-----BEGIN {label}-----")) else {
            continue;
        };
        let (body, _) = rest
            .split_once(&format!("-----END {label}-----"))
            .ok_or_else(|| refuse("no END line: cut short"))?;
        let body: String = body.split_ascii_whitespace().collect();
        return openssl::base64::decode_block(&body)
            .map_err(|_| refuse("what is between BEGIN and END is not base64"));
    }
    Err(refuse(match text.contains("-----BEGIN ") {
        true => "another kind of PEM block",
        false => "no BEGIN line",
    }))
}
