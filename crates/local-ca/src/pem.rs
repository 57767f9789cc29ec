//! PEM (RFC 7468): bytes in base64 between two lines.

/// The bytes between `-----BEGIN label-----` and its END, in lines of 64 characters.
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    let body = openssl::base64::encode_block(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

/// The bytes of the first block with this label.
///
/// # Errors
/// What is there instead.
pub(crate) fn decode(text: &str, label: &str) -> Result<Vec<u8>, &'static str> {
    let Some((_, rest)) = text.split_once(&format!("-----BEGIN {label}-----")) else {
        return Err(match text.contains("-----BEGIN ") {
            true => "another kind of PEM block",
            false => "no BEGIN line",
        });
    };
    let (body, _) = rest
        .split_once(&format!("-----END {label}-----"))
        .ok_or("no END line: cut short")?;
    let body: String = body.split_ascii_whitespace().collect();
    openssl::base64::decode_block(&body).map_err(|_| "what is between BEGIN and END is not base64")
}
