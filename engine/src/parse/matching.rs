//! `match` and `exclude`.

use crate::admission::Operation;
use crate::ast::matching::{
    Combination, Filter, Filters, Kind, Requirement, Resources, Selector, SelectorOperator,
    Subject, SubjectKind, is_version,
};
use crate::diagnostic::Code;
use crate::source::Spanned;
use crate::yaml::{Node, Value};

use super::fields::{Fields, Reader, one_line};

/// Fields of a filter, which may stand directly below `match`.
const DIRECT: [&str; 4] = ["resources", "subjects", "roles", "clusterRoles"];

pub(super) const OPERATIONS: [(&str, Operation); 4] = [
    ("CREATE", Operation::Create),
    ("UPDATE", Operation::Update),
    ("DELETE", Operation::Delete),
    ("CONNECT", Operation::Connect),
];

const SUBJECT_KINDS: [(&str, SubjectKind); 3] = [
    ("User", SubjectKind::User),
    ("Group", SubjectKind::Group),
    ("ServiceAccount", SubjectKind::ServiceAccount),
];

const SELECTOR_OPERATORS: [(&str, SelectorOperator); 4] = [
    ("In", SelectorOperator::In),
    ("NotIn", SelectorOperator::NotIn),
    ("Exists", SelectorOperator::Exists),
    ("DoesNotExist", SelectorOperator::DoesNotExist),
];

/// `match`: never empty.
pub(super) fn read_match(reader: &mut Reader<'_>, node: &Node) -> Option<Filters> {
    let before = reader.errors();
    let filters = read(reader, node, "match")?;
    if filters.filters.is_empty() {
        // What could not be read has been said.
        if reader.errors() == before {
            reader.error(Code::MissingField, node.span, "`match` is empty");
        }
        return None;
    }
    Some(filters)
}

/// `match` of an exception, which has no filter of its own beside `any` and `all`.
pub(super) fn read_match_of_exception(reader: &mut Reader<'_>, node: &Node) -> Option<Filters> {
    let own = DIRECT.iter().find_map(|name| node.get(name));
    if let Some(own) = own {
        let message = "`match` of an exception has `any` or `all`, and no filter of its own";
        reader.error(Code::InvalidValue, own.span, message);
        return None;
    }
    read_match(reader, node)
}

/// `exclude`: none where it is empty.
pub(super) fn read_exclude(reader: &mut Reader<'_>, node: &Node) -> Option<Filters> {
    read(reader, node, "exclude").filter(|filters| !filters.filters.is_empty())
}

fn read(reader: &mut Reader<'_>, node: &Node, what: &'static str) -> Option<Filters> {
    let mut fields = reader.fields(node, what)?;
    let any = fields.take("any");
    let all = fields.take("all");
    let has_direct = DIRECT.iter().any(|name| fields.peek(name).is_some());
    // Nothing is excluded by a filter that says nothing.
    let says_nothing = what == "exclude"
        && fields.peek("resources").is_some_and(is_empty_map)
        && DIRECT
            .iter()
            .skip(1)
            .all(|name| fields.peek(name).is_none());
    let has_direct = has_direct && !says_nothing;
    let forms = usize::from(any.is_some()) + usize::from(all.is_some()) + usize::from(has_direct);
    if forms > 1 {
        let message = format!("`{what}` has more than one of `any`, `all` and a filter of its own");
        let second = all.or(any).map_or(node.span, |node| node.span);
        reader.error(Code::InvalidValue, second, message);
        return None;
    }
    let (combination, filters) = match (any, all) {
        (Some(any), _) => (Combination::Any, list(reader, any, ("any", what))),
        (None, Some(all)) => (Combination::All, list(reader, all, ("all", what))),
        (None, None) if has_direct => {
            let filter = filter(reader, &mut fields);
            (Combination::All, filter.into_iter().collect())
        }
        (None, None) => (Combination::All, Vec::new()),
    };
    fields.ignore(&DIRECT);
    fields.finish(reader, &[]);
    Some(Filters {
        span: node.span,
        combination,
        filters,
    })
}

fn list(reader: &mut Reader<'_>, node: &Node, (field, what): (&str, &'static str)) -> Vec<Filter> {
    let mut filters = Vec::new();
    for item in reader.items(node, field) {
        if let Some(mut fields) = reader.fields(item, what) {
            filters.extend(filter(reader, &mut fields));
            fields.finish(reader, &[]);
        }
    }
    filters
}

