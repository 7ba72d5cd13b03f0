//! Two texts line by line: what one has and the other has not.
//!
//! Knows nothing of what the lines are.

/// Lines that are kept around a difference.
const CONTEXT: usize = 3;

/// Above this many comparisons a person reads no difference line by line any more.
const MAX_COMPARISONS: usize = 4_000_000;

/// The difference in the unified form: `-` before lines that only `expected` has, `+` before those that only `actual` has.
///
/// None where the texts are too long to be compared.
pub fn unified(expected: &str, actual: &str) -> Option<String> {
    let (expected, actual): (Vec<&str>, Vec<&str>) =
        (expected.lines().collect(), actual.lines().collect());
    let lines = lines(&expected, &actual)?;
    let is_near = |index: usize| {
        let first = index.saturating_sub(CONTEXT);
        let around = lines.iter().skip(first).take(index - first + CONTEXT + 1);
        around.into_iter().any(|(sign, _)| *sign != ' ')
    };
    let mut text = String::new();
    let mut is_gap = false;
    for (index, (sign, line)) in lines.iter().enumerate() {
        if !is_near(index) {
            is_gap = true;
            continue;
        }
        if is_gap {
            text.push_str("  …\n");
            is_gap = false;
        }
        text.push(*sign);
        text.push(' ');
        text.push_str(line);
        text.push('\n');
    }
    Some(text)
}

/// Every line with its sign, along a longest common subsequence.
fn lines<'t>(expected: &[&'t str], actual: &[&'t str]) -> Option<Vec<(char, &'t str)>> {
    let width = actual.len() + 1;
    if width.checked_mul(expected.len() + 1)? > MAX_COMPARISONS {
        return None;
    }
    // `common[i * width + j]`: how many lines the rests from `i` and `j` on have in common.
    let mut common = vec![0_u32; width * (expected.len() + 1)];
    let at = |common: &[u32], i: usize, j: usize| common.get(i * width + j).copied().unwrap_or(0);
    for (i, wanted) in expected.iter().enumerate().rev() {
        for (j, found) in actual.iter().enumerate().rev() {
            let count = if wanted == found {
                at(&common, i + 1, j + 1) + 1
            } else {
                at(&common, i + 1, j).max(at(&common, i, j + 1))
            };
            if let Some(place) = common.get_mut(i * width + j) {
                *place = count;
            }
        }
    }
    let mut lines = Vec::new();
    let (mut i, mut j) = (0, 0);
    loop {
        match (expected.get(i), actual.get(j)) {
            (Some(wanted), Some(found)) if wanted == found => {
                lines.push((' ', *wanted));
                i += 1;
                j += 1;
            }
            (Some(wanted), found)
                if found.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) =>
            {
                lines.push(('-', *wanted));
                i += 1;
            }
            (_, Some(found)) => {
                lines.push(('+', *found));
                j += 1;
            }
            _ => return Some(lines),
        }
    }
}

#[cfg(test)]
mod tests;
