//! What an authority's own records say about a chain. Neither list nor answer has to be fetched for that, and no key is needed.

use std::path::Path;

use super::{since, step};
use crate::authority::{Authority, CaError};
use crate::certificate::Certificate;
use crate::files;
use crate::moment::utc;
use crate::path::{self, Step};
use crate::store::{Entry, Store};

const RULE: &str = "RFC 5280 §3.3";

/// Asks the records of the authority in `dir` about each certificate that it signed itself; nothing about others' chains.
///
/// A leaf that the issuing key signed and the records do not know is refused: somebody else has the key, or the records are old ones.
///
/// # Errors
/// [`CaError`], when a file of the authority cannot be read.
pub fn status_in_records(dir: &Path, chain: &Certificate) -> Result<Vec<Step>, CaError> {
    let signers = signers(dir)?;
    let Some(by) = signers.iter().position(|one| chain.is_signed_by(one)) else {
        return Ok(Vec::new());
    };
    let Some(store) = Store::in_folder(dir)? else {
        return Ok(Vec::new());
    };
    // what the root signed was not always recorded: itself, the first intermediate
    let day_to_day = by == 0 && !signers.iter().any(|one| is(one, chain));
    let mut steps = Vec::new();
    steps.extend(ask(&store, 0, chain, day_to_day)?);
    if let (true, Some(above)) = (day_to_day, path::sent_with(chain).first()) {
        steps.extend(ask(&store, 1, above, false)?);
    }
    Ok(steps)
}

/// Who signs from day to day, and the root, if that is another.
fn signers(dir: &Path) -> Result<Vec<Certificate>, CaError> {
    [Authority::ISSUING_FILE, Authority::ROOT_FILE]
        .map(|file| dir.join(file))
        .iter()
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| {
            Certificate::from_pem(&files::read_public(path)?).map_err(|error| CaError::Damaged {
                path: path.clone(),
                reason: error.to_string(),
            })
        })
        .collect()
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
