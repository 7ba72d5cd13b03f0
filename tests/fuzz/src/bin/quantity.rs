//! Two texts, a zero byte between, as quantities, durations and versions.

#![no_main]

use libfuzzer_sys::fuzz_target;
use regent_engine::duration::Duration;
use regent_engine::quantity::Quantity;
use regent_engine::semver::{Range, Version};

fuzz_target!(|text: &str| {
    let (left, right) = text.split_once('\0').unwrap_or((text, "1"));
    if let (Some(left), Some(right)) = (Quantity::parse(left), Quantity::parse(right)) {
        assert_eq!(left.cmp(&right), right.cmp(&left).reverse());
        assert_eq!(left.add(&right), right.add(&left));
        let _float = (left.to_float(), left.subtract(&right), left.is_zero());
        let shown = left.to_string();
        match Quantity::parse(&shown) {
            Some(read) => assert_eq!(read, left, "{text:?} is shown as {shown:?}"),
            None => assert!(is_beyond(&shown), "{text:?} is shown as {shown:?}"),
        }
    }
    if let Ok(duration) = Duration::parse(left) {
        let shown = duration.to_string();
        assert_eq!(
            Duration::parse(&shown),
            Ok(duration),
            "{text:?} is shown as {shown:?}"
        );
    }
    if let (Ok(left), Ok(other)) = (Version::parse(left), Version::parse(right)) {
        assert_eq!(left.cmp(&other), other.cmp(&left).reverse());
        if let Ok(range) = Range::parse(right) {
            let _is_within = range.contains(&left);
        }
    }
});

/// Whether a quantity is longer, or larger, than what is read: printing may add some zeros.
fn is_beyond(shown: &str) -> bool {
    let exponent = shown
        .split_once('e')
        .map(|(_, exponent)| exponent.parse::<i64>());
    shown.len() > 512 || exponent.is_some_and(|one| one.is_ok_and(|one| one.abs() > 1_000))
}