fn filter(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Filter> {
    let before = reader.errors();
    let resources = fields.take("resources");
    let subjects = subjects(reader, fields);
    let roles = fields.texts(reader, "roles");
    let cluster_roles = fields.texts(reader, "clusterRoles");
    let names_users = !(subjects.is_empty() && roles.is_empty() && cluster_roles.is_empty());
    // Beside users, resources that say nothing say nothing.
    let resources = resources.filter(|node| !(names_users && is_empty_map(node)));
    let filter = Filter {
        span: fields.span,
        resources: resources.and_then(|node| read_resources(reader, node)),
        subjects,
        roles,
        cluster_roles,
    };
    if resources.is_none() && !names_users {
        // What could not be read has been said.
        if reader.errors() == before {
            reader.error(Code::InvalidValue, fields.span, "a filter cannot be empty");
            fields.unless_misspelt(reader, &DIRECT);
        }
        return None;
    }
    Some(filter)
}

fn is_empty_map(node: &Node) -> bool {
    matches!(&node.value, Value::Map(entries) if entries.is_empty())
}

fn read_resources(reader: &mut Reader<'_>, node: &Node) -> Option<Resources> {
    let mut fields = reader.fields(node, "resources")?;
    let mut names = fields.texts(reader, "names");
    let name = fields.text(reader, "name");
    if let Some(name) = name {
        if !names.is_empty() {
            let message = "`resources` has both `name` and `names`";
            reader.error(Code::ConflictingSettings, name.span, message);
        }
        names.insert(0, name);
    }
    let kinds = fields.texts(reader, "kinds");
    let kinds = kinds.into_iter().map(|kind| read_kind(reader, kind));
    let kinds = kinds.collect::<Vec<_>>().into_iter().flatten().collect();
    let operations = fields.items(reader, "operations");
    let operations = operations
        .iter()
        .map(|item| reader.choice(item, "operations", &OPERATIONS));
    let operations = operations
        .collect::<Vec<_>>()
        .into_iter()
        .flatten()
        .collect();
    let resources = Resources {
        span: node.span,
        kinds,
        names,
        namespaces: fields.texts(reader, "namespaces"),
        annotations: fields.text_map(reader, "annotations"),
        selector: fields
            .take("selector")
            .and_then(|node| selector(reader, node, "selector")),
        namespace_selector: fields
            .take("namespaceSelector")
            .and_then(|node| selector(reader, node, "namespaceSelector")),
        operations,
    };
    let empty = fields.is_empty();
    fields.finish(reader, &[]);
    if empty {
        reader.error(Code::InvalidValue, node.span, "a filter cannot be empty");
        return None;
    }
    Some(resources)
}

fn subjects(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for item in fields.items(reader, "subjects") {
        subjects.extend(subject(reader, item));
    }
    subjects
}

fn subject(reader: &mut Reader<'_>, node: &Node) -> Option<Subject> {
    let mut fields = reader.fields(node, "subjects")?;
    let kind = fields.require(reader, "kind");
    let kind = kind.and_then(|node| reader.choice(node, "kind", &SUBJECT_KINDS));
    let name = fields.require(reader, "name");
    let name = name.and_then(|node| reader.text(node, "name"));
    let namespace = fields.text(reader, "namespace");
    fields.ignore(&["apiGroup"]);
    fields.finish(reader, &[]);
    let (kind, name) = (kind?.value, name?);
    if kind == SubjectKind::ServiceAccount && namespace.is_none() {
        let message = "a service account is named with its `namespace`";
        reader.error(Code::MissingField, node.span, message);
        return None;
    }
    Some(Subject {
        span: node.span,
        kind,
        name,
        namespace,
    })
}

/// A label selector.
pub(super) fn selector(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &'static str,
) -> Option<Selector> {
    let mut fields = reader.fields(node, what)?;
    let match_labels = fields.text_map(reader, "matchLabels");
    let mut match_expressions = Vec::new();
    for item in fields.items(reader, "matchExpressions") {
        match_expressions.extend(requirement(reader, item));
    }
    fields.finish(reader, &[]);
    Some(Selector {
        span: node.span,
        match_labels,
        match_expressions,
    })
}

fn requirement(reader: &mut Reader<'_>, node: &Node) -> Option<Requirement> {
    let mut fields = reader.fields(node, "matchExpressions")?;
    let key = fields.require(reader, "key");
    let key = key.and_then(|node| reader.text(node, "key"));
    let operator = fields.require(reader, "operator");
    let operator = operator.and_then(|node| reader.choice(node, "operator", &SELECTOR_OPERATORS));
    let values = fields.texts(reader, "values");
    fields.finish(reader, &[]);
    let operator = operator?;
    let wants_values = matches!(
        operator.value,
        SelectorOperator::In | SelectorOperator::NotIn
    );
    if wants_values == values.is_empty() {
        let message = if wants_values {
            "`In` and `NotIn` need `values`"
        } else {
            "`Exists` and `DoesNotExist` have no `values`"
        };
        reader.error(Code::InvalidValue, operator.span, message);
        return None;
    }
    Some(Requirement {
        span: node.span,
        key: key?,
        operator: operator.value,
        values,
    })
}

fn read_kind(reader: &mut Reader<'_>, written: Spanned<String>) -> Option<Kind> {
    let Spanned { value: raw, span } = written;
    let kind = take_kind_apart(&raw).map(|[group, version, kind, subresource]| Kind {
        span,
        group,
        version,
        kind,
        subresource,
        raw: raw.clone(),
    });
    if kind.is_none() {
        let message = format!("`{}` is no kind", one_line(&raw));
        reader.error(Code::InvalidValue, span, message).set_help(
            "a kind is `Kind`, `version/Kind` or `group/version/Kind`, each with `/subresource` where one is meant",
        );
    }
    kind
}

/// Group, version, kind and sub-resource of an entry of `kinds`.
fn take_kind_apart(raw: &str) -> Option<[String; 4]> {
    let (path, last) = raw
        .rsplit_once('/')
        .map_or((None, raw), |(path, last)| (Some(path), last));
    let mut parts: Vec<&str> = path.map_or_else(Vec::new, |path| path.split('/').collect());
    parts.extend(last.split('.'));
    if parts.iter().any(|part| part.is_empty()) {
        return None;
    }
    let lower = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase());
    let [group, version, kind, subresource] = match *parts.as_slice() {
        [kind] => ["*", "*", kind, ""],
        ["*", "*"] => ["*", "*", "*", "*"],
        ["*", subresource] if lower(subresource) => ["*", "*", "*", subresource],
        [version, kind] if is_version(version) => ["*", version, kind, ""],
        [kind, subresource] => ["*", "*", kind, subresource],
        [version, kind, subresource] if is_version(version) => ["*", version, kind, subresource],
        [group, version, kind] => [group, version, kind, ""],
        [group, version, kind, subresource] => [group, version, kind, subresource],
        _ => return None,
    };
    Some([group, version, kind, subresource].map(str::to_owned))
}
