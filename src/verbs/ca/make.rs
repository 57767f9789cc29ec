//! `ca init`, `ca issue`, `ca csr`, `ca sign`: what makes keys and certificates.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;
use stampmill_local_ca::{
    Authority, AuthorityProfile, Certificate, CertificateRequest, KeyKind, LeafKey,
    NameConstraints, NewFiles, Pkcs12Protection, Profile, ProfileError, SubjectAltName,
    create_public, now, pkcs12, read_name, read_public,
};

use super::args::{AuthorityArgs, InitArgs, ProfileArgs, RootKeyArgs};
use crate::print::Printer;

pub(super) fn init(args: &InitArgs, out: Printer) -> anyhow::Result<()> {
    let mut profile = AuthorityProfile::new(&args.name);
    profile.key = args.key;
    profile.days = args.days;
    profile.issuing_days = args.issuing_days;
    profile.rules = args.rules;
    profile.constraints = constraints(args)?;
    profile.base_url = args.base_url.clone();
    profile.organization = args.organization.clone();
    profile.country = args.country.clone();
    profile.issuing_passphrase = super::passphrase(args.authority.passphrase_file.as_deref())?;
    profile.root_passphrase = super::passphrase(args.root_passphrase_file.as_deref())?;
    let folder = &args.authority.folder;
    args.key.available()?;
    warn(args.key);
    let its_own = fs::read_dir(folder).map_or(true, |mut there| there.next().is_none());
    Authority::create_with(folder, &profile)?;
    keep_out_of_repositories(folder, its_own);
    let names = profile.constraints.as_ref();
    out.fields(&[
        ("root", json!(folder.join(Authority::ROOT_FILE))),
        ("key", json!(folder.join(Authority::KEY_FILE))),
        ("issuing", json!(folder.join(Authority::ISSUING_FILE))),
        (
            "good for",
            match names {
                None => json!("every name in the world"),
                Some(names) => json!(names.list()),
            },
        ),
    ]);
    Ok(())
}

/// A key must not slip into somebody's repository; nor must other things in a folder that is not the authority's alone be kept out of it.
fn keep_out_of_repositories(folder: &Path, its_own: bool) {
    let file = folder.join(".gitignore");
    let hint = match its_own {
        true => match create_public(&file, b"*\n") {
            Ok(()) => return,
            Err(error) => error.to_string(),
        },
        false => format!("{} holds other things as well", folder.display()),
    };
    let _ = writeln!(
        anstream::stderr(),
        "stampmill: {hint}: see to it that *.key and ca.sqlite3* come into no repository"
    );
}

/// Who will not take such a key is said before somebody relies on it.
fn warn(kind: KeyKind) {
    if let Some(caveat) = kind.caveat() {
        let _ = writeln!(anstream::stderr(), "stampmill: {caveat}");
    }
}

pub(super) fn renew_issuing(
    authority: &mut Authority,
    args: &AuthorityArgs,
    days: Option<u32>,
    new_key: Option<KeyKind>,
    out: Printer,
) -> anyhow::Result<()> {
    let folder = &args.folder;
    let renewed = match new_key {
        None => authority.renew_issuing(folder, days, now())?,
        Some(kind) => {
            warn(kind);
            let passphrase = super::passphrase(args.passphrase_file.as_deref())?;
            authority.renew_issuing_key(folder, kind, passphrase.as_ref(), days, now())?
        }
    };
    out.fields(&[
        ("issuing", json!(folder.join(Authority::ISSUING_FILE))),
        ("serial", json!(renewed.certificate.serial())),
        ("until", out.time(renewed.certificate.not_after())),
        ("before", json!(renewed.before.serial())),
        match new_key {
            None => ("holds until", out.time(renewed.before.not_after())),
            Some(_) => (
                "holds until",
                json!("it was revoked: issue anew what it signed"),
            ),
        },
    ]);
    Ok(())
}

