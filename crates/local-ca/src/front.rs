//! The front page: which authority this is, how to see that it is the right one, how to trust it, how to get a certificate.
//!
//! It comes over plain HTTP like everything else that is published, and unlike that it is not signed: so it says first how to compare the
//! root's fingerprint with what the operator says. It runs no script and loads nothing, and its policy allows neither.

use std::sync::LazyLock;

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::authority::Authority;
use crate::der::oid;
use crate::moment::utc;
use crate::subject;

const STYLE: &str = include_str!("../templates/authority.css");

/// CSP 3: this style by its hash, no script, no frame around it.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = openssl::base64::encode_block(&openssl::sha::sha256(STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("base64 is visible ASCII")
});

/// What the page says of the ACME server beside it.
#[derive(Clone, Debug)]
pub(crate) struct AcmeDoor {
    pub(crate) directory: String,
    pub(crate) http_01_port: u16,
    pub(crate) external_key: bool,
}

#[derive(Template)]
#[template(path = "authority.html")]
struct Page<'a> {
    style: &'static str,
    name: String,
    /// The name as a file's.
    file: String,
    names: String,
    root_ends: String,
    issuing_ends: String,
    fingerprint: String,
    /// Where the routes are, without a slash at the end.
    address: &'a str,
    parts: u64,
    acme: Option<Acme<'a>>,
}

struct Acme<'a> {
    directory: &'a str,
    external_key: bool,
    /// A name that this authority is good for.
    example: &'static str,
    certbot_port: String,
    lego_port: String,
}

/// The page of an authority whose routes are at this address.
pub(crate) fn page(authority: &Authority, address: &str, acme: Option<&AcmeDoor>) -> Response {
    let name = common_name(authority);
    let page = Page {
        style: STYLE,
        file: name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect(),
        name,
        names: match authority.constraints() {
            Some(constraints) => constraints.to_string(),
            None => "every name in the world".to_owned(),
        },
        root_ends: utc(authority.root().not_after()),
        issuing_ends: utc(authority.issuing().not_after()),
        fingerprint: fingerprint(&authority.root().der()),
        address,
        parts: authority.crl_parts().unwrap_or(1),
        acme: acme.map(|door| Acme {
            directory: &door.directory,
            external_key: door.external_key,
            example: example(authority),
            certbot_port: port(door, " --http-01-port "),
            lego_port: port(door, " --http.port :"),
        }),
    };
    match page.render() {
        Ok(html) => (headers(), html).into_response(),
        Err(error) => {
            tracing::error!(%error, "the front page");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn headers() -> HeaderMap {
    HeaderMap::from_iter([
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        // The intermediate may be another by tomorrow.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ])
}

fn common_name(authority: &Authority) -> String {
    let root = authority.root();
    let attributes = subject::attributes(root.parsed().subject);
    let name = attributes
        .into_iter()
        .find(|(kind, _)| kind == oid::COMMON_NAME);
    name.map_or_else(
        || "An authority without a name".to_owned(),
        |(_, text)| text,
    )
}

/// As `openssl x509 -fingerprint` writes it.
fn fingerprint(der: &[u8]) -> String {
    let bytes = openssl::sha::sha256(der).map(|byte| format!("{byte:02X}"));
    bytes.join(":")
}

/// The first of these that the authority would certify.
fn example(authority: &Authority) -> &'static str {
    let names = ["app.localhost", "app.test", "app.internal", "app.home.arpa"];
    let permitted = |name: &&&str| name.parse().is_ok_and(|name| authority.permits(&name));
    names.iter().find(permitted).unwrap_or(&"NAME")
}

fn port(door: &AcmeDoor, option: &str) -> String {
    match door.http_01_port {
        80 => String::new(),
        port => format!("{option}{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::AuthorityProfile;
    use crate::moment::now;

    async fn text(authority: &Authority, acme: Option<&AcmeDoor>) -> String {
        let page = page(authority, "http://127.0.0.1:8380", acme);
        let body = axum::body::to_bytes(page.into_body(), 1 << 20).await;
        String::from_utf8(body.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_name_is_text_and_no_markup() {
        let profile = AuthorityProfile::new("<script>alert(1)</script> & co");
        let authority = Authority::generate(&profile, now()).unwrap();
        let page = text(&authority, None).await;
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("alert(1)"));
        assert!(page.contains("/ca-certificates/-script-alert-1---script----co.crt"));
        assert!(!page.contains("ACME"), "there is none");
    }

    #[tokio::test]
    async fn the_lines_for_clients_are_ready() {
        let authority = Authority::generate(&AuthorityProfile::new("ca"), now()).unwrap();
        let mut door = AcmeDoor {
            directory: "https://localhost:8381/acme/directory".to_owned(),
            http_01_port: 80,
            external_key: false,
        };
        let page = text(&authority, Some(&door)).await;
        assert!(page.contains(
            "--server https://localhost:8381/acme/directory \\\n  -d app.localhost</code>"
        ));
        assert!(!page.contains("--eab") && !page.contains("--http.port"));
        door.http_01_port = 5002;
        door.external_key = true;
        let page = text(&authority, Some(&door)).await;
        assert!(page.contains("directory --http-01-port 5002 \\\n  --eab-kid KID"));
        assert!(page.contains("--http --http.port :5002 \\\n  --eab --kid KID"));
        assert!(page.contains("eab KID KEY"));
    }

    /// SHA-256 of `abc` (FIPS 180-4).
    #[test]
    fn a_fingerprint_is_written_as_openssl_writes_it() {
        let written = fingerprint(b"abc");
        assert!(written.starts_with("BA:78:16:BF:8F:01") && written.len() == 32 * 3 - 1);
    }
}
