//! A login with authorization code and PKCE against a real token service, message by message: discovery, the pages, the code, the tokens,
//! each check of the ID token; then a stolen code, a code used twice, and bent requests, all refused.
//!
//! Post: "OAuth 2.0, OpenID Connect and FAPI" (2025-05-21) and the eight-part OAuth lab. Guide: docs/05-oauth.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("oauth_code_pkce")
}
