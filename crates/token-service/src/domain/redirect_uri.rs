//! Redirect URIs: where the browser may be sent with a code. Compared as strings, because two URL parsers never agree.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::ApplicationType;

/// A redirect URI as registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri(String);

/// Why a redirect URI cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    /// Not an absolute URI of plain characters.
    #[error("{0:?} is not an absolute URI of printable ASCII characters")]
    NotAbsolute(String),
    /// `https:cb` and `https:///cb`: URL parsers guess a host from what follows, and not all the same one.
    #[error("{0:?} names no host after http:// or https://")]
    NoHost(String),
    /// The `url` crate takes `a;b`, `*` and `a'b` for hosts as well (WHATWG URL §3.5 forbids fewer characters than
    /// RFC 952 §1 and RFC 1123 §2.1 do); in a Content Security Policy each of them means something.
    #[error("the host of {0:?} is neither letters, digits, hyphens and dots nor an IP address")]
    Host(String),
    /// RFC 6749 §3.1.2.
    #[error("{0:?} has a fragment; redirect URIs may not (RFC 6749 §3.1.2)")]
    Fragment(String),
    /// A name or password before the host.
    #[error("{0:?} has a user name or password in it")]
    UserInfo(String),
    /// Plain http beyond the own machine.
    #[error(
        "{0:?} sends the code over plain http to another machine; only localhost, 127.0.0.1 and [::1] may use http"
    )]
    PlainHttp(String),
    /// OIDC Registration §2: what else listens on the person's machine would get the tokens.
    #[error(
        "{0:?}: a web client with a hybrid response type needs https addresses on hosts of its own, not this machine (OpenID Connect Registration §2); a program on the person's machine is of application_type native"
    )]
    HybridOnThisMachine(String),
    /// An own scheme needs a native client and a dot (RFC 8252 §7.1).
    #[error(
        "{0:?}: a scheme of one's own is for native clients and named after a domain, such as com.example.app (RFC 8252 §7.1)"
    )]
    Scheme(String),
}

impl RedirectUri {
    /// Checks a redirect URI for registration. A native client may have any `https` address, too, which its platform lets nobody
    /// else claim (RFC 8252 §7.2).
    pub fn register(
        text: &str,
        application: ApplicationType,
    ) -> Result<RedirectUri, RedirectUriError> {
        let legal = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
        let url = Url::parse(text).ok().filter(|_| text.bytes().all(legal));
        let url = url.ok_or_else(|| RedirectUriError::NotAbsolute(text.into()))?;
        if text.contains('#') {
            return Err(RedirectUriError::Fragment(text.into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RedirectUriError::UserInfo(text.into()));
        }
        if matches!(url.scheme(), "http" | "https") && !names_a_host(text) {
            return Err(RedirectUriError::NoHost(text.into()));
        }
        if matches!(url.scheme(), "http" | "https") && !has_plain_host(&url) {
            return Err(RedirectUriError::Host(text.into()));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_own_machine(&url) => {}
            "http" => return Err(RedirectUriError::PlainHttp(text.into())),
            own if application == ApplicationType::Native && own.contains('.') => {}
            _ => return Err(RedirectUriError::Scheme(text.into())),
        }
        Ok(RedirectUri(text.into()))
    }

    /// Whether a web client may be sent more than a code there: over TLS, and to somebody's host.
    pub(super) fn is_fit_for_hybrid(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| url.scheme() == "https" && !is_loopback(&url))
    }

    /// A row's text, checked when it was registered.
    pub(crate) fn from_store(text: String) -> RedirectUri {
        RedirectUri(text)
    }

    /// The URI as registered.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request may name `asked`: the same string, or (native clients) the same loopback IP with another port.
    ///
    /// RFC 9700 §2.1 allows the one exception, RFC 8252 §7.3 asks for it: a native program takes whatever port is free.
    /// `localhost` is not excepted, since other programs of the machine may answer to that name (RFC 8252 §8.3).
    pub fn matches(&self, asked: &str, application: ApplicationType) -> bool {
        asked == self.0
            || (application == ApplicationType::Native
                && same_but_for_loopback_port(&self.0, asked))
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the text itself says `scheme://` and something: the WHATWG parser takes `https:cb` and `https:///cb` for the
/// host `cb`.
fn names_a_host(text: &str) -> bool {
    text.split_once(':')
        .and_then(|(_, rest)| rest.strip_prefix("//"))
        .is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
}

/// Whether the host is a name of letters, digits, hyphens and dots, or an IP address: what every parser reads alike, and
/// what no policy or header can be rewritten with.
pub(crate) fn has_plain_host(url: &Url) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    match url.host() {
        Some(Host::Domain(name)) => !name.is_empty() && name.bytes().all(plain),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    }
}

/// Whether the host is this machine by every name that is kept for it (RFC 6761 §6.3: `localhost` and all below it, also
/// as absolute names with a dot at the end), or by an address that leads there as well: `::ffff:127.0.0.1`, and the
/// unspecified one, which connects to this machine on Linux and macOS.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let leads_here = |address: IpAddr| {
        let address = address.to_canonical();
        address.is_loopback() || address.is_unspecified()
    };
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => leads_here(address.into()),
        Some(Host::Ipv6(address)) => leads_here(address.into()),
        None => false,
    }
}

