//! The service as a browser knows it: where its pages and forms lead, and what its cookies are called.

use axum::http::HeaderValue;
use stampmill_jose::base64url;

use super::check_session;
use crate::domain::Issuer;
use crate::protocol::paths;

/// A name of a cookie, and where the browser sends it.
///
/// An issuer without a path has its host for itself. Its cookies are `__Host-`: the browser sends them to this host alone, over TLS alone,
/// and takes them from nowhere else (RFC 6265bis §4.1.3.2).
///
/// One with a path shares the host, with other issuers or with applications behind the same proxy, and `__Host-` would show every one of
/// them the session in every request, because it demands `Path=/`. Whoever has a session's cookie has the session, so here the cookie goes
/// to this path alone: `__Secure-`, and a few characters of the path's digest, because `/realms` would otherwise find the cookie of
/// `/realms/one` under its own name, or the other way round. The price: a host beside this one (`x.id.example`) can plant a cookie, as it
/// can at every server without `__Host-`; with it somebody is signed in as whoever planted it, and never the other way round, because each
/// sign-in sets a new one. And all pages of one host are one origin, whatever their paths: what shares it with us is kept from our cookies,
/// not from asking in the person's name.
pub(super) struct Cookie {
    name: String,
    path: String,
    attributes: &'static str,
}

/// Of those that no script reads and no other site's request brings.
const OURS_ALONE: &str = "Secure; HttpOnly; SameSite=Lax";
/// Of the one that scripts of ours read in frames of other sites.
const IN_FRAMES: &str = "Secure; SameSite=None";

impl Cookie {
    fn new(kind: &str, issuer: &Issuer, attributes: &'static str) -> Cookie {
        let (name, path) = match issuer.path() {
            "" => (format!("__Host-stampmill-{kind}"), "/"),
            path => {
                let digest = base64url::encode(&openssl::sha::sha256(path.as_bytes())[..6]);
                (format!("__Secure-stampmill-{kind}-{digest}"), path)
            }
        };
        Cookie {
            name,
            path: path.to_owned(),
            attributes,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// As a header: with this value for as long as the browser runs. The value is base64url.
    pub(super) fn with(&self, value: &str) -> HeaderValue {
        let Cookie {
            name,
            path,
            attributes,
        } = self;
        let cookie = format!("{name}={value}; Path={path}; {attributes}");
        HeaderValue::from_str(&cookie).expect("names, values and paths of cookies are ASCII")
    }

    /// As a header that takes it away.
    pub(super) fn end(&self) -> HeaderValue {
        let Cookie { name, path, .. } = self;
        let cookie = format!("{name}=; Max-Age=0; Path={path}; {OURS_ALONE}");
        HeaderValue::from_str(&cookie).expect("names and paths of cookies are ASCII")
    }
}

/// Made once for an issuer.
pub(super) struct Site {
    issuer: Issuer,
    style: String,
    /// Who is signed in.
    pub(super) session: Cookie,
    /// Ties the hidden fields of our pages to the browser they were made for.
    pub(super) binding: Cookie,
    /// What the frame of OpenID Connect Session Management reads, in pages of other sites (§3.2): no secret, and worth nothing here.
    pub(super) state: Cookie,
    pub(super) check_session: check_session::Page,
}

impl Site {
    pub(super) fn new(issuer: &Issuer) -> Site {
        let state = Cookie::new("state", issuer, IN_FRAMES);
        Site {
            style: issuer.place(paths::STYLE),
            session: Cookie::new("session", issuer, OURS_ALONE),
            binding: Cookie::new("browser", issuer, OURS_ALONE),
            check_session: check_session::Page::new(&state),
            state,
            issuer: issuer.clone(),
        }
    }

    /// Where a path of ours is on the host.
    pub(super) fn place(&self, path: &str) -> String {
        self.issuer.place(path)
    }

    /// The stylesheet of every page.
    pub(super) fn style(&self) -> &str {
        &self.style
    }
}
