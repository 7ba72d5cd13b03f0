//! A rule, up to what it demands.

use crate::ast::matching::{Combination, Filters};
use crate::ast::validate::{Deny, Validate, ValidateBody};
use crate::ast::{Origin, Rule, RuleBody};
use crate::diagnostic::Code;
use crate::source::{Span, Spanned};
use crate::yaml::{Node, Value};

use super::condition::{self, Blocks};
use super::fields::{Fields, Reader};
use super::{context, extractor, generate, matching, mutate, template, validate, verify_images};

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Rule> {
    let mut fields = reader.fields(node, "rule")?;
    let name = fields.require(reader, "name");
    let name = name.and_then(|node| reader.text(node, "name"));
    if let Some(name) = name.as_ref().filter(|name| name.value.is_empty()) {
        reader.error(
            Code::InvalidValue,
            name.span,
            "a rule's name cannot be empty",
        );
    }
    let matches = fields.require(reader, "match");
    let matches = matches.and_then(|node| matching::read_match(reader, node));
    let excludes = fields.take("exclude");
    let excludes = excludes.and_then(|node| matching::read_exclude(reader, node));
    let context = context::read(reader, &mut fields);
    let preconditions = fields.take("preconditions");
    let preconditions = preconditions
        .and_then(|node| condition::read(reader, node, "preconditions", Blocks::Refused));
    let report_properties = report_properties(reader, &mut fields);
    // Whether requests of Kyverno's own background controller are skipped: there is none here.
    fields.ignore(&["skipBackgroundRequests"]);
    let extractors = fields.take("imageExtractors");
    let body = body(reader, &mut fields);
    fields.finish(reader, &["celPreconditions"]);
    if let (Some(node), Some(body)) = (extractors, &body)
        && !matches!(body, RuleBody::VerifyImages(_))
    {
        let message = "`imageExtractors` of a rule without `verifyImages` is not supported";
        reader.error(Code::NotSupported, node.span, message);
    }
    let extractors = extractors.map_or(Some(Vec::new()), |node| extractor::read(reader, node));
    // What could not be read is an error by now, and the rule never runs: something harmless stands for it, so that what
    // else is wrong with the rule can be said.
    Some(Rule {
        span: node.span,
        name: name.unwrap_or_else(|| Spanned::new(String::new(), first(node.span))),
        origin: Origin::Written,
        matches: matches.unwrap_or_else(|| Filters {
            span: node.span,
            combination: Combination::Any,
            filters: Vec::new(),
        }),
        excludes,
        context,
        preconditions,
        image_extractors: extractors.unwrap_or_default(),
        report_properties,
        body: body.unwrap_or_else(|| unread_body(node)),
    })
}

/// What stands for a body that could not be read.
fn unread_body(rule: &Node) -> RuleBody {
    RuleBody::Validate(Validate {
        span: rule.span,
        failure_action: None,
        failure_action_overrides: Vec::new(),
        allow_existing_violations: true,
        message: None,
        body: ValidateBody::Deny(Deny {
            span: rule.span,
            conditions: None,
        }),
    })
}

fn report_properties(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
) -> Vec<(Spanned<String>, crate::ast::template::Text)> {
    let Some(node) = fields.take("reportProperties") else {
        return Vec::new();
    };
    let texts = reader.text_map(node, "reportProperties");
    texts
        .into_iter()
        .map(|(key, value)| (key, template::text(reader, &value.value, value.span)))
        .collect()
}

/// What the rule demands: exactly one of four.
fn body(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<RuleBody> {
    let mut places = Vec::new();
    let mut written = |name, node: Option<&Node>| {
        if let Some(node) = node {
            places.push((name, node.span));
        }
    };
    let validate = fields.take("validate");
    let verify = fields.take("verifyImages");
    written("validate", validate);
    written("verifyImages", verify);
    let mutate = fields.take("mutate");
    let generate = fields.take("generate");
    written("mutate", mutate);
    written("generate", generate);
    match places.as_slice() {
        [] => {
            let message = "a rule does something: it has none of `validate`, `mutate`, `generate` and `verifyImages`";
            reader.error(Code::MissingField, first(fields.span), message);
            fields.unless_misspelt(reader, &["validate", "mutate", "generate", "verifyImages"]);
        }
        [(one, _), (two, span), ..] => {
            let message = format!("a rule does one thing: it has `{one}` and `{two}`");
            reader.error(Code::InvalidValue, first(*span), message);
        }
        [_] => {}
    }
    if let Some(node) = validate {
        let key = fields.key_span("validate").unwrap_or(node.span);
        return validate::read(reader, node, key).map(RuleBody::Validate);
    }
    if let Some(node) = mutate {
        return mutate::read(reader, node).map(RuleBody::Mutate);
    }
    if let Some(node) = generate {
        return generate::read(reader, node).map(RuleBody::Generate);
    }
    let node = verify?;
    let items = reader.items(node, "verifyImages");
    if items.is_empty() && matches!(node.value, Value::List(_)) {
        reader.error(Code::InvalidValue, node.span, "`verifyImages` is empty");
    }
    let entries: Vec<_> = items
        .iter()
        .map(|item| verify_images::read(reader, item))
        .collect();
    let entries: Vec<_> = entries.into_iter().flatten().collect();
    (!entries.is_empty()).then_some(RuleBody::VerifyImages(entries))
}

/// The first character of a span, where a whole block would be too much to point at.
fn first(span: Span) -> Span {
    Span::new(span.start, (span.start + 1).min(span.end))
}
