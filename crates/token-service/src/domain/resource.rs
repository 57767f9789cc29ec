//! Resources: whom an access token is for (RFC 8707).

use std::fmt;
use std::sync::Arc;

use stampmill_claim_check::ClaimCheck;
use stampmill_jose::Algorithm;
use url::Url;

use super::{ClientId, Scope};

/// A resource indicator: an absolute URI without a fragment (RFC 8707 §2). It becomes the token's `aud`, and is compared
/// as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource(String);

/// A text that is no resource indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a resource is an absolute URI without a fragment, at most {} bytes (RFC 8707 §2)",
    Resource::MAX_BYTES
)]
pub struct ResourceError;

impl Resource {
    /// Longest indicator that is read, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// Reads an indicator.
    ///
    /// ```
    /// use stampmill_token_service::domain::Resource;
    /// assert!(Resource::parse("https://api.example/v1").is_ok());
    /// assert!(Resource::parse("/v1").is_err());
    /// assert!(Resource::parse("https://api.example/#part").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Resource, ResourceError> {
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        let absolute = Url::parse(text).is_ok_and(|url| url.fragment().is_none());
        if text.len() <= Resource::MAX_BYTES && printable && absolute {
            Ok(Resource(text.to_owned()))
        } else {
            Err(ResourceError)
        }
    }

    pub(crate) fn from_store(text: String) -> Resource {
        Resource(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an access token looks like to whoever carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFormat {
    /// A JWT (RFC 9068): the resource server verifies it by itself, and a revoked one is refused late.
    Jwt,
    /// A random reference: the resource server asks (RFC 7662), and a revoked one is refused at once.
    Opaque,
}

/// A resource server this service issues tokens for.
#[derive(Debug, Clone)]
pub struct ResourceServer {
    /// Its indicator, and `aud` of its tokens.
    pub resource: Resource,
    /// What its tokens look like.
    pub format: TokenFormat,
    /// What its JWTs are signed with.
    pub signing_alg: Algorithm,
    /// The scopes that mean something to it; `None` for all that no other resource claims.
    pub scope: Option<Scope>,
    /// The clients that may introspect its tokens: the resource server's own name here.
    pub introspected_by: Vec<ClientId>,
    /// Seconds its access tokens live; `None` for the policy's.
    pub access_token_lifetime: Option<i64>,
    /// Must be true of a token's claims for the resource server to let it in.
    pub accept_when: Option<Arc<ClaimCheck>>,
}

impl ResourceServer {
    /// One that takes JWTs and asks for nothing more.
    pub fn new(resource: Resource) -> ResourceServer {
        ResourceServer {
            resource,
            format: TokenFormat::Jwt,
            signing_alg: Algorithm::Rs256,
            scope: None,
            introspected_by: Vec::new(),
            access_token_lifetime: None,
            accept_when: None,
        }
    }
}

/// Every resource server tokens can be for. The first is the service itself: UserInfo and its own API.
#[derive(Debug, Clone)]
pub struct Resources(Vec<Arc<ResourceServer>>);

impl Resources {
    /// The service's own resource, as it is among `others` or with its defaults, and those.
    pub fn new(own: Resource, mut others: Vec<ResourceServer>) -> Resources {
        let configured = others.iter().position(|one| one.resource == own);
        let own = match configured {
            Some(place) => others.remove(place),
            None => ResourceServer::new(own),
        };
        Resources(std::iter::once(own).chain(others).map(Arc::new).collect())
    }

    /// The service's own.
    pub fn own(&self) -> &Arc<ResourceServer> {
        &self.0[0]
    }

    /// The one of that name.
    pub fn find(&self, resource: &Resource) -> Option<&Arc<ResourceServer>> {
        self.named(resource.as_str())
    }

    /// The same for a text, which is a resource's or nobody's.
    pub fn named(&self, text: &str) -> Option<&Arc<ResourceServer>> {
        self.0.iter().find(|one| one.resource.as_str() == text)
    }

    /// The longest life that one of them gives its access tokens by itself, in seconds.
    pub fn longest_lifetime(&self) -> Option<i64> {
        self.0
            .iter()
            .filter_map(|one| one.access_token_lifetime)
            .max()
    }

    /// What of a scope some token can carry: one for these resources, or for the service itself, for which there is always one
    /// (UserInfo). The rest would be asked of the person for nothing.
    pub fn grantable(&self, resources: &[Resource], asked: &Scope) -> Scope {
        let servers = resources.iter().filter_map(|one| self.find(one));
        let carried: Vec<Scope> = servers
            .chain([self.own()])
            .map(|server| self.scope_for(server, asked))
            .collect();
        asked.retain(|token| carried.iter().any(|scope| scope.contains(token)))
    }

    /// What of a granted scope goes into a token for this resource (RFC 9068 §3: a scope means something to one
    /// resource, and the others need not learn of it).
    pub fn scope_for(&self, server: &ResourceServer, granted: &Scope) -> Scope {
        let others = || self.0.iter().filter(|one| one.resource != server.resource);
        let claimed_elsewhere = |token: &str| {
            others().any(|one| {
                one.scope
                    .as_ref()
                    .is_some_and(|scope| scope.contains(token))
            })
        };
        let own = server.resource == self.own().resource;
        match &server.scope {
            Some(scope) if own => {
                granted.retain(|token| scope.contains(token) || Scope::OF_PERSONS.contains(&token))
            }
            Some(scope) => granted.retain(|token| scope.contains(token)),
            None if own => granted.retain(|token| !claimed_elsewhere(token)),
            None => granted
                .retain(|token| !claimed_elsewhere(token) && !Scope::OF_PERSONS.contains(&token)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(uri: &str, scope: Option<&str>) -> ResourceServer {
        ResourceServer {
            scope: scope.map(|scope| scope.parse().unwrap()),
            ..ResourceServer::new(Resource::parse(uri).unwrap())
        }
    }

    #[test]
    fn rfc8707_2_absolute_without_fragment() {
        for good in [
            "https://a.example",
            "https://a.example/x?y=1",
            "urn:api:one",
        ] {
            assert!(Resource::parse(good).is_ok(), "{good}");
        }
        let long = format!("https://a.example/{}", "x".repeat(Resource::MAX_BYTES));
        for bad in [
            "",
            "a",
            "/x",
            "https://a.example/#",
            "https://a.example/ x",
            &long,
        ] {
            assert!(Resource::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rfc9068_3_scopes_go_where_they_mean_something() {
        let own = Resource::parse("https://issuer.example").unwrap();
        let files = server("https://files.example", Some("files.read files.write"));
        let other = server("https://other.example", None);
        let resources = Resources::new(own, vec![files.clone(), other.clone()]);
        let granted: Scope = "openid email files.read api".parse().unwrap();
        let scope = |server: &ResourceServer| resources.scope_for(server, &granted).to_string();
        assert_eq!(scope(resources.own()), "openid email api");
        assert_eq!(scope(&files), "files.read");
        assert_eq!(scope(&other), "api");
        let grantable = |of: &[Resource]| resources.grantable(of, &granted).to_string();
        assert_eq!(grantable(&[]), "openid email api");
        let files = [files.resource];
        assert_eq!(grantable(&files), "openid email files.read api");
    }
}
