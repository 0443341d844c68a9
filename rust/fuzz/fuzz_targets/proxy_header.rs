//! A PROXY header ends at the same byte however it arrives, and says no more than can be said: see
//! `fastingress_fuzz::proxy_headers`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fastingress_fuzz::proxy_headers::check(data));
