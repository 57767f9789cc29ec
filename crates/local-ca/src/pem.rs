//! PEM (RFC 7468): bytes in base64 between two lines.

use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN ";

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

/// One block of a file in PEM.
pub(crate) struct Block<'t> {
    pub(crate) label: &'t str,
    pub(crate) bytes: Result<Vec<u8>, &'static str>,
}

/// The blocks of a file in PEM, in their order; `None` for what is not PEM. What stands between them is for people.
pub(crate) fn blocks(bytes: &[u8]) -> Option<Vec<Block<'_>>> {
    let mut rest = std::str::from_utf8(bytes).ok()?;
    let mut found = Vec::new();
    while let Some((_, behind)) = rest.split_once(BEGIN) {
        let (label, _) = behind.split_once("-----")?;
        let begin = rest.len() - behind.len() - BEGIN.len();
        // a key is not even decoded
        let bytes = match label.contains("PRIVATE KEY") {
            true => Ok(Vec::new()),
            false => decode(&rest[begin..], label),
        };
        found.push(Block { label, bytes });
        let end = format!("-----END {label}-----");
        rest = behind.split_once(end.as_str()).map_or("", |(_, rest)| rest);
    }
    (!found.is_empty()).then_some(found)
}

/// What bytes are that are not what was looked for, in a few words.
pub(crate) fn what_came(bytes: &[u8]) -> String {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return "it is empty".to_owned();
    }
    if let Some(blocks) = blocks(bytes) {
        let mut labels: Vec<&str> = blocks.iter().map(|block| block.label).collect();
        labels.dedup();
        let labels = labels.iter().map(|label| crate::names::shown(label));
        let labels: Vec<String> = labels.take(5).collect();
        return format!("PEM of {}", labels.join(", "));
    }
    match (bytes, crate::der::Der::new(bytes).element()) {
        (_, Ok(whole)) if whole.tag == crate::der::SEQUENCE && whole.whole.len() == bytes.len() => {
            "DER of something else".to_owned()
        }
        ([0x30, 0x80..=0x84, ..], _) => {
            "it begins like DER, and is cut short or has something behind it".to_owned()
        }
        _ if std::str::from_utf8(bytes).is_ok() => "text without a BEGIN line".to_owned(),
        _ => "neither PEM nor DER".to_owned(),
    }
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
