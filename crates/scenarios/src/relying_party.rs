//! The OAuth client of the lessons and the person in front of the browser: both sides of a login that are not the
//! token service, each message shown on the stage as it passes.

use anyhow::Context as _;
use http::{StatusCode, header};
use stampmill_jose::{Expectations, Jwks, VerifiedJwt, base64url, sha256, verify_jwt};
use url::Url;

use crate::event::{Channel, Exchange};
use crate::http_client::{Answer, Browser, Form, HttpClient};
use crate::stage::Stage;

/// No login needs more pages than this; one that does goes in circles.
const MOST_PAGES: usize = 8;

/// An OAuth client (OpenID Connect calls it a relying party), knowing what discovery told it.
pub(crate) struct RelyingParty {
    http: HttpClient,
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    client_secret: String,
    redirect_uri: String,
    metadata: serde_json::Value,
}

/// What the client keeps in mind while the browser is away at the token service.
pub(crate) struct Pending {
    /// Where the browser is sent.
    pub(crate) authorize: Url,
    /// Comes back in the redirect: this answer belongs to this request (RFC 6749 §10.12).
    pub(crate) state: String,
    /// Comes back in the ID token: this token belongs to this request (OpenID Connect Core §3.1.2.1).
    pub(crate) nonce: String,
    /// Proves at the token endpoint that whoever redeems the code began the login (RFC 7636 §4.1).
    pub(crate) code_verifier: String,
}

/// The person and their browser.
pub(crate) struct Person {
    browser: Browser,
    username: String,
    password: String,
}

impl RelyingParty {
    /// Reads the issuer's metadata (OpenID Connect Discovery §4).
    pub(crate) async fn discover(
        stage: &mut Stage<'_>,
        http: HttpClient,
        issuer: &str,
        credentials: (&str, &str),
        redirect_uri: &str,
    ) -> anyhow::Result<Self> {
        let at = Url::parse(&format!("{issuer}/.well-known/openid-configuration"))?;
        let answer = http.get(&at, &[]).await?;
        let metadata = answer.json()?;
        stage.http(back_channel(
            "token service",
            format!("GET {}", at.path()),
            vec![],
            &answer,
            members(
                &metadata,
                &[
                    "issuer",
                    "authorization_endpoint",
                    "token_endpoint",
                    "jwks_uri",
                ],
            ),
        ));
        anyhow::ensure!(
            metadata["issuer"] == issuer,
            "the metadata is another issuer's"
        );
        Ok(Self {
            http,
            issuer: issuer.to_owned(),
            client_id: credentials.0.to_owned(),
            client_secret: credentials.1.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            metadata,
        })
    }

    /// Prepares a login whose tokens may be refreshed (OpenID Connect Core §11), and may be for a resource (RFC 8707).
    pub(crate) fn begin_offline(
        &self,
        scope: &str,
        resource: Option<&str>,
    ) -> anyhow::Result<Pending> {
        let mut pending = self.begin(scope)?;
        let mut query = pending.authorize.query_pairs_mut();
        query.append_pair("prompt", "consent");
        if let Some(resource) = resource {
            query.append_pair("resource", resource);
        }
        drop(query);
        Ok(pending)
    }

    /// Prepares a login: fresh state, nonce and verifier, and the address that carries the challenge.
    pub(crate) fn begin(&self, scope: &str) -> anyhow::Result<Pending> {
        let (state, nonce, code_verifier) = (random_text()?, random_text()?, random_text()?);
        let mut authorize = self.endpoint("authorization_endpoint")?;
        authorize
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", scope)
            .append_pair("state", &state)
            .append_pair("nonce", &nonce)
            .append_pair("code_challenge", &code_challenge(&code_verifier))
            .append_pair("code_challenge_method", "S256");
        Ok(Pending {
            authorize,
            state,
            nonce,
            code_verifier,
        })
    }

