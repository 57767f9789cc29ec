//! What makes a login one, a step at a time: each lesson begins with what the one before could not stop. `state`, PKCE, the ID
//! token, hybrid answers, and the end of it all, signing out.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use stampmill_jose::{Algorithm, Expectations, SigningKey, unverified_claim, verify_jwt};
use stampmill_token_service::password_hash;
use stampmill_token_service::secret::Secret;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

use crate::oauth::{NOTHING, claims, now, or_nothing, refused};
use crate::own_service::{OwnService, REDIRECT_URI};
use crate::relying_party::{Pending, Person, RelyingParty};
use crate::stage::Stage;

const SCOPE: &str = "openid profile";

/// Mallory's, who has an account like anybody else.
const MALLORYS_PASSWORD: &str = "mallory likes long passwords";
pub(crate) const SECRET: &str = "a-secret-of-a-client-of-the-lessons";

/// A service of this configuration that knows Mallory, too.
pub(crate) async fn open(stage: &mut Stage<'_>, config: &str) -> anyhow::Result<OwnService> {
    let hash = password_hash(&Secret::new(MALLORYS_PASSWORD))?;
    let toml = format!(
        "{config}\n[[users]]\nusername = \"mallory\"\nname = \"Mallory\"\npassword_hash = \"{}\"\n",
        hash.as_phc()
    );
    let service = OwnService::configured(&toml).await?;
    stage.note(format!(
        "It answers at {} and knows two people: alice, and mallory, who has an account like anybody else.",
        service.server.issuer()
    ));
    Ok(service)
}

pub(crate) fn mallory(service: &OwnService) -> Person {
    Person::new(service.http.clone(), "mallory", MALLORYS_PASSWORD)
}

/// A client of the lesson's configuration.
pub(crate) async fn client_of(
    service: &OwnService,
    client_id: &str,
) -> anyhow::Result<RelyingParty> {
    let mut unheard = Vec::new();
    let (quiet, issuer) = (&mut Stage::new(&mut unheard), service.server.issuer());
    let credentials = (client_id, SECRET);
    RelyingParty::discover(
        quiet,
        service.http.clone(),
        issuer,
        credentials,
        REDIRECT_URI,
    )
    .await
}

/// A login whose messages other lessons show.
async fn quietly(person: &mut Person, link: &Url) -> anyhow::Result<Url> {
    let mut unheard = Vec::new();
    person.log_in(&mut Stage::new(&mut unheard), link).await
}

/// The request without these parameters.
fn without(link: &Url, names: &[&str]) -> Url {
    let mut bare = link.clone();
    let kept = link
        .query_pairs()
        .filter(|(name, _)| !names.contains(&&**name));
    bare.query_pairs_mut().clear().extend_pairs(kept);
    bare
}

/// The request with this parameter instead.
fn with(link: &Url, name: &str, value: &str) -> Url {
    let mut other = without(link, &[name]);
    other.query_pairs_mut().append_pair(name, value);
    other
}

fn parameter(url: &Url, name: &str) -> anyhow::Result<String> {
    let fragment = url.fragment().unwrap_or_default().as_bytes();
    let mut all = url.query_pairs().chain(form_urlencoded::parse(fragment));
    let found = all.find(|(known, _)| known == name);
    found
        .map(|(_, value)| value.into_owned())
        .with_context(|| format!("the answer carries no {name}"))
}

fn member(tokens: &Value, name: &str) -> anyhow::Result<String> {
    let text = tokens[name].as_str().map(str::to_owned);
    text.with_context(|| format!("the token service gave no {name}"))
}

/// Who an access token says has come, by UserInfo.
async fn who(client: &RelyingParty, access_token: &str) -> anyhow::Result<String> {
    let mut unheard = Vec::new();
    let quiet = &mut Stage::new(&mut unheard);
    let answer = client.call(quiet, "/userinfo", Some(access_token)).await?;
    member(&answer.json()?, "preferred_username")
}

