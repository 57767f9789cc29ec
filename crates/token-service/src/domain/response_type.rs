//! `response_type`: what the authorization endpoint hands out (RFC 6749 §3.1.1, OAuth 2.0 Multiple Response Types §5).

/// What a client may ask the authorization endpoint for. Always a code; hybrid ones add tokens at once, through the
/// browser. The implicit ones, which are tokens without a code, do not exist here (RFC 9700 §2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseType {
    /// A code, and everything else over the client's own channel.
    Code,
    /// With an ID token: the client knows at once who came.
    CodeIdToken,
    /// With an access token.
    CodeToken,
    /// With both.
    CodeIdTokenToken,
}

impl ResponseType {
    /// Every response type there is, with its wire name.
    pub const ALL: [(ResponseType, &'static str); 4] = [
        (ResponseType::Code, "code"),
        (ResponseType::CodeIdToken, "code id_token"),
        (ResponseType::CodeToken, "code token"),
        (ResponseType::CodeIdTokenToken, "code id_token token"),
    ];

    /// Reads a response type. Its words are a set: `id_token code` is `code id_token` (RFC 6749 §3.1.1).
    ///
    /// ```
    /// use stampmill_token_service::domain::ResponseType;
    /// assert_eq!(ResponseType::parse("token code"), Some(ResponseType::CodeToken));
    /// assert_eq!(ResponseType::parse("token"), None);
    /// assert_eq!(ResponseType::parse("code code"), None);
    /// ```
    pub fn parse(text: &str) -> Option<ResponseType> {
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            words.sort_unstable();
            words
        };
        let asked = sorted(text);
        let known = ResponseType::ALL
            .iter()
            .find(|(_, name)| sorted(name) == asked);
        known.map(|(response_type, _)| *response_type)
    }

    /// The wire name.
    pub fn name(self) -> &'static str {
        ResponseType::ALL
            .iter()
            .find(|(known, _)| *known == self)
            .map_or("", |(_, name)| name)
    }

    /// Whether an ID token comes at once.
    pub fn has_id_token(self) -> bool {
        matches!(
            self,
            ResponseType::CodeIdToken | ResponseType::CodeIdTokenToken
        )
    }

    /// Whether an access token comes at once.
    pub fn has_token(self) -> bool {
        matches!(
            self,
            ResponseType::CodeToken | ResponseType::CodeIdTokenToken
        )
    }

    /// Whether anything but a code comes through the browser.
    pub fn is_hybrid(self) -> bool {
        self != ResponseType::Code
    }
}
