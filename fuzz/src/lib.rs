//! The bodies of the fuzz targets, as plain functions: libFuzzer calls them from `fuzz_targets/`, and tests of
//! `stampmill-rsa` and `stampmill-claim-check` call them with the seeds and with random bytes in every ordinary test run.

pub mod claims;
pub mod targets;
