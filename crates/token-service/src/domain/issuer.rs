//! The issuer identifier (RFC 8414 §2, OIDC Discovery §3): what clients are configured with, and where everything of ours is.
//!
//! ```text
//!   https://id.example/realms/one/token
//!   ╰──── origin ────╯╰── path ──╯╰ a path of ours
//! ```
//! Many issuers have no path. Where there is one, every address of ours stands below it, but for the well-known ones of OAuth: those stand
//! between origin and path (RFC 8414 §3.1, RFC 9728 §3.1). This is the one place where they are put together.

use std::fmt;

use url::{Host, Url};

use super::Resource;

/// An issuer identifier: an https URL without query and fragment, written in the one way that there is for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    /// Where its path begins.
    path: usize,
    host: Host<String>,
}

/// Why a text is no issuer identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IssuerError(&'static str);

/// Well-known places that come before the path of what they are about.
const BEFORE_THE_PATH: [&str; 2] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-protected-resource",
];

/// What else describes the whole issuer is looked for on both sides of its path: OIDC Discovery §4 puts it after, RFC 8414 §5 has clients
/// that put it before, and Keycloak and Okta have RFC 8414's own document after it as well.
const ABOUT_THE_ISSUER: [&str; 2] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
];

/// First segments that are something else on this host: the well-known places of others, and the certificate authority.
const TAKEN: [&str; 3] = [".well-known", "acme", "ca"];

impl Issuer {
    /// Longest identifier, in bytes: it is the name of a resource as well, the service's own API.
    pub const MAX_BYTES: usize = Resource::MAX_BYTES;

