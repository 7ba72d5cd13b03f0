//! `podSecurity`, and the controls that policies and exceptions leave out of it.

use crate::ast::pod_security::{ExcludedControl, PodSecurity};
use crate::diagnostic::Code;
use crate::pod_security::control::CONTROLS;
use crate::pod_security::{Level, NEWEST, OLDEST, Version};
use crate::source::Spanned;
use crate::yaml::Node;

use super::fields::{Reader, one_line};

const LEVELS: [(&str, Level); 3] = [
    ("privileged", Level::Privileged),
    ("baseline", Level::Baseline),
    ("restricted", Level::Restricted),
];

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<PodSecurity> {
    let mut fields = reader.fields(node, "podSecurity")?;
    let level = fields.require(reader, "level");
    let level = level.and_then(|node| reader.choice(node, "level", &LEVELS));
    let version = fields.text(reader, "version");
    let effective = match &version {
        None => Some(Version::Latest),
        Some(version) => read_version(reader, version),
    };
    let exclude = fields.items(reader, "exclude");
    let exclude = excluded_controls(reader, exclude);
    fields.finish(reader, &[]);
    Some(PodSecurity {
        span: node.span,
        level: level?,
        version,
        effective_version: effective?,
        exclude: exclude?,
    })
}

fn read_version(reader: &mut Reader<'_>, written: &Spanned<String>) -> Option<Version> {
    let version = Version::parse(&written.value).filter(|version| match version {
        Version::Latest => true,
        Version::Minor(minor) => (OLDEST..=NEWEST).contains(minor),
    });
    if version.is_none() {
        let message = format!("`version` cannot be `{}`", one_line(&written.value));
        reader
            .error(Code::InvalidValue, written.span, message)
            .set_help(format!(
                "it is one of `v1.{OLDEST}` to `v1.{NEWEST}`, or `latest`"
            ));
    }
    version
}

/// Entries of `exclude`; none where one could not be read, since without it more would be forbidden than is meant.
pub(super) fn excluded_controls(
    reader: &mut Reader<'_>,
    items: &[Node],
) -> Option<Vec<ExcludedControl>> {
    let read: Vec<_> = items
        .iter()
        .map(|item| excluded_control(reader, item))
        .collect();
    read.into_iter().collect()
}

fn excluded_control(reader: &mut Reader<'_>, node: &Node) -> Option<ExcludedControl> {
    let mut fields = reader.fields(node, "exclude")?;
    let names: Vec<_> = CONTROLS
        .iter()
        .map(|control| (control.name, control))
        .collect();
    let control = fields.require(reader, "controlName");
    let control = control.and_then(|node| reader.choice(node, "controlName", &names));
    let images = fields.texts(reader, "images");
    let restricted_field = fields.text(reader, "restrictedField");
    let values = fields.texts(reader, "values");
    fields.finish(reader, &[]);
    Some(ExcludedControl {
        span: node.span,
        control: control?,
        images,
        restricted_field: restricted_field.filter(|field| !field.value.is_empty()),
        values,
    })
}
