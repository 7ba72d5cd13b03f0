use super::unified;

#[test]
fn lines_that_differ_are_shown_with_those_around_them() {
    let expected = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
    let actual = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n";
    assert_eq!(
        unified(expected, actual).unwrap(),
        "  …\n  2\n  3\n  4\n- 5\n+ five\n  6\n  7\n  8\n  9\n+ 10\n"
    );
    assert_eq!(unified("a\n", "").unwrap(), "- a\n");
    assert_eq!(unified("", "a\n").unwrap(), "+ a\n");
    assert_eq!(
        unified("a\nb\n", "a\nb\n").unwrap(),
        "  …\n".replace("  …\n", "")
    );
}

#[test]
fn texts_that_nobody_reads_are_not_compared() {
    let long = "a\n".repeat(10_000);
    assert_eq!(unified(&long, &long), None);
}
