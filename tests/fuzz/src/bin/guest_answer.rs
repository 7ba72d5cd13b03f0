//! A text as the answer of a guest of each kind: nothing but an answer that accepts is an acceptance.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| regent_fuzz::guests::answer_with(text));
