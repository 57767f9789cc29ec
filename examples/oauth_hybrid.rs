//! Hybrid: an ID token beside the code, through the browser, and the hash in it that vouches for the code.
//!
//! Post: "OAuth 2.0, OpenID Connect and FAPI" (2025-05-21) and the eight-part OAuth lab. Guide: docs/05-oauth.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("oauth_hybrid")
}