fn constraints(args: &InitArgs) -> anyhow::Result<Option<NameConstraints>> {
    if args.unconstrained {
        return Ok(None);
    }
    let (start, subtrees) = match args.only.is_empty() {
        true => (NameConstraints::default(), &args.permits),
        false => (NameConstraints::nothing(), &args.only),
    };
    let mut constraints = subtrees.iter().try_fold(start, |constraints, subtree| {
        constraints.permitting(subtree)
    })?;
    if args.mail {
        constraints = constraints.with_mail();
    }
    if args.uri {
        constraints = constraints.with_uris();
    }
    Ok(Some(constraints))
}

/// Where `ca issue` writes, and in which forms besides PEM.
pub(super) struct IssueFiles<'a> {
    pub(super) authority: &'a Path,
    pub(super) folder: &'a Path,
    pub(super) password_file: Option<&'a Path>,
    pub(super) legacy: bool,
    pub(super) der: bool,
}

pub(super) fn issue(
    authority: &Authority,
    names: &[String],
    profile: &ProfileArgs,
    kind: KeyKind,
    files: &IssueFiles<'_>,
    out: Printer,
) -> anyhow::Result<()> {
    match profile.profile.name() {
        "sub-ca" => anyhow::bail!(
            "the key of a sub-ca stays with whoever runs it: there `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout sub.key -out sub.csr -subj '/CN={}'`, here `stampmill ca sign --profile sub-ca sub.csr`",
            names[0].replace(['\'', '/'], " ")
        ),
        "ocsp" => return Err(ProfileError::OwnResponder.into()),
        _ => {}
    }
    let paths = Paths::new(files.folder, &names[0]);
    anyhow::ensure!(
        !(paths.key.exists() && paths.certificate.exists()),
        "{} and its key are there already and are not overwritten; `stampmill ca renew` exchanges them for the next",
        paths.certificate.display()
    );
    let password = super::passphrase(files.password_file)?;
    let later = [
        (true, &paths.certificate),
        (files.der, &paths.der),
        (password.is_some(), &paths.pkcs12),
    ];
    // Before anything is certified; a link that leads nowhere is in the way, too.
    for (_, path) in later.iter().filter(|(written, _)| *written) {
        anyhow::ensure!(
            path.symlink_metadata().is_err(),
            "{} exists already and is not overwritten",
            path.display()
        );
    }
    let (request, key) = new_request(names, kind)?;
    let mut written = NewFiles::new();
    // The key first: a certificate without its key is of no use to anybody.
    written.private(&paths.key, &key.to_pkcs8_pem())?;
    let leaf = match authority.issue(&request, &profile_of(profile)) {
        Ok(leaf) => leaf,
        Err(error) => {
            // Nobody has seen this key, and nothing was certified for it.
            let _ = fs::remove_file(&paths.key);
            return Err(error.into());
        }
    };
    let recorded = || again(files.authority, &leaf);
    out.recorded(recorded());
    let chain = leaf.chain_pem();
    written
        .public(&paths.certificate, chain.as_bytes())
        .with_context(recorded)?;
    let mut fields = vec![
        ("certificate", json!(paths.certificate)),
        ("key", json!(paths.key)),
    ];
    if files.der {
        written
            .public(&paths.der, &leaf.der())
            .with_context(recorded)?;
        fields.push(("der", json!(paths.der)));
    }
    if let Some(password) = password {
        let protection = match files.legacy {
            true => Pkcs12Protection::Legacy,
            false => Pkcs12Protection::Modern,
        };
        let bundle = pkcs12(&leaf, &key, &authority.root(), &password, protection)?;
        written
            .private(&paths.pkcs12, &bundle)
            .with_context(recorded)?;
        fields.push(("pkcs12", json!(paths.pkcs12)));
    }
    written.sync().with_context(recorded)?;
    fields.push(("serial", json!(leaf.serial())));
    out.fields(&fields);
    Ok(())
}

