//! OAuth 2 and OpenID Connect: a login with code and PKCE, message by message, with the thefts it withstands; and a client that
//! speaks for itself. Both against a real token service, started for the lesson and gone with it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use http::header;
use stampmill_jose::{VerifiedJwt, base64url, inspect, sha256};
use stampmill_token_service::FirstStart;
use url::Url;

use crate::http_client::Answer;
use crate::own_service::{OwnService, REDIRECT_URI};
use crate::relying_party::{Pending, Person, RelyingParty, code_challenge};
use crate::stage::Stage;

const SCOPE: &str = "openid profile email";

/// How a lesson says that there is nothing, so that nobody looks for what was left out.
pub(crate) const NOTHING: &str = "empty: nothing";

/// A text as a lesson shows it.
pub(crate) fn or_nothing(text: &str) -> &str {
    if text.is_empty() { NOTHING } else { text }
}

/// Starts the lesson's service and introduces it.
pub(crate) async fn open(stage: &mut Stage<'_>) -> anyhow::Result<OwnService> {
    stage.heading("1  a token service");
    let begun = Instant::now();
    let service = OwnService::start().await?;
    stage.timing(
        "authority, keys, database, certificate and listening",
        begun.elapsed(),
    );
    stage.note(format!(
        "It answers at {} with a certificate of its own authority, knows one client ({}) and one person ({}), and speaks by \
         the strict policy, which is the only one it has.",
        service.server.issuer(),
        service.first.client_id,
        service.first.username,
    ));
    Ok(service)
}

// ---- authorization code and PKCE -------------------------------------------------------------------------------------

/// A login from the link to the verified ID token; then what a thief of its parts gets.
pub(crate) fn code_pkce(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let service = open(stage).await?;
        let begun = Instant::now();
        stage.heading("2  discovery: one address tells all others");
        let client = service
            .client(stage, service.first.client_secret.expose())
            .await?;
        let pending = prepare(stage, &client)?;
        let mut person = service.person();
        let callback = walk(stage, &mut person, &pending).await?;
        let code = answer_belongs(stage, &client, &pending, &callback)?;
        let tokens = redeem(stage, &client, &pending, &code).await?;
        verify_id_token(stage, &client, &pending, &tokens).await?;
        call(stage, &client, &tokens).await?;
        stage.timing(
            "the login, from discovery to the last call",
            begun.elapsed(),
        );
        steal_the_code(stage, &client, &mut person).await?;
        use_it_twice(stage, &client, &pending, &code, &tokens).await?;
        bend_the_request(stage, &service, &client).await?;
        service.server.shutdown().await;
        Ok(())
    })
}

/// What the token endpoint gave.
struct Tokens {
    access: String,
    id: String,
}

fn prepare(stage: &mut Stage<'_>, client: &RelyingParty) -> anyhow::Result<Pending> {
    stage.heading("3  the client makes up three secrets");
    let pending = client.begin(SCOPE)?;
    stage.compute("state", &[], &pending.state);
    stage.compute("nonce", &[], &pending.nonce);
    stage.compute_as(
        "code_challenge = BASE64URL(SHA256(code_verifier))",
        &[("code_verifier", &pending.code_verifier)],
        code_challenge(&pending.code_verifier),
        format!(
            "printf %s {} | openssl dgst -sha256 -binary | basenc --base64url | tr -d =",
            pending.code_verifier
        ),
    );
    stage.note(
        "state and nonce go out and must come back unchanged. The verifier stays here; only its hash goes out, and from the \
         hash nobody computes the verifier.",
    );
    Ok(pending)
}

async fn walk(
    stage: &mut Stage<'_>,
    person: &mut Person,
    pending: &Pending,
) -> anyhow::Result<Url> {
    stage.heading("4  the front channel: everything here passes through the browser");
    let callback = person.log_in(stage, &pending.authorize).await?;
    stage.note(
        "The password was typed into a page of the token service; the client never saw it. What ends up in the address bar, \
         the browser's history, its extensions and every log on the way can read:",
    );
    stage.listing("address bar", callback.as_str());
    Ok(callback)
}

