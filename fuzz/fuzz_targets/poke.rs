//! See the target of this name in `gatepass_fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatepass_fuzz::targets::poke::run(input));
