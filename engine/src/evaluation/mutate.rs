//! `mutate` on one object: its patches are resolved and applied, one after the other.
//!
//! Whether a rule or an element applies is asked of its program; what a patch does is computed here.

mod json;
mod targets;

use std::borrow::Cow;

use serde_json::Value;

use crate::ast::mutate::Order;
use crate::explain;
use crate::fuel;
use crate::mutate::{PatchError, diff, json_patch, strategic_merge, unmet};
use crate::program::{self, Change, ChangeForeach, Conditions, Judged, Patch};
use crate::rego::evaluate::Program;
use crate::response::{PatchOperation, RuleStatus};
use crate::source::Span;
use crate::template::{Template, TemplateError};

use super::names::Names;
use super::rule::{Answer, Context, unexpected};
use super::tracing::Misfit;
use super::values::Values;

/// The most elements of one rule: each is a patch of the whole object.
const MAX_ELEMENTS: usize = 2_000;

/// What an element costs beside its patch, in units of [`fuel`].
const ELEMENT: u64 = 5_000;

/// Said of a module where none can stand: parsing refuses it there.
const MISPLACED: &str = "a module changes the resource of the request only";

/// What came of a rule.
pub(super) struct Mutated {
    pub(super) answer: Answer,
    /// The object as it is then, where it was changed.
    pub(super) object: Option<Value>,
    pub(super) patches: Vec<PatchOperation>,
}

/// What came of a patch, or of many.
enum Changed {
    /// Facts are outstanding.
    Waiting,
    /// The object is this now.
    To(Value),
    /// It is what it was, for a reason.
    Not(String),
    Failed(String),
    /// It has become larger than any that is stored.
    TooLarge(String),
}

/// Where in a rule a patch stands.
#[derive(Debug, Clone, Copy)]
enum Within {
    Rule,
    Foreach,
}

/// How far `foreach` is.
#[derive(Debug, Default)]
struct Walk {
    elements: usize,
}

