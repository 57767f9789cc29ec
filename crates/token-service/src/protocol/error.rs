//! Everything that can go wrong, as the wire knows it: one row a code, with its status and its RFC.

use std::fmt;

use crate::store::StoreError;

macro_rules! error_codes {
    ($($variant:ident = $name:literal, $status:literal, $source:literal;)*) => {
        /// An `error` value (RFC 6749 §4.1.2.1 and §5.2, OIDC Core §3.1.2.6).
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ErrorCode { $(#[doc = concat!("`", $name, "` (", $source, ").")] $variant),* }

        impl ErrorCode {
            /// Every code there is.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$variant),*];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(ErrorCode::$variant => $name),* }
            }

            /// The HTTP status where the error is answered directly and not by a redirect.
            pub const fn status(self) -> u16 {
                match self { $(ErrorCode::$variant => $status),* }
            }
        }
    };
}

error_codes! {
    InvalidRequest           = "invalid_request",            400, "RFC 6749 §4.1.2.1, §5.2";
    UnauthorizedClient       = "unauthorized_client",        400, "RFC 6749 §4.1.2.1, §5.2";
    AccessDenied             = "access_denied",              400, "RFC 6749 §4.1.2.1, RFC 8628 §3.5";
    UnsupportedResponseType  = "unsupported_response_type",  400, "RFC 6749 §4.1.2.1";
    InvalidScope             = "invalid_scope",              400, "RFC 6749 §4.1.2.1, §5.2";
    ServerError              = "server_error",               500, "RFC 6749 §4.1.2.1";
    InvalidClient            = "invalid_client",             401, "RFC 6749 §5.2";
    InvalidGrant             = "invalid_grant",              400, "RFC 6749 §5.2";
    UnsupportedGrantType     = "unsupported_grant_type",     400, "RFC 6749 §5.2";
    LoginRequired            = "login_required",             403, "OIDC Core §3.1.2.6";
    UnmetAuthenticationRequirements = "unmet_authentication_requirements", 403, "OIDC Core Unmet Authentication Requirements §2";
    ConsentRequired          = "consent_required",           403, "OIDC Core §3.1.2.6";
    RequestNotSupported      = "request_not_supported",      400, "OIDC Core §3.1.2.6";
    RequestUriNotSupported   = "request_uri_not_supported",  400, "OIDC Core §3.1.2.6";
    RegistrationNotSupported = "registration_not_supported", 400, "OIDC Core §3.1.2.6";
    AuthorizationPending     = "authorization_pending",      400, "RFC 8628 §3.5";
    SlowDown                 = "slow_down",                  400, "RFC 8628 §3.5";
    ExpiredToken             = "expired_token",              400, "RFC 8628 §3.5";
    InvalidDpopProof         = "invalid_dpop_proof",         400, "RFC 9449 §5, §7.1";
    InvalidTarget            = "invalid_target",             400, "RFC 8707 §2";
    InvalidToken             = "invalid_token",              401, "RFC 6750 §3.1";
    InsufficientScope        = "insufficient_scope",         403, "RFC 6750 §3.1";
}

/// An error for the client's developer: a code and a fixed sentence.
///
/// The sentence is `&'static str`, so nothing of the request can ever be echoed in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OAuthError {
    /// `error`.
    pub code: ErrorCode,
    /// `error_description`: only %x20-21, %x23-5B, %x5D-7E (RFC 6749 §5.2), which [`OAuthError::new`] sees to.
    pub description: &'static str,
}

impl OAuthError {
    /// An error. In a constant, a sentence with an illegal character does not compile.
    pub const fn new(code: ErrorCode, description: &'static str) -> OAuthError {
        let bytes = description.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            assert!(
                matches!(bytes[i], 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e),
                "error_description has an illegal character (RFC 6749 §5.2)"
            );
            i += 1;
        }
        OAuthError { code, description }
    }

    /// Something broke on our side; the log says what.
    pub const SERVER_ERROR: OAuthError = OAuthError::new(
        ErrorCode::ServerError,
        "the server could not finish this request",
    );
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.description)
    }
}

impl std::error::Error for OAuthError {}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> OAuthError {
        tracing::error!(%error, "the store failed");
        OAuthError::SERVER_ERROR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_legal() {
        let mut names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
        assert!(names.iter().all(|name| {
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        }));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorCode::ALL.len());
    }
}
