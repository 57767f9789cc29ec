//! Requests that nobody alters on their way. A client registers itself (RFC 7591); then it pushes its request over its own channel
//! (RFC 9126), or signs it (RFC 9101), and the browser carries what it cannot change.

use anyhow::Context as _;
use serde_json::{Value, json};
use stampmill_jose::{Algorithm, Jwks, SigningKey};
use stampmill_token_service::Admin;
use url::Url;

use crate::event::{Channel, Exchange};
use crate::http_client::Answer;
use crate::oauth::{now, refused};
use crate::own_service::{OwnService, REDIRECT_URI};
use crate::relying_party::{Pending, RelyingParty};
use crate::stage::Stage;

/// The lesson: a plain request is altered; a pushed and a signed one are not.
pub(crate) fn requests(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        stage.heading("1  a token service at which clients register themselves");
        let service = OwnService::configured("[registration]\naccess = \"token\"").await?;
        let admin = Admin::open(&service.folder().join("data"))?;
        let initial = admin.add_initial_token(1, 3600).await?;
        stage.note(
            "Its administrator made an initial access token (stampmill client invite): good for one client, for an hour.",
        );
        let key = SigningKey::generate(Algorithm::Es256)?;
        stage.heading("2  registration: what the client says of itself");
        let client = register(stage, &service, initial.expose(), &key).await?;
        stage.heading("3  a plain request is the browser's to alter");
        let pending = client.begin("openid profile")?;
        let altered = altered(&pending.authorize);
        let back = service.person().log_in(stage, &altered).await?;
        stage.check("state, as the program in the browser wrote it", "mallory", parameter(&back, "state")?);
        stage.note("The client notices, if it looks (oauth_state). The token service had no way to: anybody can write an address.");
        pushed(stage, &service, &client).await?;
        signed(stage, &service, &client, &key).await?;
        service.server.shutdown().await;
        Ok(())
    })
}

/// RFC 7591 §3.1: metadata in, an id, a secret and a token for its own registration out.
async fn register(
    stage: &mut Stage<'_>,
    service: &OwnService,
    initial: &str,
    key: &SigningKey,
) -> anyhow::Result<RelyingParty> {
    let keys: Value = serde_json::from_str(&Jwks::new(vec![key.public_jwk()]).to_json())?;
    let metadata = json!({
        "client_name": "Registered by itself",
        "redirect_uris": [REDIRECT_URI],
        "application_type": "native",
        "scope": "openid profile",
        "jwks": keys,
        "request_object_signing_alg": "ES256",
    });
    let at = Url::parse(&format!("{}/register", service.server.issuer()))?;
    let first = post(service, stage, &at, None, &metadata).await?;
    stage.check_rule(
        "without the token",
        401,
        first.status.as_u16(),
        "RFC 7591 §3",
    );
    let answer = post(service, stage, &at, Some(initial), &metadata).await?;
    stage.check_rule("with it", 201, answer.status.as_u16(), "RFC 7591 §3.2.1");
    let registered = answer.json()?;
    let text = |name: &str| {
        let text = registered[name].as_str();
        text.with_context(|| format!("the token service gave no {name}"))
    };
    stage.check(
        "how it authenticates, where it said nothing",
        "client_secret_basic",
        text("token_endpoint_auth_method")?,
    );
    let second = post(service, stage, &at, Some(initial), &metadata).await?;
    stage.check_rule(
        "the token once more",
        401,
        second.status.as_u16(),
        "RFC 7591 §1.2",
    );
    let bearer = format!("Bearer {}", text("registration_access_token")?);
    let own = Url::parse(text("registration_client_uri")?)?;
    let read = service
        .http
        .get(&own, &[("authorization", &bearer)])
        .await?;
    let same = read.json()?["redirect_uris"] == registered["redirect_uris"];
    stage.check_rule(
        "it reads its registration again",
        true,
        same,
        "RFC 7592 §2.1",
    );
    let credentials = (text("client_id")?, text("client_secret")?);
    RelyingParty::discover(
        stage,
        service.http.clone(),
        service.server.issuer(),
        credentials,
        REDIRECT_URI,
    )
    .await
}

/// RFC 9126: the request goes from server to server; the browser carries a reference to it.
async fn pushed(
    stage: &mut Stage<'_>,
    service: &OwnService,
    client: &RelyingParty,
) -> anyhow::Result<()> {
    stage.heading("4  pushed: the browser carries a reference");
    let pending = client.begin("openid profile")?;
    let query: Vec<(String, String)> = pending.authorize.query_pairs().into_owned().collect();
    let form: Vec<(&str, &str)> = query
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let answer = client
        .post(stage, "pushed_authorization_request_endpoint", &form, None)
        .await?;
    stage.check_rule("the push", 201, answer.status.as_u16(), "RFC 9126 §2.2");
    let reference = answer.json()?["request_uri"]
        .as_str()
        .context("no request_uri")?
        .to_owned();
    let link = link(&pending, client, ("request_uri", &reference));
    comes_back_as_sent(
        stage,
        service,
        client,
        &pending,
        &altered(&link),
        "RFC 9126 §4",
    )
    .await?;
    let title = service.person().open(stage, &link).await?;
    stage.check_rule(
        "the reference once more",
        "This cannot be done · stampmill",
        title,
        "RFC 9126 §7.3",
    );
    let wrong: Vec<_> = form
        .iter()
        .map(|(name, value)| {
            if *name == "redirect_uri" {
                (*name, "https://mallory.example/")
            } else {
                (*name, *value)
            }
        })
        .collect();
    let answer = client
        .post(stage, "pushed_authorization_request_endpoint", &wrong, None)
        .await?;
    refused(
        stage,
        "a push with an address that is not registered",
        &answer,
        400,
        "invalid_request",
        "RFC 9126 §2.3",
    )
}

