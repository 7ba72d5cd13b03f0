//! The files of modules that policies name: what they were when they were read, so that a change of one is seen though no
//! policy changed, and their last good texts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use regent_engine::ast::module_verify::in_registry;
use regent_engine::load::Environment;
use regent_engine::load::modules::{ModuleFile, ModuleFiles, ModuleText};
use regent_engine::policy_set::PolicySet;

use super::files::{Stamp, stamp};
use crate::{guests, rego_file};

/// Texts of modules, by the names that one policy file gives them.
pub(super) type Texts = BTreeMap<String, String>;

/// Files of modules as they were before they were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stamps(BTreeMap<PathBuf, Stamp>);

impl Stamps {
    /// Whether a file is not what it was.
    pub(super) fn are_old(&self) -> bool {
        self.0.iter().any(|(path, before)| stamp(path) != *before)
    }

    /// The same files as they are now.
    pub(super) fn taken_again(&self) -> Self {
        let paths = self.0.keys();
        Self(paths.map(|path| (path.clone(), stamp(path))).collect())
    }

    /// Adds the files of guest modules; before they are read.
    pub(super) fn add_guests(&mut self, policies: &PolicySet) {
        let files = policies.guests();
        for file in files.filter_map(|(_, _, guest)| guests::find::local(guest)) {
            self.add(&file);
        }
    }

    fn add(&mut self, path: &Path) {
        if !self.0.contains_key(path) {
            self.0.insert(path.to_owned(), stamp(path));
        }
    }
}

/// What was read while policies were loaded.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The files.
    pub(super) stamps: Stamps,
    /// The texts, by the policy file that names them.
    pub(super) texts: BTreeMap<String, Texts>,
}

/// Keeps what is read through an environment that it makes.
#[derive(Debug, Default, Clone)]
pub(super) struct Reader(Arc<Mutex<Read>>);

impl Reader {
    /// The environment, with what is read through it kept.
    pub(super) fn around(&self, environment: &Environment) -> Environment {
        let read = self.0.clone();
        let inner = environment.modules.clone();
        let files = move |file: &ModuleFile| {
            let lock = || read.lock().unwrap_or_else(PoisonError::into_inner);
            let is_file = in_registry(&file.module).is_none();
            if is_file {
                let path = rego_file::path(&file.source, &file.module);
                lock().stamps.add(&path);
            }
            let text = inner.read(file)?;
            if let (true, ModuleText::Read(text)) = (is_file, &text) {
                let mut kept = lock();
                let of_source = kept.texts.entry(file.source.clone()).or_default();
                of_source.insert(file.module.clone(), text.clone());
            }
            Ok(text)
        };
        Environment {
            modules: ModuleFiles::new(files),
            ..environment.clone()
        }
    }

    /// What was read so far.
    pub(super) fn take(&self) -> Read {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The environment, with texts of files that are known already by the policy file that names them. What is in a registry
/// is named by its digest, and whether it is still signed as it must be is asked anew.
pub(super) fn known(environment: &Environment, texts: BTreeMap<String, Texts>) -> Environment {
    let inner = environment.modules.clone();
    let files = move |file: &ModuleFile| match texts.get(&file.source) {
        Some(known) if in_registry(&file.module).is_none() => match known.get(&file.module) {
            Some(text) => Ok(ModuleText::Read(text.clone())),
            None => Err("it was not there before".to_owned()),
        },
        _ => inner.read(file),
    };
    Environment {
        modules: ModuleFiles::new(files),
        ..environment.clone()
    }
}
