//! A response that we accept is the same single response to everybody else: see `fastingress_fuzz::responses`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fastingress_fuzz::responses::check(data));
