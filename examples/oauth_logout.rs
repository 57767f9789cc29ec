//! Signing out: the session ends, its tokens with it, and the client hears of it, server to server.
//!
//! Post: "OAuth 2.0, OpenID Connect and FAPI" (2025-05-21) and the eight-part OAuth lab. Guide: docs/05-oauth.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("oauth_logout")
}
