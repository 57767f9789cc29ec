//! libFuzzer's program around `targets::pow`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stampmill_fuzz::targets::pow(data));
