//! Tokens after the login: refreshed, kept by reference, signed with keys that change, bound to a key of the client's.

use anyhow::Context as _;
use serde_json::Value;
use stampmill_jose::{Algorithm, Expectations, Jwks, SigningKey, dpop_proof, verify_jwt};
use stampmill_token_service::Admin;

use crate::http_client::Answer;
use crate::oauth::{NOTHING, claims, now, open, or_nothing, refused};
use crate::own_service::OwnService;
use crate::relying_party::RelyingParty;
use crate::stage::Stage;

const OFFLINE: &str = "openid profile offline_access";

/// A login whose tokens may be refreshed, its messages unheard: other lessons show them.
async fn log_in(
    service: &OwnService,
    client: &RelyingParty,
    resource: Option<&str>,
) -> anyhow::Result<Value> {
    let mut unheard = Vec::new();
    let quiet = &mut Stage::new(&mut unheard);
    let pending = client.begin_offline(OFFLINE, resource)?;
    let callback = service.person().log_in(quiet, &pending.authorize).await?;
    let code = client.code(&pending, &callback)?;
    client
        .redeem(quiet, &code, Some(&pending.code_verifier))
        .await?
        .json()
}

fn member(object: &Value, name: &str) -> anyhow::Result<String> {
    let text = object[name].as_str().map(str::to_owned);
    text.with_context(|| format!("the token service gave no {name}"))
}

/// Refresh tokens: each use brings the next; a lost answer is given again; a stolen one kills the family.
pub(crate) fn refresh(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let service = open(stage).await?;
        let client = service
            .client(stage, service.first.client_secret.expose())
            .await?;
        stage.heading("2  a login that asks for offline_access");
        let r0 = member(&log_in(&service, &client, None).await?, "refresh_token")?;
        stage.note(
            "The access token lives ten minutes. The refresh token is for afterwards: it goes to the token service and nowhere \
             else, and it works once.",
        );
        stage.heading("3  the first refresh, and its lost answer");
        let r1 = member(&client.refresh(stage, &r0).await?.json()?, "refresh_token")?;
        stage.check_rule("rotated", true, r0 != r1, "RFC 9700 §4.14.2");
        let again = member(&client.refresh(stage, &r0).await?.json()?, "refresh_token")?;
        stage.check("the same question within 30 seconds: the same successor", &r1, again);
        stage.heading("4  the family goes on");
        let second = client.refresh(stage, &r1).await?.json()?;
        let (r2, access) = (member(&second, "refresh_token")?, member(&second, "access_token")?);
        stage.heading("5  a thief comes with an older token");
        let stolen = client.refresh(stage, &r0).await?;
        refused(stage, "the first token once more", &stolen, 400, "invalid_grant", "RFC 9700 §4.14.2")?;
        stage.note("Two hands hold the family, and nobody knows which is the thief's. So it dies, and the person signs in again.");
        let honest = client.refresh(stage, &r2).await?;
        refused(stage, "the newest token", &honest, 400, "invalid_grant", "RFC 9700 §4.14.2")?;
        let info = client.call(stage, "/userinfo", Some(&access)).await?;
        stage.check("its access token at UserInfo", 401, info.status.as_u16());
        stage.blocked("stolen refresh token", "rotation with reuse detection", "RFC 9700 §4.14.2");
        stage.note("oauth_logout could not stop a refresh token in a thief's hands; rotation finds it out as soon as both have used it. What rotation cannot stop: a thief \
            whose victim never comes back. And it only goes on from a login: a device without a browser has none. That is oauth_device.");
        service.server.shutdown().await;
        Ok(())
    })
}

