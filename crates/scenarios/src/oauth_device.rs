//! A device without a keyboard: it shows a code, and a person types it elsewhere (RFC 8628).

use anyhow::Context as _;
use url::Url;

use crate::oauth::{open, refused};
use crate::stage::Stage;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The device asks, shows, polls; the person compares and allows; tokens come once.
pub(crate) fn device(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let service = open(stage).await?;
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
        stage.heading("4  the person, on a machine with a keyboard");
        let page = Url::parse(&text("verification_uri")?)?;
        let mut person = service.person();
        let title = person.verify_device(stage, &page, &user_code.to_lowercase(), "allow").await?;
        stage.check("the last page", "Device connected · stampmill", title);
        stage.note(
            "They signed in before they could try a code, so tries are counted by person. The page named the device's code and asked \
             to compare it: somebody else's device may be behind a code that came in a link.",
        );
        stage.heading("5  the next poll brings the tokens, and only that one");
        let tokens = client.post(stage, "token_endpoint", &poll, None).await?;
        stage.check("tokens", 200, tokens.status.as_u16());
        let again = client.post(stage, "token_endpoint", &poll, None).await?;
        refused(stage, "the device code once more", &again, 400, "invalid_grant", "RFC 8628 §3.4")?;
        stage.blocked("guessed or replayed device codes", "256 bits, one client, one use", "RFC 8628 §5.2");
        service.server.shutdown().await;
        Ok(())
    })
}
