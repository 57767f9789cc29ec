//! libFuzzer's program around `targets::verify`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stampmill_fuzz::targets::verify(data));
