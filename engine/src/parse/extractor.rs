//! `imageExtractors`.

use crate::ast::extractor::ImageExtractor;
use crate::diagnostic::Code;
use crate::jmespath::Expression;
use crate::source::Spanned;
use crate::yaml::{Node, Value};

use super::fields::{Reader, one_line};

/// The list of images whose extractor names none.
const CUSTOM: &str = "custom";

/// Reads the extractors of a rule; none if one could not be read.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<ImageExtractor>> {
    let Value::Map(entries) = &node.value else {
        let message = "`imageExtractors` must be a map from kinds to lists";
        reader.error(Code::InvalidValue, node.span, message);
        return None;
    };
    let mut extractors = Vec::new();
    let mut complete = true;
    for entry in entries {
        for item in reader.items(&entry.value, "imageExtractors") {
            match extractor(reader, &entry.key, item) {
                Some(extractor) => extractors.push(extractor),
                None => complete = false,
            }
        }
        complete &= matches!(entry.value.value, Value::List(_));
    }
    complete.then_some(extractors)
}

fn extractor(reader: &mut Reader<'_>, kind: &str, node: &Node) -> Option<ImageExtractor> {
    let mut fields = reader.fields(node, "imageExtractors")?;
    let path = fields.require(reader, "path");
    let path = path.and_then(|node| reader.text(node, "path"));
    let value = fields.text(reader, "value");
    let key = fields.text(reader, "key");
    let name = fields.text(reader, "name").map(|name| name.value);
    let jmes_path = fields.text(reader, "jmesPath");
    fields.finish(reader, &[]);
    let path = path?;
    let mut steps: Vec<String> = path
        .value
        .split('/')
        .filter(|step| !step.is_empty())
        .map(str::to_owned)
        .collect();
    // Without `value` the last step is the image's own.
    let last = match value {
        Some(value) => Some(value.value),
        None => steps.pop(),
    };
    let last = last.filter(|last| last != "*" && !last.is_empty());
    let Some(value) = last.filter(|_| path.value.starts_with('/')) else {
        let message = "`path` must be as in `/spec/steps/*/image`";
        reader.error(Code::InvalidValue, path.span, message);
        return None;
    };
    Some(ImageExtractor {
        span: node.span,
        kind: kind.to_owned(),
        path: steps,
        value,
        key: key.map(|key| key.value),
        name: name
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| CUSTOM.to_owned()),
        jmes_path: match jmes_path {
            None => None,
            Some(text) => Some(expression(reader, text)?),
        },
    })
}

fn expression(reader: &mut Reader<'_>, text: Spanned<String>) -> Option<Spanned<String>> {
    match Expression::parse(&text.value) {
        Ok(_) => Some(text),
        Err(error) => {
            let message = format!("`jmesPath` cannot be read: {}", one_line(&error.message));
            reader.error(Code::InvalidExpression, text.span, message);
            None
        }
    }
}
