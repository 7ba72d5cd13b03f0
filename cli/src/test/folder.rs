//! Everything that a test names, read, with its paths starting from the test's own folder.
//!
//! Knows which fields name files; what is done with them is `offline`'s business.

use std::collections::BTreeSet;
use std::path::PathBuf;

use regent_engine::diagnostic::{Code, Diagnostic};
use regent_engine::jmespath::Environment;
use regent_engine::load::Holds;
use regent_engine::source::Span;
use serde_json::Value;

use super::definition::Definition;
use crate::offline::documents::decoded;
use crate::offline::evaluate::{Exceptions, Existing, Inputs, Prepared, SlsaVersions};
use crate::offline::images::OfflineImages;
use crate::offline::resources::{self, Resource, tidy};
use crate::offline::values::{RequestUser, Values};
use crate::offline::world::{World, cluster_resource, context};
use crate::sources::{self, Wanted};

/// Reads what a test names.
pub fn prepare(
    definition: &Definition,
    images: OfflineImages,
    slsa_versions: SlsaVersions,
) -> Result<Prepared, Vec<Diagnostic>> {
    let folder = definition.folder();
    let mut found = Vec::new();
    let named = paths(definition, &definition.policies);
    let policies = sources::read(&named, Wanted::Policies, &mut std::io::empty());
    found.extend(policies.unreadable);
    let mut warnings = Vec::new();
    let resources = resources(definition, &definition.resources, &mut found);
    let resources = resources::unique(resources, &mut warnings);
    warnings.extend(images.unrecorded().map(str::to_owned));
    let targets = self::resources(definition, &definition.target_resources, &mut found);
    let sources: BTreeSet<_> = definition
        .rows
        .iter()
        .filter_map(|row| row.clone_source_resource.clone())
        .collect();
    let sources: Vec<String> = sources.into_iter().collect();
    let sources = self::resources(definition, &sources, &mut found);
    let values = match &definition.variables {
        Some(path) => decoded(&folder.join(path), &mut found, Values::decode),
        None => definition.values.clone(),
    };
    let user = definition
        .user_info
        .as_ref()
        .and_then(|path| decoded(&folder.join(path), &mut found, RequestUser::decode));
    let named = paths(definition, &definition.exceptions);
    let exceptions = sources::read(&named, Wanted::Documents, &mut std::io::empty());
    found.extend(exceptions.unreadable);
    let world = world(definition, &images.environment(), &mut found);
    if found.iter().any(Diagnostic::is_error) {
        return Err(found);
    }
    Ok(Prepared::new(Inputs {
        policies: policies.texts,
        resources,
        targets,
        existing: Existing::Resources,
        sources,
        warnings,
        values: values.unwrap_or_default(),
        user,
        images,
        world,
        exceptions: Exceptions {
            texts: exceptions
                .texts
                .into_iter()
                .map(|text| (text, Holds::Exceptions))
                .collect(),
            among_policies: false,
        },
        slsa_versions,
        misleading: found,
    }))
}

/// The resources of some files that a test names.
pub fn resources(
    definition: &Definition,
    names: &[String],
    found: &mut Vec<Diagnostic>,
) -> Vec<Resource> {
    let paths = paths(definition, names);
    let sources = sources::read(&paths, Wanted::Documents, &mut std::io::empty());
    found.extend(sources.unreadable);
    resources::of(&sources.texts, found)
}

/// What stands for a cluster and for services.
fn world(definition: &Definition, environment: &Environment, found: &mut Vec<Diagnostic>) -> World {
    let folder = definition.folder();
    let section = &definition.world;
    let mut world = World::default();
    for path in &section.cluster_resources {
        let read = decoded(&folder.join(path), found, cluster_resource);
        let Some((definitions, resources)) = read else {
            continue;
        };
        let definitions = objects(definition, &definitions, found);
        definitions
            .into_iter()
            .chain(resources)
            .for_each(|object| world.add(object));
    }
    if let Some(path) = &section.context {
        let more = decoded(&folder.join(path), found, context);
        world.extend(more.unwrap_or_default());
    }
    for answer in &section.answers {
        world.add_answer(answer.clone());
    }
    for entry in &section.entries {
        let read = objects(definition, &entry.files, found);
        if let Err(message) = entry.clone().put(read, environment, &mut world) {
            let span = Span::new(0, 0);
            let code = Code::InvalidValue;
            found.push(Diagnostic::error(code, &definition.source, span, message));
        }
    }
    world
}

/// The objects of some files that a test names, as they are written.
fn objects(definition: &Definition, names: &[String], found: &mut Vec<Diagnostic>) -> Vec<Value> {
    let sources = sources::read(
        &paths(definition, names),
        Wanted::Documents,
        &mut std::io::empty(),
    );
    found.extend(sources.unreadable);
    resources::objects(&sources.texts, found)
        .into_iter()
        .map(|(object, _)| object)
        .collect()
}

fn paths(definition: &Definition, names: &[String]) -> Vec<PathBuf> {
    let folder = definition.folder();
    names.iter().map(|name| tidy(&folder.join(name))).collect()
}
