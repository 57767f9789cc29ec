//! PEM (RFC 7468): bytes in base64 between two lines.

use zeroize::Zeroizing;

/// The bytes between `-----BEGIN label-----` and its END, in lines of 64 characters.
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    lines(label, &openssl::base64::encode_block(der))
}

/// The same for a secret: every copy is wiped.
pub(crate) fn encode_private(label: &str, der: &[u8]) -> Zeroizing<Vec<u8>> {
    let body = Zeroizing::new(openssl::base64::encode_block(der));
    Zeroizing::new(lines(label, &body).into_bytes())
}

fn lines(label: &str, body: &str) -> String {
    // once and for all: a text that grows would leave its beginning behind in memory
    let mut text = String::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 40);
    text.extend(["-----BEGIN ", label, "-----\n"]);
    let mut rest = body;
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(rest.len().min(64));
        text.extend([line, "\n"]);
        rest = behind;
    }
    text.extend(["-----END ", label, "-----\n"]);
    text
}

/// The bytes of the first block with this label.
///
/// # Errors
/// What is there instead.
pub(crate) fn decode(text: &str, label: &str) -> Result<Vec<u8>, &'static str> {
    decode_body(body(text, label)?)
}

/// The bytes of what stands between BEGIN and END.
///
/// # Errors
/// What is there instead.
pub(crate) fn decode_body(body: &str) -> Result<Vec<u8>, &'static str> {
    let mut body = body.to_owned();
    body.retain(|c| !c.is_ascii_whitespace());
    bytes(&body)
}

/// The same for a secret: every copy is wiped.
///
/// # Errors
/// What is there instead.
pub(crate) fn decode_private(text: &str, label: &str) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let mut body = Zeroizing::new(body(text, label)?.to_owned());
    body.retain(|c| !c.is_ascii_whitespace());
    bytes(&body).map(Zeroizing::new)
}

fn body<'t>(text: &'t str, label: &str) -> Result<&'t str, &'static str> {
    let Some((_, rest)) = text.split_once(&format!("-----BEGIN {label}-----")) else {
        return Err(match text.contains("-----BEGIN ") {
            true => "another kind of PEM block",
            false => "no BEGIN line",
        });
    };
    let (body, _) = rest
        .split_once(&format!("-----END {label}-----"))
        .ok_or("no END line: cut short")?;
    Ok(body)
}

fn bytes(body: &str) -> Result<Vec<u8>, &'static str> {
    openssl::base64::decode_block(body).map_err(|_| "what is between BEGIN and END is not base64")
}
