//! Bytes as damage to a guest module of each kind: it is refused, stopped or answers, and never accepts by accident.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| regent_fuzz::guests::damage(bytes));
