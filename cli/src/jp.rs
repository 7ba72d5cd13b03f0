//! What `jp` says of functions: what they return, and what they do.
//!
//! Their names and arguments are the engine's.

use regent_engine::jmespath::functions::Signature;

/// What a function returns, and what it does; none for one that is not described.
pub fn described(name: &str) -> Option<(&'static str, &'static str)> {
    let at = DESCRIPTIONS
        .binary_search_by(|(known, ..)| (*known).cmp(name))
        .ok()?;
    DESCRIPTIONS
        .get(at)
        .map(|(_, returned, does)| (*returned, *does))
}

/// `name(type, type) type`.
pub fn signature(signature: &Signature) -> String {
    let mut arguments: Vec<String> = signature
        .arguments
        .iter()
        .map(|types| types.join("|"))
        .collect();
    if signature.variadic
        && let Some(last) = arguments.last_mut()
    {
        last.push_str("...");
    }
    let returned = described(signature.name).map_or("any", |(returned, _)| returned);
    format!("{}({}) {returned}", signature.name, arguments.join(", "))
}

/// In the order of names.
const DESCRIPTIONS: &[(&str, &str, &str)] = &[
    ("abs", "number", "the number without its sign"),
    (
        "add",
        "any",
        "the sum of two numbers, quantities or durations",
    ),
    ("avg", "number", "the mean of a list of numbers"),
    (
        "base64_decode",
        "string",
        "what a text in Base64 stands for",
    ),
    ("base64_encode", "string", "a text in Base64"),
    ("ceil", "number", "the next whole number above"),
    (
        "compare",
        "number",
        "-1, 0 or 1: how two texts are ordered, byte by byte",
    ),
    (
        "contains",
        "boolean",
        "whether a list has an element, or a text a part",
    ),
    (
        "divide",
        "any",
        "the quotient of two numbers, quantities or durations; the divisor is not zero",
    ),
    ("ends_with", "boolean", "whether a text ends with another"),
    (
        "equal_fold",
        "boolean",
        "whether two texts are the same but for upper and lower case",
    ),
    ("floor", "number", "the next whole number below"),
    (
        "image_normalize",
        "string",
        "an image reference with its registry, path and tag written out",
    ),
    (
        "is_external_url",
        "boolean",
        "whether a URL names a host outside of the cluster and of this machine",
    ),
    (
        "items",
        "array",
        "a map or a list as a list of maps with these keys for key and value",
    ),
    (
        "join",
        "string",
        "the texts of a list, with a separator between them",
    ),
    ("keys", "array", "the keys of a map"),
    (
        "label_match",
        "boolean",
        "whether the second map has all labels of the first",
    ),
    (
        "length",
        "number",
        "how many characters, elements or keys there are",
    ),
    (
        "lookup",
        "any",
        "the value of a key or at an index; null where there is none",
    ),
    (
        "map",
        "array",
        "the expression's value for each element of a list",
    ),
    ("max", "any", "the largest of a list"),
    (
        "max_by",
        "any",
        "the element for which the expression is largest",
    ),
    ("md5", "string", "the MD5 digest of a text, in hexadecimal"),
    ("merge", "object", "one map of several; later ones win"),
    ("min", "any", "the smallest of a list"),
    (
        "min_by",
        "any",
        "the element for which the expression is smallest",
    ),
    (
        "modulo",
        "any",
        "the remainder of a division of two numbers, quantities or durations",
    ),
    (
        "multiply",
        "any",
        "the product of two numbers, or of one and a quantity or duration",
    ),
    ("not_null", "any", "the first argument that is not null"),
    (
        "object_from_lists",
        "object",
        "a map of a list of keys and a list of values",
    ),
    ("parse_json", "any", "the value that a text is in JSON"),
    ("parse_yaml", "any", "the value that a text is in YAML"),
    (
        "path_canonicalize",
        "string",
        "a path without `.`, `..` and doubled separators",
    ),
    (
        "pattern_match",
        "boolean",
        "whether a text or number matches a pattern with `*` and `?`",
    ),
    ("random", "string", "a text drawn from a regular expression"),
    (
        "regex_match",
        "boolean",
        "whether a regular expression matches a text or number",
    ),
    (
        "regex_replace_all",
        "string",
        "a text with each match replaced; `$1` is a group",
    ),
    (
        "regex_replace_all_literal",
        "string",
        "a text with each match replaced by another, as it is",
    ),
    (
        "replace",
        "string",
        "a text with the first so many occurrences replaced; all where the number is negative",
    ),
    (
        "replace_all",
        "string",
        "a text with all occurrences replaced",
    ),
    ("reverse", "any", "a list or text from its end"),
    (
        "round",
        "number",
        "a number rounded to so many digits behind the point",
    ),
    (
        "semver_compare",
        "boolean",
        "whether a version is in a range of semantic versions",
    ),
    (
        "sha1",
        "string",
        "the SHA-1 digest of a text, in hexadecimal",
    ),
    (
        "sha256",
        "string",
        "the SHA-256 digest of a text, in hexadecimal",
    ),
    ("sort", "array", "a list of texts or numbers in order"),
    (
        "sort_by",
        "array",
        "a list in the order of the expression's values",
    ),
    ("split", "array", "the parts of a text between separators"),
    (
        "starts_with",
        "boolean",
        "whether a text starts with another",
    ),
    (
        "subtract",
        "any",
        "the difference of two numbers, quantities or durations",
    ),
    (
        "sum",
        "any",
        "the sum of a list of numbers, quantities or durations",
    ),
    (
        "time_add",
        "string",
        "a time and a duration later, in RFC 3339",
    ),
    (
        "time_after",
        "boolean",
        "whether the first time is after the second",
    ),
    (
        "time_before",
        "boolean",
        "whether the first time is before the second",
    ),
    (
        "time_between",
        "boolean",
        "whether the first time is between the other two",
    ),
    (
        "time_diff",
        "string",
        "the duration from the first time to the second",
    ),
    ("time_now", "string", "the time, in RFC 3339"),
    ("time_now_utc", "string", "the time in UTC, in RFC 3339"),
    (
        "time_parse",
        "string",
        "a time of a given layout, in RFC 3339",
    ),
    (
        "time_since",
        "string",
        "the duration between two times of a layout; until now where the second is empty",
    ),
    ("time_to_cron", "string", "a time as a cron expression"),
    (
        "time_truncate",
        "string",
        "a time rounded down to a multiple of a duration",
    ),
    ("time_utc", "string", "a time in UTC"),
    (
        "to_array",
        "array",
        "a list of this one value; a list as it is",
    ),
    (
        "to_boolean",
        "boolean",
        "whether a text is `true`; it is that or `false`",
    ),
    ("to_lower", "string", "a text in lower case"),
    (
        "to_number",
        "number",
        "the number that a text is; null where it is none",
    ),
    (
        "to_string",
        "string",
        "a text as it is, anything else in JSON",
    ),
    ("to_upper", "string", "a text in upper case"),
    (
        "trim",
        "string",
        "a text without these characters at its ends",
    ),
    ("trim_prefix", "string", "a text without this beginning"),
    ("truncate", "string", "the first so many bytes of a text"),
    (
        "type",
        "string",
        "number, string, boolean, array, object or null",
    ),
    ("values", "array", "the values of a map"),
    (
        "x509_decode",
        "object",
        "the fields of a certificate or certificate request in PEM",
    ),
];

#[cfg(test)]
mod tests;
