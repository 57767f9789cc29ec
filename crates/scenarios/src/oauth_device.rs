//! A device without a keyboard: it shows a code, and a person types it elsewhere (RFC 8628). Somebody else guesses at both.

use anyhow::Context as _;
use http::StatusCode;
use url::Url;

use crate::oauth::refused;
use crate::oauth_login::{SECRET, client_of, mallory, open};
use crate::own_service::OwnService;
use crate::relying_party::random_text;
use crate::stage::Stage;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The letters of a user code: no vowels, so no words (RFC 8628 §6.1).
const CONSONANTS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// By the sixth or seventh guess the page asks for a wait; one that never does is not tried for ever.
const MOST_GUESSES: usize = 20;

/// The device asks, shows, polls; somebody guesses; the person compares and allows; tokens come once.
pub(crate) fn device(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        stage.heading("1  a token service with two clients that may show codes: demo, and a game that Mallory runs");
        let games = format!("[[clients]]\nclient_id = \"games\"\nclient_secret = \"{SECRET}\"\ngrant_types = [\"{GRANT}\"]\nscope = \"openid profile\"\n");
        let service = open(stage, &games).await?;
        let client = service
            .client(stage, service.first.client_secret.expose())
            .await?;
        stage.heading("2  the device asks for two codes");
        let form = [("scope", "openid profile")];
        let answer = client.post(stage, "device_authorization_endpoint", &form, None).await?;
        let codes = answer.json()?;
        let text = |name: &str| {
            let text = codes[name].as_str().map(str::to_owned);
            text.with_context(|| format!("the token service gave no {name}"))
        };
        let (device_code, user_code) = (text("device_code")?, text("user_code")?);
        stage.note("The long one stays on the device. The short one it shows: eight consonants, which spell no word, good for ten minutes.");
        stage.heading("3  it polls while nobody has decided");
        let poll = [("grant_type", GRANT), ("device_code", device_code.as_str())];
        let pending = client.post(stage, "token_endpoint", &poll, None).await?;
        refused(stage, "the first poll", &pending, 400, "authorization_pending", "RFC 8628 §3.5")?;
        let too_soon = client.post(stage, "token_endpoint", &poll, None).await?;
        refused(stage, "the next without waiting", &too_soon, 400, "slow_down", "RFC 8628 §3.5")?;
        let page = Url::parse(&text("verification_uri")?)?;
        guess_user_codes(stage, &service, &page).await?;
        stage.heading("5  the person, on a machine with a keyboard");
        let mut person = service.person();
        let title = person.verify_device(stage, &page, &user_code.to_lowercase(), "allow").await?;
        stage.check("the last page", "Device connected · stampmill", title);
        stage.note(
            "They signed in before they could try a code, so tries are counted by person. The page named the device's code and asked \
             to compare it: somebody else's device may be behind a code that came in a link.",
        );
        stage.heading("6  Mallory would fetch the tokens that are ready now");
        let games = client_of(&service, "games").await?;
        let guessed = random_text()?;
        for (what, from, code) in [
            ("a device code guessed, as demo", &client, &guessed),
            ("the right one, as games", &games, &device_code),
        ] {
            let poll = [("grant_type", GRANT), ("device_code", code.as_str())];
            let answer = from.post(stage, "token_endpoint", &poll, None).await?;
            refused(stage, what, &answer, 400, "invalid_grant", "RFC 8628 §3.5")?;
        }
        stage.heading("7  the device's next poll brings them, and only that one");
        let tokens = client.post(stage, "token_endpoint", &poll, None).await?;
        stage.check("tokens", 200, tokens.status.as_u16());
        let again = client.post(stage, "token_endpoint", &poll, None).await?;
        refused(stage, "the device code once more", &again, 400, "invalid_grant", "RFC 8628 §3.4")?;
        stage.blocked("guessed or replayed device codes", "256 bits, one client, one use", "RFC 8628 §5.2");
        stage.note(
            "oauth_refresh could only go on from a login in a browser; this begins without one. What the device flow cannot stop: a person who \
             allows somebody else's device because a message told them to (RFC 8628 §5.4). And how an API on another machine knows that \
             a token is good, nobody has said yet. That is oauth_split.",
        );
        service.server.shutdown().await;
        Ok(())
    })
}

/// Mallory signs in as himself and types codes until the page has had enough of him.
async fn guess_user_codes(
    stage: &mut Stage<'_>,
    service: &OwnService,
    page: &Url,
) -> anyhow::Result<()> {
    stage.heading("4  Mallory guesses at the short code");
    let mut mallory = mallory(service);
    let mut wrong = 0;
    let (status, said) = loop {
        let (status, said) = mallory.try_user_code(stage, page, &user_code()?).await?;
        if status != StatusCode::OK || wrong == MOST_GUESSES {
            break (status, said);
        }
        wrong += 1;
    };
    stage.compute("wrong codes before the page asked for a wait", &[], wrong);
    stage.compute("the page in the end", &[], &said);
    stage.check_rule("one guess too many", 429, status.as_u16(), "RFC 8628 §5.1");
    stage.compute("user codes there are = 20^8", &[], CONSONANTS.len().pow(8));
    stage.note(
        "The wait doubles from two seconds to a minute, so the ten minutes of a code are good for some twenty guesses. It is \
         Mallory's: whoever else types a code waits for nothing.",
    );
    stage.blocked(
        "guessed user codes",
        "tries are counted, a person at a time",
        "RFC 8628 §5.1",
    );
    Ok(())
}

/// What a user code looks like.
fn user_code() -> anyhow::Result<String> {
    let mut bytes = [0; 8];
    openssl::rand::rand_bytes(&mut bytes)?;
    let letters = bytes.map(|byte| CONSONANTS[usize::from(byte) % CONSONANTS.len()]);
    let [first, second] = [&letters[..4], &letters[4..]].map(String::from_utf8_lossy);
    Ok(format!("{first}-{second}"))
}
