//! `rsa_by_hand`: the service issues a token, and its signature is checked by seventeen multiplications.

use anyhow::Context as _;
use stampmill_jose::{Algorithm, Jwks, base64url, sha256};
use stampmill_modexp::Modulus;
use stampmill_rsa::PublicKey;

use super::{DIGEST_INFO, LENGTH, ends, hex};
use crate::own_service::OwnService;
use crate::stage::Stage;

/// 65537 is 2^16 + 1: sixteen squarings and one product.
const SQUARINGS: u32 = 16;

pub(crate) fn by_hand(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let (token, keys) = tokio::runtime::Runtime::new()?.block_on(issued_token())?;
    let (n, e) = keys
        .keys()
        .iter()
        .find(|key| key.alg() == Some(Algorithm::Rs256))
        .and_then(|key| key.rsa_numbers())
        .context("the service publishes a key for RS256")?;
    let (signed, signature) = token.rsplit_once('.').context("a token has three parts")?;
    let signature = base64url::decode(signature)?;
    stage.note("The token service was started, and a client got an access token. Everything below is public: the token and the service's JWK set.");
    stage.heading("What is given");
    stage.compute("the signed text, header.payload", &[], signed);
    stage.compute("s, the last part of the token", &[], ends(&signature));
    stage.compute("n, from the key set", &[], ends(n));
    stage.check("e, from the key set", 65537, number(e));

    stage.heading("s^65537 mod n");
    let encoded = power(stage, (n, e), &signature)?;

    stage.heading("What the signature holds (RFC 8017 §9.2)");
    let filling = LENGTH - 3 - DIGEST_INFO.len() - 32;
    let (head, rest) = encoded.split_at(2);
    let (ff, rest) = rest.split_at(filling);
    let (zero, rest) = rest.split_at(1);
    let (info, hash) = rest.split_at(DIGEST_INFO.len());
    stage.check("first two bytes", "0001", hex(head));
    stage.check(
        "bytes of ff that follow",
        filling,
        ff.iter().filter(|&&byte| byte == 0xff).count(),
    );
    stage.check("the byte behind them", "00", hex(zero));
    stage.check(
        "DigestInfo: SHA-256, 32 bytes follow",
        hex(&DIGEST_INFO),
        hex(info),
    );
    stage.check(
        "the hash of the signed text",
        hex(&sha256(signed.as_bytes())),
        hex(hash),
    );

    stage.heading("The same by the library, and a letter changed");
    let public = PublicKey::new(n, e)?;
    let verdict = |text: &str| match public.verify_pkcs1v15_sha256(text.as_bytes(), &signature) {
        Ok(()) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    };
    stage.check("the token's text", "accepted", verdict(signed));
    let changed = format!("{signed}x");
    stage.check(
        "one letter more",
        "the signature does not belong to this message and key",
        verdict(&changed),
    );
    stage.note(
        "Nobody needs a secret for any of this. To go the other way, from a hash to an s with s^65537 = EM, takes the factors of \
         n, and these the service keeps.",
    );
    Ok(())
}

/// A token for the demo client, and the keys that the service publishes.
async fn issued_token() -> anyhow::Result<(String, Jwks)> {
    let mut unheard = Vec::new();
    let quiet = &mut Stage::new(&mut unheard);
    let service = OwnService::start().await?;
    let client = service
        .client(quiet, service.first.client_secret.expose())
        .await?;
    let answer = client.client_credentials(quiet, &[]).await?.json()?;
    let token = answer["access_token"]
        .as_str()
        .context("the service gave no access token")?
        .to_owned();
    let keys = client.keys(quiet).await?;
    service.server.shutdown().await;
    Ok((token, keys))
}

/// Seventeen rows, a multiplication each.
fn power(stage: &mut Stage<'_>, (n, e): (&[u8], &[u8]), s: &[u8]) -> anyhow::Result<Vec<u8>> {
    let n = Modulus::new(n)?;
    let mut rows = Vec::new();
    let mut power = s.to_vec();
    for i in 1..=SQUARINGS {
        power = n.multiply(&power, &power)?;
        rows.push(format!("{i:>2}  s^{:<6} {}", 1_u32 << i, ends(&power)));
    }
    power = n.multiply(&power, s)?;
    rows.push(format!(
        "17  s^{:<6} {}",
        (1_u32 << SQUARINGS) + 1,
        ends(&power)
    ));
    stage.listing(
        "each row is the one above times itself modulo n, the last one is times s",
        rows.join("\n"),
    );
    stage.check(
        "as Modulus::pow_public computes",
        hex(&n.pow_public(s, e)?),
        hex(&power),
    );
    Ok(power)
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}
