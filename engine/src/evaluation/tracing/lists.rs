//! Lists of `foreach` that have no elements: a rule that says nothing may have misspelt one.

use serde_json::Value;

use crate::ast::RuleBody;
use crate::ast::foreach::{Foreach, ForeachBody};
use crate::ast::mutate::MutateBody;
use crate::ast::validate::ValidateBody;
use crate::source::Span;
use crate::trace::{BranchKind, Step, in_words};

use super::super::rule::Context;
use super::{Bare, Traced};

impl Context<'_> {
    /// Notes what a list came to, where that is no element: nothing but null, or why there is no such list.
    pub(in super::super) fn trace_list(&mut self, list: &str, found: Result<&[Value], &str>) {
        let Traced::Now(tracing) = &mut self.traced else {
            return;
        };
        let wanted = match found {
            Ok(elements) if elements.iter().any(|element| !element.is_null()) => return,
            Ok([]) => "there are no elements: the list is empty".to_owned(),
            Ok(_) => "there are no elements: all of them are null".to_owned(),
            Err(reason) => format!("there are no elements: {reason}"),
        };
        let span = tracing.rule().and_then(|rule| match &rule.body {
            RuleBody::Validate(validate) => match &validate.body {
                ValidateBody::Foreach(blocks) => written(blocks, list),
                _ => None,
            },
            RuleBody::Mutate(mutate) => in_patches(&mutate.body, list),
            RuleBody::Generate(generate) => {
                let mut lists = generate.body.blocks().iter().map(|block| &block.list);
                lists.find(|text| text.raw == list).map(|text| text.span)
            }
            RuleBody::VerifyImages(_) => None,
        });
        let Some(span) = span else {
            return;
        };
        let step = Step {
            wanted,
            element: in_words(&tracing.elements),
            ..Bare(&tracing.program).step(BranchKind::List, span, Ok(false))
        };
        tracing.steps.push(step);
    }
}

/// Where a list was written.
fn written(blocks: &[Foreach], list: &str) -> Option<Span> {
    blocks.iter().find_map(|block| {
        if block.list.raw == list {
            return Some(block.list.span);
        }
        match &block.body {
            ForeachBody::Foreach(inner) => written(inner, list),
            ForeachBody::Deny(_) | ForeachBody::Pattern(_) | ForeachBody::AnyPattern(_) => None,
        }
    })
}

/// The same in `mutate`.
fn in_patches(body: &MutateBody, list: &str) -> Option<Span> {
    let MutateBody::Foreach(blocks) = body else {
        return None;
    };
    blocks.iter().find_map(|block| {
        if block.list.raw == list {
            return Some(block.list.span);
        }
        in_patches(&block.body, list)
    })
}
