use super::text::utc;

#[test]
fn times_are_shown_in_utc() {
    assert_eq!(utc(0), "1970-01-01T00:00:00Z");
    assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
    assert_eq!(utc(1_795_473_332), "2026-11-23T22:35:32Z");
    assert_eq!(utc(4_102_444_799), "2099-12-31T23:59:59Z");
}
