//! `generate`: its conditions become Rego, its templates are read ahead.

use crate::ast::generate::{self as written, GenerateBody, GenerateForeach};
use crate::ast::{self};
use crate::program::{CloneList, Generated, Generation, GenerationForeach, Reference};
use crate::rego::evaluate::RegoError;

use super::{confined_to, mutate, text};

/// Compiles what a rule makes.
pub(super) fn compile(
    (policy, rule): (&ast::Policy, &ast::Rule),
    body: &GenerateBody,
) -> Result<Generation, RegoError> {
    match body {
        GenerateBody::Resource(resource) => Ok(Generation::Resource(Box::new(generated(resource)))),
        GenerateBody::Foreach(blocks) => {
            let mut compiled = Vec::new();
            for (index, written) in blocks.iter().enumerate() {
                compiled.push(block((policy, rule), written, index)?);
            }
            Ok(Generation::Foreach(compiled))
        }
    }
}

fn block(
    (policy, rule): (&ast::Policy, &ast::Rule),
    written: &GenerateForeach,
    index: usize,
) -> Result<GenerationForeach, RegoError> {
    let name = format!("foreach_{index}");
    let of_element = (written.span, written.preconditions.as_ref());
    let (program, preconditions) = mutate::conditions((policy, rule), of_element, &name)?;
    Ok(GenerationForeach {
        list: text::query(&written.list),
        list_text: written.list.raw.clone(),
        context: text::context(&written.context, confined_to(policy)),
        program,
        preconditions,
        resource: generated(&written.resource),
    })
}

fn generated(written: &written::Generated) -> Generated {
    match written {
        written::Generated::Data { resource, data } => Generated::Data {
            resource: reference(resource),
            data: text::template(data),
        },
        written::Generated::Clone {
            resource,
            source_name,
            source_namespace,
        } => Generated::Clone {
            resource: reference(resource),
            source_name: text::text(source_name),
            source_namespace: source_namespace.as_ref().map(text::text),
        },
        written::Generated::CloneList {
            namespace,
            source_namespace,
            kinds,
            selector,
        } => Generated::CloneList(CloneList {
            namespace: namespace.as_ref().map(text::text),
            source_namespace: source_namespace.as_ref().map(text::text),
            kinds: kinds.iter().map(text::text).collect(),
            selector: selector.clone(),
        }),
    }
}

fn reference(written: &written::Reference) -> Reference {
    Reference {
        api_version: text::text(&written.api_version),
        kind: text::text(&written.kind),
        name: text::text(&written.name),
        namespace: written.namespace.as_ref().map(text::text),
    }
}