fn answer_belongs(
    stage: &mut Stage<'_>,
    client: &RelyingParty,
    pending: &Pending,
    callback: &Url,
) -> anyhow::Result<String> {
    let received = |name: &str| query(callback, name).unwrap_or_default();
    stage.check_rule(
        "state",
        &pending.state,
        received("state"),
        "RFC 6749 §10.12",
    );
    stage.check_rule("iss", &client.issuer, received("iss"), "RFC 9207 §2.4");
    client.code(pending, callback)
}

async fn redeem(
    stage: &mut Stage<'_>,
    client: &RelyingParty,
    pending: &Pending,
    code: &str,
) -> anyhow::Result<Tokens> {
    stage.heading("5  the back channel: the code and the verifier for tokens");
    let answer = client
        .redeem(stage, code, Some(&pending.code_verifier))
        .await?;
    let body = answer.json()?;
    let token = |name: &str| {
        let text = body[name].as_str().map(str::to_owned);
        text.with_context(|| format!("the token service gave no {name}"))
    };
    let tokens = Tokens {
        access: token("access_token")?,
        id: token("id_token")?,
    };
    stage.listing(
        "the access token, for the resource (RFC 9068)",
        claims(&tokens.access),
    );
    stage.listing(
        "the ID token, for the client (OpenID Connect Core §2)",
        claims(&tokens.id),
    );
    Ok(tokens)
}

async fn verify_id_token(
    stage: &mut Stage<'_>,
    client: &RelyingParty,
    pending: &Pending,
    tokens: &Tokens,
) -> anyhow::Result<()> {
    stage.heading("6  the client verifies the ID token");
    let keys = client.keys(stage).await?;
    let now = now()?;
    let token = client.verify_id_token(&keys, pending, &tokens.id, now)?;
    let kid = token.header().kid.clone().unwrap_or_default();
    stage.check_rule(
        "signed by the published key",
        true,
        keys.find(&kid).is_some(),
        "RFC 7515 §4.1.4",
    );
    stage.check_rule(
        "typ",
        "JWT",
        token.header().typ.clone().unwrap_or_default(),
        "RFC 8725 §3.11",
    );
    stage.check_rule(
        "iss",
        &client.issuer,
        claim(&token, "iss"),
        "OIDC Core §3.1.3.7",
    );
    stage.check_rule(
        "aud",
        &client.client_id,
        claim(&token, "aud"),
        "OIDC Core §3.1.3.7",
    );
    stage.check_rule(
        "nonce",
        &pending.nonce,
        claim(&token, "nonce"),
        "OIDC Core §3.1.3.7",
    );
    let exp = token
        .claims()
        .get("exp")
        .and_then(|exp| exp.as_i64())
        .unwrap_or_default();
    stage.check_rule(
        "exp is later than now",
        true,
        exp > now,
        "OIDC Core §3.1.3.7",
    );
    let half = base64url::encode(&sha256(tokens.access.as_bytes())[..16]);
    stage.compute(
        "at_hash = BASE64URL(left half of SHA256(access_token))",
        &[],
        &half,
    );
    stage.check_rule(
        "at_hash",
        half,
        claim(&token, "at_hash"),
        "OIDC Core §3.1.3.6",
    );
    Ok(())
}