/// `state`: whose login is this? Without it a browser can be made to finish somebody else's.
pub(crate) fn state(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        stage.heading("1  a token service that asks confidential clients for no code_challenge");
        let service = open(stage, "pkce = \"public\"").await?;
        let client = service.client(stage, service.first.client_secret.expose()).await?;
        let old = ["code_challenge", "code_challenge_method"];

        stage.heading("2  Mallory logs in, and keeps the last address for himself");
        let his = without(&client.begin(SCOPE)?.authorize, &old);
        let callback = mallory(&service).log_in(stage, &his).await?;
        stage.note("It carries a code for his own account. He sends it to Alice: a link, a picture, a frame; her browser opens it.");

        stage.heading("3  a client that takes whatever answer comes");
        let code = parameter(&callback, "code")?;
        let tokens = client.redeem(stage, &code, None).await?.json()?;
        let signed_in = who(&client, &member(&tokens, "access_token")?).await?;
        stage.check("Alice's browser is now signed in as", "mallory", signed_in);
        stage.succeeded("login in somebody else's name: what Alice types in there, Mallory reads");

        stage.heading("4  a client that remembers what it asked");
        let hers = client.begin(SCOPE)?;
        stage.compute("state, kept with Alice's browser", &[], &hers.state);
        stage.compute("state in the address from Mallory", &[], parameter(&callback, "state")?);
        let taken = client.code(&hers, &callback);
        stage.check_rule("taken", "no: state is not the one sent", match taken {
            Ok(_) => "yes".to_owned(),
            Err(error) => format!("no: {error}"),
        }, "RFC 6749 §10.12");
        stage.blocked("forged answer", "state ties the answer to the browser that asked", "RFC 6749 §10.12");
        stage.note("What state cannot stop: a thief who brings his own browser and its right state, and in it somebody else's code. That is oauth_pkce.");
        service.server.shutdown().await;
        Ok(())
    })
}

/// PKCE: who began this login? Without it a stolen code is worth a session at the honest client.
pub(crate) fn pkce(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        stage.heading("1  a token service that asks confidential clients for no code_challenge");
        let service = open(stage, "pkce = \"public\"").await?;
        let client = service.client(stage, service.first.client_secret.expose()).await?;
        let old = ["code_challenge", "code_challenge_method"];

        stage.heading("2  Alice's code is seen on its way");
        let alices = without(&client.begin(SCOPE)?.authorize, &old);
        let seen = quietly(&mut service.person(), &alices).await?;
        let stolen = parameter(&seen, "code")?;
        stage.listing("in a log of a proxy, in a history, in a Referer", seen.as_str());
        stage.note("Mallory has no client secret, so he cannot redeem it himself. The client can, and does so for whoever comes.");

        stage.heading("3  Mallory begins a login of his own, and exchanges the code in its answer");
        let his = client.begin(SCOPE)?;
        let his = Pending { authorize: without(&his.authorize, &old), ..his };
        let answer = quietly(&mut mallory(&service), &his.authorize).await?;
        let bent = with(&answer, "code", &stolen);
        let taken = client.code(&his, &bent).is_ok();
        stage.check_rule("state and iss are right: it is his browser", true, taken, "RFC 6749 §10.12");
        let tokens = client.redeem(stage, &stolen, None).await?.json()?;
        let signed_in = who(&client, &member(&tokens, "access_token")?).await?;
        stage.check("Mallory's browser is now signed in as", "alice", signed_in);
        stage.succeeded("code injection: state was right, the secret was right, the person was not");

        stage.heading("4  the same with PKCE");
        let alices = client.begin(SCOPE)?;
        let seen = quietly(&mut service.person(), &alices.authorize).await?;
        let stolen = parameter(&seen, "code")?;
        let his = client.begin(SCOPE)?;
        stage.compute("code_verifier, kept with Mallory's browser", &[], &his.code_verifier);
        let answer = client.redeem(stage, &stolen, Some(&his.code_verifier)).await?;
        refused(stage, "Alice's code with the verifier of his session", &answer, 400, "invalid_grant", "RFC 7636 §4.6")?;
        let none = client.redeem(stage, &stolen, None).await?;
        refused(stage, "and with none", &none, 400, "invalid_grant", "RFC 7636 §4.6")?;
        let hers = client.redeem(stage, &stolen, Some(&alices.code_verifier)).await?;
        stage.check("Alice's own client session, afterwards", 200, hers.status.as_u16());
        stage.blocked("stolen or injected code", "a code is redeemed only where its login began", "RFC 7636, RFC 9700 §4.5.3");
        stage.note("What PKCE cannot stop: a client that takes an access token for a proof of who came. That is oauth_oidc.");
        service.server.shutdown().await;
        Ok(())
    })
}

