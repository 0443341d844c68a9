//! A change set is applied or refused, and the table stays sound: see `fastingress_fuzz::change_sets`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fastingress_fuzz::change_sets::check(data));
