//! Proves where everything is for an issuer with a path: each address that the service tells, in metadata, answers, pages and cookies, is
//! below the path and answers there, and nothing else on the host does.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use stampmill_jose::{Algorithm, Jwks, SigningKey, dpop_proof};
use url::Url;

use super::support::{Answer, CHALLENGE, Fixture, PASSWORD, VERIFIER, basic, claims};

const ONE: &str = "https://issuer.example/realms/one";
const CALLBACK: &str = "https://client.example/cb";
const BYE: &str = "https://client.example/bye";

/// A browser that knows nothing of the service but what it is told: it follows addresses as they are written, keeps cookies by name and
/// path (RFC 6265 §5.4), and notes every address of the service that it meets.
struct Visitor<'a> {
    fixture: &'a Fixture,
    issuer: Url,
    cookies: Vec<(String, String, String)>,
    met: BTreeSet<String>,
    at: Url,
}

impl<'a> Visitor<'a> {
    fn new(fixture: &'a Fixture, issuer: &str) -> Visitor<'a> {
        let issuer = Url::parse(issuer).unwrap();
        Visitor {
            fixture,
            cookies: Vec::new(),
            met: BTreeSet::new(),
            at: issuer.clone(),
            issuer,
        }
    }

    /// Goes there, and on while it is sent on within the service; gives the page, or the redirect to somebody else.
    async fn go(&mut self, method: Method, address: &str, form: &[(&str, &str)]) -> Answer {
        let (mut method, mut form) = (method, encoded(form));
        self.at = self.at.join(address).unwrap();
        loop {
            let answer = self.send(method, &form).await;
            self.note(&answer);
            let on = match answer.status {
                StatusCode::SEE_OTHER => self.at.join(answer.location()).unwrap(),
                _ => return answer,
            };
            if on.origin() != self.issuer.origin() {
                return answer;
            }
            (self.at, method, form) = (on, Method::GET, String::new());
        }
    }

    async fn get(&mut self, address: &str) -> Answer {
        self.go(Method::GET, address, &[]).await
    }

    /// Sends the form of the page, with these fields filled in.
    async fn submit(&mut self, page: &Answer, fields: &[(&str, &str)]) -> Answer {
        let (_, action) = page
            .body
            .split_once("action=\"")
            .unwrap_or_else(|| panic!("no form: {page:?}"));
        let action = action.split_once('"').unwrap().0.to_owned();
        let mut all = vec![("request", page.hidden())];
        all.extend(fields);
        self.go(Method::POST, &action, &all).await
    }

    async fn send(&mut self, method: Method, form: &str) -> Answer {
        let sent: Vec<_> = self
            .sent_to(self.at.path())
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let host = self.issuer.host_str().unwrap();
        let mut request = Request::builder()
            .method(method)
            .uri(&self.at[url::Position::BeforePath..])
            .header(HOST, host);
        if !form.is_empty() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if !sent.is_empty() {
            request = request.header(COOKIE, sent.join("; "));
        }
        let answer = self
            .fixture
            .send(request.body(Body::from(form.to_owned())).unwrap())
            .await;
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let mut parts = cookie.to_str().unwrap().split("; ");
            let (name, value) = parts.next().unwrap().split_once('=').unwrap();
            let path = parts
                .clone()
                .find_map(|part| part.strip_prefix("Path="))
                .unwrap();
            self.cookies
                .retain(|(known, _, at)| (known.as_str(), at.as_str()) != (name, path));
            if !parts.any(|part| part == "Max-Age=0") {
                self.cookies.push((name.into(), value.into(), path.into()));
            }
        }
        answer
    }

    /// The cookies that a browser sends to a path.
    fn sent_to<'s>(&'s self, asked: &'s str) -> impl Iterator<Item = (&'s str, &'s str)> {
        let matches = move |path: &str| {
            asked
                .strip_prefix(path)
                .is_some_and(|rest| path.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
        };
        let sent = self
            .cookies
            .iter()
            .filter(move |(_, _, path)| matches(path));
        sent.map(|(name, value, _)| (name.as_str(), value.as_str()))
    }

