//! Resources: whom an access token is for (RFC 8707).

use std::fmt;

use url::Url;

/// A resource indicator: an absolute URI without a fragment (RFC 8707 §2). It becomes the token's `aud`, and is compared
/// as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource(String);

/// A text that is no resource indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a resource is an absolute URI without a fragment, at most {} bytes (RFC 8707 §2)",
    Resource::MAX_BYTES
)]
pub struct ResourceError;

impl Resource {
    /// Longest indicator that is read, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// Reads an indicator.
    ///
    /// ```
    /// use stampmill_token_service::domain::Resource;
    /// assert!(Resource::parse("https://api.example/v1").is_ok());
    /// assert!(Resource::parse("/v1").is_err());
    /// assert!(Resource::parse("https://api.example/#part").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Resource, ResourceError> {
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        let absolute = Url::parse(text).is_ok_and(|url| url.fragment().is_none());
        if text.len() <= Resource::MAX_BYTES && printable && absolute {
            Ok(Resource(text.to_owned()))
        } else {
            Err(ResourceError)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
