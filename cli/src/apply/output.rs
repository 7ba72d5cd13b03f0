//! Resources as policies changed them: on stdout, in a file, or in a directory with a file for each.
//!
//! Knows the shapes of Kyverno's command line; nothing of rules.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use regent_engine::yaml_text;
use serde_json::Value;

use super::results::path_of;
use crate::io::Io;
use crate::offline::evaluate::{Answer, Evaluated, Prepared};
use crate::offline::policies::Named;
use crate::offline::resources::Resource;

/// Where changed resources go.
#[derive(Debug)]
pub enum Output {
    /// To stdout, each below the policy that changed it.
    Shown,
    /// To stdout, alone.
    Piped,
    /// Nowhere: a report has stdout for itself.
    Dropped,
    /// To one file, one behind the other.
    File(PathBuf),
    /// To a file for each in a directory.
    Directory(PathBuf),
}

impl Output {
    /// Where `--output` says: a path that ends as YAML's files do is a file, and it is emptied.
    pub fn to(path: &Path) -> Result<Self> {
        let text = path.to_string_lossy();
        if text.contains("://") {
            bail!("`{text}` is a URL; output goes to a file or a directory");
        }
        let ending = path.extension().and_then(|ending| ending.to_str());
        let is_file = path.is_file() || matches!(ending, Some("yaml" | "yml"));
        if path.is_dir() || !is_file {
            fs::create_dir_all(path).with_context(|| format!("making `{text}`"))?;
            return Ok(Self::Directory(path.to_owned()));
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making the folder of `{text}`"))?;
        }
        File::create(path).with_context(|| format!("emptying `{text}`"))?;
        Ok(Self::File(path.to_owned()))
    }

    /// Writes what the policies with `mutate` rules made of every resource, one after the other, changed or not, then what
    /// they made of others and what was generated.
    pub fn write(
        &self,
        prepared: &Prepared,
        evaluated: &[Evaluated],
        io: &mut Io<'_>,
    ) -> Result<()> {
        if matches!(self, Self::Dropped) {
            return Ok(());
        }
        let running = || prepared.policies.iter().filter(|policy| policy.runs());
        let mutating: Vec<&Named> = running().filter(|policy| policy.mutates).collect();
        let generating: Vec<&Named> = running().filter(|policy| policy.generates).collect();
        for evaluated in evaluated {
            if let Some(resource) = prepared.resources.get(evaluated.resource) {
                self.write_mutated(&mutating, resource, evaluated, io)?;
                self.write_generated(&generating, resource, evaluated, io)?;
            }
        }
        Ok(())
    }

    fn write_mutated(
        &self,
        mutating: &[&Named],
        resource: &Resource,
        evaluated: &Evaluated,
        io: &mut Io<'_>,
    ) -> Result<()> {
        let mut object = &resource.object;
        for policy in mutating {
            let answer = answer_of(policy, evaluated);
            match answer {
                Some(answer) if answer.could_not_mutate() => continue,
                Some(answer) => object = &answer.patched,
                None => {}
            }
            // What is deleted has become nothing.
            if !object.is_null() {
                let stem = format!("{}-mutated", resource.name);
                self.write_one(policy, resource, (object, &stem), io)?;
            }
            let rules = answer.iter().flat_map(|answer| &answer.rules);
            let targets = rules.flat_map(|rule| &rule.targets);
            let patched: Vec<&Value> = targets.filter_map(|one| one.patched.as_ref()).collect();
            self.write_targets(resource, &patched, io)?;
        }
        Ok(())
    }

    fn write_generated(
        &self,
        generating: &[&Named],
        resource: &Resource,
        evaluated: &Evaluated,
        io: &mut Io<'_>,
    ) -> Result<()> {
        for policy in generating {
            let answer = answer_of(policy, evaluated);
            let rules = answer.iter().flat_map(|answer| &answer.rules);
            for object in rules.flat_map(|rule| &rule.generated) {
                let stem = format!("{}-generated", policy.name);
                self.write_one(policy, resource, (object, &stem), io)?;
            }
        }
        Ok(())
    }

    /// `stem` is the name of the file in a directory, without its ending.
    fn write_one(
        &self,
        policy: &Named,
        resource: &Resource,
        (object, stem): (&Value, &str),
        io: &mut Io<'_>,
    ) -> Result<()> {
        let text = yaml_text::document(object);
        match self {
            Self::Dropped => {}
            Self::Piped => write!(io.stdout, "{text}\n---\n")?,
            Self::Shown => {
                let (name, path) = (&policy.name, path_of(resource));
                write!(
                    io.stdout,
                    "\npolicy {name} applied to {path}:\n{text}\n---\n"
                )?;
            }
            Self::File(path) => append(path, &format!("{text}\n---\n\n"))?,
            Self::Directory(folder) => {
                append(&in_folder(folder, stem), &format!("{text}\n---\n\n"))?;
            }
        }
        Ok(())
    }

    fn write_targets(
        &self,
        resource: &Resource,
        patched: &[&Value],
        io: &mut Io<'_>,
    ) -> Result<()> {
        if matches!(self, Self::Shown) && !patched.is_empty() {
            writeln!(io.stdout, "patched targets: ")?;
        }
        for object in patched {
            let text = yaml_text::document(object);
            match self {
                Self::Dropped => {}
                Self::Piped => write!(io.stdout, "{text}\n---\n")?,
                Self::Shown => write!(io.stdout, "\n{text}\n---\n\n")?,
                Self::File(path) => append(path, &format!("{text}\n---\n"))?,
                Self::Directory(folder) => {
                    let stem = format!("{}-mutated", resource.name);
                    append(&in_folder(folder, &stem), &format!("{text}\n---\n"))?;
                }
            }
        }
        Ok(())
    }
}

fn answer_of<'e>(policy: &Named, evaluated: &'e Evaluated) -> Option<&'e Answer> {
    let mut answers = evaluated.answers.iter();
    answers.find(|answer| policy.is(&answer.policy, answer.namespace.as_deref()))
}

/// A name may hold what is no file name, and must not lead out of the directory.
fn in_folder(folder: &Path, stem: &str) -> PathBuf {
    let name = stem.replace(['/', '\\'], "_");
    folder.join(format!("{name}.yaml"))
}

fn append(path: &Path, text: &str) -> Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("writing `{}`", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}
