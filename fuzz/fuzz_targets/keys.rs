//! libFuzzer's program around `targets::keys`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stampmill_fuzz::targets::keys(data));