    /// Takes the code out of the redirect, if `state` and `iss` say that it is the answer to this request.
    pub(crate) fn code(&self, pending: &Pending, callback: &Url) -> anyhow::Result<String> {
        let parameter = |name: &str| {
            callback
                .query_pairs()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        if let Some(error) = parameter("error") {
            anyhow::bail!("the token service answered {error}");
        }
        anyhow::ensure!(
            parameter("state").as_ref() == Some(&pending.state),
            "state is not the one sent"
        );
        anyhow::ensure!(
            parameter("iss").as_ref() == Some(&self.issuer),
            "iss is not the issuer (RFC 9207)"
        );
        parameter("code").context("the redirect carries no code")
    }

    /// Redeems a code at the token endpoint; without a verifier, as a thief would have to.
    pub(crate) async fn redeem(
        &self,
        stage: &mut Stage<'_>,
        code: &str,
        code_verifier: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect_uri.as_str()),
        ];
        form.extend(code_verifier.map(|verifier| ("code_verifier", verifier)));
        self.ask_for_token(stage, &form).await
    }

    /// Asks for a token in the client's own name (RFC 6749 §4.4).
    pub(crate) async fn client_credentials(
        &self,
        stage: &mut Stage<'_>,
        form: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        let mut all = vec![("grant_type", "client_credentials")];
        all.extend_from_slice(form);
        self.ask_for_token(stage, &all).await
    }

    /// Trades a refresh token for new tokens (RFC 6749 §6).
    pub(crate) async fn refresh(
        &self,
        stage: &mut Stage<'_>,
        refresh_token: &str,
    ) -> anyhow::Result<Answer> {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
        ];
        self.ask_for_token(stage, &form).await
    }

    async fn ask_for_token(
        &self,
        stage: &mut Stage<'_>,
        form: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        self.post(stage, "token_endpoint", form, None).await
    }

    /// Posts a form to an endpoint of the metadata, as this client; with a DPoP proof, if there is one.
    pub(crate) async fn post(
        &self,
        stage: &mut Stage<'_>,
        endpoint: &str,
        form: &[(&str, &str)],
        proof: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let endpoint = self.endpoint(endpoint)?;
        let basic = self.basic_authentication();
        let mut headers = vec![(header::AUTHORIZATION.as_str(), basic.as_str())];
        headers.extend(proof.map(|proof| ("dpop", proof)));
        let answer = self.http.post_form(&endpoint, &headers, form).await?;
        let mut sent = vec![(
            "authorization".to_owned(),
            "Basic (client_id and client_secret)".to_owned(),
        )];
        sent.extend(proof.map(|proof| ("dpop".to_owned(), proof.to_owned())));
        sent.extend(pairs(form));
        let received = answer.json().unwrap_or_default();
        stage.http(back_channel(
            "token service",
            format!("POST {}", endpoint.path()),
            sent,
            &answer,
            members(
                &received,
                &[
                    "access_token",
                    "id_token",
                    "refresh_token",
                    "token_type",
                    "expires_in",
                    "scope",
                    "active",
                    "sub",
                    "aud",
                    "device_code",
                    "user_code",
                    "verification_uri",
                    "request_uri",
                    "interval",
                    "error",
                    "error_description",
                ],
            ),
        ));
        Ok(answer)
    }

    /// The issuer's keys, fetched afresh.
    pub(crate) async fn keys(&self, stage: &mut Stage<'_>) -> anyhow::Result<Jwks> {
        let at = self.endpoint("jwks_uri")?;
        let answer = self.http.get(&at, &[]).await?;
        stage.http(back_channel(
            "token service",
            format!("GET {}", at.path()),
            vec![],
            &answer,
            vec![],
        ));
        Ok(Jwks::from_json(&answer.body)?)
    }

    /// Verifies the ID token of a token answer: signature, issuer, audience, times, nonce (OpenID Connect Core §3.1.3.7).
    pub(crate) fn verify_id_token(
        &self,
        keys: &Jwks,
        pending: &Pending,
        id_token: &str,
        now: i64,
    ) -> anyhow::Result<VerifiedJwt> {
        let expect =
            Expectations::id_token(&self.issuer, &self.client_id).with_nonce(&pending.nonce);
        Ok(verify_jwt(id_token, keys, &expect, now)?)
    }

    /// Calls a resource with the token as bearer (RFC 6750 §2.1).
    pub(crate) async fn call(
        &self,
        stage: &mut Stage<'_>,
        path: &str,
        access_token: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let credentials = access_token.map(|token| format!("Bearer {token}"));
        self.call_with(stage, path, credentials.as_deref(), None)
            .await
    }

    /// The same with whatever credentials, and a DPoP proof.
    pub(crate) async fn call_with(
        &self,
        stage: &mut Stage<'_>,
        path: &str,
        credentials: Option<&str>,
        proof: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let at = Url::parse(&format!("{}{path}", self.issuer))?;
        let credentials = credentials.map(|text| (header::AUTHORIZATION.as_str(), text));
        let proof = proof.map(|proof| ("dpop", proof));
        let headers: Vec<(&str, &str)> = credentials.into_iter().chain(proof).collect();
        let answer = self.http.get(&at, &headers).await?;
        let received = match answer.header(header::WWW_AUTHENTICATE) {
            Some(challenge) => vec![("www-authenticate".to_owned(), challenge.to_owned())],
            None => vec![("body".to_owned(), answer.text()?.to_owned())],
        };
        stage.http(back_channel(
            "resource",
            format!("GET {path}"),
            pairs(&headers),
            &answer,
            received,
        ));
        Ok(answer)
    }

    /// `client_secret_basic`: both halves form-encoded before base64 (RFC 6749 §2.3.1).
    fn basic_authentication(&self) -> String {
        let encode =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!(
            "{}:{}",
            encode(&self.client_id),
            encode(&self.client_secret)
        );
        format!("Basic {}", openssl::base64::encode_block(pair.as_bytes()))
    }

    fn endpoint(&self, name: &str) -> anyhow::Result<Url> {
        let address = self.metadata[name]
            .as_str()
            .with_context(|| format!("the metadata has no {name}"))?;
        Ok(Url::parse(address)?)
    }
}

