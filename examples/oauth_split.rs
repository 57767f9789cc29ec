//! Who keeps what a token says: a JWT is verified alone and dies late, a reference is asked about (introspection) and dies at once.
//!
//! Post: "OAuth 2.0, OpenID Connect and FAPI" (2025-05-21) and the eight-part OAuth lab. Guide: docs/05-oauth.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("oauth_split")
}
