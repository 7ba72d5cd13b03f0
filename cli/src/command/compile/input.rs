//! The input documents that the programs of policies get for a resource, with what they answer.
//!
//! Nothing is made for the purpose: the policies are evaluated as `apply` does it, and what was asked is shown.

use std::path::Path;

use anyhow::{Result, bail};
use regent_engine::diagnostic::Diagnostic;
use regent_engine::policy_set::PolicySet;
use regent_engine::rego::evaluate::{Document, Program};
use regent_engine::rego::record::Asked;
use regent_engine::wildcard;
use serde_json::{Value, json};

use crate::apply::inputs::{is_stdin, one};
use crate::args::compile::CompileArgs;
use crate::args::image::ImageArgs;
use crate::io::Io;
use crate::offline::evaluate::{Exceptions, Existing, Inputs, Prepared, SlsaVersions};
use crate::offline::images::{ImageSection, OfflineImages, Registries};
use crate::offline::observe::Watch;
use crate::offline::resources::{self, Resource};
use crate::offline::values::{RequestUser, Values};
use crate::offline::world::{World, context};
use crate::sources::{self, Sources, Wanted};

/// What was asked about a resource.
struct Question<'p> {
    resource: &'p Resource,
    asked: Asked,
}

/// Shows what the programs of `policies` are asked about the resources at `path`, and says what is wrong with policies.
pub(super) fn show(
    args: &CompileArgs,
    path: &Path,
    policies: Sources,
    io: &mut Io<'_>,
) -> Result<Vec<Diagnostic>> {
    let prepared = prepare(args, path, policies, io)?;
    let evaluated = prepared.evaluate(None);
    let mut questions: Vec<Question<'_>> = Vec::new();
    for one in evaluated {
        let Some(resource) = prepared.resources.get(one.resource) else {
            bail!("resource {} is lost", one.resource);
        };
        for asked in one.observed.questions {
            let is_known = |known: &Question<'_>| {
                std::ptr::eq(known.resource, resource)
                    && known.asked.entry_point() == asked.entry_point()
                    && known.asked.input() == asked.input()
            };
            if is_wanted(args, &prepared.loaded.policies, &asked) && !questions.iter().any(is_known)
            {
                questions.push(Question { resource, asked });
            }
        }
    }
    if questions.is_empty() {
        let wanted = args.query.as_ref();
        let wanted = wanted.map_or_else(String::new, |query| format!(" of the name `{query}`"));
        bail!(
            "no program{wanted} is asked about what is in {}",
            path.display()
        );
    }
    if args.query.is_some() {
        for question in &questions {
            writeln!(io.stdout, "{:#}", input(&question.asked))?;
        }
    } else {
        let document: Value = questions.iter().map(document).collect();
        writeln!(io.stdout, "{document:#}")?;
    }
    Ok(prepared.loaded.diagnostics)
}

fn prepare(
    args: &CompileArgs,
    path: &Path,
    policies: Sources,
    io: &mut Io<'_>,
) -> Result<Prepared> {
    if is_stdin(path) && args.policies.iter().any(|path| is_stdin(path)) {
        bail!("standard input holds either policies or a resource, not both");
    }
    let read = sources::read(&[path.to_owned()], Wanted::Documents, io.stdin);
    let mut found = read.unreadable;
    let resources = resources::of(&read.texts, &mut found);
    if let Some(first) = found.first() {
        bail!("{}", crate::render::human::line(first));
    }
    let values = args.values_file.as_ref();
    let user = args.userinfo.as_ref();
    let world = args.context_file.as_ref();
    let images = OfflineImages::new(
        Path::new("."),
        &ImageSection::default(),
        &ImageArgs::default(),
        &Registries::Offline,
    )?;
    Ok(Prepared::new(Inputs {
        policies: policies.texts,
        resources,
        targets: Vec::new(),
        existing: Existing::Resources,
        sources: Vec::new(),
        warnings: Vec::new(),
        values: values.map_or_else(|| Ok(Values::default()), |path| one(path, Values::decode))?,
        user: user
            .map(|path| one(path, RequestUser::decode))
            .transpose()?,
        images,
        world: world.map_or_else(|| Ok(World::default()), |path| one(path, context))?,
        exceptions: Exceptions {
            texts: Vec::new(),
            among_policies: true,
        },
        slsa_versions: SlsaVersions::EitherAnswers,
        misleading: Vec::new(),
    })
    .watching(Watch {
        questions: true,
        ..Watch::default()
    }))
}

/// Whether flags name the rule and the entry point; exceptions belong to no rule.
fn is_wanted(args: &CompileArgs, policies: &PolicySet, asked: &Asked) -> bool {
    // Programs for many rules repeat what is asked of the rules' own.
    let of_many = ["data.regent.selection_", "data.regent.demand_"];
    if of_many
        .iter()
        .any(|many| asked.entry_point().starts_with(many))
    {
        return false;
    }
    let is_named = |name: &str| wildcard::matches(&args.rule, name);
    let has = |program: &&Program| program.is(asked.program());
    let mut of_rules = policies.policies().iter().flat_map(|policy| {
        let rules = policy.rules.iter();
        rules.filter_map(|rule| Some((policy.rule_ast(rule)?, rule)))
    });
    let rule = of_rules.find(|(_, rule)| rule.programs().iter().any(has));
    let by_rule = rule.is_none_or(|(written, _)| is_named(&written.name.value));
    let query = args.query.as_deref();
    by_rule && query.is_none_or(|query| query == asked.entry_point())
}

fn document(question: &Question<'_>) -> Value {
    let resource = question.resource;
    let mut document = json!({
        "resource": format!("{}/{}/{}", resource.namespace, resource.kind, resource.name),
        "query": question.asked.entry_point(),
        "input": input(&question.asked),
    });
    // What is undefined is left out.
    let (name, answer) = match question.asked.answer() {
        Ok(answer) => ("answer", answer.as_ref().and_then(Document::to_json)),
        Err(error) => ("error", Some(error.to_string().into())),
    };
    if let (Some(fields), Some(answer)) = (document.as_object_mut(), answer) {
        fields.insert(name.to_owned(), answer);
    }
    document
}

fn input(asked: &Asked) -> Value {
    // Programs are given JSON only.
    asked.input().to_json().unwrap_or(Value::Null)
}