impl Context<'_> {
    /// Changes an object; none as long as facts are outstanding.
    pub(super) fn mutate(
        &mut self,
        names: &Names<'_>,
        object: &Value,
        change: &Change,
    ) -> Option<Mutated> {
        let changed = match change {
            Change::Patch(patch, span) => {
                let changed = patched(names, Cow::Borrowed(object), patch, Within::Rule);
                self.trace_changed((patch, *span), names, object, &changed);
                changed
            }
            Change::Foreach(blocks) => {
                self.change_each(names, object, (blocks, 0), &mut Walk::default())
            }
            Change::Wasm(_) => Changed::Failed(MISPLACED.to_owned()),
        };
        let unchanged = |status, message: String| Mutated {
            answer: Answer::new(status, message),
            object: None,
            patches: Vec::new(),
        };
        Some(match changed {
            Changed::Waiting => return None,
            Changed::Not(reason) => unchanged(RuleStatus::Skip, reason),
            Changed::Failed(reason) => unchanged(RuleStatus::Error, reason),
            Changed::TooLarge(reason) => Mutated {
                answer: Answer::too_large(names.too_large(), reason),
                ..unchanged(RuleStatus::Error, String::new())
            },
            Changed::To(new) => match identity_change(object, &new) {
                Some(field) => unchanged(
                    RuleStatus::Error,
                    format!("the patch changes `{field}`, which says what the object is"),
                ),
                None => Mutated {
                    answer: Answer::new(RuleStatus::Pass, success(&new)),
                    patches: diff::diff(object, &new),
                    object: Some(new),
                },
            },
        })
    }

    /// Blocks of `foreach`, each seeing what those before it made of the object.
    fn change_each(
        &mut self,
        names: &Names<'_>,
        object: &Value,
        (blocks, level): (&[ChangeForeach], usize),
        walk: &mut Walk,
    ) -> Changed {
        let mut current: Option<Value> = None;
        for block in blocks {
            let refreshed = current
                .as_ref()
                .map(|object| vec![names.with_changed(object)]);
            let names = names.above(refreshed.unwrap_or_default(), &[]);
            let elements = match names.query(&block.list) {
                Ok(Value::Array(elements)) => elements,
                Ok(other) => vec![other],
                Err(error) if error.is_pending() => return Changed::Waiting,
                Err(error) => {
                    let list = &block.list_text;
                    return Changed::Failed(format!(
                        "failed to evaluate list {list}: {error}: {error}"
                    ));
                }
            };
            self.trace_list(&block.list_text, Ok(&elements));
            let object = current.as_ref().unwrap_or(object);
            match self.change_elements(&names, object, (block, &elements, level), walk) {
                Changed::Waiting => return Changed::Waiting,
                Changed::Failed(reason) => {
                    return Changed::Failed(format!("failed to mutate elements: {reason}"));
                }
                Changed::TooLarge(reason) => {
                    return Changed::TooLarge(format!("failed to mutate elements: {reason}"));
                }
                Changed::Not(_) => {}
                Changed::To(new) => current = Some(new),
            }
        }
        current.map_or_else(
            || Changed::Not("0 elements processed".to_owned()),
            Changed::To,
        )
    }

    /// Elements of one block; what an element made of the object is seen by the patches of the next, not by its variables.
    fn change_elements(
        &mut self,
        names: &Names<'_>,
        object: &Value,
        (block, elements, level): (&ChangeForeach, &[Value], usize),
        walk: &mut Walk,
    ) -> Changed {
        let mut current: Option<Value> = None;
        let mut order: Vec<(usize, &Value)> = elements.iter().enumerate().collect();
        if block.order == Order::Descending {
            order.reverse();
        }
        for (index, element) in order.into_iter().filter(|(_, element)| !element.is_null()) {
            walk.elements += 1;
            if walk.elements > MAX_ELEMENTS {
                return Changed::Failed(format!(
                    "the lists of `foreach` have more than {MAX_ELEMENTS} elements"
                ));
            }
            // Whatever is said then, the rule is answered as one that took too much.
            if !fuel::spend(ELEMENT) {
                return Changed::Failed(
                    "the elements take more work than one may ask for".to_owned(),
                );
            }
            let names = names.of_element(index, locals(element, index, level), &block.context);
            self.trace_element(&block.list_text, index);
            let applies = self.applies(&block.program, block.preconditions.as_ref(), &names);
            self.trace_element_end();
            match applies {
                None => return Changed::Waiting,
                Some(Ok(true)) => {}
                Some(Ok(false)) => continue,
                Some(Err(reason)) => {
                    return Changed::Failed(format!(
                        "failed to evaluate mutate.foreach[{index}].preconditions: {reason}"
                    ));
                }
            }
            let changed = match &block.change {
                // What the elements before made of it is nobody else's; where a trace is kept, it is compared with.
                Change::Patch(patch, _) if !self.is_traced() => {
                    let object = current.take().map_or(Cow::Borrowed(object), Cow::Owned);
                    patched(&names, object, patch, Within::Foreach)
                }
                Change::Patch(patch, span) => {
                    let object = current.as_ref().unwrap_or(object);
                    let changed = patched(&names, Cow::Borrowed(object), patch, Within::Foreach);
                    self.trace_element(&block.list_text, index);
                    self.trace_changed((patch, *span), &names, object, &changed);
                    self.trace_element_end();
                    changed
                }
                Change::Foreach(blocks) => {
                    let object = current.as_ref().unwrap_or(object);
                    self.change_each(&names, object, (blocks, level + 1), walk)
                }
                Change::Wasm(_) => Changed::Failed(MISPLACED.to_owned()),
            };
            match changed {
                Changed::To(new) => current = Some(new),
                Changed::Not(_) => {}
                Changed::Waiting | Changed::Failed(_) | Changed::TooLarge(_) => return changed,
            }
        }
        match current {
            Some(new) if new != *object => Changed::To(new),
            Some(_) | None => Changed::Not("no patches applied".to_owned()),
        }
    }

    /// Whether conditions of an element or a target hold; none as long as facts are outstanding.
    pub(super) fn applies(
        &mut self,
        program: &Program,
        judged: Option<&Judged<Conditions>>,
        names: &Names<'_>,
    ) -> Option<Result<bool, String>> {
        let Some(judged) = judged else {
            return Some(Ok(true));
        };
        let values = Values::of(names, &judged.slots)?;
        let input = self.documents.input(None, values.document());
        let answer = self.ask(program, program::ELEMENT_PRECONDITIONS, &input);
        if let Ok(said) = &answer {
            self.trace_conditions(program, &judged.what, names, said);
        }
        Some(match answer.as_deref() {
            Ok("true") => Ok(true),
            Ok("false") => Ok(false),
            Ok("error") => Err(explain::conditions::walk(&judged.what, names).error()),
            Ok(other) => Err(unexpected(other)),
            Err(message) => Err(message.clone()),
        })
    }
}

impl Context<'_> {
    /// Notes what a patch made of an object, or why nothing.
    fn trace_changed(
        &mut self,
        (patch, span): (&Patch, Span),
        names: &Names<'_>,
        object: &Value,
        changed: &Changed,
    ) {
        if !self.is_traced() {
            return;
        }
        let held = match changed {
            Changed::Waiting => return,
            Changed::To(new) => Ok(Some(diff::diff(object, new))),
            Changed::Not(_) => Ok(None),
            Changed::Failed(reason) | Changed::TooLarge(reason) => {
                let misfit = misfit(names, object, patch);
                self.trace_failed_patch(span, reason, misfit);
                return;
            }
        };
        let unmet = match (patch, changed) {
            (Patch::StrategicMerge(template), Changed::Not(_)) => names
                .template(template)
                .map_or_else(|_| Vec::new(), |patch| unmet::unmet(&patch, object)),
            _ => Vec::new(),
        };
        self.trace_patch(span, held, &unmet);
    }
}