/// The ID token: for whom was this said? An access token is for an API, and says nothing to a client.
pub(crate) fn oidc(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        stage.heading("1  a token service with two clients: demo, and a game that Mallory runs");
        let games = format!(
            "[[clients]]\nclient_id = \"games\"\nclient_secret = \"{SECRET}\"\napplication_type = \"native\"\nredirect_uris = [\"{REDIRECT_URI}\"]\nscope = \"{SCOPE}\"\n"
        );
        let service = open(stage, &games).await?;
        let client = service.client(stage, service.first.client_secret.expose()).await?;

        stage.heading("2  Alice plays the game, and signs in there");
        let game = client_of(&service, "games").await?;
        let pending = game.begin(SCOPE)?;
        let answer = quietly(&mut service.person(), &pending.authorize).await?;
        let code = game.code(&pending, &answer)?;
        let tokens = game.redeem(stage, &code, Some(&pending.code_verifier)).await?.json()?;
        let (access, id) = (member(&tokens, "access_token")?, member(&tokens, "id_token")?);

        stage.heading("3  Mallory shows her access token to demo, which asks UserInfo who that is");
        stage.check("UserInfo says", "alice", who(&client, &access).await?);
        stage.succeeded("login by somebody else's access token: it opens UserInfo for whoever holds it, and names no reader");

        stage.heading("4  demo asks for an ID token instead");
        stage.listing("the one Mallory has", claims(&id));
        let keys = client.keys(stage).await?;
        let mine = client.begin(SCOPE)?;
        let shown = client.verify_id_token(&keys, &mine, &id, now()?);
        let why = |shown: anyhow::Result<_>| match shown {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.to_string().split(':').next().unwrap_or_default().to_owned(),
        };
        stage.check_rule("refused by the check of", "aud", why(shown), "OIDC Core §3.1.3.7");

        stage.heading("5  what else an ID token of demo's own must not be");
        let answer = quietly(&mut service.person(), &mine.authorize).await?;
        let code = client.code(&mine, &answer)?;
        let tokens = client.redeem(stage, &code, Some(&mine.code_verifier)).await?.json()?;
        let id = member(&tokens, "id_token")?;
        let good = client.verify_id_token(&keys, &mine, &id, now()?).is_ok();
        stage.check_rule("the right one", true, good, "OIDC Core §3.1.3.7");
        let other = client.begin(SCOPE)?;
        let replayed = client.verify_id_token(&keys, &other, &id, now()?);
        stage.check_rule("in another login, refused by", "nonce", why(replayed), "OIDC Core §3.1.3.7");
        let late = client.verify_id_token(&keys, &mine, &id, now()? + 3600);
        stage.check_rule("an hour later, refused by", "exp", why(late), "OIDC Core §3.1.3.7");
        let access = member(&tokens, "access_token")?;
        let access = client.verify_id_token(&keys, &mine, &access, now()?);
        stage.check_rule("an access token in its place, refused by", "typ", why(access), "RFC 8725 §3.11");
        let half = Algorithm::Rs256.left_half_hash(&member(&tokens, "access_token")?);
        let told = unverified_claim(&id, "at_hash").unwrap_or_default();
        stage.check_rule("at_hash names the access token it came with", half, told, "OIDC Core §3.1.3.6");
        stage.blocked("token of another client", "aud, and nonce for this very login", "OIDC Core §3.1.3.7");
        stage.note("What the ID token from the token endpoint cannot do: tell the client who comes before the code is redeemed. That is oauth_hybrid.");
        service.server.shutdown().await;
        Ok(())
    })
}

