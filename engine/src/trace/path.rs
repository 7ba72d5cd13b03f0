//! Where in the resource an expression reads, where that is plain.

/// An element of a list that a `foreach` is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    /// The expression of the list, as it was written.
    pub(crate) list: String,
    pub(crate) index: usize,
}

/// Elements in words, the innermost first; none where there are none.
pub(crate) fn in_words(elements: &[Element]) -> Option<String> {
    let words = elements.iter().rev();
    let words = words.map(|one| format!("element {} of `{}`", one.index, one.list));
    let words: Vec<_> = words.collect();
    (!words.is_empty()).then(|| words.join(", of "))
}

/// The JSON pointer of `request.object.a.b[0]`, or of the same below `element`, which is the last of the elements, or
/// `element0` and so on; none of anything that is not a plain path.
///
/// Of `a || b` it is that of `a`: what stands behind is for where there is none.
pub(crate) fn of_expression(expression: &str, elements: &[Element]) -> Option<String> {
    let first = expression.split("||").next().unwrap_or(expression).trim();
    for root in ["request.object", "request.oldObject"] {
        if let Some(rest) = first.strip_prefix(root) {
            return pointer(rest);
        }
    }
    let rest = first.strip_prefix("element")?;
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (level, rest) = rest.split_at_checked(end)?;
    let level = match level {
        "" => elements.len().checked_sub(1)?,
        number => number.parse().ok()?,
    };
    let (Element { list, index }, outer) = (elements.get(level)?, elements.get(..level)?);
    let list = list.split("||").next().unwrap_or(list).trim();
    let list = of_expression(list.trim_end_matches("[]"), outer)?;
    Some(format!("{list}/{index}{}", pointer(rest)?))
}

/// `.a."b.c"[0]` as `/a/b.c/0`.
fn pointer(mut rest: &str) -> Option<String> {
    let mut pointer = String::new();
    while !rest.is_empty() {
        let (name, after) = if let Some(quoted) = rest.strip_prefix(".\"") {
            quoted.split_once('"')?
        } else if let Some(field) = rest.strip_prefix('.') {
            let end = field.find(['.', '[']).unwrap_or(field.len());
            field.split_at_checked(end)?
        } else {
            let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
            index.parse::<usize>().ok()?;
            (index, after)
        };
        let is_plain =
            !name.is_empty() && !name.contains([' ', '|', '(', ')', '{', '*', '\'', '`']);
        if !is_plain {
            return None;
        }
        pointer.push('/');
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        rest = after;
    }
    Some(pointer)
}

#[cfg(test)]
mod tests;
