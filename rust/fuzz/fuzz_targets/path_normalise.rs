//! A match form hides nothing from a route that a backend would see: see `fastingress_fuzz::paths`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fastingress_fuzz::paths::check(data));
