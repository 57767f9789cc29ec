//! `state`: a browser that finishes somebody else's login, and the value that ties an answer to the browser that asked.
//!
//! Post: "OAuth 2.0, OpenID Connect and FAPI" (2025-05-21) and the eight-part OAuth lab. Guide: docs/05-oauth.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("oauth_state")
}