async fn call(stage: &mut Stage<'_>, client: &RelyingParty, tokens: &Tokens) -> anyhow::Result<()> {
    stage.heading("7  the access token at work");
    let info = client
        .call(stage, "/userinfo", Some(&tokens.access))
        .await?
        .json()?;
    let me = client
        .call(stage, "/api/me", Some(&tokens.access))
        .await?
        .json()?;
    let sub = inspect(&tokens.id)
        .payload
        .and_then(|part| serde_json::from_slice::<serde_json::Value>(&part.bytes).ok());
    let sub = sub.unwrap_or_default()["sub"].clone();
    stage.check_rule(
        "UserInfo speaks of the same person",
        &sub,
        &info["sub"],
        "OIDC Core §5.3.2",
    );
    stage.check("and so does the API", &sub, &me["sub"]);
    stage.note(
        "The API verified the signature by itself and ran a compiled claim check. The one thing it asked, because it lives with the \
         token service, is whether the grant still stands; an API elsewhere would not know before the token expires.",
    );
    let wrong = client.call(stage, "/api/me", Some(&tokens.id)).await?;
    stage.check_rule(
        "the ID token in its place",
        401,
        wrong.status.as_u16(),
        "RFC 9068 §4",
    );
    Ok(())
}

async fn steal_the_code(
    stage: &mut Stage<'_>,
    client: &RelyingParty,
    person: &mut Person,
) -> anyhow::Result<()> {
    stage.heading("8  a thief reads the address bar");
    stage.note(
        "Another login of the same person, and this time somebody copies the code first. They bring it to the client as the \
         answer to a login of their own, so that the client redeems it with its secret: but with the thief's verifier.",
    );
    let mut unheard = Vec::new();
    let pending = client.begin(SCOPE)?;
    let callback = person
        .log_in(&mut Stage::new(&mut unheard), &pending.authorize)
        .await?;
    let code = client.code(&pending, &callback)?;
    let without = client.redeem(stage, &code, None).await?;
    refused(
        stage,
        "the code without a verifier",
        &without,
        400,
        "invalid_grant",
        "RFC 7636 §4.6",
    )?;
    let thiefs = client.begin(SCOPE)?;
    let with_other = client
        .redeem(stage, &code, Some(&thiefs.code_verifier))
        .await?;
    refused(
        stage,
        "the code with the thief's verifier",
        &with_other,
        400,
        "invalid_grant",
        "RFC 9700 §4.5.3.1",
    )?;
    stage.blocked(
        "stolen authorization code",
        "PKCE: the verifier never was in the browser",
        "RFC 7636",
    );
    let rightful = client
        .redeem(stage, &code, Some(&pending.code_verifier))
        .await?;
    stage.check(
        "whose code it is can still use it",
        200,
        rightful.status.as_u16(),
    );
    Ok(())
}

async fn use_it_twice(
    stage: &mut Stage<'_>,
    client: &RelyingParty,
    pending: &Pending,
    code: &str,
    tokens: &Tokens,
) -> anyhow::Result<()> {
    stage.heading("9  the first code once more, with everything right");
    let again = client
        .redeem(stage, code, Some(&pending.code_verifier))
        .await?;
    refused(
        stage,
        "a code used twice",
        &again,
        400,
        "invalid_grant",
        "RFC 6749 §4.1.2",
    )?;
    stage.note("A code in two hands means that one of them is a thief's. Nobody knows which, so the tokens of the first use die too.");
    for path in ["/userinfo", "/api/me"] {
        let answer = client.call(stage, path, Some(&tokens.access)).await?;
        stage.check_rule(
            format!("the first access token at {path}"),
            401,
            answer.status.as_u16(),
            "RFC 6749 §4.1.2",
        );
    }
    stage.blocked(
        "replayed authorization code",
        "single use, and the grant is revoked",
        "RFC 6749 §4.1.2",
    );
    Ok(())
}

