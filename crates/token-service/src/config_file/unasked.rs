//! Rules of a resource that nobody would ever ask for.
//!
//! A resource server that verifies JWTs by itself does not ask the service, so what the service would say of them has no effect there; and
//! an opaque token means nothing to one that may not ask. The file stays legal, since a client may introspect its own tokens anywhere;
//! but whoever wrote such a rule meant something else, so the log tells it at each start and each reading.

use std::ops::Range;

use super::source::Source;
use crate::domain::{Resource, ResourceServer, TokenFormat};

/// A rule that is never asked, unless the resource is the service's own API, which asks itself. Which that is depends on the issuer, and
/// not on the file alone.
#[derive(Debug)]
pub(crate) struct Unasked {
    resource: Resource,
    /// The sentence, with its line.
    warning: String,
}

impl Unasked {
    /// Those of one resource, whose `format` and `accept_when` stand there in the file.
    pub(super) fn of<'a>(
        server: &'a ResourceServer,
        format: Option<Range<usize>>,
        accept_when: Option<Range<usize>>,
        source: &'a Source<'_>,
    ) -> impl Iterator<Item = Unasked> + use<'a> {
        let opaque = format.filter(|_| server.format == TokenFormat::Opaque);
        let rules = [
            opaque.map(|span| (span, OPAQUE)),
            accept_when.map(|span| (span, ACCEPT_WHEN)),
        ];
        let nobody_asks = server.introspected_by.is_empty();
        let rules = rules.into_iter().flatten().filter(move |_| nobody_asks);
        rules.map(|(span, why)| Unasked {
            resource: server.resource.clone(),
            warning: source.warning(span, why),
        })
    }

    /// The sentence, if it holds for a service with this issuer.
    pub(crate) fn under(&self, issuer: &str) -> Option<&str> {
        (self.resource.as_str() != issuer).then_some(&self.warning)
    }
}

const OPAQUE: &str = "no resource server can use these tokens: opaque ones are understood by introspection alone, and introspected_by names nobody";
const ACCEPT_WHEN: &str = "no resource server asks for this rule: introspection decides it, and introspected_by names nobody; a resource server that verifies tokens by itself has to check it there";
