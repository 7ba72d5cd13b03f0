//! Paths of the API server as policies may ask for them: one reading, for what is checked and for what is sent.
//!
//! Nothing is repaired: a path that two readers could read in two ways is refused, so that what was checked is what the
//! API server sees.

use regent_engine::ast::context::Method;

use crate::image::fetch::quoted;

/// Bytes of a path with its query.
const LONGEST: usize = 8 << 10;

/// API groups whose resources are questions: what is posted there is answered and not stored.
const QUESTIONS: [&str; 2] = ["authorization.k8s.io", "authentication.k8s.io"];

/// Checks the path of a call, and gives it back as it is to be sent.
///
/// A policy of a namespace asks for what is in that namespace; whoever writes it has no more rights than that.
pub(super) fn check<'p>(
    path: &'p str,
    method: Method,
    namespace: Option<&str>,
) -> Result<&'p str, String> {
    let refused = |why: &str| Err(format!("the path {} {why}", quoted(path)));
    if path.len() > LONGEST {
        return refused("is too long");
    }
    let (resource, query) = match path.split_once('?') {
        Some((resource, query)) => (resource, Some(query)),
        None => (path, None),
    };
    if !resource.bytes().all(is_of_path) {
        return refused("has characters that no path of an API server has");
    }
    if !query.is_none_or(|query| query.bytes().all(is_of_query)) {
        return refused("has characters in its query that have to be encoded");
    }
    let Some(rest) = resource.strip_prefix('/') else {
        return refused("does not start with a slash");
    };
    // A slash at the end means nothing, and is written.
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let segments: Vec<&str> = rest.split('/').collect();
    if !segments.iter().all(|segment| is_part(segment)) {
        return refused("has empty or relative parts");
    }
    if let Some(namespace) = namespace
        && !is_in_namespace(&segments, namespace)
    {
        return Err(format!(
            "a policy of namespace {namespace} cannot ask for {}, which is not in it",
            quoted(path)
        ));
    }
    if method == Method::Post && !is_question(&segments) {
        return refused(
            "cannot be posted to: a webhook changes nothing, only reviews of authorization.k8s.io and authentication.k8s.io are asked",
        );
    }
    // Names of parameters need no escapes, by which another reader would read another name.
    let names = query.into_iter().flat_map(|query| query.split('&'));
    if names.map(name_of).any(|name| name.contains('%')) {
        return refused("has escapes in the name of a parameter");
    }
    // A watch does not end.
    let watches = |pair: &str| pair == "watch" || pair.starts_with("watch=");
    if query.is_some_and(|query| query.split('&').any(watches)) || segments.contains(&"watch") {
        return refused("is a watch");
    }
    Ok(path)
}

fn name_of(parameter: &str) -> &str {
    parameter
        .split_once('=')
        .map_or(parameter, |(name, _)| name)
}

/// Checks a name that becomes one part of a path.
pub(super) fn part(name: &str) -> Result<&str, String> {
    let usable = is_part(name) && name.len() <= 253;
    usable
        .then_some(name)
        .ok_or_else(|| format!("{} is no name of an object", quoted(name)))
}

fn is_part(segment: &str) -> bool {
    !["", ".", ".."].contains(&segment)
        && segment.bytes().all(|byte| byte != b'/' && is_of_path(byte))
}

/// Unreserved characters and those that names of resources have. Escapes are not among them: no name needs one, and
/// `%2e%2e%2f` has another meaning before decoding than after.
fn is_of_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:@/".contains(&byte)
}

fn is_of_query(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:@/!$&'()*+,;=?%".contains(&byte)
}

/// `/api/VERSION/namespaces/NAMESPACE/…`, or `/apis/GROUP/VERSION/namespaces/NAMESPACE/…`.
fn is_in_namespace(segments: &[&str], namespace: &str) -> bool {
    let (["api", _, rest @ ..] | ["apis", _, _, rest @ ..]) = segments else {
        return false;
    };
    matches!(rest, ["namespaces", named, _resource, ..] if *named == namespace)
}

fn is_question(segments: &[&str]) -> bool {
    matches!(segments, ["apis", group, ..] if QUESTIONS.contains(group))
        && segments
            .last()
            .is_some_and(|resource| resource.ends_with("reviews"))
}

#[cfg(test)]
mod tests;