impl Person {
    /// A person with a fresh browser.
    pub(crate) fn new(http: HttpClient, username: &str, password: &str) -> Self {
        Self {
            browser: Browser::new(http),
            username: username.to_owned(),
            password: password.to_owned(),
        }
    }

    /// Follows the client's link, signs in, consents, and gives the address that the browser is sent to in the end:
    /// the client's own, with the answer in its query. That page is not opened: the client reads the address.
    pub(crate) async fn log_in(
        &mut self,
        stage: &mut Stage<'_>,
        link: &Url,
    ) -> anyhow::Result<Url> {
        let service = link.origin();
        let mut page = link.clone();
        let mut answer = self.browser.open(&page).await?;
        stage.http(front_channel(
            format!("GET {}", page.path()),
            query(&page),
            &answer,
        ));
        for _ in 0..MOST_PAGES {
            if let Some(location) = answer.header(header::LOCATION) {
                let next = page.join(location)?;
                if next.origin() != service {
                    return Ok(next);
                }
                answer = self.browser.open(&next).await?;
                stage.http(front_channel(
                    format!("GET {}", next.path()),
                    query(&next),
                    &answer,
                ));
                page = next;
                continue;
            }
            anyhow::ensure!(
                answer.status == StatusCode::OK,
                "the token service showed an error page ({})",
                answer.status
            );
            let form = Form::first_in(answer.text()?, &page)?;
            let (username, password) = (self.username.clone(), self.password.clone());
            let typed = if answer.text()?.contains("type=\"password\"") {
                vec![
                    ("username", username.as_str()),
                    ("password", password.as_str()),
                ]
            } else {
                vec![("decision", "allow")]
            };
            answer = self.browser.submit(&form, &typed).await?;
            let sent = typed
                .iter()
                .map(|(name, value)| {
                    (
                        (*name).to_owned(),
                        if *name == "password" {
                            "(typed)".to_owned()
                        } else {
                            (*value).to_owned()
                        },
                    )
                })
                .collect();
            stage.http(front_channel(
                format!("POST {}", form.action.path()),
                sent,
                &answer,
            ));
            page = form.action;
        }
        anyhow::bail!("the login did not end after {MOST_PAGES} pages")
    }
}

impl Person {
    /// Opens a page and gives its title.
    pub(crate) async fn open(
        &mut self,
        stage: &mut Stage<'_>,
        page: &Url,
    ) -> anyhow::Result<String> {
        let answer = self.browser.open(page).await?;
        stage.http(front_channel(
            format!("GET {}", page.path()),
            query(page),
            &answer,
        ));
        title(&answer).context("the page has no title")
    }

    /// Opens the verification page, signs in where it asks for that, and types a code; gives what the page says of it.
    pub(crate) async fn try_user_code(
        &mut self,
        stage: &mut Stage<'_>,
        page: &Url,
        user_code: &str,
    ) -> anyhow::Result<(StatusCode, String)> {
        let mut answer = self.browser.open(page).await?;
        if answer.text()?.contains("type=\"password\"") {
            let form = Form::first_in(answer.text()?, page)?;
            let (username, password) = (self.username.clone(), self.password.clone());
            let typed = [
                ("username", username.as_str()),
                ("password", password.as_str()),
            ];
            self.browser.submit(&form, &typed).await?;
            answer = self.browser.open(page).await?;
        }
        let form = Form::first_in(answer.text()?, page)?;
        let answer = self
            .browser
            .submit(&form, &[("user_code", user_code)])
            .await?;
        let said = problem(&answer).or_else(|| title(&answer));
        let said = said.context("the page says nothing")?;
        stage.http(Exchange {
            sent: vec![("user_code".to_owned(), user_code.to_owned())],
            received: vec![("page".to_owned(), said.clone())],
            ..front_channel(format!("POST {}", form.action.path()), vec![], &answer)
        });
        Ok((answer.status, said))
    }

