//! A service with everything switched on, and what good requests to it are made of, fresh for each.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use stampmill_jose::{Algorithm, Jwks, SigningKey, base64url, dpop_proof};

use super::super::support::{
    Answer, Browser, CHALLENGE, Fixture, ISSUER, PASSWORD, START, VAULT, VERIFIER, ask_for, basic,
    redemption,
};
use super::mutate::{Draft, Jwt, Piece, Sent};
use super::requests::{Content, Row};
use crate::domain::{GrantType, ResponseType, SecretMethod};
use crate::secret::Digest;
use crate::store::InitialToken;

const NATIVE_CALLBACK: &str = "http://127.0.0.1:5555/callback";
pub(super) const BYE: &str = "https://client.example/bye";

pub(super) struct World {
    pub(super) fixture: Fixture,
    /// Alice's, signed in.
    alice: Browser,
    /// The cookies of the page that was opened last.
    page: Browser,
    /// Of the client `signer`, and of every proof.
    key: Arc<SigningKey>,
    secrets: [(&'static str, String); 5],
    /// What no answer may hold.
    told: Vec<String>,
    serial: usize,
    /// Whether alice may have been signed out.
    doubtful: bool,
    /// The token the next proof is for.
    bound: Option<String>,
    /// Id and token of the client that registered itself for the request.
    registration: Option<(String, String)>,
}

impl World {
    pub(super) async fn new() -> World {
        let fixture = Fixture::complete().await;
        let key = Arc::new(SigningKey::generate(Algorithm::Es256).unwrap());
        let jwks = Jwks::new(vec![key.public_jwk()]).to_json();
        let signer = fixture.register("signer", |client| {
            client.secret_method = None;
            client.jwks = Some(jwks.clone());
            client.grant_types = vec![
                GrantType::AuthorizationCode,
                GrantType::RefreshToken,
                GrantType::ClientCredentials,
            ];
            client.requests.request_uris = vec!["https://client.example/object".into()];
            client.scope = "openid reports.read".into();
        });
        signer.await;
        let sender = fixture.register("sender", |client| {
            client.secret_method = Some(SecretMethod::Post);
            client.grant_types = vec![GrantType::ClientCredentials];
            client.redirect_uris.clear();
            client.scope = "reports.read".into();
        });
        let sender = sender.await;
        let hybrid = fixture
            .register("hybrid", |client| {
                client.response_types = ResponseType::ALL.map(|(one, _)| one).to_vec()
            })
            .await;
        let app = fixture
            .register("app", |client| {
                client.post_logout_redirect_uris = vec![BYE.into()]
            })
            .await;
        let secrets = [
            ("web", fixture.secrets["web"].clone()),
            ("machine", fixture.secrets["machine"].clone()),
            ("sender", sender),
            ("hybrid", hybrid),
            ("app", app),
        ];
        let mut world = World {
            fixture,
            alice: Browser::default(),
            page: Browser::default(),
            key,
            told: Vec::new(),
            secrets,
            serial: 0,
            doubtful: false,
            bound: None,
            registration: None,
        };
        let initial = InitialToken {
            hash: Digest::of("an-initial-access-token"),
            uses: 1000,
            expires_at: START + 1_000_000,
        };
        world
            .fixture
            .service
            .store
            .insert_initial_token(initial)
            .await
            .unwrap();
        let object = world.object();
        world.fixture.web.put("/object", object.render());
        world.sign_in().await;
        world
    }

    /// A request of the table with everything filled in.
    pub(super) async fn draft(&mut self, row: &Row) -> Draft {
        self.told = self
            .secrets
            .iter()
            .map(|(_, secret)| secret.clone())
            .collect();
        self.registration = None;
        if std::mem::take(&mut self.doubtful) {
            self.still_signed_in().await;
        }
        let mut body = Vec::new();
        let mut json = None;
        match row.body {
            Content::Nothing => {}
            Content::Form(text) => body = self.pairs(text).await,
            Content::Json(text) => json = Some(self.piece(text).await),
        }
        let path = self.text(row.path()).await;
        let query = self.pairs(row.query()).await;
        let mut headers = Vec::new();
        for (name, value) in row.headers {
            headers.push(((*name).to_owned(), self.piece(value).await));
        }
        match row.body {
            Content::Nothing => {}
            Content::Form(_) => headers.push((
                "content-type".into(),
                Piece::text("application/x-www-form-urlencoded"),
            )),
            Content::Json(_) => {
                headers.push(("content-type".into(), Piece::text("application/json")))
            }
        }
        Draft {
            method: row.method().into(),
            path,
            query,
            headers,
            body,
            json,
            told: std::mem::take(&mut self.told),
        }
    }

    pub(super) async fn send(&mut self, sent: &Sent) -> Answer {
        self.doubtful = ["session", "sign-in", "consent"]
            .iter()
            .any(|word| sent.path().contains(word));
        self.fixture.send(sent.request()).await
    }

    async fn pairs(&mut self, text: &str) -> Vec<(Vec<u8>, Piece)> {
        let mut pairs = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap();
            pairs.push((name.into(), self.piece(value).await));
        }
        pairs
    }

    /// What is not text but made of parts that can go wrong one by one, or else text.
    async fn piece(&mut self, text: &str) -> Piece {
        match text {
            "{object}" => Piece::Jwt(self.object()),
            "{assertion}" => Piece::Jwt(self.assertion()),
            "{claims}" => Piece::Json(
                json!({"id_token": {"auth_time": {"essential": true}, "acr": {"values": ["0"]}, "name": null}, "userinfo": {"email": {"essential": false}}}),
            ),
            "{metadata}" => Piece::Json(metadata()),
            "{changed_metadata}" => {
                let (id, _) = self.registered().await;
                let mut metadata = metadata();
                metadata["client_id"] = json!(id);
                Piece::Json(metadata)
            }
            _ => match text
                .strip_prefix("{proof:")
                .and_then(|rest| rest.strip_suffix('}'))
            {
                Some(place) => Piece::Jwt(self.proof(place)),
                None => Piece::Text(self.text(text).await.into_bytes()),
            },
        }
    }

    async fn text(&mut self, template: &str) -> String {
        let Some((before, rest)) = template.split_once('{') else {
            return template.to_owned();
        };
        let (name, after) = rest.split_once('}').unwrap();
        let value = self.value(name).await;
        let after = Box::pin(self.text(after)).await;
        format!("{before}{value}{after}")
    }

    async fn value(&mut self, name: &str) -> String {
        let (kind, of) = name.split_once(':').unwrap_or((name, ""));
        let value = match kind {
            "verifier" => VERIFIER.to_owned(),
            "challenge" => CHALLENGE.to_owned(),
            "state" => "a state, & its = \"value\"".to_owned(),
            "password" => PASSWORD.to_owned(),
            "initial_token" => "an-initial-access-token".to_owned(),
            "basic" => return basic(of, &self.secret(of)),
            "secret" => self.secret(of),
            "cookies" => return self.cookies(false),
            "page_cookies" => return self.cookies(true),
            "code" => self.code("web", "https://client.example/cb", VAULT).await,
            "native_code" => self.code("native", NATIVE_CALLBACK, VAULT).await,
            "refresh" => self.tokens().await["refresh_token"]
                .as_str()
                .unwrap()
                .to_owned(),
            "access" => self.tokens().await["access_token"]
                .as_str()
                .unwrap()
                .to_owned(),
            "id_token" => self.id_token().await,
            "opaque" => self.opaque().await,
            "bound_access" => self.bound_access().await,
            "device_code" => self.device().await.0,
            "allowed_device_code" => self.allowed_device_code().await,
            "user_code" => return self.device().await.1,
            "request_uri" => self.request_uri().await,
            "posted_request" => {
                let hint = self.id_token().await;
                let asked = ask_for(&[("id_token_hint", &hint)]);
                let (path, form) = asked.split_once('?').unwrap();
                return self.posted(path, form).await;
            }
            "posted_end" => {
                let form = format!("state={}", "s".repeat(3_000));
                return self.posted("/end_session", &form).await;
            }
            "registered" => return self.registered().await.0,
            "registration_token" => self.registered().await.1,
            "sign_in_page" => return self.open(&ask_for(&[("prompt", "login")])).await,
            "consent_page" => return self.open(&ask_for(&[("prompt", "consent")])).await,
            "sign_out_page" => return self.open("/end_session").await,
            "device_page" => return self.open("/device").await,
            "device_sign_in_page" => {
                self.page = Browser::default();
                let page = self.page.get(&self.fixture, "/device").await;
                return page.hidden().to_owned();
            }
            "device_decision_page" => return self.device_decision_page().await,
            _ => panic!("{name}"),
        };
        self.told.push(value.clone());
        value
    }

    fn secret(&self, client: &str) -> String {
        self.secrets
            .iter()
            .find(|(id, _)| *id == client)
            .unwrap()
            .1
            .clone()
    }

    fn cookies(&mut self, of_page: bool) -> String {
        let browser = if of_page { &self.page } else { &self.alice };
        let cookies = browser.cookies.iter();
        let cookies = cookies.map(|(name, value)| format!("{name}={value}"));
        let all: Vec<_> = cookies.collect();
        let secret = browser
            .cookies
            .iter()
            .filter(|(name, _)| *name != "__Host-stampmill-state");
        self.told.extend(secret.map(|(_, value)| value.clone()));
        all.join("; ")
    }

    // ---- people ---------------------------------------------------------------------------------------------------

    async fn sign_in(&mut self) {
        self.alice = Browser::default();
        self.alice.through(&self.fixture, &ask_for(&[])).await;
        let hybrid = ask_for(&[
            ("client_id", "hybrid"),
            ("response_type", "code id_token token"),
        ]);
        self.alice.through(&self.fixture, &hybrid).await;
    }

    /// A mutated request may have signed alice out.
    async fn still_signed_in(&mut self) {
        for client in ["web", "hybrid"] {
            let silent = ask_for(&[("client_id", client), ("prompt", "none")]);
            let back = self.alice.clone().get(&self.fixture, &silent).await;
            if back.parameter("code").is_none() {
                return self.sign_in().await;
            }
        }
    }

    /// Opens a page in a browser of alice; gives its hidden field.
    async fn open(&mut self, path: &str) -> String {
        self.page = self.alice.clone();
        let page = self.page.get(&self.fixture, path).await;
        page.hidden().to_owned()
    }

    async fn device_decision_page(&mut self) -> String {
        let (_, user_code) = self.device().await;
        let sealed = self.open("/device").await;
        let form = [("request", &*sealed), ("user_code", &*user_code)];
        let page = self.page.post(&self.fixture, "/device", &form).await;
        page.hidden().to_owned()
    }

    // ---- codes and tokens -----------------------------------------------------------------------------------------

    async fn code(&mut self, client: &str, redirect_uri: &str, resource: &str) -> String {
        let ask = ask_for(&[
            ("client_id", client),
            ("redirect_uri", redirect_uri),
            ("scope", "openid profile offline_access"),
            ("prompt", "consent"),
            ("resource", resource),
        ]);
        let back = self.alice.clone().through(&self.fixture, &ask).await;
        back.parameter("code").unwrap()
    }

    async fn tokens(&mut self) -> Value {
        let ask = ask_for(&[
            ("scope", "openid profile offline_access"),
            ("prompt", "consent"),
        ]);
        let ask = format!("{ask}&resource={VAULT}");
        let back = self.alice.clone().through(&self.fixture, &ask).await;
        let mut tokens = self
            .fixture
            .redeem(&back.parameter("code").unwrap())
            .await
            .json();
        // The next one is for our own resource.
        let own = self
            .fixture
            .refresh(&tokens["refresh_token"], &format!("&resource={ISSUER}"))
            .await
            .json();
        assert!(own.get("access_token").is_some(), "{tokens} {own}");
        tokens["access_token"] = own["access_token"].clone();
        tokens["refresh_token"] = own["refresh_token"].clone();
        tokens
    }

    /// For `app`, which may end sessions.
    async fn id_token(&mut self) -> String {
        let back = self
            .alice
            .clone()
            .through(&self.fixture, &ask_for(&[("client_id", "app")]))
            .await;
        let form = redemption(&back.parameter("code").unwrap());
        let answer = self
            .fixture
            .post("/token", Some(basic("app", &self.secret("app"))), &form)
            .await;
        answer.json()["id_token"].as_str().unwrap().to_owned()
    }

    async fn opaque(&mut self) -> String {
        let form = format!("grant_type=client_credentials&resource={VAULT}");
        let answer = self
            .fixture
            .post("/token", self.fixture.basic("web"), &form)
            .await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    async fn bound_access(&mut self) -> String {
        let code = self.code("native", NATIVE_CALLBACK, &ISSUER).await;
        let form = format!(
            "grant_type=authorization_code&client_id=native&code={code}&redirect_uri={NATIVE_CALLBACK}&code_verifier={VERIFIER}"
        );
        let proof = self.proof("POST /token").render();
        let request = Request::post("/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("dpop", proof)
            .body(Body::from(form));
        let token = self.fixture.send(request.unwrap()).await.json()["access_token"]
            .as_str()
            .unwrap()
            .to_owned();
        self.bound = Some(token.clone());
        token
    }

    async fn device(&mut self) -> (String, String) {
        let form = "client_id=tv&scope=openid%20profile%20offline_access";
        let codes = self
            .fixture
            .post("/device_authorization", None, form)
            .await
            .json();
        let text = |name: &str| codes[name].as_str().unwrap().to_owned();
        (text("device_code"), text("user_code"))
    }

    async fn allowed_device_code(&mut self) -> String {
        let (device_code, user_code) = self.device().await;
        let sealed = self.open("/device").await;
        let form = [("request", &*sealed), ("user_code", &*user_code)];
        let page = self.page.post(&self.fixture, "/device", &form).await;
        let form = [("request", page.hidden()), ("decision", "allow")];
        self.page
            .post(&self.fixture, "/device/decision", &form)
            .await;
        device_code
    }

    /// The reference under which a form is kept.
    async fn posted(&mut self, path: &str, form: &str) -> String {
        let kept = self.fixture.post(path, None, form).await;
        let (_, reference) = kept.location().split_once("reference=").unwrap();
        reference.to_owned()
    }

    async fn request_uri(&mut self) -> String {
        let form = ask_for(&[]).split_once('?').unwrap().1.to_owned();
        let pushed = self
            .fixture
            .post("/par", self.fixture.basic("web"), &form)
            .await;
        pushed.json()["request_uri"].as_str().unwrap().to_owned()
    }

    /// The same client for every part of a request.
    async fn registered(&mut self) -> (String, String) {
        if let Some(registered) = &self.registration {
            return registered.clone();
        }
        let request = Request::builder()
            .method(Method::POST)
            .uri("/register")
            .header("content-type", "application/json");
        let request = request.body(Body::from(metadata().to_string())).unwrap();
        let registered = self.fixture.send(request).await.json();
        let text = |name: &str| registered[name].as_str().unwrap().to_owned();
        let both = (text("client_id"), text("registration_access_token"));
        self.registration = Some(both.clone());
        both
    }

    // ---- what is signed -------------------------------------------------------------------------------------------

    fn jwt(&mut self, typ: &str, claims: Value) -> Jwt {
        self.serial += 1;
        let header = json!({"alg": "ES256", "kid": self.key.kid(), "typ": typ});
        Jwt::new(header, claims, &self.key)
    }

    fn object(&mut self) -> Jwt {
        let now = self.fixture.service.now();
        let jti = format!("object-{}", self.serial);
        self.jwt("oauth-authz-req+jwt", json!({
            "iss": "signer", "aud": ISSUER, "iat": now, "nbf": now, "exp": now + 300, "jti": jti, "client_id": "signer",
            "response_type": "code", "redirect_uri": "https://client.example/cb", "scope": "openid", "state": "inside", "nonce": "n",
            "code_challenge": CHALLENGE, "code_challenge_method": "S256", "max_age": 1000, "claims": {"userinfo": {"email": null}},
        }))
    }

    fn assertion(&mut self) -> Jwt {
        let now = self.fixture.service.now();
        let jti = format!("assertion-{}", self.serial);
        self.jwt("JWT", json!({"iss": "signer", "sub": "signer", "aud": ISSUER, "jti": jti, "iat": now, "exp": now + 60}))
    }

    fn proof(&mut self, place: &str) -> Jwt {
        let (method, path) = place.split_once(' ').unwrap();
        let now = self.fixture.service.now();
        let bound = self.bound.take();
        let proof = dpop_proof(
            &self.key,
            method,
            &format!("{ISSUER}{path}"),
            bound.as_deref(),
            None,
            now,
        )
        .unwrap();
        let part = |number: usize| {
            let bytes = base64url::decode(proof.split('.').nth(number).unwrap()).unwrap();
            serde_json::from_slice(&bytes).unwrap()
        };
        Jwt::new(part(0), part(1), &self.key)
    }
}

/// A client that asks for all there is.
fn metadata() -> Value {
    json!({
        "redirect_uris": ["https://client.example/cb", "https://client.example/cb?x=1"], "client_name": "An app", "client_name#de": "Eine App",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code", "code id_token"], "scope": "openid profile offline_access",
        "token_endpoint_auth_method": "client_secret_basic", "application_type": "web", "subject_type": "public",
        "id_token_signed_response_alg": "ES256", "userinfo_signed_response_alg": "RS256", "default_max_age": 3600, "require_auth_time": true,
        "contacts": ["root@client.example"], "logo_uri": "https://client.example/logo.png", "policy_uri": "https://client.example/policy",
        "tos_uri": "https://client.example/tos", "client_uri": "https://client.example", "post_logout_redirect_uris": [BYE],
        "backchannel_logout_uri": "https://client.example/out", "backchannel_logout_session_required": true,
        "frontchannel_logout_uri": "https://client.example/front", "frontchannel_logout_session_required": true,
        "initiate_login_uri": "https://client.example/start", "dpop_bound_access_tokens": false, "require_pushed_authorization_requests": false,
        "software_id": "s", "software_version": "1",
    })
}
