//! A request that we accept is the same single request to everybody else: see `fastingress_fuzz::requests`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fastingress_fuzz::requests::check(data));
