//! A body that we accept has the same bytes and the same end for everybody else: see `fastingress_fuzz::bodies`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fastingress_fuzz::bodies::check(data));
