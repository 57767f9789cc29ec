//! Base64url without padding (RFC 7515 §2, RFC 4648 §5), read strictly.
//!
//! Strict, because a lenient reader gives one byte sequence several spellings: `QQ` and `QR` both decode to `A` when
//! the four unused bits of the last character are not looked at. Whoever keeps a list of revoked or spent tokens by their
//! text would then be walked around.

use thiserror::Error;

/// Why a text is not base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not base64url without padding (RFC 7515 §2)")]
pub struct DecodeError;

/// The text of `bytes`: letters, digits, `-` and `_`, no padding.
///
/// ```
/// assert_eq!(stampmill_jose::base64url::encode(&[3, 236, 255, 224, 193]), "A-z_4ME"); // RFC 7515 Appendix C
/// ```
#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// The bytes of `text`.
///
/// # Errors
/// [`DecodeError`] for padding, white space, `+` or `/`, a length of 1 modulo 4, and for bits that are set beyond the last byte.
///
/// ```
/// use stampmill_jose::base64url::{DecodeError, decode};
/// assert_eq!(decode("QQ"), Ok(b"A".to_vec()));
/// assert_eq!(decode("QR"), Err(DecodeError)); // the same byte, spelt differently
/// assert_eq!(decode("QQ=="), Err(DecodeError));
/// ```
pub fn decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, DecodeError> {
    base64_simd::URL_SAFE_NO_PAD
        .decode_to_vec(text)
        .map_err(|_| DecodeError)
}
