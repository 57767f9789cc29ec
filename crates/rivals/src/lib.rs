//! Other people's libraries beside ours: benches only, so that nothing else in the workspace builds them.
//!
//! ```text
//! cargo bench -p stampmill-rivals --bench modexp        OpenSSL, crypto-bigint, num-bigint
//! cargo bench -p stampmill-rivals --bench rsa           OpenSSL, aws-lc-rs, ring
//! cargo bench -p stampmill-rivals --bench token         jsonwebtoken (over aws-lc-rs), josekit
//! cargo bench -p stampmill-rivals --bench claim_check   cel
//! ```
//!
//! Each bench first asserts that rival and stampmill give the same result, then times both in one run, so that what
//! counts is the ratio. The root package's `cargo bench` compares our own engines and OpenSSL.
#![forbid(unsafe_code)]
