//! What an authority's own records say about a chain. Neither list nor answer has to be fetched for that, and no key is needed.

use std::iter;
use std::path::Path;

use super::{since, step};
use crate::authority::{Authority, CaError};
use crate::certificate::Certificate;
use crate::files;
use crate::moment::utc;
use crate::path::{self, Step};
use crate::store::{Entry, Store};

const RULE: &str = "RFC 5280 §3.3";

/// Asks the records of the authority in `dir` about each certificate of a chain that one of its own signed: the root, or whatever authority's
/// certificate the records have, of now and of before. In which order they were sent does not matter: whoever sends them chooses it. Nothing is
/// said about others' chains.
///
/// A leaf that the issuing key signed and the records do not know is refused: somebody else has the key, or the records are old ones.
///
/// # Errors
/// [`CaError`], when a file of the authority cannot be read.
pub fn status_in_records(dir: &Path, chain: &Certificate) -> Result<Vec<Step>, CaError> {
    let Some(store) = Store::in_folder(dir)? else {
        return Ok(Vec::new());
    };
    let root = read(&dir.join(Authority::ROOT_FILE))?;
    let signers = signers(&root, dir, &store)?;
    let sent = path::sent_with(chain);
    // nobody takes back what one was given to trust
    let below_root = iter::once(chain).chain(&sent).filter(|one| !is(one, &root));
    let mut steps = Vec::new();
    for (depth, certificate) in below_root.enumerate() {
        if let Some(by) = signers.iter().find(|one| one.signed(certificate)) {
            steps.extend(ask(&store, depth, certificate, by.records_all)?);
        }
    }
    Ok(steps)
}

/// A certificate whose key signs for this authority, or did.
struct Signer {
    certificate: Certificate,
    /// Whether all that it signed is in the records: that of one who signs from day to day is. Sub-authorities keep their own, and what the
    /// root signed was not always recorded: itself, the first intermediate.
    records_all: bool,
}

impl Signer {
    fn signed(&self, one: &Certificate) -> bool {
        one.parsed().issuer == self.certificate.parsed().subject
            && one.is_signed_by(&self.certificate)
    }
}

/// The root, who signs from day to day, and every other authority that the records have.
fn signers(root: &Certificate, dir: &Path, store: &Store) -> Result<Vec<Signer>, CaError> {
    let issuing = dir.join(Authority::ISSUING_FILE);
    let day_to_day = match issuing.symlink_metadata() {
        Ok(_) => read(&issuing)?,
        Err(_) => root.clone(),
    };
    // those before it with the same key have its name; one with another key was revoked, and is refused itself
    let name = day_to_day.parsed().subject.to_vec();
    let recorded = store.authorities()?;
    let recorded = recorded.iter().map(Entry::certificate);
    let all = [root.clone(), day_to_day].into_iter().chain(recorded);
    let signer = |certificate: Certificate| Signer {
        records_all: certificate.parsed().subject == name,
        certificate,
    };
    Ok(all.map(signer).collect())
}

fn read(path: &Path) -> Result<Certificate, CaError> {
    Certificate::from_pem(&files::read_public(path)?).map_err(|error| CaError::Damaged {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn is(one: &Certificate, other: &Certificate) -> bool {
    one.der_bytes() == other.der_bytes()
}

fn ask(
    store: &Store,
    depth: usize,
    certificate: &Certificate,
    must_be_known: bool,
) -> Result<Option<Step>, CaError> {
    let found = match store.exactly(&certificate.serial())? {
        // a serial number is unique to its issuer only
        Some(entry) if is(&entry.certificate(), certificate) => said(&entry),
        _ if !must_be_known => return Ok(None),
        _ => (
            false,
            "nobody knows: this authority's key signed it, and its records do not have it"
                .to_owned(),
        ),
    };
    Ok(Some(step(depth, certificate, found, RULE)))
}

fn said(entry: &Entry) -> (bool, String) {
    match entry.revoked {
        None => (
            true,
            format!(
                "no, say the authority's records: issued on {}",
                utc(entry.issued_at)
            ),
        ),
        Some((at, reason)) => (
            false,
            format!(
                "{}, say the authority's records",
                since(at, Some(reason.code()))
            ),
        ),
    }
}
