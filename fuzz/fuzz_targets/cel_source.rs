//! libFuzzer's program around `claims::source`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stampmill_fuzz::claims::source(data));
