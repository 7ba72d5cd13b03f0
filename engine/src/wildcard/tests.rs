use super::{has_wildcard, matches};

/// The definition, slow and obvious.
fn by_definition(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((&'*', rest)), _) => {
            (0..=text.len()).any(|taken| by_definition(rest, &text[taken..]))
        }
        (Some((&'?', pattern)), Some((_, text))) => by_definition(pattern, text),
        (Some((expected, pattern)), Some((actual, text))) => {
            expected == actual && by_definition(pattern, text)
        }
        _ => false,
    }
}

/// Every text of at most `length` characters of `alphabet`.
fn texts(alphabet: &[char], length: usize) -> Vec<Vec<char>> {
    let mut all = vec![Vec::new()];
    let mut last = all.clone();
    for _ in 0..length {
        last = last
            .iter()
            .flat_map(|text| {
                alphabet.iter().map(move |character| {
                    let mut longer = text.clone();
                    longer.push(*character);
                    longer
                })
            })
            .collect();
        all.extend(last.iter().cloned());
    }
    all
}

#[test]
fn agrees_with_the_definition_on_every_short_text() {
    for pattern in texts(&['a', 'é', '*', '?'], 4) {
        for text in texts(&['a', 'é', '.'], 4) {
            let (written, read): (String, String) =
                (pattern.iter().collect(), text.iter().collect());
            assert_eq!(
                matches(&written, &read),
                by_definition(&pattern, &text),
                "`{written}` on `{read}`"
            );
        }
    }
}

#[test]
fn nothing_else_is_special() {
    assert!(matches("a.b", "a.b"));
    assert!(!matches("a.b", "axb"));
    assert!(!matches("[ab]", "a"));
    assert!(!matches("\\*", "*"));
    assert!(matches("\\*", "\\anything"));
    assert!(!matches("", "a"));
}

#[test]
fn many_stars_take_no_exponential_time() {
    let pattern = "*a".repeat(200) + "*b";
    assert!(!matches(&pattern, &"a".repeat(5_000)));
}

#[test]
fn knows_its_own_marks() {
    assert!(has_wildcard("a*"));
    assert!(has_wildcard("?"));
    assert!(!has_wildcard("a.b+[c]"));
}