/// Who keeps what a token says: the token (JWT), or the service (a reference, and introspection).
pub(crate) fn split(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    const VAULT: &str = "https://vault.example";
    const FILES: &str = "https://files.example";
    tokio::runtime::Runtime::new()?.block_on(async {
        stage.heading("1  a token service with two resources");
        let toml = format!(
            "[[resources]]\nresource = \"{FILES}\"\n\n[[resources]]\nresource = \"{VAULT}\"\nformat = \"opaque\"\nintrospected_by = [\"demo\"]\n"
        );
        stage.listing("lesson.toml", &toml);
        let service = OwnService::configured(&toml).await?;
        let client = service
            .client(stage, service.first.client_secret.expose())
            .await?;
        stage.heading("2  a JWT for the one, a reference for the other");
        let ask = async |stage: &mut Stage<'_>, resource| {
            let answer = client.client_credentials(stage, &[("resource", resource)]).await?;
            member(&answer.json()?, "access_token")
        };
        let (jwt, reference) = (ask(stage, FILES).await?, ask(stage, VAULT).await?);
        stage.listing("what anyone reads in the JWT", claims(&jwt));
        stage.check("what anyone reads in the reference", NOTHING, or_nothing(&claims(&reference)));
        stage.heading("3  verified alone, or asked about");
        let keys = client.keys(stage).await?;
        let expect = Expectations::access_token(service.server.issuer(), FILES);
        let alone = |token: &str, now| verify_jwt(token, &keys, &expect, now).is_ok();
        stage.check_rule("the JWT, with the published keys", true, alone(&jwt, now()?), "RFC 9068 §4");
        let active = introspect(stage, &client, &reference).await?;
        stage.check_rule("the reference, by introspection", true, &active["active"], "RFC 7662 §2.2");
        stage.heading("4  both are revoked");
        for token in [&jwt, &reference] {
            client.post(stage, "revocation_endpoint", &[("token", token)], None).await?;
        }
        let gone = introspect(stage, &client, &reference).await?;
        stage.check_rule("the reference", false, &gone["active"], "RFC 7009 §2");
        stage.check("the JWT, by whoever verifies it alone, until it expires", true, alone(&jwt, now()?));
        let asked = introspect(stage, &client, &jwt).await?;
        stage.check_rule("the JWT, by whoever asks", false, &asked["active"], "RFC 7662 §2.2");
        stage.note("That is the trade: a JWT costs no question and dies late; a reference costs one question a request and dies at once.");
        stage.note("oauth_device left open how an API on another machine knows a good token from a bad one: it verifies, or it asks. What neither stops: a JWT is believed \
            because of its key, and keys grow old and are stolen. That is oauth_jwks_rotation.");
        service.server.shutdown().await;
        Ok(())
    })
}

async fn introspect(
    stage: &mut Stage<'_>,
    client: &RelyingParty,
    token: &str,
) -> anyhow::Result<Value> {
    let form = [("token", token)];
    client
        .post(stage, "introspection_endpoint", &form, None)
        .await?
        .json()
}

/// A signing key is replaced: published ahead of use, found by `kid`, kept until its last token has expired. And one that was
/// stolen is withdrawn.
pub(crate) fn jwks_rotation(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let service = open(stage).await?;
        stage.heading("2  a token, and the key that verifies it");
        let client = service
            .client(stage, service.first.client_secret.expose())
            .await?;
        let token = machine_token(stage, &client).await?;
        let before = client.keys(stage).await?;
        let issuer = service.server.issuer().to_owned();
        let expect = Expectations::access_token(&issuer, &issuer);
        let kid = verify_jwt(&token, &before, &expect, now()?)?
            .header()
            .kid
            .clone()
            .unwrap_or_default();
        stage.check_rule("kid in the header, kid in the set", true, before.find(&kid).is_some(), "RFC 7515 §4.1.4");

        stage.heading("3  stampmill keys rotate");
        let admin = Admin::open(&service.folder().join("data"))?;
        let next = admin.rotate_signing_key(Algorithm::Rs256).await?;
        stage.compute("kid of the next key", &[], &next.kid);
        stage.compute("it signs in, seconds", &[], next.signs_from - next.created_at);
        stage.note(
            "A running service takes it in within a second or two. Until it signs, every verifier has had the time to fetch a set \
             with it: a set may be cached for five minutes.",
        );
        until_published(&client, |keys| keys.find(&next.kid).is_some()).await?;
        let after = client.keys(stage).await?;
        stage.check_rule("the next key is published", true, after.find(&next.kid).is_some(), "OIDC Core §10.1.1");
        stage.check_rule("the present one still is", true, after.find(&kid).is_some(), "OIDC Core §10.1.1");
        stage.check("the old token, with the new set", true, verify_jwt(&token, &after, &expect, now()?).is_ok());
        let new_token = machine_token(stage, &client).await?;
        let cached = verify_jwt(&new_token, &before, &expect, now()?);
        stage.check("a new token, with the set from before the rotation", true, cached.is_ok());

        stage.heading("4  a forger brings a key of his own");
        let forger = SigningKey::generate(Algorithm::Rs256)?;
        let forged = forger.sign_jwt("at+jwt", &serde_json::json!({
            "iss": issuer, "aud": issuer, "sub": "demo", "client_id": "demo", "jti": "1", "iat": now()?, "exp": now()? + 600,
        }))?;
        let answer = client.call(stage, "/api/me", Some(&forged)).await?;
        stage.check_rule("a kid nobody published", 401, answer.status.as_u16(), "RFC 8725 §3.1");
        stage.blocked("token of a foreign key", "keys come from the issuer's set, never from the token", "RFC 8725 §3.10");

        stage.heading("5  the key itself is stolen: stampmill keys withdraw");
        let me = client.call(stage, "/api/me", Some(&new_token)).await?;
        stage.check("a token it signed", 200, me.status.as_u16());
        admin.withdraw_signing_key(&kid).await?;
        stage.note(
            "With the key a thief makes tokens that no verifier can tell from ours. It cannot wait a quarter of an hour: it leaves the \
             set at once, and another signs that nobody has met. Whoever meets its kid fetches the set anew.",
        );
        until_published(&client, |keys| keys.find(&kid).is_none()).await?;
        let without = client.keys(stage).await?;
        let me = client.call(stage, "/api/me", Some(&new_token)).await?;
        stage.check("a token it signed, here", 401, me.status.as_u16());
        let elsewhere = |keys: &Jwks| Ok::<_, anyhow::Error>(verify_jwt(&new_token, keys, &expect, now()?).is_ok());
        stage.check("elsewhere, with the set of before: believed", true, elsewhere(&after)?);
        stage.check("elsewhere, with the set of now: believed", false, elsewhere(&without)?);
        let fresh = machine_token(stage, &client).await?;
        let me = client.call(stage, "/api/me", Some(&fresh)).await?;
        stage.check("a token the new key signed", 200, me.status.as_u16());
        stage.blocked("tokens of a stolen key", "the key leaves the set; who caches the set believes it that much longer", "OIDC Core §10.1.1");
        stage.note("oauth_split could not stop what a stolen key signs; withdrawing the key does. What no key of the issuer's can stop: a genuine token in other hands, \
            for its signature is right. That is oauth_dpop.");
        service.server.shutdown().await;
        Ok(())
    })
}

