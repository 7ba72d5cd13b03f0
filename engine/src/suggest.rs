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

/// How many letters must be inserted, removed, changed, or swapped with the one beside it.
fn distance(left: &[char], right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX / 2);
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let (mut before, mut letter_before) = (Vec::new(), None);
    for (index, from) in left.iter().enumerate() {
        let mut next = vec![index + 1];
        let mut left_of = None;
        for (column, to) in right.iter().enumerate() {
            let change = at(&row, column) + usize::from(from != to);
            let mut least = change.min(at(&row, column + 1) + 1);
            least = least.min(at(&next, column) + 1);
            if left_of == Some(from) && letter_before == Some(to) {
                least = least.min(at(&before, column - 1) + 1);
            }
            next.push(least);
            left_of = Some(to);
        }
        before = std::mem::replace(&mut row, next);
        letter_before = Some(from);
    }
    row.last().copied().unwrap_or(left.len())
}
