//! OpenSSL's verdict on a chain: what `openssl verify -x509_strict -purpose sslserver -verify_hostname`, with `-crl_check_all` where there are
//! lists, would say.

use std::fmt;
use std::io::Write as _;
use std::str::FromStr;

use openssl::error::ErrorStack;
use openssl::ssl::SslFiletype;
use openssl::stack::Stack;
use openssl::x509::store::{X509Lookup, X509StoreBuilder};
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509PurposeId, X509StoreContext, X509VerifyResult};

use thiserror::Error;

use crate::certificate::Certificate;
use crate::crl::crl_pem;
use crate::der::oid;
use crate::names::SubjectAltName;
use crate::status::{OcspResponse, RevocationList};

/// The part that a certificate's holder wants to play.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// A TLS server.
    #[default]
    Server,
    /// A TLS client.
    Client,
    /// An OCSP responder.
    Ocsp,
    /// Whichever: purposes are not asked for.
    Any,
}

/// A word that is none of `server`, `client`, `ocsp`, `any`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no purpose: server, client, ocsp, any")]
pub struct UnknownPurpose(String);

/// What is asked about a purpose.
pub(crate) struct PurposeRow {
    purpose: Purpose,
    name: &'static str,
    /// What extendedKeyUsage must hold, and the question about it.
    pub(crate) wanted: Option<(&'static [u8], &'static str)>,
    openssl: X509PurposeId,
}

const PURPOSES: &[PurposeRow] = &[
    PurposeRow {
        purpose: Purpose::Server,
        name: "server",
        wanted: Some((oid::SERVER_AUTH, "is it for servers?")),
        openssl: X509PurposeId::SSL_SERVER,
    },
    PurposeRow {
        purpose: Purpose::Client,
        name: "client",
        wanted: Some((oid::CLIENT_AUTH, "is it for clients?")),
        openssl: X509PurposeId::SSL_CLIENT,
    },
    PurposeRow {
        purpose: Purpose::Ocsp,
        name: "ocsp",
        wanted: Some((oid::OCSP_SIGNING, "is it for OCSP responders?")),
        // of the leaf it asks nothing: that is left to who reads the answer
        openssl: X509PurposeId::OCSP_HELPER,
    },
    PurposeRow {
        purpose: Purpose::Any,
        name: "any",
        wanted: None,
        openssl: X509PurposeId::ANY,
    },
];

impl Purpose {
    /// `server`, `client`, `ocsp`, `any`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    pub(crate) fn row(self) -> &'static PurposeRow {
        let mut rows = PURPOSES.iter();
        rows.find(|row| row.purpose == self)
            .expect("each has its row")
    }
}

impl FromStr for Purpose {
    type Err = UnknownPurpose;

    fn from_str(text: &str) -> Result<Self, UnknownPurpose> {
        let known = PURPOSES.iter().find(|row| row.name == text);
        known
            .map(|row| row.purpose)
            .ok_or_else(|| UnknownPurpose(crate::names::shown(text)))
    }
}

/// How to judge.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// The name the client asked for; without one, names are not compared.
    pub host: Option<SubjectAltName>,
    /// The moment, in seconds since the epoch; without one, now.
    pub at: Option<i64>,
    /// `-x509_strict`: every rule of RFC 5280, as Python does since 3.13.
    pub strict: bool,
    /// Whether a common name may stand in for absent host names, as OpenSSL does unless told otherwise and browsers do not.
    pub common_name_fallback: bool,
    /// The part that its holder wants to play.
    pub purpose: Purpose,
    /// Lists of what is revoked. With one, every certificate below the root must be covered, as by `-crl_check_all`; by a list, or by an answer.
    pub lists: Vec<RevocationList>,
    /// Answers of OCSP responders. With one, the leaf must be covered. OpenSSL's verifier does not look at them, so that [`verify`] leaves the
    /// lists out as well when there are answers; [`verify_by_hand`](crate::verify_by_hand()) asks all of them.
    pub answers: Vec<OcspResponse>,
}

/// A server's, strict, now, no host name, no fallback, nothing about revocation.
impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            host: None,
            at: None,
            strict: true,
            common_name_fallback: false,
            purpose: Purpose::Server,
            lists: Vec::new(),
            answers: Vec::new(),
        }
    }
}

