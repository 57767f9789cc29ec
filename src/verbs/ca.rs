//! `stampmill ca …`: root, request, leaf, verdict.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;
use stampmill_local_ca::{
    Authority, Certificate, CertificateRequest, LeafKey, ServerProfile, SubjectAltName,
    VerifyOptions, create_private, create_public, read_public, verify,
};

use crate::cli::CaVerb;
use crate::print::Printer;

pub(crate) fn run(verb: CaVerb, out: Printer) -> anyhow::Result<()> {
    match verb {
        CaVerb::Init { authority, name } => {
            Authority::create(&authority.folder, &name)?;
            // A key must not slip into somebody's repository.
            create_public(&authority.folder.join(".gitignore"), b"*\n")?;
            out.fields(&[
                ("root", json!(authority.folder.join(Authority::ROOT_FILE))),
                ("key", json!(authority.folder.join(Authority::KEY_FILE))),
            ]);
            Ok(())
        }
        CaVerb::Issue {
            authority,
            names,
            days,
            out: folder,
        } => {
            let authority = Authority::open(&authority.folder)?;
            let (request, key) = new_request(&names)?;
            let leaf = authority.issue(&request, &ServerProfile { days })?;
            let files = write(&folder, &names[0], "pem", &leaf.chain_pem(), &key)?;
            out.fields(&[
                ("certificate", json!(files.public)),
                ("key", json!(files.key)),
                ("serial", json!(leaf.serial())),
            ]);
            Ok(())
        }
        CaVerb::Csr { names, out: folder } => {
            let (request, key) = new_request(&names)?;
            let files = write(&folder, &names[0], "csr", &request.to_pem(), &key)?;
            out.fields(&[("csr", json!(files.public)), ("key", json!(files.key))]);
            Ok(())
        }
        CaVerb::Sign {
            authority,
            csr,
            days,
        } => {
            let authority = Authority::open(&authority.folder)?;
            let request = CertificateRequest::from_pem(&read_public(&csr)?)
                .with_context(|| format!("{}", csr.display()))?;
            let leaf = authority.issue(&request, &ServerProfile { days })?;
            if out.is_json() {
                out.fields(&[
                    ("chain", json!(leaf.chain_pem())),
                    ("serial", json!(leaf.serial())),
                ]);
            } else {
                out.line(leaf.chain_pem().trim_end());
            }
            Ok(())
        }
        CaVerb::Verify {
            authority,
            certificate,
            host,
        } => judge(&authority.folder, &certificate, &host, out),
    }
}

/// A request for these names, with a fresh key.
fn new_request(names: &[String]) -> anyhow::Result<(CertificateRequest, LeafKey)> {
    let parsed: Vec<SubjectAltName> = names
        .iter()
        .map(|name| {
            name.parse()
                .with_context(|| format!("{name:?} is no name for a server"))
        })
        .collect::<anyhow::Result<_>>()?;
    // The common name is decoration, and may have 64 characters at most (RFC 5280, ub-common-name).
    let common_name = if names[0].len() <= 64 {
        names[0].as_str()
    } else {
        ""
    };
    Ok(CertificateRequest::new(common_name, &parsed)?)
}

/// Where a certificate or request and its key were written.
struct Files {
    public: PathBuf,
    key: PathBuf,
}

/// Writes the key first: a certificate without its key is of no use, and neither overwrites what is there.
fn write(
    folder: &Path,
    name: &str,
    extension: &str,
    public: &str,
    key: &LeafKey,
) -> anyhow::Result<Files> {
    // A wildcard's star and an IPv6 address's colons are no good in file names.
    let stem = name.replace(['*', ':'], "_");
    let files = Files {
        public: folder.join(format!("{stem}.{extension}")),
        key: folder.join(format!("{stem}.key")),
    };
    create_private(&files.key, &key.to_pkcs8_pem())?;
    create_public(&files.public, public.as_bytes())?;
    Ok(files)
}

/// OpenSSL's verdict at its strictest; a refusal is an error of the program.
fn judge(folder: &Path, certificate: &Path, host: &str, out: Printer) -> anyhow::Result<()> {
    let root = read_public(&folder.join(Authority::ROOT_FILE))?;
    let root = Certificate::from_pem(&root)?;
    let leaf = Certificate::from_pem(&read_public(certificate)?)
        .with_context(|| format!("{}", certificate.display()))?;
    let options = VerifyOptions::for_host(host.parse()?);
    let verdict = verify(&leaf, &[root], &options)?;
    anyhow::ensure!(verdict.accepted, "OpenSSL refuses it: {verdict}");
    out.fields(&[
        ("certificate", json!(certificate)),
        ("host", json!(host)),
        ("verdict", json!(verdict.to_string())),
    ]);
    Ok(())
}
