use super::compile;

fn found<'t>(pattern: &str, text: &'t str) -> Option<&'t str> {
    compile(pattern)
        .unwrap()
        .find(text)
        .map(|found| found.as_str())
}

#[test]
fn classes_are_ascii_as_in_go() {
    assert_eq!(found(r"\d+", "٣4"), Some("4"));
    assert_eq!(found(r"[\w.]+", "é.a_1-"), Some(".a_1"));
    assert_eq!(found(r"[^\s]+", "\u{a0} a"), Some("\u{a0}"));
    assert_eq!(found(r"\bfoo\b", "éfooé"), Some("foo"));
    assert_eq!(found(r"[\D]", "1a"), Some("a"));
}

#[test]
fn what_the_crate_reads_otherwise_is_literal() {
    assert_eq!(found(r"[a&&b]+", "b&a"), Some("b&a"));
    assert_eq!(found(r"[[]", "["), Some("["));
    assert_eq!(found(r"[]a]+", "]a"), Some("]a"));
    assert_eq!(found(r"[a-]+", "-a"), Some("-a"));
    assert_eq!(found(r"[[:alpha:]1]+", "a1é"), Some("a1"));
    assert_eq!(found(r"a{,2}", "a{,2}"), Some("a{,2}"));
    assert_eq!(found(r"a{x", "a{x"), Some("a{x"));
    assert_eq!(found(r"\Qa.b\E+", "a.bb"), Some("a.bb"));
    assert_eq!(found(r"\<", "<"), Some("<"));
    assert_eq!(found(r"a{2}", "aaa"), Some("aa"));
    assert_eq!(found(r"\x41\101\/", "AA/"), Some("AA/"));
    assert_eq!(found(r"(?P<n>a)(?i)B\z", "ab"), Some("ab"));
    assert_eq!(found(r"a+?b{1,2}?", "aabb"), Some("aab"));
}

#[test]
fn mistakes_are_refused() {
    for pattern in [
        "[", "a**", "a{1001}", r"\y", r"\8", "(", "*", "a{2}{3}", r"[\b]", "[b-a]", r"\", "(?x)a",
    ] {
        let expected_by_crate = pattern == "(?x)a";
        assert_eq!(compile(pattern).is_ok(), expected_by_crate, "`{pattern}`");
    }
    assert!(compile(&"(a{1000}){1000}".repeat(10)).is_err());
}
