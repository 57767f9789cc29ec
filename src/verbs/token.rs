//! `stampmill token …`: look at a token, or check it as a resource server does.

use std::io::Read as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::{Value, json};
use stampmill_jose::{Expectations, Jwks, MAX_TOKEN_BYTES, UnverifiedPart, inspect, verify_jwt};

use crate::cli::TokenVerb;
use crate::print::Printer;

pub(crate) fn run(verb: TokenVerb, out: Printer) -> anyhow::Result<()> {
    let token = read_token()?;
    match verb {
        TokenVerb::Inspect => {
            show_unverified(&token, out);
            Ok(())
        }
        TokenVerb::Verify {
            jwks,
            issuer,
            audience,
            id_token,
        } => {
            let expect = if id_token {
                Expectations::id_token(issuer, audience)
            } else {
                Expectations::access_token(issuer, audience)
            };
            verify(&token, &jwks, &expect, out)
        }
    }
}

/// The token on standard input, without the line end a shell adds.
fn read_token() -> anyhow::Result<String> {
    let mut text = String::new();
    let limit = u64::try_from(MAX_TOKEN_BYTES)? * 16;
    std::io::stdin()
        .take(limit)
        .read_to_string(&mut text)
        .context("the token on standard input is not text")?;
    let token = text.trim();
    anyhow::ensure!(!token.is_empty(), "no token on standard input");
    Ok(token.to_owned())
}

fn show_unverified(token: &str, out: Printer) {
    let seen = inspect(token);
    out.say("NOT VERIFIED: anyone can write a token that looks like this.");
    out.fields(&[
        ("header", part(&seen.header)),
        ("payload", seen.payload.as_ref().map_or(Value::Null, part)),
        ("algorithm", json!(seen.algorithm)),
        ("signature_bytes", json!(seen.signature_bytes)),
        ("problems", json!(seen.problems)),
    ]);
}

/// A part as JSON if it is JSON, else as text.
fn part(part: &UnverifiedPart) -> Value {
    serde_json::from_slice(&part.bytes)
        .unwrap_or_else(|_| json!(String::from_utf8_lossy(&part.bytes)))
}

fn verify(token: &str, jwks: &Path, expect: &Expectations, out: Printer) -> anyhow::Result<()> {
    let keys = std::fs::read(jwks).with_context(|| format!("{}", jwks.display()))?;
    let keys =
        Jwks::from_json(&keys).with_context(|| format!("{} is no JWK set", jwks.display()))?;
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    match verify_jwt(token, &keys, expect, now) {
        Ok(verified) => {
            let claims: Value = serde_json::from_slice(verified.payload())?;
            out.fields(&[("valid", json!(true)), ("claims", claims)]);
            Ok(())
        }
        Err(error) => {
            let (check, rule) = error.rule();
            anyhow::bail!("refused by the check of {check} ({rule}): {error}")
        }
    }
}
