//! Which kinds `data.inventory` holds: `Config`, `SyncSet`, and an annotation of templates.

use crate::ast::rego::InventoryKind;
use crate::diagnostic::Code;
use crate::parse::fields::Reader;
use crate::source::Spanned;
use crate::yaml::Node;

/// Of a `Config` or a `SyncSet`.
pub(super) fn read(reader: &mut Reader<'_>, document: &Node) -> Vec<InventoryKind> {
    let spec = document.get("spec");
    // What a `Config` says beside it is about Gatekeeper's own processes.
    let sync_only = spec
        .and_then(|spec| spec.get("sync"))
        .and_then(|sync| sync.get("syncOnly"));
    let kinds = sync_only.or_else(|| spec.and_then(|spec| spec.get("gvks")));
    let items = kinds.map_or(&[][..], |node| reader.items(node, "syncOnly"));
    let kinds: Vec<_> = items.iter().map(|item| kind(reader, item)).collect();
    kinds.into_iter().flatten().collect()
}

fn kind(reader: &mut Reader<'_>, node: &Node) -> Option<InventoryKind> {
    let mut fields = reader.fields(node, "syncOnly")?;
    let group = fields.text(reader, "group");
    let version = fields.require(reader, "version");
    let version = version.and_then(|node| reader.text(node, "version"));
    let kind = fields.require(reader, "kind");
    let kind = kind.and_then(|node| reader.text(node, "kind"));
    fields.finish(reader, &[]);
    Some(InventoryKind {
        group: group.map_or_else(String::new, |group| group.value),
        version: version?.value,
        kind: kind?.value,
    })
}

/// Of a template's annotation: a list of alternatives for each thing that it needs, in JSON.
pub(super) fn of_annotation(reader: &mut Reader<'_>, text: &Spanned<String>) -> Vec<InventoryKind> {
    // Gatekeeper's own library writes it as a text in a code block, in quotes or without.
    let json = text.value.trim().trim_matches('"').trim();
    let Ok(needs) = serde_json::from_str::<serde_json::Value>(json) else {
        let message = "the kinds that the template needs are no JSON";
        reader.warning(Code::InvalidValue, text.span, message);
        return Vec::new();
    };
    let list = |value: &serde_json::Value, name: &str| -> Vec<String> {
        let items = value.get(name).and_then(serde_json::Value::as_array);
        let texts = items
            .into_iter()
            .flatten()
            .filter_map(serde_json::Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let mut kinds = Vec::new();
    let alternatives = needs.as_array().into_iter().flatten();
    for one in alternatives.flat_map(|need| need.as_array().into_iter().flatten()) {
        let versions = list(one, "versions");
        let of_version = versions.iter().flat_map(|version| {
            let groups = list(one, "groups").into_iter();
            groups.map(move |group| (group, version.clone()))
        });
        for (group, version) in of_version {
            let named = list(one, "kinds").into_iter();
            kinds.extend(named.map(|kind| InventoryKind {
                group: group.clone(),
                version: version.clone(),
                kind,
            }));
        }
    }
    kinds
}