pub(super) fn csr(
    names: &[String],
    kind: KeyKind,
    folder: &Path,
    out: Printer,
) -> anyhow::Result<()> {
    let (request, key) = new_request(names, kind)?;
    let paths = Paths::new(folder, &names[0]);
    let mut written = NewFiles::new();
    written.private(&paths.key, &key.to_pkcs8_pem())?;
    written.public(&paths.request, request.to_pem().as_bytes())?;
    written.sync()?;
    out.fields(&[("csr", json!(paths.request)), ("key", json!(paths.key))]);
    Ok(())
}

pub(super) fn sign(
    mut authority: Authority,
    folder: &Path,
    root: &RootKeyArgs,
    csr: &Path,
    profile: &ProfileArgs,
    out: Printer,
) -> anyhow::Result<()> {
    let request = CertificateRequest::read(&read_public(csr)?)
        .with_context(|| format!("{}", csr.display()))?;
    let profile = profile_of(profile);
    if profile.name() == "sub-ca" {
        super::unlock(&mut authority, root)?;
    }
    let leaf = authority.issue(&request, &profile)?;
    out.recorded(again(folder, &leaf));
    let left_out = request.left_out_of(&leaf);
    if !out.is_json() && !left_out.is_empty() {
        // beside the result, which is a file's contents
        let _ = writeln!(
            anstream::stderr(),
            "stampmill: not taken over from the request's subject: {}",
            left_out.join(", ")
        );
    }
    show_chain(&leaf, &left_out, out);
    Ok(())
}

/// How to get a certificate whose file could not be written.
fn again(authority: &Path, leaf: &Certificate) -> String {
    let (folder, serial) = (authority.display(), leaf.serial());
    format!(
        "the certificate is recorded: `stampmill ca show --ca {folder} --pem {serial}` gives it again"
    )
}

fn show_chain(leaf: &Certificate, left_out: &[String], out: Printer) {
    if out.is_json() {
        out.fields(&[
            ("chain", json!(leaf.chain_pem())),
            ("serial", json!(leaf.serial())),
            ("left out", json!(left_out)),
        ]);
    } else {
        out.line(leaf.chain_pem().trim_end());
    }
}

fn profile_of(args: &ProfileArgs) -> Profile {
    let mut profile = args.profile.clone();
    if let Some(days) = args.days {
        profile = profile.days(days);
    }
    match args.long {
        true => profile.long(),
        false => profile,
    }
}

/// A request for these names, with a fresh key.
fn new_request(names: &[String], kind: KeyKind) -> anyhow::Result<(CertificateRequest, LeafKey)> {
    let parsed: Vec<SubjectAltName> = names
        .iter()
        .map(|name| {
            read_name(name).with_context(|| format!("{name:?} is no name for a certificate"))
        })
        .collect::<anyhow::Result<_>>()?;
    // The common name is decoration, and may have 64 characters at most (RFC 5280, ub-common-name).
    let common_name = if names[0].len() <= 64 {
        parsed[0].to_string()
    } else {
        String::new()
    };
    kind.available()?;
    warn(kind);
    let key = LeafKey::generate(kind)?;
    let request = CertificateRequest::for_key(&key, &common_name, &parsed)?;
    Ok((request, key))
}

/// The files of one certificate.
pub(super) struct Paths {
    pub(super) key: PathBuf,
    pub(super) certificate: PathBuf,
    request: PathBuf,
    pub(super) der: PathBuf,
    pub(super) pkcs12: PathBuf,
}

impl Paths {
    /// Stars, colons and slashes are no good in file names.
    pub(super) fn new(folder: &Path, name: &str) -> Self {
        let stem = name
            .split_once("://")
            .map_or(name, |(_, rest)| rest)
            .replace(['*', ':', '/', '?', '#'], "_");
        Self::of(&folder.join(format!("{stem}.pem")))
    }

    /// Those beside a certificate's file.
    pub(super) fn of(certificate: &Path) -> Self {
        let file = |extension: &str| certificate.with_extension(extension);
        Self {
            key: file("key"),
            certificate: certificate.to_owned(),
            request: file("csr"),
            der: file("cer"),
            pkcs12: file("p12"),
        }
    }
}
