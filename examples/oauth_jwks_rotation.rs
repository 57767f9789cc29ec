//! A signing key is replaced: the next one is published before it signs, found by `kid`, and old tokens stay verifiable.
//!
//! Post: "OAuth 2.0, OpenID Connect and FAPI" (2025-05-21) and the eight-part OAuth lab. Guide: docs/05-oauth.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("oauth_jwks_rotation")
}
