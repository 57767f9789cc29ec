//! What a token must be, for us, now.

use crate::algorithm::AlgorithmSet;
use crate::typ::Typ;

/// What a token must be, for us, now. The constructors name the kinds; the fields and `with_` methods say the rest.
///
/// ```
/// use stampmill_jose::{AlgorithmSet, Expectations};
/// // a client that authenticates with its own key; under FAPI 2.0 only our issuer identifier is an audience
/// let expect = Expectations::client_assertion("web", "https://issuer.example").with_algorithms(AlgorithmSet::FAPI);
/// // at the pushed authorization request endpoint RFC 9126 §2 wants more addresses to be understood
/// let expect = expect.or_audience("https://issuer.example/par").or_audience("https://issuer.example/token");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expectations {
    /// The kind of token.
    pub typ: Typ,
    /// The only issuer trusted: compared as a string, exactly (RFC 7519 §4.1.1).
    pub issuer: String,
    /// Who we are: must be among the token's audiences, exactly.
    pub audience: String,
    /// Further names of ours, any of which will do in place of `audience`.
    pub other_audiences: Vec<String>,
    /// Whom the token must be about, if that is known: `sub`.
    pub subject: Option<String>,
    /// How far ahead of ours the issuer's clock may be, in seconds, for `nbf` and `iat`: 10 unless set, and at most
    /// [`Expectations::MAX_LEEWAY_SECONDS`]. It never lengthens `exp`.
    pub leeway_seconds: i64,
    /// How many seconds `exp` may lie ahead of now, and of `nbf`, if there is a limit.
    pub max_lifetime_seconds: Option<i64>,
    /// For ID tokens: the nonce that was sent with the request.
    pub nonce: Option<String>,
    /// Claims that must be there besides those of the kind, of whatever type.
    pub required: &'static [&'static str],
    /// The algorithms accepted, of those that the key permits (RFC 8725 §3.1): all signature algorithms unless set.
    pub algorithms: AlgorithmSet,
}

impl Expectations {
    /// FAPI 2.0 Security Profile §5.3.2.1: accept 10 seconds, refuse beyond 60.
    pub const MAX_LEEWAY_SECONDS: i64 = 60;
    /// Longest life of a client assertion, unless set otherwise: one hour.
    pub const MAX_ASSERTION_SECONDS: i64 = 3600;

    /// A token of this kind by `issuer` for `audience`, 10 seconds of leeway.
    #[must_use]
    pub fn new(typ: Typ, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            typ,
            issuer: issuer.into(),
            audience: audience.into(),
            other_audiences: Vec::new(),
            subject: None,
            leeway_seconds: 10,
            max_lifetime_seconds: None,
            nonce: None,
            required: &[],
            algorithms: AlgorithmSet::ALL,
        }
    }

    /// An access token for the resource `audience` (RFC 9068).
    #[must_use]
    pub fn access_token(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self::new(Typ::AccessToken, issuer, audience)
    }

    /// An ID token for the client `client_id` (OpenID Connect Core §2).
    #[must_use]
    pub fn id_token(issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self::new(Typ::IdToken, issuer, client_id)
    }

    /// What the client `client_id` authenticates with at `audience`, `private_key_jwt` or `client_secret_jwt`: `iss` and `sub`
    /// are both the client, `jti` is there, and `exp` is an hour away at most (RFC 7523 §3, OpenID Connect Core §9). That each `jti` is used
    /// once is for the caller to remember.
    #[must_use]
    pub fn client_assertion(client_id: impl Into<String>, audience: impl Into<String>) -> Self {
        let client_id = client_id.into();
        Self {
            subject: Some(client_id.clone()),
            max_lifetime_seconds: Some(Self::MAX_ASSERTION_SECONDS),
            ..Self::new(Typ::ClientAssertion, client_id, audience)
        }
    }

    /// A request object of `client_id` for the server `issuer` (RFC 9101). Other profiles demand more: FAPI
    /// `.with_required(&["iss", "aud", "nbf", "exp"]).with_max_lifetime(3600)`.
    #[must_use]
    pub fn request_object(client_id: impl Into<String>, issuer: impl Into<String>) -> Self {
        Self::new(Typ::RequestObject, client_id, issuer)
    }

    /// A logout token of `issuer` for `client_id` (OpenID Connect Back-Channel Logout §2.6).
    #[must_use]
    pub fn logout_token(issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self::new(Typ::LogoutToken, issuer, client_id)
    }

    /// A signed UserInfo response of `issuer` for `client_id` about `subject`, the `sub` of the ID token
    /// (OpenID Connect Core §5.3.2, §5.3.4).
    #[must_use]
    pub fn userinfo(
        issuer: impl Into<String>,
        client_id: impl Into<String>,
        subject: impl Into<String>,
    ) -> Self {
        Self {
            subject: Some(subject.into()),
            ..Self::new(Typ::UserInfo, issuer, client_id)
        }
    }

    /// A signed introspection response of `issuer` for the resource `audience` (RFC 9701 §5).
    #[must_use]
    pub fn introspection(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self::new(Typ::Introspection, issuer, audience)
    }

    /// The same, answering the request that carried `nonce`.
    #[must_use]
    pub fn with_nonce(self, nonce: impl Into<String>) -> Self {
        Self {
            nonce: Some(nonce.into()),
            ..self
        }
    }

    /// The same, by these algorithms only.
    #[must_use]
    pub fn with_algorithms(self, algorithms: AlgorithmSet) -> Self {
        Self { algorithms, ..self }
    }

    /// The same, for this audience too.
    #[must_use]
    pub fn or_audience(mut self, audience: impl Into<String>) -> Self {
        self.other_audiences.push(audience.into());
        self
    }

    /// The same, with these claims there.
    #[must_use]
    pub fn with_required(self, required: &'static [&'static str]) -> Self {
        Self { required, ..self }
    }

    /// The same, with `exp` no more than `seconds` after now and after `nbf`.
    #[must_use]
    pub fn with_max_lifetime(self, seconds: i64) -> Self {
        Self {
            max_lifetime_seconds: Some(seconds),
            ..self
        }
    }

    pub(crate) fn leeway(&self) -> i64 {
        self.leeway_seconds.clamp(0, Self::MAX_LEEWAY_SECONDS)
    }

    /// Whether `audience` is one of our names.
    pub(crate) fn is_for(&self, audience: &str) -> bool {
        self.audience == audience || self.other_audiences.iter().any(|other| other == audience)
    }
}
