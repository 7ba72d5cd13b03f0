//! Everything that a test names, read, with its paths starting from the test's own folder.
//!
//! Knows which fields name files; what is done with them is `offline`'s business.

use std::path::PathBuf;

use regent_engine::diagnostic::Diagnostic;
use regent_engine::load::Holds;

use super::definition::Definition;
use crate::offline::documents::decoded;
use crate::offline::evaluate::{Exceptions, Inputs, Prepared};
use crate::offline::images::OfflineImages;
use crate::offline::resources::{self, Resource, tidy};
use crate::offline::values::{RequestUser, Values};
use crate::sources::{self, Wanted};

/// Reads what a test names.
pub fn prepare(
    definition: &Definition,
    images: OfflineImages,
) -> Result<Prepared, Vec<Diagnostic>> {
    let folder = definition.folder();
    let mut found = Vec::new();
    let named = paths(definition, &definition.policies);
    let policies = sources::read(&named, Wanted::Policies, &mut std::io::empty());
    found.extend(policies.unreadable);
    let mut warnings = Vec::new();
    let resources = resources(definition, &definition.resources, &mut found);
    let resources = resources::unique(resources, &mut warnings);
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
    if !found.is_empty() {
        return Err(found);
    }
    Ok(Prepared::new(Inputs {
        policies: policies.texts,
        resources,
        warnings,
        values: values.unwrap_or_default(),
        user,
        images,
        exceptions: Exceptions {
            texts: exceptions
                .texts
                .into_iter()
                .map(|text| (text, Holds::Exceptions))
                .collect(),
            among_policies: false,
        },
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

fn paths(definition: &Definition, names: &[String]) -> Vec<PathBuf> {
    let folder = definition.folder();
    names.iter().map(|name| tidy(&folder.join(name))).collect()
}
