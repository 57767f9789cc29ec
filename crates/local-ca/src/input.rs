//! What a person hands over: PEM or DER, and perhaps another kind of file than was asked for.

use thiserror::Error;

use crate::certificate::Certificate;
use crate::names::{NameError, SubjectAltName};
use crate::pem;

/// Bytes that are not what was asked for, and what they are instead.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not {wanted}: {came}")]
pub struct InputError {
    wanted: &'static str,
    came: String,
}

impl InputError {
    /// Of bytes that are something else altogether.
    pub(crate) fn of(wanted: &'static str, bytes: &[u8]) -> Self {
        Self::because(wanted, pem::what_came(bytes))
    }

    pub(crate) fn because(wanted: &'static str, came: impl Into<String>) -> Self {
        Self {
            wanted,
            came: came.into(),
        }
    }
}

/// Reads a certificate in PEM, with the intermediates behind it, or one in DER.
///
/// # Errors
/// [`InputError`], which says what came instead.
pub fn read_certificate(bytes: &[u8]) -> Result<Certificate, InputError> {
    const WANTED: &str = "a certificate";
    match pem::blocks(bytes) {
        None => Certificate::from_der(bytes).map_err(|_| InputError::of(WANTED, bytes)),
        Some(blocks) if !blocks.iter().any(|block| block.label == "CERTIFICATE") => {
            Err(InputError::of(WANTED, bytes))
        }
        Some(_) => {
            Certificate::from_pem(bytes).map_err(|error| InputError::because(WANTED, error.reason))
        }
    }
}

/// Reads a name as people write it: letters beyond ASCII become the A-label that certificates carry (RFC 5890 §2.3.2.1), brackets around an IPv6
/// address go.
///
/// # Errors
/// [`NameError`], as of what was written.
pub fn read_name(text: &str) -> Result<SubjectAltName, NameError> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Some(bare) = bare.filter(|bare| bare.contains(':')) {
        return bare.parse();
    }
    if text.is_ascii() || text.contains("://") {
        return text.parse();
    }
    let (before, host) = match text.split_once('@') {
        Some((local, host)) => (format!("{local}@"), host),
        None => match text.strip_prefix("*.") {
            Some(host) => ("*.".to_owned(), host),
            None => (String::new(), text),
        },
    };
    match url::Host::parse(host) {
        Ok(url::Host::Domain(host)) => format!("{before}{host}").parse(),
        _ => text.parse(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_people_write_them() {
        for (written, read) in [
            ("bücher.test", "xn--bcher-kva.test"),
            ("*.Bücher.test", "*.xn--bcher-kva.test"),
            ("alice@bücher.test", "alice@xn--bcher-kva.test"),
            ("[::1]", "::1"),
            ("::1", "::1"),
            ("127.0.0.1", "127.0.0.1"),
            ("app.test", "app.test"),
        ] {
            assert_eq!(read_name(written).unwrap().to_string(), read);
        }
        for odd in [
            "[app.test]",
            "bü cher.test",
            "bücher..test",
            "ü@ü@test",
            "[]",
            "spiffe://bücher.test/a",
            "\u{2024}.test",
        ] {
            assert!(read_name(odd).is_err(), "{odd}");
        }
    }
}
