//! Proves that the front page says which authority this is, that every link on it leads somewhere of the right kind, and that nothing on it
//! can run or load anything.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{Method, Request, Response, StatusCode};
use stampmill_local_ca::acme::{AcmeServer, AcmeSettings, Surroundings};
use stampmill_local_ca::{Authority, OcspResponder, Published, now};
use tower::ServiceExt as _;

const AT: &str = "http://127.0.0.1:8380";
const ACME: &str = "https://localhost:8381/acme";

fn scene(folder: &std::path::Path) -> (Arc<Authority>, Router) {
    let authority = Arc::new(Authority::create(&folder.join("ca"), "Test & Co").unwrap());
    let responder = OcspResponder::in_memory(Arc::clone(&authority), now()).unwrap();
    let mut settings = AcmeSettings::new(ACME);
    settings.http_01_port = 5002;
    let surroundings = Surroundings::name_server("127.0.0.1:1".parse().unwrap()).unwrap();
    let acme = AcmeServer::open(Arc::clone(&authority), settings, surroundings).unwrap();
    let published = Published::new(Arc::clone(&authority), Arc::new(responder));
    (authority, published.at(AT).beside(&acme).router())
}

async fn ask(router: &Router, method: Method, path: &str) -> (Response<()>, String) {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    (Response::from_parts(head, ()), body)
}

#[tokio::test]
async fn the_page_says_which_authority_this_is_and_how_to_use_it() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, router) = scene(folder.path());
    let (response, page) = ask(&router, Method::GET, "/").await;
    assert_eq!(response.status(), StatusCode::OK);
    let header = |name: &str| response.headers()[name].to_str().unwrap();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("x-frame-options"), "DENY");
    assert_eq!(header("referrer-policy"), "no-referrer");
    let policy = header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
    assert!(policy.ends_with("frame-ancestors 'none'"));

    assert!(page.contains("<h1>Test &#38; Co</h1>"), "{page}");
    let der = authority.root().der();
    let digest = openssl::sha::sha256(&der).map(|byte| format!("{byte:02X}"));
    assert!(page.contains(&digest.join(":")));
    for line in [
        "certbot certonly --standalone",
        "LEGO_CA_CERTIFICATES=root.pem lego \\\n  --server https://localhost:8381/acme/directory \\",
        "dir https://localhost:8381/acme/directory",
        "http://127.0.0.1:8380/ocsp",
        "update-ca-certificates",
    ] {
        assert!(page.contains(line), "{line}");
    }
    assert!(!page.contains("<script") && !page.contains("javascript:"));

    let (head, empty) = ask(&router, Method::HEAD, "/").await;
    assert_eq!((head.status(), empty.as_str()), (StatusCode::OK, ""));
    assert_eq!(head.headers()["content-length"], page.len().to_string());
    assert_eq!(head.headers()["content-type"], header("content-type"));
    let (other, _) = ask(&router, Method::POST, "/").await;
    assert_eq!(other.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn every_link_leads_somewhere_of_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let (_, router) = scene(folder.path());
    let (_, page) = ask(&router, Method::GET, "/").await;
    let links = page.split("href=\"").skip(1);
    let links: Vec<&str> = links.filter_map(|rest| rest.split('"').next()).collect();
    let mut kinds = Vec::new();
    for path in links.iter().filter_map(|link| link.strip_prefix(AT)) {
        for method in [Method::GET, Method::HEAD] {
            let (response, _) = ask(&router, method, path).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            let kind = response.headers()["content-type"].to_str().unwrap();
            kinds.push(format!("{path} {kind}"));
        }
    }
    kinds.dedup();
    assert_eq!(
        kinds,
        [
            "/root.pem application/x-pem-file",
            "/root.cer application/pkix-cert",
            "/issuing.cer application/pkix-cert",
            "/crl/issuing.crl application/pkix-crl",
            "/crl/root.crl application/pkix-crl",
        ]
    );
    let elsewhere = links.iter().filter(|link| !link.starts_with(AT));
    let elsewhere: Vec<_> = elsewhere.collect();
    assert_eq!(
        elsewhere,
        [&"data:,", &"https://localhost:8381/acme/directory"]
    );
}

/// RFC 9110 §13.1.3, and what a browser is told that comes to the responder's door.
#[tokio::test]
async fn a_list_that_is_known_by_its_date_is_not_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let (_authority, router) = scene(folder.path());
    let (first, _) = ask(&router, Method::GET, "/crl/issuing.crl").await;
    let (changed, tag) = (&first.headers()["last-modified"], &first.headers()["etag"]);
    let with = async |headers: &[(&str, &str)]| {
        let mut request = Request::get("/crl/issuing.crl");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        router
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    let (changed, tag) = (changed.to_str().unwrap(), tag.to_str().unwrap());
    assert_eq!(with(&[("if-modified-since", changed)]).await, 304);
    assert_eq!(
        with(&[("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")]).await,
        304
    );
    for older in ["Thu, 01 Jan 1970 00:00:00 GMT", "yesterday", ""] {
        assert_eq!(with(&[("if-modified-since", older)]).await, 200, "{older}");
    }
    assert_eq!(with(&[("if-none-match", tag)]).await, 304);
    // the tag is the better witness
    let other = [
        ("if-none-match", "\"other\""),
        ("if-modified-since", changed),
    ];
    assert_eq!(with(&other).await, 200);

    let (bare, how) = ask(&router, Method::GET, "/ocsp").await;
    assert_eq!(
        (bare.status(), &bare.headers()["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap())
    );
    assert!(how.contains("/ocsp/ and the question in base64"), "{how}");
}
