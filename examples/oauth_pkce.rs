//! PKCE: a stolen code brought to the honest client, which redeems it, and the verifier that a thief cannot bring.
//!
//! Post: "OAuth 2.0, OpenID Connect and FAPI" (2025-05-21) and the eight-part OAuth lab. Guide: docs/05-oauth.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("oauth_pkce")
}