    /// Reads an identifier.
    ///
    /// ```
    /// use stampmill_token_service::domain::Issuer;
    /// let issuer = Issuer::parse("https://id.example/realms/one")?;
    /// assert_eq!((issuer.origin(), issuer.path()), ("https://id.example", "/realms/one"));
    /// assert_eq!(Issuer::parse("https://id.example")?.path(), "");
    /// let refused = Issuer::parse("https://id.example/realms/one/").unwrap_err();
    /// assert!(refused.to_string().contains("may not end with a slash"));
    /// # Ok::<(), stampmill_token_service::domain::IssuerError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Issuer, IssuerError> {
        let refused = |reason| Err(IssuerError(reason));
        if text.len() > Issuer::MAX_BYTES {
            return refused("it is longer than 512 bytes");
        }
        let Ok(url) = Url::parse(text) else {
            return refused("it is no URL");
        };
        if url.scheme() != "https" {
            return refused("it must begin with https:// (RFC 8414 §2)");
        }
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return refused("it may have no query, fragment or user name (RFC 8414 §2)");
        }
        // Clients compare issuers as strings, so there is one way to write each.
        let origin = url.origin().ascii_serialization();
        let path = text.strip_prefix(&origin);
        let Some(path) = path.filter(|path| path.is_empty() || path.starts_with('/')) else {
            return refused(
                "it must be written as https://host or https://host:port, in small letters and without the default port; a path may follow",
            );
        };
        check_path(path)?;
        let Some(host) = url.host() else {
            return refused("it has no host");
        };
        Ok(Issuer {
            text: text.to_owned(),
            path: origin.len(),
            host: host.to_owned(),
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and, if it is not the default one, port.
    pub fn origin(&self) -> &str {
        &self.text[..self.path]
    }

    /// Begins with a slash and does not end with one; empty if there is none.
    pub fn path(&self) -> &str {
        &self.text[self.path..]
    }

    pub(crate) fn host(&self) -> &Host<String> {
        &self.host
    }

    /// The address of a path of ours.
    pub(crate) fn address(&self, path: &str) -> String {
        let (before, after) = around(path);
        format!("{}{before}{}{after}", self.origin(), self.path())
    }

    /// Where a path of ours is on its host.
    pub(crate) fn place(&self, path: &str) -> String {
        let (before, after) = around(path);
        format!("{before}{}{after}", self.path())
    }

    /// Everywhere on its host that it answers, [`place`](Self::place) first.
    pub(crate) fn places(&self, path: &str) -> Vec<String> {
        let mut places = vec![self.place(path)];
        if ABOUT_THE_ISSUER.contains(&path) {
            places.push(format!("{}{path}", self.path()));
            places.push(format!("{path}{}", self.path()));
        }
        // Who opens the issuer itself has no slash at its end.
        if path == "/" && !self.path().is_empty() {
            places.push(self.path().to_owned());
        }
        let mut seen = Vec::new();
        places.retain(|place| {
            let new = !seen.contains(place);
            seen.push(place.clone());
            new
        });
        places
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What of a path of ours stands before the issuer's, and what after.
fn around(path: &str) -> (&str, &str) {
    let mut before = BEFORE_THE_PATH.iter();
    let split = before.find_map(|before| Some((*before, path.strip_prefix(before)?)));
    split.unwrap_or(("", path))
}

/// A path is compared by clients, routed by proxies, written into cookies and pages, and each of them has its own idea of percent-encoding,
/// dots and empty segments. So it is made of what all of them leave alone (RFC 3986 §2.3).
fn check_path(path: &str) -> Result<(), IssuerError> {
    let Some(segments) = path.strip_prefix('/') else {
        return Ok(());
    };
    if segments.is_empty() || segments.ends_with('/') {
        return Err(IssuerError("it may not end with a slash"));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    for segment in segments.split('/') {
        if segment.is_empty() {
            return Err(IssuerError("its path may have no empty segment"));
        }
        if segment == "." || segment == ".." {
            return Err(IssuerError("its path may have no dot segments"));
        }
        if !segment.bytes().all(plain) {
            return Err(IssuerError(
                "its path may hold letters, digits and -._~ alone, and nothing percent-encoded",
            ));
        }
    }
    let first = segments.split('/').next().unwrap_or_default();
    if TAKEN.contains(&first) {
        return Err(IssuerError(
            "its path may not begin with /.well-known, /acme or /ca: there is something else on this host",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8414_2_issuers() {
        for (good, path) in [
            ("https://localhost:8443", ""),
            ("https://id.example", ""),
            ("https://127.0.0.1:1", ""),
            ("https://[::1]:8443", ""),
            ("https://id.example/a", "/a"),
            ("https://[::1]:8443/realms/One_~.-", "/realms/One_~.-"),
            ("https://id.example/authority/ca", "/authority/ca"),
            ("https://id.example/...", "/..."),
        ] {
            let issuer = Issuer::parse(good).unwrap();
            assert_eq!((issuer.as_str(), issuer.path()), (good, path));
            assert_eq!(format!("{}{path}", issuer.origin()), good);
        }
        let long = format!("https://a.example/{}", "x".repeat(494));
        assert!(Issuer::parse(&long).is_ok() && Issuer::parse(&format!("{long}x")).is_err());
        for (bad, reason) in [
            ("http://localhost", "https://"),
            ("http://localhost/realms/one", "https://"),
            ("https://a.example/", "end with a slash"),
            ("https://a.example/tenant/", "end with a slash"),
            ("https://a.example//", "end with a slash"),
            ("https://a.example/a//b", "empty segment"),
            ("https://a.example//b", "empty segment"),
            ("https://a.example/.", "dot segments"),
            ("https://a.example/a/../b", "dot segments"),
            ("https://a.example/a/%2e%2e/b", "percent-encoded"),
            ("https://a.example/a%2Fb", "percent-encoded"),
            ("https://a.example/ä", "letters, digits"),
            ("https://a.example/a;b", "letters, digits"),
            ("https://a.example/{a}", "letters, digits"),
            ("https://a.example/a b", "letters, digits"),
            ("https://a.example/a\\b", "letters, digits"),
            ("https://a.example\\b", "a path may follow"),
            ("https://a.example/.well-known/x", "/.well-known"),
            ("https://a.example/acme", "/acme"),
            ("https://a.example/ca/x", "/ca"),
            ("https://a.example?x", "query"),
            ("https://a.example/a?", "query"),
            ("https://a.example/a#x", "fragment"),
            ("https://A.example", "small letters"),
            ("https://A.example/a", "small letters"),
            ("https://a.example:443", "default port"),
            ("https://a.example:443/a", "default port"),
            ("https://me@a.example/a", "user name"),
            ("https:a.example/a", "small letters"),
            ("https://a.example/\n", "letters, digits"),
            ("localhost:8443", "https://"),
            ("", "no URL"),
        ] {
            let refused = Issuer::parse(bad).map_err(|error| error.to_string());
            let refused = refused.expect_err(bad);
            assert!(refused.contains(reason), "{bad:?}: {refused}");
        }
    }

    #[test]
    fn rfc8414_3_1_where_things_are() {
        let root = Issuer::parse("https://id.example").unwrap();
        let one = Issuer::parse("https://id.example/realms/one").unwrap();
        let (oauth, openid) = (ABOUT_THE_ISSUER[1], ABOUT_THE_ISSUER[0]);
        let resource = BEFORE_THE_PATH[1];
        for (path, at_one) in [
            ("/token", "/realms/one/token".to_owned()),
            ("/", "/realms/one/".to_owned()),
            (openid, format!("/realms/one{openid}")),
            (oauth, format!("{oauth}/realms/one")),
            (resource, format!("{resource}/realms/one")),
            (
                &format!("{resource}/api/me"),
                format!("{resource}/realms/one/api/me"),
            ),
        ] {
            assert_eq!((root.place(path), one.place(path)), (path.into(), at_one));
            assert_eq!(root.places(path), [path], "one place each, as ever");
            assert_eq!(root.address(path), format!("https://id.example{path}"));
        }
        assert_eq!(one.address("/token"), "https://id.example/realms/one/token");
        assert_eq!(one.places("/token"), ["/realms/one/token"]);
        assert_eq!(one.places("/"), ["/realms/one/", "/realms/one"]);
        for about in [openid, oauth] {
            let mut places = one.places(about);
            places.sort();
            let [before, after] = [format!("{about}/realms/one"), format!("/realms/one{about}")];
            assert_eq!(places, [before, after]);
        }
    }
}