/// Asks for the key set until it is as expected, unheard: a few times at most.
async fn until_published(
    client: &RelyingParty,
    as_expected: impl Fn(&Jwks) -> bool,
) -> anyhow::Result<()> {
    for _ in 0..100 {
        let mut unheard = Vec::new();
        if as_expected(&client.keys(&mut Stage::new(&mut unheard)).await?) {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    anyhow::bail!("the key set did not change within ten seconds")
}

async fn machine_token(stage: &mut Stage<'_>, client: &RelyingParty) -> anyhow::Result<String> {
    let answer = client.client_credentials(stage, &[]).await?;
    member(&answer.json()?, "access_token")
}

/// A token bound to a key of the client's: stolen, it is worth nothing.
pub(crate) fn dpop(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let service = open(stage).await?;
        let client = service
            .client(stage, service.first.client_secret.expose())
            .await?;
        stage.heading("2  the client makes a key and proves it at the token endpoint");
        let key = SigningKey::generate(Algorithm::Es256)?;
        stage.compute(
            "jkt = BASE64URL(SHA256(the public key as RFC 7638 writes it))",
            &[],
            key.kid(),
        );
        let issuer = service.server.issuer().to_owned();
        let proof = dpop_proof(&key, "POST", &format!("{issuer}/token"), None, None, now()?)?;
        stage.listing("the proof", claims(&proof));
        let form = [("grant_type", "client_credentials")];
        let answer = client
            .post(stage, "token_endpoint", &form, Some(&proof))
            .await?;
        let body = answer.json()?;
        let token = member(&body, "access_token")?;
        stage.check_rule(
            "token_type",
            "DPoP",
            member(&body, "token_type")?,
            "RFC 9449 §5",
        );
        stage.listing("the token: cnf names the key", claims(&token));

        stage.heading("3  the token at work, with a proof for this request");
        let prove = |key: &SigningKey| {
            let uri = format!("{issuer}/api/me");
            Ok::<_, anyhow::Error>(dpop_proof(key, "GET", &uri, Some(&token), None, now()?)?)
        };
        let credentials = format!("DPoP {token}");
        let good = prove(&key)?;
        let call = async |stage: &mut Stage<'_>, credentials: &str, proof: Option<&str>| {
            client
                .call_with(stage, "/api/me", Some(credentials), proof)
                .await
        };
        let me = call(stage, &credentials, Some(&good)).await?;
        stage.check("with its key", 200, me.status.as_u16());

        stage.heading("4  a thief has the token, and a recorded proof");
        let thief = SigningKey::generate(Algorithm::Es256)?;
        let status = |answer: &Answer| answer.status.as_u16();
        let bearer = call(stage, &format!("Bearer {token}"), None).await?;
        stage.check_rule("as a bearer token", 401, status(&bearer), "RFC 9449 §7.2");
        let own_key = call(stage, &credentials, Some(&prove(&thief)?)).await?;
        stage.check_rule(
            "with a proof of the thief's key",
            401,
            status(&own_key),
            "RFC 9449 §7.1",
        );
        let replayed = call(stage, &credentials, Some(&good)).await?;
        stage.check_rule(
            "with the recorded proof",
            401,
            status(&replayed),
            "RFC 9449 §11.1",
        );
        stage.blocked(
            "stolen access token",
            "it is bound to a key that never left the client",
            "RFC 9449",
        );
        stage.note(
            "oauth_jwks_rotation could not stop a genuine token in other hands; its binding does. What DPoP cannot stop: a thief's program inside the client, which has \
             the key sign for it (RFC 9449 §11.4), and a request that is altered before there is any token. The latter is oauth_requests.",
        );
        service.server.shutdown().await;
        Ok(())
    })
}
