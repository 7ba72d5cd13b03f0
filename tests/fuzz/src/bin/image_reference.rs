//! A text as the reference of an image.

#![no_main]

use libfuzzer_sys::fuzz_target;
use regent_engine::image::ImageReference;

fuzz_target!(|text: &str| {
    let Ok(reference) = ImageReference::parse(text) else {
        return;
    };
    let shown = reference.to_string();
    assert_eq!(
        ImageReference::parse(&shown).as_ref(),
        Ok(&reference),
        "{text:?} is shown as {shown:?}, which is another"
    );
    for form in reference.forms() {
        assert!(!form.is_empty());
    }
    let _forms = (reference.kyverno_form(), reference.containerd_form());
    let _repository = (reference.repository(), reference.containerd_repository());
});
