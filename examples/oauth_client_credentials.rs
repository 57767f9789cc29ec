//! A client asks for a token in its own name, calls an API with it, and is refused where a person would be needed, where the token was
//! tampered with, and where the secret is wrong.
//!
//! Post: "OAuth 2.0, OpenID Connect and FAPI" (2025-05-21). Guide: docs/05-oauth.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("oauth_client_credentials")
}
