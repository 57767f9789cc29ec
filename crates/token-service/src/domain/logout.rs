//! The end of a session: who hears of it, and where.

use serde::{Deserialize, Serialize};
use url::Url;

use super::{ApplicationType, Client, RedirectUri, RegistrationError, SessionId, UserId};

/// Where a client hears that a session ended, in the names of its registration (OpenID Connect Back-Channel Logout 1.0
/// §2.2, Front-Channel Logout 1.0 §2). [`Registration::check`](super::Registration::check) makes sure of the addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogoutMetadata {
    /// Where we post a logout token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// Whether it wants `sid` in it. It always gets one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub backchannel_logout_session_required: bool,
    /// What the browser opens in a frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_uri: Option<String>,
    /// Whether it wants `iss` and `sid` in the address. It always gets them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub frontchannel_logout_session_required: bool,
}

impl LogoutMetadata {
    /// Longest address, in bytes.
    pub const LONGEST_URI: usize = 2048;

    /// Whether the addresses may be registered.
    pub(super) fn check(&self, redirect_uris: &[RedirectUri]) -> Result<(), RegistrationError> {
        address("backchannel_logout_uri", &self.backchannel_logout_uri)?;
        address("frontchannel_logout_uri", &self.frontchannel_logout_uri)?;
        // Front-Channel Logout §2: a page of the client's own, not anybody's.
        let origin = |uri: &str| Url::parse(uri).ok().map(|url| url.origin());
        let same_origin = |uri: &String| {
            let mine = origin(uri);
            let mut others = redirect_uris.iter().map(|uri| origin(uri.as_str()));
            others.any(|other| other == mine)
        };
        match &self.frontchannel_logout_uri {
            Some(uri) if !same_origin(uri) => Err(RegistrationError::FrontchannelOrigin),
            _ => Ok(()),
        }
    }
}

/// The rules of redirect URIs of a web client: https, or http on this machine; no fragment, no user name.
fn address(name: &'static str, uri: &Option<String>) -> Result<(), RegistrationError> {
    let good = |uri: &String| {
        uri.len() <= LogoutMetadata::LONGEST_URI
            && RedirectUri::register(uri, ApplicationType::Web).is_ok()
    };
    match uri {
        Some(uri) if !good(uri) => Err(RegistrationError::LogoutUri(name)),
        _ => Ok(()),
    }
}

/// A session that is over, for telling the clients of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedSession {
    /// Its name.
    pub session: SessionId,
    /// Whose it was.
    pub user: UserId,
    /// The clients the person had signed in to, by id.
    pub clients: Vec<Client>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandom;
    use crate::domain::Registration;
    use crate::secret::SealingKey;

    fn check(logout: LogoutMetadata) -> Result<(), RegistrationError> {
        let registration = Registration {
            redirect_uris: vec!["https://client.example/cb".into()],
            logout,
            ..Registration::default()
        };
        let key = SealingKey::generate(&SystemRandom);
        registration.check(&key, &SystemRandom, 0).map(drop)
    }

    #[test]
    fn addresses_are_https_and_without_fragment() {
        let back = |uri: &str| LogoutMetadata {
            backchannel_logout_uri: Some(uri.into()),
            ..LogoutMetadata::default()
        };
        for good in [
            "https://client.example/logout?a=1",
            "https://other.example/",
            "http://127.0.0.1:8080/logout",
        ] {
            assert_eq!(check(back(good)), Ok(()), "{good}");
        }
        let long = format!("https://client.example/{}", "x".repeat(2048));
        for bad in [
            "http://client.example/logout",
            "https://client.example/#x",
            "https://me@client.example/",
            "com.example.app:/logout",
            "logout",
            &long,
        ] {
            let refused = RegistrationError::LogoutUri("backchannel_logout_uri");
            assert_eq!(check(back(bad)), Err(refused), "{bad}");
        }
    }

    #[test]
    fn frontchannel_2_the_frame_is_of_a_redirect_uris_origin() {
        let front = |uri: &str| LogoutMetadata {
            frontchannel_logout_uri: Some(uri.into()),
            ..LogoutMetadata::default()
        };
        assert_eq!(check(front("https://client.example/out")), Ok(()));
        assert_eq!(check(front("https://client.example:443/out")), Ok(()));
        for bad in [
            "https://other.example/out",
            "https://client.example:444/out",
        ] {
            assert_eq!(
                check(front(bad)),
                Err(RegistrationError::FrontchannelOrigin)
            );
        }
    }
}
