//! libFuzzer's program around `claims::payload`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stampmill_fuzz::claims::payload(data));
