//! A text as an expression, evaluated over a small document.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use regent_engine::jmespath::Expression;
use serde_json::{Value, json};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "a": {"b": [1, 2.5, -3, "4", null, true, {"c": "d"}], "name": "web-1"},
        "text": "kube:system/x", "time": "2024-02-29T23:59:59Z", "quantity": "1.5Gi", "version": "1.2.3-rc.1",
        "list": [{"k": "x", "v": 1}, {"k": "y", "v": 2}, {"k": "x", "v": [3, [4]]}], "empty": [], "nothing": null,
    })
});

fuzz_target!(|text: &str| {
    if let Ok(expression) = Expression::parse(text) {
        let first = expression.evaluate(&*DOCUMENT, &regent_fuzz::NOW).ok();
        let again = expression.evaluate(&*DOCUMENT, &regent_fuzz::NOW).ok();
        assert_eq!(first, again, "the same expression has two values");
    }
});