/// Hybrid: an ID token beside the code, which vouches for it.
pub(crate) fn hybrid(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        stage.heading("1  a token service with a client that is configured for code id_token");
        let shop = format!(
            "[[clients]]\nclient_id = \"shop\"\nclient_secret = \"{SECRET}\"\napplication_type = \"native\"\nredirect_uris = [\"{REDIRECT_URI}\"]\nresponse_types = [\"code\", \"code id_token\"]\nscope = \"{SCOPE}\"\n"
        );
        stage.listing("lesson.toml", shop.replace(SECRET, "..."));
        let service = open(stage, &shop).await?;
        let client = client_of(&service, "shop").await?;

        stage.heading("2  the answer comes in the fragment: code and ID token");
        let begin = || {
            let pending = client.begin(SCOPE)?;
            let authorize = with(&pending.authorize, "response_type", "code id_token");
            Ok::<_, anyhow::Error>(Pending { authorize, ..pending })
        };
        let pending = begin()?;
        let answer = service.person().log_in(stage, &pending.authorize).await?;
        stage.check_rule("the query of the answer", NOTHING, or_nothing(answer.query().unwrap_or_default()), "OIDC Core §3.3.2.5");
        let (code, id) = (parameter(&answer, "code")?, parameter(&answer, "id_token")?);
        stage.note("A fragment is not sent to servers: a script of the client's page reads it. Whatever else runs in that page reads it, too.");

        stage.heading("3  before anything is redeemed");
        let keys = client.keys(stage).await?;
        let verified = client.verify_id_token(&keys, &pending, &id, now()?);
        stage.check_rule("the ID token says who came", true, verified.is_ok(), "OIDC Core §3.3.2.12");
        let vouched = unverified_claim(&id, "c_hash").unwrap_or_default();
        stage.compute("c_hash = BASE64URL(left half of SHA256(code))", &[("code", &code)], Algorithm::Rs256.left_half_hash(&code));
        stage.check_rule("c_hash in it", Algorithm::Rs256.left_half_hash(&code), &vouched, "OIDC Core §3.3.2.11");

        stage.heading("4  Mallory exchanges the code in the answer");
        let his = begin()?;
        let his = quietly(&mut mallory(&service), &his.authorize).await?;
        let injected = parameter(&his, "code")?;
        let fits = Algorithm::Rs256.left_half_hash(&injected) == vouched;
        stage.check_rule("c_hash fits his code", false, fits, "OIDC Core §3.3.2.10");
        stage.blocked("code exchanged on its way", "c_hash, before a word is spoken to the token endpoint", "OIDC Core §3.3.2.10");

        stage.heading("5  the code redeemed");
        let tokens = client.redeem(stage, &code, Some(&pending.code_verifier)).await?.json()?;
        let again = member(&tokens, "id_token")?;
        let sub = |token: &str| unverified_claim(token, "sub").unwrap_or_default();
        stage.check_rule("the same person in both ID tokens", sub(&id), sub(&again), "OIDC Core §3.3.3.6");
        let plain = with(&client.begin(SCOPE)?.authorize, "response_type", "code token");
        let refused = quietly(&mut service.person(), &plain).await?;
        let error = parameter(&refused, "error")?;
        stage.check_rule("what it is not configured for", "unsupported_response_type", error, "RFC 9700 §2.1.2");
        stage.note("PKCE closes the same hole for every client, and shows no token to a browser: hybrid answers are for those that must know at once who came. What no login can: end. That is oauth_logout.");
        service.server.shutdown().await;
        Ok(())
    })
}

