//! Everything that the flags of `apply` name, read; and what is refused.
//!
//! Knows flags and files; what policies mean is the engine's business.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use regent_engine::diagnostic::Diagnostic;
use regent_engine::load::Holds;
use regent_engine::source::Source;
use regent_engine::yaml::Node;
use serde_json::Value;

use crate::args::apply::ApplyArgs;
use crate::images::check_layouts;
use crate::io::Io;
use crate::offline::decode::Problems;
use crate::offline::documents::decoded;
use crate::offline::evaluate::{Exceptions, Existing, Inputs, Prepared, SlsaVersions};
use crate::offline::images::{ImageSection, OfflineImages, Registries};
use crate::offline::observe::Watch;
use crate::offline::resources;
use crate::offline::values::{RequestUser, Values};
use crate::offline::world::{World, context};
use crate::render::human;
use crate::sources::{self, Wanted};

/// What was read, and what could not be.
#[derive(Debug)]
pub struct Read {
    /// Policies and resources, ready to be evaluated.
    pub prepared: Prepared,
    /// What is wrong with files of resources, or with files that cannot be read at all; the others are still evaluated.
    pub found: Vec<Diagnostic>,
    /// What stands for registries.
    pub registries: Registries,
}

/// Reads everything; what makes the whole run meaningless is an error.
pub fn read(args: &ApplyArgs, io: &mut Io<'_>) -> Result<Read> {
    check(args)?;
    let mut found = Vec::new();
    let policies = sources::read(&args.policies, Wanted::Policies, io.stdin);
    found.extend(policies.unreadable);
    let sources = sources::read(&args.resource, Wanted::Documents, io.stdin);
    found.extend(sources.unreadable);
    let resources = resources::of(&sources.texts, &mut found);
    let existing = sources::read(
        &args.target_resource,
        Wanted::Documents,
        &mut std::io::empty(),
    );
    found.extend(existing.unreadable);
    let targets = resources::of(&existing.texts, &mut found);
    // What is wrong with these is an error of the run, said when all of them have been read.
    let mut wrong = Vec::new();
    let values = values(args, &mut wrong)?;
    let user = args.userinfo.as_ref();
    let user = user.map(|path| collected(path, RequestUser::decode, &mut wrong));
    let world = args.context_file.as_ref();
    let world = world.map_or_else(World::default, |path| collected(path, context, &mut wrong));
    let registries = Registries::of(args.registry, &args.facts)?;
    check_layouts(&args.images)?;
    let section = ImageSection::default();
    let images = OfflineImages::new(Path::new("."), &section, &args.images, &registries)?;
    let images = images.at(args.facts.now);
    let exceptions = exceptions(args, &sources.texts, &mut found);
    let prepared = Prepared::new(Inputs {
        policies: policies.texts,
        resources,
        targets,
        existing: Existing::Targets,
        sources: Vec::new(),
        warnings: images.unrecorded().map(str::to_owned).into_iter().collect(),
        values,
        user,
        images,
        world,
        exceptions,
        slsa_versions: if args.exact_slsa_versions {
            SlsaVersions::Exact
        } else {
            SlsaVersions::EitherAnswers
        },
        misleading: wrong
            .iter()
            .filter(|one| !one.is_error())
            .cloned()
            .collect(),
    });
    let prepared = prepared.watching(Watch {
        explanations: args.explain,
        ..Watch::default()
    });
    wrong.extend(prepared.unusable_exceptions.iter().cloned());
    refuse(&wrong)?;
    Ok(Read {
        prepared,
        found,
        registries,
    })
}

/// Exceptions in files of their own, and among the resources where a flag says so.
fn exceptions(
    args: &ApplyArgs,
    resources: &[Arc<Source>],
    found: &mut Vec<Diagnostic>,
) -> Exceptions {
    let read = sources::read(&args.exception, Wanted::Documents, &mut std::io::empty());
    found.extend(read.unreadable);
    let named = read.texts.into_iter();
    let mut texts: Vec<_> = named.map(|text| (text, Holds::Exceptions)).collect();
    if args.exceptions_with_resources {
        let resources = resources.iter();
        texts.extend(resources.map(|text| (Arc::clone(text), Holds::Anything)));
    }
    Exceptions {
        texts,
        among_policies: args.exceptions_within_policies,
    }
}

/// Refuses what makes no sense, and what this version does not do.
fn check(args: &ApplyArgs) -> Result<()> {
    if let Some((flag, why)) = args.refused.first() {
        bail!("`{flag}` is refused: {why}");
    }
    if args.values_file.is_some() && !args.set.is_empty() {
        bail!("values come either from `--set` or from `--values-file`, not from both");
    }
    if args.policies.is_empty() {
        bail!("no policy is named");
    }
    if args.resource.is_empty() {
        bail!("no resource is named; `--resource` names files and directories of them");
    }
    let stdin = |paths: &[PathBuf]| paths.iter().any(|path| is_stdin(path));
    if stdin(&args.policies) && stdin(&args.resource) {
        bail!("standard input holds either policies or resources, not both");
    }
    for path in args.policies.iter().chain(&args.resource) {
        let text = path.to_string_lossy();
        if text.contains("://") {
            bail!("`{text}` is a URL; fetch it, or clone the repository, and name what is there");
        }
    }
    Ok(())
}

fn values(args: &ApplyArgs, wrong: &mut Vec<Diagnostic>) -> Result<Values> {
    let mut values = match &args.values_file {
        Some(path) => collected(path, Values::decode, wrong),
        None => Values::default(),
    };
    for pair in &args.set {
        let Some((name, value)) = pair.split_once('=') else {
            bail!("`{pair}` is not VARIABLE=VALUE");
        };
        let name = name.trim().to_owned();
        values.globals.push((name, Value::from(value.trim())));
    }
    Ok(values)
}

/// Whether a path stands for standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads a file with one document; anything wrong with it is an error, since results without it would be others.
pub fn one<T: Default>(path: &Path, decode: impl Fn(&Node, &mut Problems) -> T) -> Result<T> {
    let mut wrong = Vec::new();
    let value = collected(path, decode, &mut wrong);
    refuse(&wrong)?;
    Ok(value)
}

/// The same, with what is wrong with it added to what is wrong with others.
fn collected<T: Default>(
    path: &Path,
    decode: impl Fn(&Node, &mut Problems) -> T,
    wrong: &mut Vec<Diagnostic>,
) -> T {
    // An empty file says nothing, and says it well.
    decoded(path, wrong, decode).unwrap_or_default()
}

/// An error that says all of what is wrong, a line each; none where nothing is.
fn refuse(wrong: &[Diagnostic]) -> Result<()> {
    let errors = wrong.iter().filter(|one| one.is_error());
    let lines: Vec<_> = errors.map(human::line).collect();
    if lines.is_empty() {
        return Ok(());
    }
    bail!("{}", lines.join("\nError: "));
}
