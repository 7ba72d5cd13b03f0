//! The file of a policy server: a map from names to policies, without a word about what they are about.

use std::sync::Arc;

use crate::ast::matching::Filter;
use crate::ast::{Policy, PolicyKind, Settings};
use crate::diagnostic::{Code, Diagnostic};
use crate::parse::fields::Reader;
use crate::source::{Source, Spanned};
use crate::yaml::{Entry, Node, Value};

use super::{Asked, MODES, Mode, Mutates, allow, read_kinds, read_module, refuse_group, rule};

pub(super) fn read(
    source: &Arc<Source>,
    document: &Node,
) -> Vec<(Option<Policy>, Vec<Diagnostic>)> {
    let Value::Map(entries) = &document.value else {
        return Vec::new();
    };
    let read = entries.iter().map(|entry| {
        let mut reader = Reader::new(source);
        let policy = policy(&mut reader, entry);
        (policy, reader.into_diagnostics())
    });
    read.collect()
}

fn policy(reader: &mut Reader<'_>, entry: &Entry) -> Option<Policy> {
    let name = Spanned::new(entry.key.clone(), entry.key_span);
    if entry.key.is_empty() || entry.key.contains('/') {
        let message = "a policy's name is not empty and has no `/`";
        reader.error(Code::InvalidValue, entry.key_span, message);
        return None;
    }
    if entry.value.get("policies").is_some() || entry.value.get("expression").is_some() {
        refuse_group(reader, entry.key_span, "a group of policies");
        return None;
    }
    let mut fields = reader.fields(&entry.value, "policy")?;
    // The older name, which old files have.
    let url = fields.take("url");
    let module = match url {
        Some(url) => {
            if let Some(module) = fields.take("module") {
                let message = "a policy has both `module` and `url`";
                reader.error(Code::ConflictingSettings, module.span, message);
            }
            Some(url)
        }
        None => fields.require(reader, "module"),
    };
    let guest = read_module(reader, &mut fields, module);
    let mode = fields.choice(reader, "policyMode", &MODES);
    let mutates = fields.flag(reader, "allowedToMutate");
    let kinds = read_kinds(reader, &mut fields);
    fields.finish(reader, &[]);
    let mut guest = guest?;
    allow(&mut guest, kinds?);
    let span = entry.value.span;
    let asked = Asked {
        guest,
        mode: mode.map_or(Mode::Protect, |mode| mode.value),
        mutates: match mutates {
            Some(flag) if flag.value => Mutates::Yes,
            _ => Mutates::No,
        },
    };
    Some(Policy {
        source: Arc::clone(reader.source()),
        span,
        kind: PolicyKind::ClusterPolicy,
        namespace: None,
        annotations: std::collections::BTreeMap::new(),
        labels: std::collections::BTreeMap::new(),
        settings: Settings::default(),
        rules: vec![rule(name.clone(), span, Filter::everything(span), asked)],
        name,
    })
}