/// Signing out: the session ends here, and the clients hear of it.
pub(crate) fn logout(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        stage.heading("1  a client that listens, and a token service that may connect to this machine");
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}/backchannel_logout", listener.local_addr()?);
        let mail = format!(
            "networks = [\"loopback\"]\n\n[[clients]]\nclient_id = \"mail\"\nclient_secret = \"{SECRET}\"\napplication_type = \"native\"\nredirect_uris = [\"{REDIRECT_URI}\"]\nbackchannel_logout_uri = \"{address}\"\nscope = \"{SCOPE}\"\n"
        );
        stage.listing("lesson.toml", mail.replace(SECRET, "..."));
        let service = open(stage, &mail).await?;
        let client = client_of(&service, "mail").await?;

        stage.heading("2  Alice signs in");
        let mut alice = service.person();
        let pending = client.begin(SCOPE)?;
        let answer = quietly(&mut alice, &pending.authorize).await?;
        let code = client.code(&pending, &answer)?;
        let tokens = client.redeem(stage, &code, Some(&pending.code_verifier)).await?.json()?;
        let (access, id) = (member(&tokens, "access_token")?, member(&tokens, "id_token")?);
        let sid = unverified_claim(&id, "sid").unwrap_or_default();
        stage.compute("sid: what this client calls the session", &[], &sid);
        let silent = with(&client.begin(SCOPE)?.authorize, "prompt", "none");
        let again = quietly(&mut alice, &silent).await?;
        stage.check_rule("asked silently, she is signed in", true, parameter(&again, "code").is_ok(), "OIDC Core §3.1.2.6");
        stage.note("A client that only forgets its own cookie has ended nothing: the next visit finds her signed in again, without a password.");

        stage.heading("3  the client sends her browser to end the session, with its ID token");
        let mut end = Url::parse(&format!("{}/end_session", client.issuer))?;
        end.query_pairs_mut().append_pair("id_token_hint", &id);
        let page = alice.open(stage, &end).await?;
        stage.check("the page", "Signed out · stampmill", page);

        stage.heading("4  the service tells the client, server to server");
        let body = tokio::time::timeout(Duration::from_secs(20), post_to(&listener)).await??;
        let token = body.strip_prefix("logout_token=").context("the form has a logout_token")?;
        stage.listing("the logout token", claims(token));
        let keys = client.keys(stage).await?;
        let expect = Expectations::logout_token(&client.issuer, &client.client_id);
        let good = verify_jwt(token, &keys, &expect, now()?).is_ok();
        stage.check_rule("signed, for this client, fresh, without nonce", true, good, "Back-Channel Logout §2.6");
        stage.check_rule("sid", &sid, unverified_claim(token, "sid").unwrap_or_default(), "Back-Channel Logout §2.4");

        stage.heading("5  what is left of the session");
        let silent = with(&client.begin(SCOPE)?.authorize, "prompt", "none");
        let gone = quietly(&mut alice, &silent).await?;
        stage.check_rule("asked silently", "login_required", parameter(&gone, "error")?, "OIDC Core §3.1.2.6");
        let info = client.call(stage, "/userinfo", Some(&access)).await?;
        stage.check_rule("her access token at UserInfo", 401, info.status.as_u16(), "Back-Channel Logout §2.7");

        stage.heading("6  Mallory would sign others out");
        let forger = SigningKey::generate(Algorithm::Rs256)?;
        let payload: Value = serde_json::from_str(&claims(token))?;
        let forged = forger.sign_jwt("logout+jwt", &payload)?;
        let taken = verify_jwt(&forged, &keys, &expect, now()?).is_ok();
        stage.check_rule("a logout token of his own", false, taken, "Back-Channel Logout §2.6");
        let taken = verify_jwt(&id, &keys, &expect, now()?).is_ok();
        stage.check_rule("an ID token in its place", false, taken, "RFC 8725 §3.11");
        let (mut other, request) = (service.person(), client.begin(SCOPE)?);
        quietly(&mut other, &request.authorize).await?;
        let bare = Url::parse(&format!("{}/end_session", client.issuer))?;
        let asked = other.open(stage, &bare).await?;
        stage.check_rule("a link that he sent her, without an ID token", "Sign out? · stampmill", asked, "RP-Initiated Logout §2");
        stage.blocked("signing others out", "an ID token of the session, or the person's own yes", "RP-Initiated Logout §2, §6");
        stage.note("oauth_hybrid could begin a login and not end one; this ends it. What signing out cannot stop: a refresh token that was granted for \
            offline_access lives on, for whoever holds it. That is oauth_refresh.");
        service.server.shutdown().await;
        Ok(())
    })
}

/// Takes one request, answers it with 200, gives its body.
async fn post_to(listener: &TcpListener) -> anyhow::Result<String> {
    let (mut stream, _) = listener.accept().await?;
    let mut bytes = Vec::new();
    loop {
        anyhow::ensure!(
            stream.read_buf(&mut bytes).await? > 0,
            "the request broke off"
        );
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let fields = head.lines().filter_map(|line| line.split_once(':'));
        let length = fields
            .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .find_map(|(_, value)| value.trim().parse::<usize>().ok());
        if body.len() >= length.context("the request says how long it is")? {
            let answer = b"HTTP/1.1 200 OK\r\ncache-control: no-store\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await?;
            return Ok(body.to_owned());
        }
    }
}
