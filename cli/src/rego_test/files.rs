//! Modules and data, as OPA finds them: data of a file in a directory stands below `data` at the directory's path.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use regent_engine::rego::foreign::Text;
use regent_engine::wildcard;
use serde_json::{Map, Value};

use crate::offline::documents;
use crate::sources;

/// Deeper than any folder of modules.
const MAX_DEPTH: usize = 32;

/// What was read.
#[derive(Debug, Default)]
pub struct Files {
    /// Modules, in the order of paths.
    pub modules: Vec<Module>,
    /// What stands below `data`.
    pub data: Value,
}

/// A module.
#[derive(Debug)]
pub struct Module {
    /// The file that it is in.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl Module {
    /// The module for the engine.
    pub fn as_text(&self) -> Text<'_> {
        Text {
            name: &self.name,
            text: &self.text,
        }
    }
}

impl Files {
    /// Reads files, and directories without what is hidden or to be ignored.
    pub fn read(paths: &[PathBuf], ignored: &[String]) -> Result<Self> {
        let mut files = Self {
            modules: Vec::new(),
            data: Value::Object(Map::new()),
        };
        for path in paths {
            if path.is_dir() {
                files.directory(path, &mut Vec::new(), ignored)?;
            } else if let Err(error) = fs::metadata(path) {
                bail!("{}: {error}", path.display());
            } else if !files.file(path, &[])? {
                bail!("{}: this is neither a module nor data", path.display());
            }
        }
        Ok(files)
    }

    /// Reads a directory, whose names from the first one on are `place`.
    fn directory(
        &mut self,
        directory: &Path,
        place: &mut Vec<String>,
        ignored: &[String],
    ) -> Result<()> {
        let here = || directory.display().to_string();
        if place.len() > MAX_DEPTH {
            bail!("{}: folders are nested deeper than {MAX_DEPTH}", here());
        }
        let entries = fs::read_dir(directory).with_context(here)?;
        let entries: std::io::Result<Vec<_>> = entries.collect();
        let mut entries = entries.with_context(here)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let left_out = ignored
                .iter()
                .any(|pattern| wildcard::matches(pattern, &name));
            if left_out || name.starts_with('.') {
                continue;
            }
            let path = entry.path();
            if path.is_dir() {
                place.push(name);
                self.directory(&path, place, ignored)?;
                place.pop();
            } else {
                self.file(&path, place)?;
            }
        }
        Ok(())
    }

    /// Reads a file; says whether it is of a kind that is read.
    fn file(&mut self, path: &Path, place: &[String]) -> Result<bool> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension {
            Some("rego") => {
                let read = sources::read_file(path);
                let source = read.map_err(|error| anyhow::anyhow!(error.message))?;
                self.modules.push(Module {
                    name: source.name.clone(),
                    text: source.text.clone(),
                });
            }
            Some("json" | "yaml" | "yml") => self.add_data(path, place)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn add_data(&mut self, path: &Path, place: &[String]) -> Result<()> {
        let here = || path.display().to_string();
        let documents = documents::read(path).map_err(|diagnostics| {
            let messages = diagnostics.into_iter().map(|one| one.message);
            anyhow::anyhow!("{}: {}", here(), messages.collect::<Vec<_>>().join("; "))
        })?;
        let value = match documents.nodes.as_slice() {
            [] => return Ok(()),
            [node] => node.to_json(),
            _ => bail!("{}: data is one document, this has several", here()),
        };
        let value = place.iter().rev().fold(value, |value, name| {
            Value::Object(Map::from_iter([(name.clone(), value)]))
        });
        if !value.is_object() {
            bail!("{}: data at the root is a map", here());
        }
        let merged = merge(&mut self.data, value, "data");
        merged.map_err(|path| anyhow::anyhow!("{}: there is a value at `{path}` already", here()))
    }
}

/// Puts maps together; says where two values stand at one place.
fn merge(into: &mut Value, from: Value, path: &str) -> Result<(), String> {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                let below = format!("{path}.{name}");
                match into.get_mut(&name) {
                    Some(known) => merge(known, value, &below)?,
                    None => drop(into.insert(name, value)),
                }
            }
            Ok(())
        }
        _ => Err(path.to_owned()),
    }
}