fn is_own_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn same_but_for_loopback_port(registered: &str, asked: &str) -> bool {
    ["http://127.0.0.1", "http://[::1]"].iter().any(|origin| {
        let after = |uri: &str| uri.strip_prefix(origin).and_then(without_port).map(str::to_owned);
        matches!((after(registered), after(asked)), (Some(registered), Some(asked)) if registered == asked)
    })
}

/// What follows an optional `:port`; `None` where something else follows the host (`http://127.0.0.1.evil.example`).
fn without_port(rest: &str) -> Option<&str> {
    let Some(port) = rest.strip_prefix(':') else {
        return (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest);
    };
    let end = port
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(port.len());
    let (port, rest) = port.split_at(end);
    let legal = port
        .parse::<u16>()
        .is_ok_and(|number| number > 0 && number.to_string() == port);
    (legal && (rest.is_empty() || rest.starts_with(['/', '?']))).then_some(rest)
}

/// What the `url` crate takes for hosts.
#[cfg(test)]
pub(crate) const HOSTS_THAT_ARE_NONE: [&str; 9] = [
    "a.example;sandbox",
    "a.example,b.example",
    "'self'",
    "*",
    "*.example",
    "a_b.example",
    "a.example;script-src%2a",
    "!$&()+=~.example",
    "%2a.example",
];

#[cfg(test)]
mod tests {
    use super::*;
    use ApplicationType::{Native, Web};

    #[test]
    fn rfc9700_4_1_3_exact_strings() {
        let uri = RedirectUri::register("https://client.example/cb?tenant=1", Web).unwrap();
        assert!(uri.matches("https://client.example/cb?tenant=1", Web));
        for other in [
            "https://client.example/cb",
            "https://client.example/cb?tenant=1&x=2",
            "https://client.example/cb/?tenant=1",
            "https://CLIENT.example/cb?tenant=1",
            "https://client.example:443/cb?tenant=1",
            "https://client.example/cb?tenant=1#x",
            "",
        ] {
            assert!(!uri.matches(other, Web), "{other}");
        }
    }

    #[test]
    fn rfc8252_7_3_loopback_ports() {
        let uri = RedirectUri::register("http://127.0.0.1/callback", Native).unwrap();
        assert!(uri.matches("http://127.0.0.1:49152/callback", Native));
        assert!(
            !uri.matches("http://127.0.0.1:49152/callback", Web),
            "the exception is for native clients"
        );
        for other in [
            "http://127.0.0.1:0/callback",
            "http://127.0.0.1:/callback",
            "http://127.0.0.1:080/callback",
            "http://127.0.0.1:99999/callback",
            "http://127.0.0.1:80/callback/",
            "http://127.0.0.1:80@evil.example/callback",
            "http://127.0.0.1.evil.example/callback",
            "http://localhost:80/callback",
            "https://127.0.0.1:80/callback",
            "http://127.0.0.2:80/callback",
            "http://[::1]:80/callback",
        ] {
            assert!(!uri.matches(other, Native), "{other}");
        }
        let localhost = RedirectUri::register("http://localhost:3000/callback", Native).unwrap();
        assert!(
            !localhost.matches("http://localhost:3001/callback", Native),
            "a name is not an IP literal (RFC 8252 §8.3)"
        );
        let six = RedirectUri::register("http://[::1]:1/cb", Native).unwrap();
        assert!(six.matches("http://[::1]:2/cb", Native));
    }

    #[test]
    fn what_cannot_be_registered() {
        use RedirectUriError as E;
        let refused = |text: &str| RedirectUri::register(text, Web).unwrap_err();
        assert!(matches!(refused("/cb"), E::NotAbsolute(_)));
        assert!(matches!(
            refused("https://a.example/c b"),
            E::NotAbsolute(_)
        ));
        assert!(matches!(
            refused("https://a.example/cb\r\nx"),
            E::NotAbsolute(_)
        ));
        assert!(matches!(refused("https://a.example/cb#"), E::Fragment(_)));
        assert!(matches!(refused("https://me@a.example/cb"), E::UserInfo(_)));
        assert!(matches!(refused("http://a.example/cb"), E::PlainHttp(_)));
        for no_host in [
            "https:foo/cb",
            "https:/foo/cb",
            "https:///evil/cb",
            "http:localhost/cb",
        ] {
            assert!(matches!(refused(no_host), E::NoHost(_)), "{no_host}");
        }
        for odd in HOSTS_THAT_ARE_NONE {
            let uri = format!("https://{odd}/cb");
            assert!(matches!(refused(&uri), E::Host(_)), "{uri}");
        }
        for host in [
            "xn--bcher-kva.example",
            "192.0.2.1:8443",
            "[2001:db8::1]",
            "a-b.1.example.",
        ] {
            let uri = format!("https://{host}/cb");
            assert!(RedirectUri::register(&uri, Web).is_ok(), "{uri}");
        }
        assert!(matches!(refused("javascript:alert(1)"), E::Scheme(_)));
        assert!(matches!(refused("com.example.app:/cb"), E::Scheme(_)));
        assert!(RedirectUri::register("com.example.app:/cb", Native).is_ok());
        assert!(matches!(
            RedirectUri::register("data:text/html,x", Native).unwrap_err(),
            E::Scheme(_)
        ));
    }
}
