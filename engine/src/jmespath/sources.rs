//! What the value of an expression is taken from, so that it can be told whose text it is.
//!
//! Knows the shape of expressions, not what stands in their scope.

use super::parser::Node;

/// Functions whose value is a number, a flag, a digest or a time: nothing of the words that they are given is in it.
const MADE: [&str; 36] = [
    "abs",
    "add",
    "avg",
    "base64_encode",
    "ceil",
    "compare",
    "contains",
    "divide",
    "ends_with",
    "equal_fold",
    "floor",
    "is_external_url",
    "label_match",
    "length",
    "md5",
    "modulo",
    "multiply",
    "pattern_match",
    "regex_match",
    "round",
    "semver_compare",
    "sha1",
    "sha256",
    "starts_with",
    "subtract",
    "sum",
    "time_add",
    "time_after",
    "time_before",
    "time_between",
    "time_diff",
    "time_since",
    "time_truncate",
    "to_boolean",
    "to_number",
    "type",
];

impl Node {
    /// Appends, for each value that this one is, holds or is made from, the fields that lead to it; they end before what
    /// is no field. What is only compared, counted or asked for its truth is left out.
    pub(super) fn collect_sources<'n>(&'n self, sources: &mut Vec<Vec<&'n str>>) {
        let mut path = Vec::new();
        if self.collect_path(&mut path) {
            sources.push(path);
            return;
        }
        match self {
            Self::Current | Self::Field(_) | Self::Index(_) | Self::Slice(_) => {
                sources.push(Vec::new());
            }
            Self::Literal(_) | Self::Comparison(..) | Self::Not(_) | Self::Reference(_) => {}
            Self::Then(pair) | Self::Pipe(pair) => {
                let [left, right] = &**pair;
                left.collect_below(right, sources);
            }
            Self::Projection(pair) | Self::ValueProjection(pair) => {
                let [left, right] = &**pair;
                left.collect_if_taken(right, sources);
            }
            Self::FilterProjection(parts) => {
                let [left, _, right] = &**parts;
                left.collect_if_taken(right, sources);
            }
            // Of the left one only what is not true is left: nothing, or an empty text.
            Self::And(pair) => {
                let [_, right] = &**pair;
                right.collect_sources(sources);
            }
            Self::Or(pair) => pair.iter().for_each(|node| node.collect_sources(sources)),
            Self::Flatten(node) => node.collect_sources(sources),
            Self::List(items) => items.iter().for_each(|node| node.collect_sources(sources)),
            Self::Map(entries) => {
                let values = entries.iter().map(|(_, node)| node);
                values.for_each(|node| node.collect_sources(sources));
            }
            Self::Call(call) => {
                if !MADE.contains(&call.name.as_str()) {
                    let given = call.arguments.iter();
                    given.for_each(|node| node.collect_sources(sources));
                }
            }
        }
    }

    /// Appends each chain of fields that begins at the root, as far as it is fields.
    pub(super) fn collect_root_paths<'n>(&'n self, paths: &mut Vec<Vec<&'n str>>) {
        let mut path = Vec::new();
        if self.collect_path(&mut path) {
            paths.push(path);
            return;
        }
        match self {
            Self::Then(pair)
            | Self::Pipe(pair)
            | Self::Projection(pair)
            | Self::ValueProjection(pair) => {
                let [left, _] = &**pair;
                left.collect_root_paths(paths);
            }
            Self::FilterProjection(parts) => {
                let [left, _, _] = &**parts;
                left.collect_root_paths(paths);
            }
            // A reference is applied to elements.
            Self::Reference(_) => {}
            Self::Current
            | Self::Field(_)
            | Self::Index(_)
            | Self::Slice(_)
            | Self::Literal(_)
            | Self::Comparison(..)
            | Self::Or(_)
            | Self::And(_)
            | Self::Not(_)
            | Self::Flatten(_)
            | Self::List(_)
            | Self::Map(_)
            | Self::Call(_) => {
                let children = self.children();
                children.for_each(|node| node.collect_root_paths(paths));
            }
        }
    }

    /// What `right` takes from a value: from there on, where only fields lead to it.
    fn collect_below<'n>(&'n self, right: &'n Self, sources: &mut Vec<Vec<&'n str>>) {
        let mut path = Vec::new();
        if !self.collect_path(&mut path) {
            self.collect_if_taken(right, sources);
            return;
        }
        let mut taken = Vec::new();
        right.collect_sources(&mut taken);
        let whole = |rest: Vec<&'n str>| path.iter().copied().chain(rest).collect();
        sources.extend(taken.into_iter().map(whole));
    }

    /// The sources of a value, if `right`, which is asked of it, takes anything from it.
    fn collect_if_taken<'n>(&'n self, right: &'n Self, sources: &mut Vec<Vec<&'n str>>) {
        let mut taken = Vec::new();
        right.collect_sources(&mut taken);
        if !taken.is_empty() {
            self.collect_sources(sources);
        }
    }
}
