//! What a resource tells about itself (RFC 9728): who issues its tokens, so that a client that was refused knows where to go.

use serde_json::json;
use stampmill_jose::{Algorithm, AlgorithmSet};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A resource's metadata: serve `json` as `application/json` at `path`, without a guard before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceMetadata {
    /// Its address, as challenges name it (§5.1).
    pub url: String,
    /// The path of that address.
    pub path: String,
    /// The document (§2).
    pub json: String,
}

impl ResourceMetadata {
    /// §3.1: the well-known part stands between the host and the path of the resource's own address. `None` for a resource
    /// that is no https address.
    pub(crate) fn new(
        resource: &str,
        issuer: &str,
        scopes: &[String],
        dpop: bool,
    ) -> Option<ResourceMetadata> {
        let rest = resource.strip_prefix("https://")?;
        let (host, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if host.is_empty() || path.contains(['?', '#']) {
            return None;
        }
        let path = format!("{WELL_KNOWN}{}", path.trim_end_matches('/'));
        let mut document = json!({
            "resource": resource,
            "authorization_servers": [issuer],
            "bearer_methods_supported": ["header"],
        });
        if !scopes.is_empty() {
            document["scopes_supported"] = json!(scopes);
        }
        if dpop {
            document["dpop_signing_alg_values_supported"] = json!(dpop_algorithms());
        }
        Some(ResourceMetadata {
            url: format!("https://{host}{path}"),
            path,
            json: document.to_string(),
        })
    }
}

pub(crate) fn dpop_algorithms() -> Vec<&'static str> {
    AlgorithmSet::ALL.iter().map(Algorithm::name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9728_3_1_where_the_document_is() {
        let path = |resource: &str| {
            ResourceMetadata::new(resource, "https://id.example", &[], false)
                .map(|metadata| metadata.url)
        };
        let well_known = "https://api.example/.well-known/oauth-protected-resource";
        assert_eq!(path("https://api.example").as_deref(), Some(well_known));
        assert_eq!(path("https://api.example/").as_deref(), Some(well_known));
        let nested = format!("{well_known}/v1/files");
        assert_eq!(path("https://api.example/v1/files"), Some(nested));
        assert_eq!(path("urn:api"), None);
        assert_eq!(path("https://api.example/?x=1"), None);
    }
}
