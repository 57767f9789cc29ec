//! OpenSSL's verdict on a chain: what `openssl verify -x509_strict -purpose sslserver -verify_hostname` would say.

use std::fmt;

use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509PurposeId, X509StoreContext, X509VerifyResult};

use crate::certificate::Certificate;
use crate::names::SubjectAltName;

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
}

/// Strict, now, no host name, no fallback.
impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            host: None,
            at: None,
            strict: true,
            common_name_fallback: false,
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

/// Judges a server's certificate (and the intermediates that come with it) against `roots`, with OpenSSL's verifier.
///
/// # Errors
/// OpenSSL's, when it cannot judge at all: out of memory, a host name it cannot take, or a certificate it cannot read.
pub fn verify(
    certificate: &Certificate,
    roots: &[Certificate],
    options: &VerifyOptions,
) -> Result<Verdict, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    for root in roots {
        store.add_cert(root.read_by_openssl()?.to_owned())?;
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
    parameters.set_purpose(X509PurposeId::SSL_SERVER)?;
    if options.strict {
        parameters.set_flags(X509VerifyFlags::X509_STRICT)?;
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
