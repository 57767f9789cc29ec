//! A token bound to a key of the client's (DPoP): stolen, it is worth nothing, and neither is a recorded proof.
//!
//! Post: "OAuth 2.0, OpenID Connect and FAPI" (2025-05-21) and the eight-part OAuth lab. Guide: docs/05-oauth.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("oauth_dpop")
}