    /// What an answer leads to.
    fn note(&mut self, answer: &Answer) {
        let mut addresses: Vec<String> = answer
            .headers
            .get_all("location")
            .iter()
            .map(|at| at.to_str().unwrap().into())
            .collect();
        for attribute in ["action", "href", "src"] {
            for rest in answer.body.split(&format!(" {attribute}=\"")).skip(1) {
                addresses.push(rest.split_once('"').unwrap().0.replace("&#38;", "&"));
            }
        }
        for address in addresses {
            let address = self.at.join(&address).unwrap();
            if address.origin() == self.issuer.origin() {
                self.met
                    .insert(address[..url::Position::AfterPath].to_owned());
            }
        }
    }
}

fn encoded(form: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish()
}

/// Asks at an absolute address.
async fn ask(
    fixture: &Fixture,
    method: Method,
    address: &str,
    headers: &[(&str, &str)],
    form: &str,
) -> Answer {
    let address = Url::parse(address).unwrap();
    let mut request = Request::builder()
        .method(method)
        .uri(&address[url::Position::BeforePath..]);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !form.is_empty() {
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    fixture
        .send(request.body(Body::from(form.to_owned())).unwrap())
        .await
}

async fn get(fixture: &Fixture, address: &str) -> Answer {
    ask(fixture, Method::GET, address, &[], "").await
}

async fn metadata_of(fixture: &Fixture, issuer: &str) -> Value {
    let answer = get(
        fixture,
        &format!("{issuer}/.well-known/openid-configuration"),
    )
    .await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

/// Both kinds of issuer.
async fn both() -> [(&'static str, Fixture); 2] {
    let root = "https://issuer.example";
    [
        (root, Fixture::complete_at(root).await),
        (ONE, Fixture::complete_at(ONE).await),
    ]
}

#[tokio::test]
async fn rfc8414_3_and_discovery_4_the_same_document_wherever_clients_look() {
    let fixture = Fixture::complete_at(ONE).await;
    let document = metadata_of(&fixture, ONE).await;
    assert_eq!(document["issuer"], ONE);
    for place in [
        "/.well-known/oauth-authorization-server/realms/one",
        "/realms/one/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration/realms/one",
    ] {
        let there = fixture.get(place).await;
        assert_eq!(
            (there.status, there.json()),
            (StatusCode::OK, document.clone()),
            "{place}"
        );
        assert_eq!(there.header("access-control-allow-origin"), "*", "{place}");
    }
}

#[tokio::test]
async fn what_is_outside_the_path_is_not_there() {
    let fixture = Fixture::complete_at(ONE).await;
    for path in [
        "/",
        "/token",
        "/authorize",
        "/style.css",
        "/jwks.json",
        "/api/me",
        "/realms",
        "/realms/",
        "/realms/two/token",
        "/realms/onetoken",
        "/realms/One/token",
        "/realms/%6Fne/token",
        "/realms//one/token",
        "//realms/one/token",
        "/realms/one//token",
        "/realms/one/token/",
        "/realms/one/../one/token",
        "/realms/one/realms/one/token",
        // not under the name of another issuer of this host
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/",
        "/.well-known/oauth-authorization-server/realms",
        "/.well-known/oauth-authorization-server/realms/one/",
        "/.well-known/oauth-authorization-server/realms/two",
        "/realms/two/.well-known/openid-configuration",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/api/me",
        "/realms/one/.well-known/oauth-protected-resource",
    ] {
        for method in [Method::GET, Method::POST] {
            let request = Request::builder().method(method.clone()).uri(path);
            let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
            assert!(
                answer.body.contains("href=\"/realms/one/style.css\""),
                "{path}"
            );
        }
    }
    for home in [ONE.to_owned(), format!("{ONE}/")] {
        let page = get(&fixture, &home).await;
        assert!(
            page.body.contains("A token service is running here"),
            "{page:?}"
        );
    }
}

/// Everything that an issuer tells of itself: all that metadata and pages lead to is below it, and is there.
#[tokio::test]
async fn every_address_that_is_told_is_below_the_issuer_and_answers() {
    for (issuer, fixture) in both().await {
        let document = metadata_of(&fixture, issuer).await;
        let mut visitor = Visitor::new(&fixture, issuer);
        for (name, value) in document.as_object().unwrap() {
            let is_address = name.ends_with("_endpoint")
                || name.ends_with("_uri")
                || name == "check_session_iframe";
            if let Some(address) = value.as_str().filter(|_| is_address) {
                visitor.met.insert(address.to_owned());
            }
        }
        assert_eq!(visitor.met.len(), 11, "{:?}", visitor.met);
        pages_of_a_login(&mut visitor, &document).await;
        pages_of_a_device(&mut visitor, &document).await;
        pages_of_a_logout(&mut visitor, &document).await;
        visitor.get(&format!("{issuer}/")).await;
        let lost = visitor.get(&format!("{issuer}/lost")).await;
        assert_eq!(lost.status, StatusCode::NOT_FOUND);
        let api = ask(&fixture, Method::GET, &format!("{issuer}/api/me"), &[], "").await;
        let challenge = api.header("www-authenticate");
        let (_, named) = challenge.split_once("resource_metadata=\"").unwrap();
        let resource = named.split_once('"').unwrap().0.to_owned();
        assert_eq!(
            get(&fixture, &resource).await.json()["resource"],
            format!("{issuer}/api/me")
        );

        let origin = visitor.issuer.origin().ascii_serialization();
        let path = &issuer[origin.len()..];
        let well_known = format!("{origin}/.well-known/oauth-authorization-server{path}");
        assert!(resource == format!("{origin}/.well-known/oauth-protected-resource{path}/api/me"));
        for address in &visitor.met {
            let below = address
                .strip_prefix(issuer)
                .is_some_and(|rest| rest.starts_with('/'));
            assert!(
                below || *address == well_known,
                "{address} is not below {issuer}"
            );
            let there = get(&fixture, address).await;
            assert_ne!(
                there.status,
                StatusCode::NOT_FOUND,
                "{address} is told, and not there"
            );
        }
        for expected in [
            "style.css",
            "sign-in",
            "consent",
            "device/sign-in",
            "device/decision",
            "end_session/decision",
            "authorize/resume",
        ] {
            let address = format!("{issuer}/{expected}");
            assert!(
                visitor.met.contains(&address),
                "{address} was met: {:?}",
                visitor.met
            );
        }
    }
}

fn authorization(document: &Value, more: &[(&str, &str)]) -> String {
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", "web"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid profile offline_access"),
        ("prompt", "consent"),
        ("state", "s"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    parameters.extend(more);
    format!(
        "{}?{}",
        document["authorization_endpoint"].as_str().unwrap(),
        encoded(&parameters)
    )
}

async fn pages_of_a_login(visitor: &mut Visitor<'_>, document: &Value) {
    let alice = [("username", "alice"), ("password", PASSWORD)];
    let page = visitor.get(&authorization(document, &[])).await;
    let wrong = visitor
        .submit(&page, &[("username", "alice"), ("password", "wrong")])
        .await;
    let consent = visitor.submit(&wrong, &alice).await;
    let switched = visitor.submit(&consent, &[("decision", "switch")]).await;
    let consent = visitor.submit(&switched, &alice).await;
    let back = visitor.submit(&consent, &[("decision", "allow")]).await;
    assert!(back.parameter("code").is_some(), "{back:?}");
    // A form_post answer, a request that comes by POST, one that is posted and too long for an address, and a refused one.
    let posted = visitor
        .get(&authorization(document, &[("response_mode", "form_post")]))
        .await;
    let posted = visitor.submit(&posted, &[("decision", "allow")]).await;
    assert!(
        posted.body.contains(&format!("action=\"{CALLBACK}\"")),
        "{posted:?}"
    );
    let address = authorization(document, &[]);
    let (endpoint, query) = address.split_once('?').unwrap();
    let long = "x".repeat(2000);
    for state in ["short", &long] {
        let mut form: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        form.retain(|(name, _)| name != "state");
        form.push(("state".into(), state.into()));
        let form: Vec<(&str, &str)> = form
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let page = visitor.go(Method::POST, endpoint, &form).await;
        assert!(page.is_there("Allow"), "{page:?}");
    }
    let refused = visitor.get(&format!("{endpoint}?client_id=nobody")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

async fn pages_of_a_device(visitor: &mut Visitor<'_>, document: &Value) {
    let endpoint = document["device_authorization_endpoint"].as_str().unwrap();
    let codes = ask(
        visitor.fixture,
        Method::POST,
        endpoint,
        &[],
        "client_id=tv&scope=openid",
    )
    .await
    .json();
    visitor.cookies.clear();
    let wrong = [("user_code", "BCDF-GHJK")];
    let (code, alice) = (
        codes["user_code"].as_str().unwrap(),
        [("username", "alice"), ("password", PASSWORD)],
    );
    let page = visitor
        .get(codes["verification_uri_complete"].as_str().unwrap())
        .await;
    let page = visitor.submit(&page, &alice).await;
    assert!(page.is_there(code), "{page:?}");
    let page = visitor.submit(&page, &wrong).await;
    let page = visitor.submit(&page, &[("user_code", code)]).await;
    let done = visitor.submit(&page, &[("decision", "allow")]).await;
    assert!(done.is_there("Device connected"), "{done:?}");
    visitor.cookies.clear();
    let page = visitor
        .get(codes["verification_uri"].as_str().unwrap())
        .await;
    visitor.submit(&page, &alice).await;
}

async fn pages_of_a_logout(visitor: &mut Visitor<'_>, document: &Value) {
    let endpoint = document["end_session_endpoint"]
        .as_str()
        .unwrap()
        .to_owned();
    let page = visitor.get(&endpoint).await;
    let page = visitor.submit(&page, &[("decision", "stay")]).await;
    assert!(page.is_there("Still signed in"), "{page:?}");
    let page = visitor
        .go(Method::POST, &endpoint, &[("ui_locales", "en")])
        .await;
    let page = visitor.submit(&page, &[("decision", "end")]).await;
    assert!(page.is_there("Signed out"), "{page:?}");
    let left: Vec<_> = visitor
        .cookies
        .iter()
        .filter(|(name, ..)| !name.contains("-browser"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    visitor
        .go(Method::POST, &endpoint, &[("id_token_hint", "e30.e30.e30")])
        .await;
}

impl Answer {
    fn is_there(&self, text: &str) -> bool {
        self.status == StatusCode::OK && self.body.contains(text)
    }
}

/// A client that knows the issuer's name alone: what it needs is in the metadata, and what is bound to an address is bound to that of this
/// issuer and to no other.
#[tokio::test]
async fn from_discovery_to_logout_by_addresses_that_were_told() {
    for (issuer, fixture) in both().await {
        let document = metadata_of(&fixture, issuer).await;
        let at = |name: &str| document[name].as_str().unwrap().to_owned();
        // RFC 7591, RFC 7592
        let metadata = json!({
            "redirect_uris": [CALLBACK], "post_logout_redirect_uris": [BYE], "scope": "openid profile offline_access",
            "grant_types": ["authorization_code", "refresh_token"],
        });
        let endpoint = Url::parse(&at("registration_endpoint")).unwrap();
        let request = Request::post(endpoint.path()).header(CONTENT_TYPE, "application/json");
        let registered = fixture
            .send(request.body(Body::from(metadata.to_string())).unwrap())
            .await
            .json();
        let id = registered["client_id"].as_str().unwrap();
        let manage = registered["registration_client_uri"].as_str().unwrap();
        assert_eq!(manage, format!("{issuer}/register/{id}"));
        let token = format!(
            "Bearer {}",
            registered["registration_access_token"].as_str().unwrap()
        );
        let shown = ask(
            &fixture,
            Method::GET,
            manage,
            &[("authorization", &token)],
            "",
        )
        .await;
        assert_eq!(shown.json()["client_id"], id);
        let basic = basic(id, registered["client_secret"].as_str().unwrap());
        let client: &[(&str, &str)] = &[("authorization", &basic)];

        // RFC 9126, login, consent
        let pushed = authorization(&document, &[("nonce", "n")])
            .replace("client_id=web", &format!("client_id={id}"));
        let pushed = pushed.split_once('?').unwrap().1;
        let pushed = ask(
            &fixture,
            Method::POST,
            &at("pushed_authorization_request_endpoint"),
            client,
            pushed,
        )
        .await
        .json();
        let request = encoded(&[
            ("client_id", id),
            ("request_uri", pushed["request_uri"].as_str().unwrap()),
        ]);
        let mut visitor = Visitor::new(&fixture, issuer);
        let page = visitor
            .get(&format!("{}?{request}", at("authorization_endpoint")))
            .await;
        let page = visitor
            .submit(&page, &[("username", "alice"), ("password", PASSWORD)])
            .await;
        let back = visitor.submit(&page, &[("decision", "allow")]).await;
        assert_eq!(back.parameter("iss").as_deref(), Some(issuer), "RFC 9207");

        // tokens bound to a key (RFC 9449): by the address of this issuer's endpoints, and not by those of the host's root
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let now = fixture.service.now();
        let proof = |method: &str, uri: &str, token: Option<&str>| {
            dpop_proof(&key, method, uri, token, None, now).unwrap()
        };
        let code = back.parameter("code").unwrap();
        let form = encoded(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ]);
        if issuer == ONE {
            let elsewhere = proof("POST", "https://issuer.example/token", None);
            let refused = ask(
                &fixture,
                Method::POST,
                &at("token_endpoint"),
                &[client[0], ("dpop", &elsewhere)],
                &form,
            )
            .await;
            assert_eq!(refused.error(), "invalid_dpop_proof");
        }
        let here = proof("POST", &at("token_endpoint"), None);
        let tokens = ask(
            &fixture,
            Method::POST,
            &at("token_endpoint"),
            &[client[0], ("dpop", &here)],
            &form,
        )
        .await
        .json();
        assert_eq!(claims(&tokens["id_token"])["iss"], issuer, "{tokens}");
        let bound = tokens["access_token"].as_str().unwrap();
        for address in [at("userinfo_endpoint"), format!("{issuer}/api/me")] {
            let header = format!("DPoP {bound}");
            let proof = proof("GET", &address, Some(bound));
            let answer = ask(
                &fixture,
                Method::GET,
                &address,
                &[("authorization", &header), ("dpop", &proof)],
                "",
            )
            .await;
            assert_eq!(
                answer.json()["sub"],
                claims(&tokens["id_token"])["sub"],
                "{address}: {answer:?}"
            );
        }

        // refresh, introspection, revocation
        let refresh = encoded(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ]);
        let fresh = ask(
            &fixture,
            Method::POST,
            &at("token_endpoint"),
            client,
            &refresh,
        )
        .await
        .json();
        let form = encoded(&[("token", fresh["access_token"].as_str().unwrap())]);
        let introspect = at("introspection_endpoint");
        let told = ask(&fixture, Method::POST, &introspect, client, &form)
            .await
            .json();
        assert_eq!(
            (&told["active"], &told["iss"]),
            (&true.into(), &issuer.into())
        );
        let gone = ask(
            &fixture,
            Method::POST,
            &at("revocation_endpoint"),
            client,
            &form,
        )
        .await;
        assert_eq!(gone.status, StatusCode::OK);
        let told = ask(&fixture, Method::POST, &introspect, client, &form)
            .await
            .json();
        assert_eq!(told["active"], false);

        // assertions (RFC 7523) are for this issuer
        assertions_are_for(&fixture, issuer, &document).await;

        // and out
        let hint = tokens["id_token"].as_str().unwrap();
        let end = encoded(&[("id_token_hint", hint), ("post_logout_redirect_uri", BYE)]);
        let bye = visitor
            .get(&format!("{}?{end}", at("end_session_endpoint")))
            .await;
        assert_eq!(bye.location(), BYE);
        let deleted = ask(
            &fixture,
            Method::DELETE,
            manage,
            &[("authorization", &token)],
            "",
        )
        .await;
        assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    }
}

async fn assertions_are_for(fixture: &Fixture, issuer: &str, document: &Value) {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let jwks = Jwks::new(vec![key.public_jwk()]).to_json();
    let metadata = json!({
        "token_endpoint_auth_method": "private_key_jwt", "grant_types": ["client_credentials"], "response_types": [],
        "scope": "openid", "jwks": serde_json::from_str::<Value>(&jwks).unwrap(),
    });
    let endpoint = Url::parse(document["registration_endpoint"].as_str().unwrap()).unwrap();
    let request = Request::post(endpoint.path()).header(CONTENT_TYPE, "application/json");
    let registered = fixture
        .send(request.body(Body::from(metadata.to_string())).unwrap())
        .await
        .json();
    let id = registered["client_id"]
        .as_str()
        .unwrap_or_else(|| panic!("{registered}"));
    let now = fixture.service.now();
    let token = document["token_endpoint"].as_str().unwrap();
    let mut audiences = vec![
        (issuer, true),
        (token, true),
        ("https://elsewhere.example", false),
    ];
    if issuer == ONE {
        audiences.extend([
            ("https://issuer.example", false),
            ("https://issuer.example/token", false),
        ]);
        audiences.extend([
            ("https://issuer.example/realms/one/", false),
            ("https://issuer.example/realms/two", false),
        ]);
    }
    for (audience, good) in audiences {
        let claims = json!({"iss": id, "sub": id, "aud": audience, "jti": audience, "iat": now, "exp": now + 60});
        let form = encoded(&[
            ("grant_type", "client_credentials"),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &key.sign_jwt("JWT", &claims).unwrap()),
        ]);
        let answer = ask(fixture, Method::POST, token, &[], &form).await;
        assert_eq!(
            answer.status == StatusCode::OK,
            good,
            "{audience}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn rfc6265bis_4_1_3_cookies_of_issuers_on_one_host_stay_apart() {
    let issuers = [
        "https://issuer.example",
        "https://issuer.example/realms",
        ONE,
        "https://issuer.example/realms/two",
    ];
    let mut kept: Vec<(String, String, String)> = Vec::new();
    for issuer in issuers {
        let fixture = Fixture::complete_at(issuer).await;
        let mut visitor = Visitor::new(&fixture, issuer);
        let document = metadata_of(&fixture, issuer).await;
        let page = visitor.get(&authorization(&document, &[])).await;
        let page = visitor
            .submit(&page, &[("username", "alice"), ("password", PASSWORD)])
            .await;
        visitor.submit(&page, &[("decision", "allow")]).await;
        assert_eq!(visitor.cookies.len(), 3, "{:?}", visitor.cookies);
        let path = &issuer["https://issuer.example".len()..];
        for (name, _, at) in &visitor.cookies {
            match path {
                "" => assert!(name.starts_with("__Host-stampmill-") && at == "/", "{name}"),
                _ => assert!(
                    name.starts_with("__Secure-stampmill-") && at == path,
                    "{name}"
                ),
            }
            assert!(
                kept.iter().all(|(known, ..)| known != name),
                "{name} is another issuer's"
            );
        }
        // The frame reads the cookie that was set.
        let frame = visitor
            .get(document["check_session_iframe"].as_str().unwrap())
            .await;
        let state = visitor
            .cookies
            .iter()
            .find(|(name, ..)| name.contains("-state"));
        assert!(
            frame.body.contains(&format!("{}=(", state.unwrap().0)),
            "{frame:?}"
        );
        let script = frame
            .body
            .split_once("<script>")
            .unwrap()
            .1
            .split_once("</script>")
            .unwrap()
            .0;
        let hash = base64_simd::STANDARD.encode_to_string(openssl::sha::sha256(script.as_bytes()));
        assert!(frame.header("content-security-policy").contains(&hash));
        kept.extend(visitor.cookies);
    }
    // What a browser with all of them shows to each: those beside it get nothing of it.
    let fixture = Fixture::complete_at(ONE).await;
    let mut all = Visitor::new(&fixture, ONE);
    all.cookies = kept;
    let shown = |path: &str| {
        all.sent_to(path)
            .filter(|(name, _)| name.starts_with("__Secure-"))
            .count()
    };
    assert_eq!(
        shown("/realms/one/authorize"),
        6,
        "its own, and those of /realms by other names"
    );
    assert_eq!(
        (shown("/realms/one"), shown("/realms"), shown("/realms/x")),
        (6, 3, 3)
    );
    assert_eq!((shown("/"), shown("/realmsx"), shown("/other")), (0, 0, 0));
}
