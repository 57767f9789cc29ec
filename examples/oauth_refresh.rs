//! Refresh tokens: each use brings the next, a lost answer is given again, and an old token in a thief's hands kills the family.
//!
//! Post: "OAuth 2.0, OpenID Connect and FAPI" (2025-05-21) and the eight-part OAuth lab. Guide: docs/05-oauth.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("oauth_refresh")
}