    /// Opens the verification page a device names, signs in, types its code, and decides; gives the last page's title.
    pub(crate) async fn verify_device(
        &mut self,
        stage: &mut Stage<'_>,
        page: &Url,
        user_code: &str,
        decision: &str,
    ) -> anyhow::Result<String> {
        let mut page = page.clone();
        let mut answer = self.browser.open(&page).await?;
        for _ in 0..MOST_PAGES {
            if let Some(location) = answer.header(header::LOCATION) {
                page = page.join(location)?;
                answer = self.browser.open(&page).await?;
                continue;
            }
            let text = answer.text()?.to_owned();
            let (username, password) = (self.username.clone(), self.password.clone());
            let typed = if text.contains("type=\"password\"") {
                vec![
                    ("username", username.as_str()),
                    ("password", password.as_str()),
                ]
            } else if text.contains("name=\"user_code\"") {
                vec![("user_code", user_code)]
            } else if text.contains("name=\"decision\"") {
                vec![("decision", decision)]
            } else {
                return title(&answer).context("the page has no title");
            };
            let form = Form::first_in(&text, &page)?;
            answer = self.browser.submit(&form, &typed).await?;
            let shown = |name: &str, value: &str| match name {
                "password" => "(typed)".to_owned(),
                _ => value.to_owned(),
            };
            let sent = typed
                .iter()
                .map(|(name, value)| ((*name).to_owned(), shown(name, value)))
                .collect();
            stage.http(front_channel(
                format!("POST {}", form.action.path()),
                sent,
                &answer,
            ));
            page = form.action;
        }
        anyhow::bail!("the verification did not end after {MOST_PAGES} pages")
    }
}

/// `code_challenge = BASE64URL(SHA256(code_verifier))` (RFC 7636 §4.2).
pub(crate) fn code_challenge(code_verifier: &str) -> String {
    base64url::encode(sha256(code_verifier.as_bytes()))
}

/// 256 bits from OpenSSL's generator, as text.
pub(crate) fn random_text() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    openssl::rand::rand_bytes(&mut bytes)?;
    Ok(base64url::encode(bytes))
}

fn front_channel(request: String, sent: Vec<(String, String)>, answer: &Answer) -> Exchange {
    let received = answer
        .header(header::LOCATION)
        .map(|location| ("location".to_owned(), location.to_owned()))
        .or_else(|| Some(("page".to_owned(), title(answer)?)));
    Exchange {
        from: "browser".to_owned(),
        to: "token service".to_owned(),
        channel: Channel::Front,
        request,
        sent,
        status: answer.status.as_u16(),
        received: received.into_iter().collect(),
    }
}

fn back_channel(
    to: &str,
    request: String,
    sent: Vec<(String, String)>,
    answer: &Answer,
    received: Vec<(String, String)>,
) -> Exchange {
    Exchange {
        from: "client".to_owned(),
        to: to.to_owned(),
        channel: Channel::Back,
        request,
        sent,
        status: answer.status.as_u16(),
        received,
    }
}

/// The title of an HTML page.
fn title(answer: &Answer) -> Option<String> {
    let (_, rest) = answer.text().ok()?.split_once("<title>")?;
    Some(rest.split_once("</title>")?.0.to_owned())
}

/// What a page says went wrong.
fn problem(answer: &Answer) -> Option<String> {
    let (_, rest) = answer.text().ok()?.split_once("role=\"alert\"")?;
    let (_, rest) = rest.split_once('>')?;
    Some(rest.split_once("</p>")?.0.to_owned())
}

/// The parameters in an address, which the browser's address bar shows to everyone.
fn query(url: &Url) -> Vec<(String, String)> {
    url.query_pairs()
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// Those of the named members that are there.
fn members(object: &serde_json::Value, names: &[&str]) -> Vec<(String, String)> {
    names
        .iter()
        .filter_map(|name| {
            let value = object.get(name)?;
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            Some(((*name).to_owned(), text))
        })
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
