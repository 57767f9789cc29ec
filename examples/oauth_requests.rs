//! Requests that nobody alters on their way: a client registers itself (RFC 7591), pushes its request (RFC 9126), and signs it
//! (RFC 9101).
//!
//! Post: "OAuth 2.0, OpenID Connect and FAPI" (2025-05-21) and the eight-part OAuth lab. Guide: docs/05-oauth.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("oauth_requests")
}
