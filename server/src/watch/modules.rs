//! The files of modules that policies name: what they were when they were read, so that a change of one is seen though no
//! policy changed, and their last good texts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use regent_engine::load::{Environment, ModuleFiles};
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
        let files = move |source: &str, module: &str| {
            let lock = || read.lock().unwrap_or_else(PoisonError::into_inner);
            lock().stamps.add(&rego_file::path(source, module));
            let text = inner.read(source, module)?;
            let mut kept = lock();
            let of_source = kept.texts.entry(source.to_owned()).or_default();
            of_source.insert(module.to_owned(), text.clone());
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

/// The environment, with texts that are known already by the policy file that names them.
pub(super) fn known(environment: &Environment, texts: BTreeMap<String, Texts>) -> Environment {
    let inner = environment.modules.clone();
    let files = move |source: &str, module: &str| match texts.get(source) {
        Some(known) => match known.get(module) {
            Some(text) => Ok(text.clone()),
            None => Err("it was not there before".to_owned()),
        },
        None => inner.read(source, module),
    };
    Environment {
        modules: ModuleFiles::new(files),
        ..environment.clone()
    }
}
