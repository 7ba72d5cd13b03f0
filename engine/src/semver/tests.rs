use super::{Range, Version};

fn within(range: &str, version: &str) -> bool {
    Range::parse(range)
        .unwrap()
        .contains(&Version::parse(version).unwrap())
}

#[test]
fn versions_are_ordered() {
    let ascending = [
        "0.0.1",
        "0.9.10",
        "1.0.0-1",
        "1.0.0-2.a",
        "1.0.0-10",
        "1.0.0-a",
        "1.0.0-a.b",
        "1.0.0",
        "1.0.10",
        "1.2.0",
    ];
    for pair in ascending.windows(2) {
        assert!(
            Version::parse(pair[0]).unwrap() < Version::parse(pair[1]).unwrap(),
            "{pair:?}"
        );
    }
    assert_eq!(Version::parse("1.0.0+a"), Version::parse("1.0.0+b"));
    for wrong in [
        "",
        "1",
        "1.2",
        "01.2.3",
        "1.2.3-",
        "1.2.3-01",
        "1.2.3+",
        "v1.2.3",
        "1.2.3-ä",
        "1.2.",
        "1.2.99999999999999999999",
    ] {
        assert!(Version::parse(wrong).is_err(), "`{wrong}`");
    }
}

#[test]
fn ranges() {
    assert!(within(">=1.2.0 <2.0.0", "1.9.0"));
    assert!(!within(">=1.2.0 <2.0.0", "2.0.0"));
    assert!(within(">= 1.2.0 < 2.0.0 || 3.0.0", "3.0.0"));
    assert!(within("1.2.x", "1.2.9"));
    assert!(!within("1.2.x", "1.3.0"));
    assert!(within("1.x", "1.3.0"));
    assert!(within("1.x.x", "1.0.3"));
    assert!(!within("1.x.x", "1.3.0"));
    assert!(within("<=1.x", "1.99.0"));
    assert!(within("!1.2.3", "1.2.4"));
    for wrong in [
        "", "||", "1.2.3 ||", "|| 1.2.3", "=>1.2.3", "1.2", "abc", "x",
    ] {
        assert!(Range::parse(wrong).is_err(), "`{wrong}`");
    }
}