async fn bend_the_request(
    stage: &mut Stage<'_>,
    service: &OwnService,
    client: &RelyingParty,
) -> anyhow::Result<()> {
    stage.heading("10  bent requests");
    let pending = client.begin(SCOPE)?;
    let elsewhere = with_parameter(
        &pending.authorize,
        "redirect_uri",
        Some("https://attacker.example/callback"),
    );
    let page = service.http.get(&elsewhere, &[]).await?;
    stage.check_rule(
        "an unregistered redirect_uri: a page, not a redirect",
        "400, no Location",
        seen(&page),
        "RFC 6749 §3.1.2.4",
    );
    let downgraded = with_parameter(
        &with_parameter(&pending.authorize, "code_challenge", None),
        "code_challenge_method",
        None,
    );
    let back = service.http.get(&downgraded, &[]).await?;
    stage.check_rule(
        "no code_challenge",
        "303, error=invalid_request",
        seen(&back),
        "RFC 9700 §2.1.1",
    );
    let plain = with_parameter(&pending.authorize, "code_challenge_method", Some("plain"));
    let back = service.http.get(&plain, &[]).await?;
    stage.check_rule(
        "code_challenge_method=plain",
        "303, error=invalid_request",
        seen(&back),
        "RFC 9700 §2.1.1",
    );
    stage.blocked(
        "redirect to an attacker, PKCE downgrade",
        "exact redirect URIs, S256 for everyone",
        "RFC 9700 §2.1",
    );
    Ok(())
}

// ---- client credentials ----------------------------------------------------------------------------------------------

/// A client asks for a token in its own name, uses it, and tries what it may not.
pub(crate) fn client_credentials(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let service = open(stage).await?;
        stage.heading("2  id and secret for a token");
        let client = service.client(stage, service.first.client_secret.expose()).await?;
        show_basic(stage, &service.first);
        let answer = client.client_credentials(stage, &[]).await?;
        let body = answer.json()?;
        let token = body["access_token"].as_str().context("the token service gave no access token")?.to_owned();
        stage.listing("the access token (RFC 9068)", claims(&token));
        stage.note(
            "No browser, no person, no ID token, no refresh token: `sub` is the client itself, and scopes about a person are \
             not in it. Whenever it expires, the client asks again.",
        );
        stage.check_rule("no id_token", true, body.get("id_token").is_none(), "RFC 6749 §4.4.3");
        stage.check_rule("no refresh_token", true, body.get("refresh_token").is_none(), "RFC 6749 §4.4.3");

        stage.heading("3  the token at work");
        let me = client.call(stage, "/api/me", Some(&token)).await?.json()?;
        stage.check_rule("sub is the client", &service.first.client_id, me["sub"].as_str().unwrap_or_default(), "RFC 9068 §2.2");
        machine_may_not(stage, &client, &token).await?;
        wrong_secrets(stage, &service).await?;
        service.server.shutdown().await;
        Ok(())
    })
}

fn show_basic(stage: &mut Stage<'_>, first: &FirstStart) {
    stage.compute(
        "Authorization: Basic BASE64(form(client_id) \":\" form(client_secret))",
        &[
            ("client_id", &first.client_id),
            (
                "client_secret",
                &"(256 random bits, told once on the first start)",
            ),
        ],
        "(in the header of the next request)",
    );
}

async fn machine_may_not(
    stage: &mut Stage<'_>,
    client: &RelyingParty,
    token: &str,
) -> anyhow::Result<()> {
    stage.heading("4  what it may not");
    let nobody = client.call(stage, "/api/me", None).await?;
    stage.check_rule(
        "no token: 401 without an error code",
        false,
        challenge(&nobody).contains("error="),
        "RFC 6750 §3.1",
    );
    let info = client.call(stage, "/userinfo", Some(token)).await?;
    stage.check_rule(
        "UserInfo, where there is no user",
        403,
        info.status.as_u16(),
        "RFC 6750 §3.1",
    );
    let person = client
        .client_credentials(stage, &[("scope", "openid")])
        .await?;
    refused(
        stage,
        "a scope about a person",
        &person,
        400,
        "invalid_scope",
        "RFC 6749 §5.2",
    )?;
    let tampered = tamper(token)?;
    let answer = client.call(stage, "/api/me", Some(&tampered)).await?;
    stage.check_rule(
        "one letter of the claims changed",
        401,
        answer.status.as_u16(),
        "RFC 7515 §5.2",
    );
    stage.blocked(
        "tampered access token",
        "the RS256 signature covers every byte",
        "RFC 7515 §5.2",
    );
    Ok(())
}

