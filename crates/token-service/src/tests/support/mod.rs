//! A service in memory of the test (clock, store, keys) and a browser that keeps cookies, reads forms and follows
//! nothing by itself.

mod answer;
mod browser;
mod fixture;
mod inhabitants;
mod instruments;
mod requests;

pub(crate) use answer::{Answer, claims};
pub(crate) use browser::Browser;
pub(crate) use fixture::Fixture;
pub(crate) use requests::{ask_for, basic, redemption};

use super::mounted::TestIssuer;

pub(crate) const ISSUER: TestIssuer = TestIssuer;
pub(crate) const OTHER: &str = "https://other.example/";
pub(crate) const FILES: &str = "https://files.example/v1";
pub(crate) const VAULT: &str = "https://vault.example";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const START: i64 = 1_800_000_000;