impl VerifyOptions {
    /// Strict, now, for this host.
    #[must_use]
    pub fn for_host(host: SubjectAltName) -> Self {
        Self {
            host: Some(host),
            ..Self::default()
        }
    }

    /// Where answers speak for some, OpenSSL would ask for lists of all.
    fn openssl_looks_at_lists(&self) -> bool {
        !self.lists.is_empty() && self.answers.is_empty()
    }
}

/// What OpenSSL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the chain is good.
    pub accepted: bool,
    /// OpenSSL's number for it, 0 when it is good.
    pub code: i32,
    /// OpenSSL's words for it.
    pub reason: &'static str,
    /// Where in the chain: 0 is the leaf.
    pub depth: u32,
}

/// `OK`, or as the `openssl` program puts it: `error 10 at 1 depth: certificate has expired`.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.accepted {
            true => f.write_str("OK"),
            false => write!(
                f,
                "error {} at {} depth: {}",
                self.code, self.depth, self.reason
            ),
        }
    }
}

/// Judges a certificate (and the intermediates that come with it) against `roots`, with OpenSSL's verifier.
///
/// # Errors
/// OpenSSL's, when it cannot judge at all: out of memory, a host name it cannot take, or a certificate or list it cannot read.
pub fn verify(
    certificate: &Certificate,
    roots: &[Certificate],
    options: &VerifyOptions,
) -> Result<Verdict, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    for root in roots {
        store.add_cert(root.read_by_openssl()?.to_owned())?;
    }
    if options.openssl_looks_at_lists() {
        add_lists(&mut store, &options.lists)?;
    }
    let parameters = parameters(options)?;
    store.set_param(&parameters)?;
    let mut untrusted = Stack::new()?;
    for intermediate in certificate.intermediates_by_openssl()? {
        untrusted.push(intermediate.clone())?;
    }
    let mut context = X509StoreContext::new()?;
    context.init(
        &store.build(),
        certificate.read_by_openssl()?,
        &untrusted,
        |context| {
            let accepted = context.verify_cert()?;
            Ok(verdict(accepted, context.error(), context.error_depth()))
        },
    )
}

/// OpenSSL's store takes lists from files only.
fn add_lists(store: &mut X509StoreBuilder, lists: &[RevocationList]) -> Result<(), ErrorStack> {
    let pem: String = lists.iter().map(|list| crl_pem(list.der())).collect();
    let written = tempfile::NamedTempFile::new()
        .and_then(|mut file| file.write_all(pem.as_bytes()).map(|()| file));
    // without the file OpenSSL has no list, and says that
    if let Ok(file) = written {
        let lookup = store.add_lookup(X509Lookup::file())?;
        lookup.load_crl_file(file.path(), SslFiletype::PEM)?;
    }
    Ok(())
}

fn verdict(accepted: bool, result: X509VerifyResult, depth: u32) -> Verdict {
    Verdict {
        accepted,
        code: result.as_raw(),
        reason: result.error_string(),
        depth,
    }
}

fn parameters(options: &VerifyOptions) -> Result<X509VerifyParam, ErrorStack> {
    let mut parameters = X509VerifyParam::new()?;
    parameters.set_purpose(options.purpose.row().openssl)?;
    if options.strict {
        parameters.set_flags(X509VerifyFlags::X509_STRICT)?;
    }
    if options.openssl_looks_at_lists() {
        parameters.set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)?;
    }
    if let Some(at) = options.at {
        parameters.set_time(at);
    }
    if !options.common_name_fallback {
        parameters.set_hostflags(X509CheckFlags::NEVER_CHECK_SUBJECT);
    }
    match &options.host {
        None => {}
        Some(SubjectAltName::Dns(name)) => parameters.set_host(name.as_str())?,
        Some(SubjectAltName::Ip(address)) => parameters.set_ip(*address)?,
        Some(SubjectAltName::Email(address)) => parameters.set_email(&address.to_string())?,
        // OpenSSL compares no URIs
        Some(SubjectAltName::Uri(_)) => {}
    }
    Ok(parameters)
}
