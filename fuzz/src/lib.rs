//! The bodies of the fuzz targets, as plain functions: libFuzzer calls them from `fuzz_targets/`, and a test of
//! `stampmill-rsa` calls them with the seeds and with random bytes in every ordinary test run.

pub mod targets;
