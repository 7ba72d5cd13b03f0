//! Where in the resource an expression reads, where that is plain.

/// Where the elements of a `foreach` come from.
pub(crate) struct Elements<'a> {
    pub(crate) list: &'a str,
    pub(crate) index: usize,
}

/// The JSON pointer of `request.object.a.b[0]`, or of the same below `element`; none of anything that is not a plain path.
///
/// Of `a || b` it is that of `a`: what stands behind is for where there is none.
pub(crate) fn of_expression(expression: &str, elements: Option<&Elements<'_>>) -> Option<String> {
    let first = expression.split("||").next().unwrap_or(expression).trim();
    for root in ["request.object", "request.oldObject"] {
        if let Some(rest) = first.strip_prefix(root) {
            return pointer(rest);
        }
    }
    let rest = first.strip_prefix("element")?;
    let elements = elements?;
    let list = of_expression(elements.list.trim().trim_end_matches("[]"), None)?;
    Some(format!("{list}/{}{}", elements.index, pointer(rest)?))
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
