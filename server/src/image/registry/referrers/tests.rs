use super::*;

#[test]
fn reads_the_next_page() {
    assert_eq!(
        next_link(r#"</v2/a/referrers/x?last=y>; rel="next""#),
        Some("/v2/a/referrers/x?last=y")
    );
    assert_eq!(next_link("<a>; rel=next"), Some("a"));
    assert_eq!(next_link(r#"<a>; rel="prev""#), None);
    assert_eq!(next_link("a"), None);
    assert_eq!(next_link("<a"), None);
}