async fn wrong_secrets(stage: &mut Stage<'_>, service: &OwnService) -> anyhow::Result<()> {
    stage.heading("5  a wrong secret and an unknown client");
    let mut unheard = Vec::new();
    let quiet = &mut Stage::new(&mut unheard);
    let wrong = service.client(quiet, "guessed").await?;
    let credentials = ("nobody", "guessed");
    let unknown = RelyingParty::discover(
        quiet,
        service.http.clone(),
        service.server.issuer(),
        credentials,
        REDIRECT_URI,
    )
    .await?;
    let first = wrong.client_credentials(stage, &[]).await?;
    refused(
        stage,
        "the wrong secret",
        &first,
        401,
        "invalid_client",
        "RFC 6749 §5.2",
    )?;
    let second = unknown.client_credentials(stage, &[]).await?;
    refused(
        stage,
        "an unknown client",
        &second,
        401,
        "invalid_client",
        "RFC 6749 §5.2",
    )?;
    stage.check(
        "the two answers are the same, so nobody learns which clients exist",
        first.text()?,
        second.text()?,
    );
    Ok(())
}

// ---- small things ----------------------------------------------------------------------------------------------------

pub(crate) fn refused(
    stage: &mut Stage<'_>,
    what: &str,
    answer: &Answer,
    status: u16,
    error: &str,
    rule: &str,
) -> anyhow::Result<()> {
    let body = answer.json()?;
    let came = format!(
        "{} {}",
        answer.status.as_u16(),
        body["error"].as_str().unwrap_or("(no error)")
    );
    stage.check_rule(what, format!("{status} {error}"), came, rule);
    Ok(())
}

/// Status and where to, in a few words.
fn seen(answer: &Answer) -> String {
    let location = answer
        .header(header::LOCATION)
        .and_then(|location| Url::parse(location).ok());
    let to = match location
        .as_ref()
        .and_then(|location| query(location, "error"))
    {
        Some(error) => format!("error={error}"),
        None if location.is_some() => "a redirect".to_owned(),
        None => "no Location".to_owned(),
    };
    format!("{}, {to}", answer.status.as_u16())
}

fn challenge(answer: &Answer) -> &str {
    answer.header(header::WWW_AUTHENTICATE).unwrap_or_default()
}

/// The claims of a token, without believing them.
pub(crate) fn claims(token: &str) -> String {
    inspect(token)
        .payload
        .and_then(|part| part.json)
        .unwrap_or_default()
}

fn claim(token: &VerifiedJwt, name: &str) -> String {
    token.claim_str(name).unwrap_or_default()
}

fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// The address with a query parameter replaced, or left out.
fn with_parameter(url: &Url, name: &str, value: Option<&str>) -> Url {
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .into_owned()
        .filter(|(key, _)| key != name)
        .collect();
    let mut changed = url.clone();
    changed
        .query_pairs_mut()
        .clear()
        .extend_pairs(kept)
        .extend_pairs(value.map(|value| (name, value)));
    changed
}

/// The token with the first letter of its claims' `sub` changed, signature kept.
fn tamper(token: &str) -> anyhow::Result<String> {
    let parts: Vec<&str> = token.split('.').collect();
    let payload = parts.get(1).context("a token has three parts")?;
    let claims = String::from_utf8(base64url::decode(payload)?)?;
    let changed = claims.replacen("\"sub\":\"d", "\"sub\":\"D", 1);
    anyhow::ensure!(changed != claims, "the claims name another subject");
    Ok([
        parts[0],
        &base64url::encode(changed),
        parts.get(2).copied().unwrap_or_default(),
    ]
    .join("."))
}

pub(crate) fn now() -> anyhow::Result<i64> {
    Ok(i64::try_from(
        SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
    )?)
}
