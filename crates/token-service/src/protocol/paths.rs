//! Where everything is, for an issuer without a path; with one, [`Issuer::place`](crate::domain::Issuer) says where that is on the host. The
//! router, the metadata and the log read the same constants.

macro_rules! paths {
    ($($(#[$doc:meta])* $name:ident = $path:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = $path;)*

        /// Every one of them: what may appear in a log line.
        pub(crate) const ALL: &[&str] = &[$($path),*];
    };
}

paths! {
    // for programs
    OPENID_CONFIGURATION = "/.well-known/openid-configuration";
    AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server";
    JWKS = "/jwks.json";
    TOKEN = "/token";
    REVOCATION = "/revoke";
    INTROSPECTION = "/introspect";
    DEVICE_AUTHORIZATION = "/device_authorization";
    PUSHED_AUTHORIZATION_REQUEST = "/par";
    REGISTRATION = "/register";
    REGISTERED_CLIENT = "/register/{client_id}";
    USERINFO = "/userinfo";
    PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource";
    /// RFC 9728 §3.1: the same of [`ME`].
    PROTECTED_ME = "/.well-known/oauth-protected-resource/api/me";
    ME = "/api/me";
    // for people
    HOME = "/";
    AUTHORIZE = "/authorize";
    POSTED_AUTHORIZE = "/authorize/posted";
    RESUME = "/authorize/resume";
    SIGN_IN = "/sign-in";
    CONSENT = "/consent";
    END_SESSION = "/end_session";
    POSTED_END_SESSION = "/end_session/posted";
    END_SESSION_DECISION = "/end_session/decision";
    CHECK_SESSION = "/check_session";
    DEVICE = "/device";
    DEVICE_SIGN_IN = "/device/sign-in";
    DEVICE_DECISION = "/device/decision";
    STYLE = "/style.css";
}
