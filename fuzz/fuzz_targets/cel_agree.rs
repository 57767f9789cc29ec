//! libFuzzer's program around `claims::agree`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stampmill_fuzz::claims::agree(data));
