//! The clients that resources are introspected by: resource servers, which need no grant, and have to exist.

use std::ops::Range;

use super::ConfigFileError;
use super::source::Source;
use crate::domain::{ClientId, Registration};

/// Every client that some `introspected_by` names, and where.
#[derive(Default)]
pub(super) struct Introspectors(Vec<(ClientId, Range<usize>)>);

/// One that is not in the file: so it has to be among the registered clients.
#[derive(Debug)]
pub(crate) struct ClientElsewhere {
    pub(crate) id: ClientId,
    /// The refusal of the file, if it is not.
    pub(crate) refusal: ConfigFileError,
}

impl Introspectors {
    pub(super) fn add(&mut self, id: &ClientId, span: Range<usize>) {
        self.0.push((id.clone(), span));
    }

    pub(super) fn contains(&self, id: &ClientId) -> bool {
        self.0.iter().any(|(known, _)| known == id)
    }

    pub(super) fn elsewhere(
        self,
        source: &Source<'_>,
        clients: &[Registration],
    ) -> Vec<ClientElsewhere> {
        let ids: Vec<&str> = clients.iter().filter_map(|one| one.id.as_deref()).collect();
        let absent = self
            .0
            .into_iter()
            .filter(|(id, _)| !ids.contains(&id.as_str()));
        let elsewhere = absent.map(|(id, span)| ClientElsewhere {
            refusal: source.refuse(span, &unknown(&id, &ids)),
            id,
        });
        elsewhere.collect()
    }
}

fn unknown(id: &ClientId, known: &[&str]) -> String {
    let neither = "no client has this client_id, neither among [[clients]] nor in the data folder (`stampmill client list`)";
    match nearest(id.as_str(), known) {
        Some(meant) => format!("{neither}; did you mean {meant:?}?"),
        None => neither.to_owned(),
    }
}

/// The one that was probably meant, if there is one.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    const ALIKE: f64 = 0.8;
    let alike = known
        .iter()
        .map(|one| (strsim::jaro_winkler(word, one), *one));
    let best = alike.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(alike, _)| *alike >= ALIKE)
        .map(|(_, one)| one)
}
