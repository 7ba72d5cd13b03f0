//! "Did you mean": the nearest of some names.

/// For how many names in one place a likely one is looked for. Each is compared with all that are known, which takes too
/// long where there are very many of both; and whoever has more of them has loaded something else than was meant, rather
/// than misspelt so much.
pub(crate) const MOST: usize = 32;

/// How many letters of a name are looked at.
const LONGEST: usize = 64;

/// The one of `names` that `written` is likely a misspelling of.
pub(crate) fn nearest<'a>(
    written: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // A third of the letters may be wrong, as rustc has it.
    let most = (written.chars().count().min(LONGEST) / 3).max(1);
    nearest_within(most, written, names)
}

/// The one of `names` that `written` becomes by at most `most` letters inserted, removed or changed.
pub(crate) fn nearest_within<'a>(
    most: usize,
    written: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written: Vec<char> = written.to_lowercase().chars().take(LONGEST).collect();
    names
        .into_iter()
        .map(|name| (distance(&written, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be inserted, removed or changed (Levenshtein).
fn distance(left: &[char], right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, from) in left.iter().enumerate() {
        let mut diagonal = index;
        let mut last = index + 1;
        let mut next = vec![last];
        for (above, to) in row.iter().skip(1).zip(&right) {
            let change = diagonal + usize::from(from != to);
            last = change.min(above + 1).min(last + 1);
            diagonal = *above;
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or(left.len())
}
