//! `slsa` of an attestation.

use crate::ast::verify_images::{SLSA_V1, SLSA_V02, Slsa};
use crate::diagnostic::Code;
use crate::image::slsa::SUMMARY_V1;
use crate::source::Spanned;
use crate::yaml::Node;

use super::fields::Reader;

/// Reads what is demanded of provenance, or of a verification summary; none if it could not be read.
pub(super) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    predicate_type: Option<&Spanned<String>>,
) -> Option<Slsa> {
    let mut fields = reader.fields(node, "slsa")?;
    let level = fields.take("level");
    let level = level.map(|node| reader.integer(node, "level", (1, 3)));
    let slsa = Slsa {
        span: node.span,
        level: level.map_or(Some(None), |read| read.map(Some))?,
        builders: fields.texts(reader, "builders"),
        source: fields.text(reader, "source"),
        git_ref: fields.text(reader, "ref"),
        workflow: fields.text(reader, "workflow"),
        resource_uri: fields.text(reader, "resourceUri"),
    };
    fields.finish(reader, &[]);
    let texts = texts(&slsa);
    let any = !texts.is_empty();
    let texts = texts.into_iter().chain(&slsa.resource_uri);
    let mut variables = texts.filter(|text| text.value.contains("{{"));
    if let Some(span) = variables.next().map(|text| text.span) {
        let message = "a variable where none can be";
        let made = reader.error(Code::VariableNotAllowed, span, message);
        made.set_help("compare in `conditions`, which can hold variables");
        return None;
    }
    match predicate_type?.value.as_str() {
        SLSA_V1 | SLSA_V02 => match &slsa.resource_uri {
            None => Some(slsa),
            Some(uri) => {
                let message =
                    "`resourceUri` is what a verification summary names, and provenance names none";
                reader.error(Code::InvalidValue, uri.span, message);
                None
            }
        },
        SUMMARY_V1 if !any => Some(slsa),
        SUMMARY_V1 => {
            let message = "of a verification summary `slsa` demands a `level` and a `resourceUri`, and nothing else";
            reader.error(Code::InvalidValue, node.span, message);
            None
        }
        _ => {
            let message = "`slsa` is about SLSA provenance or a verification summary";
            reader
                .error(Code::InvalidValue, node.span, message)
                .set_help(format!(
                    "its `type` is `{SLSA_V1}`, `{SLSA_V02}` or `{SUMMARY_V1}`"
                ));
            None
        }
    }
}

/// What is compared with the text of provenance.
fn texts(slsa: &Slsa) -> Vec<&Spanned<String>> {
    let parts = [&slsa.source, &slsa.git_ref, &slsa.workflow];
    let parts = parts.into_iter().flatten();
    slsa.builders.iter().chain(parts).collect()
}
