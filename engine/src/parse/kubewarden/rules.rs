//! `rules` of a webhook.

use crate::admission::Operation;
use crate::ast::rego::{Scope, WebhookRule};
use crate::diagnostic::Code;
use crate::parse::fields::{Fields, Reader, one_line};
use crate::parse::matching::OPERATIONS;
use crate::source::Spanned;
use crate::yaml::Node;

/// What stands for anything.
const ANY: &str = "*";

const SCOPES: [(&str, Option<Scope>); 3] = [
    (ANY, None),
    ("Cluster", Some(Scope::Cluster)),
    ("Namespaced", Some(Scope::Namespaced)),
];

/// Reads the entries; never empty.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<WebhookRule>> {
    let items = reader.items(node, "rules");
    if items.is_empty() {
        reader.error(Code::InvalidValue, node.span, "`rules` is empty");
        return None;
    }
    let rules: Vec<_> = items.iter().map(|item| entry(reader, item)).collect();
    rules.into_iter().collect()
}

fn entry(reader: &mut Reader<'_>, node: &Node) -> Option<WebhookRule> {
    let mut fields = reader.fields(node, "rules")?;
    let groups = words(reader, &mut fields, "apiGroups");
    let versions = words(reader, &mut fields, "apiVersions");
    let resources = words(reader, &mut fields, "resources");
    let operations = operations(reader, &mut fields);
    let scope = fields.choice(reader, "scope", &SCOPES);
    fields.finish(reader, &[]);
    let resources: Option<Vec<_>> = resources?
        .into_iter()
        .map(|text| resource(reader, &text))
        .collect();
    Some(WebhookRule {
        groups: names(reader, groups?)?,
        versions: names(reader, versions?)?,
        resources: resources?,
        operations: operations?,
        scope: scope.and_then(|scope| scope.value),
    })
}

/// A list that must be there and say something.
fn words(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
    name: &'static str,
) -> Option<Vec<Spanned<String>>> {
    let node = fields.require(reader, name)?;
    let words = reader.texts(node, name);
    if words.is_empty() {
        let message = format!("`{name}` is empty");
        reader.error(Code::InvalidValue, node.span, message);
        return None;
    }
    Some(words)
}

/// Names, or nothing where any will do.
fn names(reader: &mut Reader<'_>, words: Vec<Spanned<String>>) -> Option<Vec<Spanned<String>>> {
    if words.iter().any(|word| word.value == ANY) {
        return Some(Vec::new());
    }
    let names = words.into_iter().map(|word| {
        let name = name(reader, &word, &word.value)?;
        Some(Spanned::new(name, word.span))
    });
    names.collect()
}

/// A name, in which nothing is a wildcard.
fn name(reader: &mut Reader<'_>, word: &Spanned<String>, name: &str) -> Option<String> {
    if name.contains(['*', '?']) {
        let message = format!("`{}` is no name: `*` stands alone", one_line(&word.value));
        reader.error(Code::InvalidValue, word.span, message);
        return None;
    }
    Some(name.to_owned())
}

/// A resource and its sub-resource.
fn resource(reader: &mut Reader<'_>, word: &Spanned<String>) -> Option<(Spanned<String>, String)> {
    let (resource, subresource) = word.value.split_once('/').unwrap_or((&word.value, ""));
    let mut part = |text: &str| {
        if text == ANY {
            Some(ANY.to_owned())
        } else {
            name(reader, word, text)
        }
    };
    let resource = Spanned::new(part(resource)?, word.span);
    Some((resource, part(subresource)?))
}

fn operations(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Vec<Operation>> {
    let node = fields.require(reader, "operations")?;
    let items = reader.items(node, "operations");
    if items.is_empty() {
        reader.error(Code::InvalidValue, node.span, "`operations` is empty");
        return None;
    }
    let known = OPERATIONS.map(|(name, operation)| (name, Some(operation)));
    let known = [&known[..], &[(ANY, None)]].concat();
    let read: Vec<_> = items
        .iter()
        .map(|item| reader.choice(item, "operations", &known))
        .collect();
    let read: Option<Vec<_>> = read.into_iter().collect();
    let all: Option<Vec<_>> = read?.into_iter().map(|one| one.value).collect();
    Some(all.unwrap_or_default())
}