/// RFC 9101: the request is a JWT of the client.
async fn signed(
    stage: &mut Stage<'_>,
    service: &OwnService,
    client: &RelyingParty,
    key: &SigningKey,
) -> anyhow::Result<()> {
    stage.heading("5  signed: the browser carries what it cannot write");
    let pending = client.begin("openid profile")?;
    let mut claims =
        json!({"iss": client.client_id, "aud": client.issuer, "nbf": now()?, "exp": now()? + 300});
    for (name, value) in pending.authorize.query_pairs() {
        claims[&*name] = json!(value);
    }
    let object = key.sign_jwt("oauth-authz-req+jwt", &claims)?;
    let good = link(&pending, client, ("request", &object));
    comes_back_as_sent(
        stage,
        service,
        client,
        &pending,
        &altered(&good),
        "RFC 9101 §6.3",
    )
    .await?;
    for (what, rule, forged) in [
        (
            "signed with mallory's key",
            "RFC 9101 §6.2",
            SigningKey::generate(Algorithm::Es256)?.sign_jwt("oauth-authz-req+jwt", &claims)?,
        ),
        ("signed for another server", "RFC 9101 §4", {
            let mut claims = claims.clone();
            claims["aud"] = json!("https://other.example");
            key.sign_jwt("oauth-authz-req+jwt", &claims)?
        }),
        ("with alg none", "RFC 8725 §3.2", {
            let payload = object.split('.').nth(1).unwrap_or_default();
            format!("eyJhbGciOiJub25lIn0.{payload}.")
        }),
    ] {
        let title = service
            .person()
            .open(stage, &link(&pending, client, ("request", &forged)))
            .await?;
        stage.check_rule(what, "This cannot be done · stampmill", title, rule);
    }
    stage.blocked(
        "a request altered on its way",
        "it is pushed, or signed",
        "RFC 9126, RFC 9101",
    );
    Ok(())
}

/// Whatever is written beside the reference or the object, the answer belongs to what the client said.
async fn comes_back_as_sent(
    stage: &mut Stage<'_>,
    service: &OwnService,
    client: &RelyingParty,
    pending: &Pending,
    link: &Url,
    rule: &str,
) -> anyhow::Result<()> {
    let back = service.person().log_in(stage, link).await?;
    let own = parameter(&back, "state")? == pending.state;
    stage.check_rule(
        "altered in the same way: state is the client's",
        true,
        own,
        rule,
    );
    let code = client.code(pending, &back)?;
    let tokens = client
        .redeem(stage, &code, Some(&pending.code_verifier))
        .await?;
    stage.check("tokens", 200, tokens.status.as_u16());
    Ok(())
}

/// The client's address with one parameter in place of all.
fn link(pending: &Pending, client: &RelyingParty, (name, value): (&str, &str)) -> Url {
    let mut link = pending.authorize.clone();
    link.query_pairs_mut()
        .clear()
        .append_pair("client_id", &client.client_id)
        .append_pair(name, value);
    link
}

/// What a program in the browser makes of an address.
fn altered(link: &Url) -> Url {
    let kept: Vec<(String, String)> = link
        .query_pairs()
        .into_owned()
        .filter(|(name, _)| name != "state")
        .collect();
    let mut other = link.clone();
    other
        .query_pairs_mut()
        .clear()
        .extend_pairs(kept)
        .append_pair("state", "mallory");
    other
}

fn parameter(url: &Url, name: &str) -> anyhow::Result<String> {
    let found = url.query_pairs().find(|(known, _)| known == name);
    found
        .map(|(_, value)| value.into_owned())
        .with_context(|| format!("the answer carries no {name}"))
}

async fn post(
    service: &OwnService,
    stage: &mut Stage<'_>,
    at: &Url,
    token: Option<&str>,
    metadata: &Value,
) -> anyhow::Result<Answer> {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<(&str, &str)> = bearer
        .iter()
        .map(|bearer| ("authorization", bearer.as_str()))
        .collect();
    let answer = service.http.post_json(at, &headers, metadata).await?;
    let plain = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let mut sent: Vec<_> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    sent.extend(
        metadata
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), plain(value))),
    );
    let told = answer.json().unwrap_or_default();
    let names = [
        "client_id",
        "client_secret",
        "registration_client_uri",
        "registration_access_token",
        "error",
    ];
    let received = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), plain(told.get(name)?))));
    stage.http(Exchange {
        from: "client".to_owned(),
        to: "token service".to_owned(),
        channel: Channel::Back,
        request: format!("POST {}", at.path()),
        sent,
        status: answer.status.as_u16(),
        received: received.collect(),
    });
    Ok(answer)
}