/// Which operation of a JSON patch did not fit, out of how many, and what there is in its place; its name.
fn misfit(names: &Names<'_>, object: &Value, patch: &Patch) -> Option<Misfit> {
    let computed;
    let operations = match patch {
        Patch::StrategicMerge(_) => return None,
        Patch::Constant(operations) => operations,
        Patch::Json {
            operations,
            quoted,
            plain,
        } => {
            let mut patch = names.template(operations).ok()?;
            json::settle(&mut patch, quoted, plain);
            computed = json_patch::parse(&json::operations(patch).ok()?).ok()?;
            &computed
        }
    };
    let (index, there) = json_patch::misfit(object, operations)?;
    Some(Misfit {
        index,
        of: operations.len(),
        name: operations.get(index)?.name(),
        there,
    })
}

/// One patch of an object; one that is given away counts as changed, whatever became of it.
fn patched(names: &Names<'_>, object: Cow<'_, Value>, patch: &Patch, within: Within) -> Changed {
    let before = match &object {
        Cow::Borrowed(object) => Some(*object),
        Cow::Owned(_) => None,
    };
    let result = match patch {
        Patch::Constant(operations) => json_patch::apply_to(object.into_owned(), operations),
        Patch::StrategicMerge(template) => {
            match resolved(names, template, (within, "patchStrategicMerge")) {
                Ok(patch) => strategic_merge::apply_to(object.into_owned(), &patch),
                Err(changed) => return changed,
            }
        }
        Patch::Json {
            operations,
            quoted,
            plain,
        } => match resolved(names, operations, (within, "patchesJson6902")) {
            Ok(mut patch) => {
                json::settle(&mut patch, quoted, plain);
                json::operations(patch)
                    .and_then(|patch| json_patch::parse(&patch))
                    .and_then(|operations| json_patch::apply_to(object.into_owned(), &operations))
            }
            Err(changed) => return changed,
        },
    };
    match result {
        Ok(new) if before == Some(&new) => Changed::Not("no patches applied".to_owned()),
        Ok(new) => Changed::To(new),
        Err(error @ PatchError::TooLarge) => {
            Changed::TooLarge(format!("failed to patch resource: {error}"))
        }
        Err(error) => Changed::Failed(format!("failed to patch resource: {error}")),
    }
}

fn resolved(
    names: &Names<'_>,
    template: &Template,
    (within, field): (Within, &str),
) -> Result<Value, Changed> {
    let value = match field {
        "patchStrategicMerge" => names.patch(template),
        _ => names.template(template),
    };
    value.map_err(|error| {
        if error.is_pending() {
            return Changed::Waiting;
        }
        let root = match within {
            Within::Rule => format!("/mutate/{field}"),
            Within::Foreach => format!("/{field}"),
        };
        let error = match error {
            TemplateError::Variable {
                variable,
                path,
                cause,
            } => TemplateError::Variable {
                variable,
                // A JSON patch is one text to Kyverno.
                path: if field == "patchesJson6902" {
                    root
                } else {
                    root + &path
                },
                cause,
            },
            other => other,
        };
        Changed::Failed(format!("variable substitution failed: {error}"))
    })
}

/// Names of an element, and of its place in nested lists.
pub(super) fn locals(element: &Value, index: usize, level: usize) -> Vec<(String, Value)> {
    vec![
        ("element".to_owned(), element.clone()),
        ("elementIndex".to_owned(), index.into()),
        (format!("element{level}"), element.clone()),
        (format!("elementIndex{level}"), index.into()),
    ]
}

/// What makes an object that object, which no patch may change; where one did.
pub(super) fn identity_change(old: &Value, new: &Value) -> Option<&'static str> {
    const IDENTITY: [(&str, &str); 6] = [
        ("/apiVersion", "apiVersion"),
        ("/kind", "kind"),
        ("/metadata/name", "metadata.name"),
        ("/metadata/generateName", "metadata.generateName"),
        ("/metadata/namespace", "metadata.namespace"),
        ("/metadata/uid", "metadata.uid"),
    ];
    let changed = |(pointer, _): &&(&str, &str)| old.pointer(pointer) != new.pointer(pointer);
    IDENTITY.iter().find(changed).map(|(_, name)| *name)
}

pub(super) fn success(object: &Value) -> String {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or("")
    };
    let (kind, name) = (text("/kind"), text("/metadata/name"));
    match text("/metadata/namespace") {
        "" => format!("mutated {kind}/{name}"),
        namespace => format!("mutated {kind}/{name} in namespace {namespace}"),
    }
}
