//! OpenID Connect: an access token taken for a login, and the ID token, which says for whom it is.
//!
//! Post: "OAuth 2.0, OpenID Connect and FAPI" (2025-05-21) and the eight-part OAuth lab. Guide: docs/05-oauth.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("oauth_oidc")
}
