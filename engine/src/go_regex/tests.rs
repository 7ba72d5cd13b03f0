use regex::Regex;

use super::{NOTHING, compile, compile_for_rego, for_rego};

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
    assert_eq!(found(r"[\d-z]+", "-1z"), Some("-1z"));
    assert_eq!(found(r"[[:alpha:]1]+", "a1é"), Some("a1"));
    assert_eq!(found(r"a{,2}", "a{,2}"), Some("a{,2}"));
    assert_eq!(found(r"a{x", "a{x"), Some("a{x"));
    assert_eq!(found(r"a{01}", "a{01}"), Some("a{01}"));
    assert_eq!(found(r"\Qa.b\E+", "a.bb"), Some("a.bb"));
    assert_eq!(found(r"\<", "<"), Some("<"));
    assert_eq!(found(r"a{2}", "aaa"), Some("aa"));
    assert_eq!(found(r"\x41\101\/", "AA/"), Some("AA/"));
    assert_eq!(found(r"\x{41}\777", "A\u{1ff}"), Some("A\u{1ff}"));
    assert_eq!(found(r"(?P<n>a)(?i)B\z", "ab"), Some("ab"));
    assert_eq!(found(r"(?)a(?ii:B)", "ab"), Some("ab"));
    assert_eq!(found(r"a+?b{1,2}?", "aabb"), Some("aab"));
    assert_eq!(found(r"\x{d800}|[\x{d800}]|b", "ab"), Some("b"));
}

#[test]
fn classes_have_the_names_that_go_knows() {
    assert_eq!(found(r"\p{Greek}+", "aαβ"), Some("αβ"));
    assert_eq!(found(r"[\P{^Greek}]+", "aαβ"), Some("αβ"));
    assert_eq!(found(r"\p{^greek}\pL", "1aα"), Some("1a"));
    assert_eq!(
        found(r"\p{Decimal Number}\p{LC}\p{Any}", "1aα"),
        Some("1aα")
    );
    assert_eq!(found(r"\p{Cs}|\P{Cs}", "a"), Some("a"));
    for name in super::names::all() {
        assert!(compile(&format!(r"[^\p{{{name}}}]")).is_ok(), "`{name}`");
    }
}

/// What Go 1.26 says of each.
#[test]
fn mistakes_are_refused_in_go_s_words() {
    for (pattern, reason) in [
        ("a**b", "invalid nested repetition operator: `**`"),
        ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("a+*?b", "invalid nested repetition operator: `+*?`"),
        ("a|*", "missing argument to repetition operator: `*`"),
        ("(+?)", "missing argument to repetition operator: `+?`"),
        ("(?i)*", "missing argument to repetition operator: `*`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{3,2}?", "invalid repeat count: `{3,2}`"),
        ("(a{100}){11}", "invalid repeat count: `{11}`"),
        ("(a", "missing closing ): `(a`"),
        ("a)b", "unexpected ): `a)b`"),
        ("[a", "missing closing ]: `[a`"),
        ("x[]", "missing closing ]: `[]`"),
        ("[b-a]", "invalid character class range: `b-a`"),
        ("[a[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"[\p{Foo}]", r"invalid character class range: `\p{Foo}`"),
        (
            r"\p{Alphabetic}",
            r"invalid character class range: `\p{Alphabetic}`",
        ),
        (r"\p{Grek}", r"invalid character class range: `\p{Grek}`"),
        (r"\pX", r"invalid character class range: `\pX`"),
        (r"\p{L", r"invalid character class range: `\p{L`"),
        (r"\y", r"invalid escape sequence: `\y`"),
        (r"\8", r"invalid escape sequence: `\8`"),
        (r"\xg1", r"invalid escape sequence: `\xg1`"),
        (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
        (r"[\b]", r"invalid escape sequence: `\b`"),
        (r"[a-\d]", r"invalid escape sequence: `\d`"),
        (r"\E", r"invalid escape sequence: `\E`"),
        (r"a\", "trailing backslash at end of expression: ``"),
        ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?i-)a", "invalid or unsupported Perl syntax: `(?i-)`"),
        ("(?P=n)", "invalid or unsupported Perl syntax: `(?P`"),
        ("(?i", "invalid or unsupported Perl syntax: `(?i`"),
        ("(?P<a-b>a)", "invalid named capture: `(?P<a-b>`"),
        ("(?<=a)", "invalid named capture: `(?<=a)`"),
    ] {
        let said = compile(pattern).unwrap_err().to_string();
        assert_eq!(
            said,
            format!("error parsing regexp: {reason}"),
            "`{pattern}`"
        );
    }
}

#[test]
fn what_would_be_too_large_is_refused() {
    assert!(compile(&"(a{1000})".repeat(1000)).is_err());
    // Go takes it; which flag counts for the repetition is nothing that anyone should have to know.
    assert!(compile("a(?U)*b").is_err());
}

/// Identities are matched by programs of Rego: what the crate would read in another way is translated.
#[test]
fn programs_of_rego_match_what_go_matches() {
    for same in [
        r"^https://github\.com/your-org/.+/release\.yml@refs/tags/v[0-9]+$",
        "^a-b_c{2,3}[^/]*$",
    ] {
        assert_eq!(for_rego(same).unwrap(), same);
    }
    for (pattern, like, unlike) in [
        (
            r"^[\w.]+@example\.com$",
            "ab.c@example.com",
            "\u{430}bc@example.com",
        ),
        (r"^\d$", "7", "\u{667}"),
        ("^[^/&&?]+$", "abc", "a/b"),
        ("^[+--]$", ",", "a"),
        (r"^\Qa.b\E$", "a.b", "axb"),
        ("^[a[b]]$", "[]", "b"),
        ("^[^]a[b]]$", "c]", "c"),
        (r"^[a\][b]]$", "a]", "a"),
        ("(?i)^a$", "A", "b"),
    ] {
        let regex = Regex::new(&for_rego(pattern).unwrap()).unwrap();
        assert!(regex.is_match(like) && !regex.is_match(unlike), "{pattern}");
    }
    assert!(for_rego("(?x)a").is_err() && for_rego("(?!a)").is_err());
    assert!(compile_for_rego(r"^\w{1,64}$").is_ok());
    assert!(!Regex::new(NOTHING).unwrap().is_match("a"));
}
