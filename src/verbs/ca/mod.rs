//! `stampmill ca …`: the authority, what it issues, what it revokes, what it publishes.

mod acme;
mod args;
mod input;
mod judge;
mod look;
mod make;
mod records;
mod renew;
mod serve;
mod status;
mod trust;
mod zoo;

pub(crate) use args::{AuthorityArgs, CaVerb};

use anyhow::Context as _;
use std::io::Write as _;
use std::path::Path;

use stampmill_local_ca::{Authority, KeyError, Passphrase, now, read_private, utc};

use crate::print::Printer;
use args::RootKeyArgs;

pub(crate) fn run(verb: CaVerb, out: Printer) -> anyhow::Result<()> {
    match verb {
        CaVerb::Init(init) => make::init(&init, out),
        CaVerb::Issue {
            authority,
            names,
            profile,
            key,
            out: folder,
            pkcs12_password_file,
            pkcs12_legacy,
            der,
        } => {
            let files = make::IssueFiles {
                authority: &authority.folder,
                folder: &folder,
                password_file: pkcs12_password_file.as_deref(),
                legacy: pkcs12_legacy,
                der,
            };
            make::issue(&open(&authority)?, &names, &profile, key, &files, out)
        }
        CaVerb::Renew(args) => renew::renew(&open(&args.authority)?, &args, out),
        CaVerb::Csr {
            names,
            key,
            out: folder,
        } => make::csr(&names, key, &folder, out),
        CaVerb::Sign {
            authority,
            root,
            csr,
            profile,
        } => make::sign(
            open(&authority)?,
            &authority.folder,
            &root,
            &csr,
            &profile,
            out,
        ),
        CaVerb::List {
            authority,
            text,
            status,
            expiring,
        } => {
            let store = records::records_in(&authority.folder)?;
            records::list(&store, text, status.as_deref(), expiring, out)
        }
        CaVerb::Show {
            authority,
            certificate,
            pem,
        } => {
            let store = records::records_in(&authority.folder)?;
            records::show(&store, &certificate, pem, out)
        }
        CaVerb::Log { authority, most } => {
            records::log(&records::records_in(&authority.folder)?, most, out)
        }
        CaVerb::Revoke {
            authority,
            certificate,
            reason,
        } => status::revoke(&open(&authority)?, &certificate, reason, out),
        CaVerb::Crl(args) => status::crl(&args, out),
        CaVerb::RenewIssuing {
            authority: args,
            root,
            days,
            new_key,
        } => {
            let mut authority = open(&args)?;
            unlock(&mut authority, &root)?;
            make::renew_issuing(&mut authority, &args, days, new_key, out)
        }
        CaVerb::Ocsp {
            authority: args,
            question,
            out: file,
        } => status::ocsp(open(&args)?, &args.folder, &question, &file, out),
        CaVerb::Serve(args) => serve::serve(open(&args.authority)?, &args, out),
        CaVerb::Acme(verb) => acme::run(verb, out),
        CaVerb::Eab {
            authority,
            list,
            withdraw,
        } => acme::external_keys(&authority, list, withdraw.as_deref(), out),
        CaVerb::Trust(args) => trust::trust(&args, out),
        CaVerb::Untrust(args) => trust::untrust(&args, out),
        CaVerb::Zoo(args) => zoo::zoo(&args, out),
        CaVerb::View { file } => look::view_file(&file, out),
        CaVerb::Lint { file, rules } => look::lint_file(&file, rules, out),
        CaVerb::Verify(args) => judge::judge(&args, out),
    }
}

/// The authority, with its passphrase if one was named.
fn open(args: &AuthorityArgs) -> anyhow::Result<Authority> {
    let passphrase = passphrase(args.passphrase_file.as_deref())?;
    let mut authority = Authority::open_with(&args.folder, passphrase.as_ref())?;
    if authority.issuing_is_due(now()) {
        renew_or_say(&mut authority, &args.folder);
    }
    Ok(authority)
}

/// The intermediate ends soon, or does not live yet. Where the root's key lies beside it, open to us, the next is made; elsewhere somebody has to bring it.
fn renew_or_say(authority: &mut Authority, folder: &Path) {
    let before = authority.issuing();
    let life = match before.not_before() > now() {
        true => format!("begins only on {}", utc(before.not_before())),
        false => format!("ends on {}", utc(before.not_after())),
    };
    let renewed = authority
        .unlock_root(None, None)
        .and_then(|()| authority.renew_issuing(folder, None, now()));
    let line = match renewed {
        Ok(renewed) => format!(
            "the issuing certificate {life}; it is renewed until {}",
            utc(renewed.certificate.not_after())
        ),
        Err(error) => format!(
            "the issuing certificate {life}: `stampmill ca renew-issuing --root-key FILE` makes the next ({error})"
        ),
    };
    let _ = writeln!(anstream::stderr(), "stampmill: {line}");
}

fn unlock(authority: &mut Authority, root: &RootKeyArgs) -> anyhow::Result<()> {
    let passphrase = passphrase(root.root_passphrase_file.as_deref())?;
    Ok(authority.unlock_root(root.root_key.as_deref(), passphrase.as_ref())?)
}

/// The first line of a file that only its owner can read.
fn passphrase(file: Option<&Path>) -> anyhow::Result<Option<Passphrase>> {
    file.map(|file| {
        match Passphrase::from_file_contents(&read_private(file)?) {
            // no key is meant: what the passphrase is for, the verb knows
            Err(KeyError::PassphraseNeeded) => {
                anyhow::bail!("{} has no passphrase in its first line", file.display())
            }
            read => read.with_context(|| file.display().to_string()),
        }
    })
    .transpose()
}
