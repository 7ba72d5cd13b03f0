//! Programs that say the same, compiled once: rules of many policies differ in what they are called, and in nothing else.
//!
//! Bytecode is asked by the index of an entry point, so that it does not matter of which package it was made.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use regorus::rvm::program::Program as Bytecode;

use super::evaluate::RegoError;

/// What a program says: its text without names and comments, and the names of what it is asked.
type Said = (String, Vec<String>);

thread_local! {
    /// What was compiled on this thread since [`sharing`] began, which is known only as long as it lasts.
    static KNOWN: RefCell<Option<HashMap<Said, Arc<Bytecode>>>> = const { RefCell::new(None) };
}

/// Compiles each program once that `job` compiles.
pub fn sharing<T>(job: impl FnOnce() -> T) -> T {
    let before = KNOWN.replace(Some(HashMap::new()));
    let done = job();
    // A panic in between leaves programs behind that are looked up by all that they say.
    KNOWN.set(before);
    done
}

/// The bytecode of a text.
pub(super) fn bytecode(
    text: &str,
    entry_points: &[String],
    compile: impl FnOnce() -> Result<Arc<Bytecode>, RegoError>,
) -> Result<Arc<Bytecode>, RegoError> {
    if KNOWN.with_borrow(Option::is_none) {
        return compile();
    }
    let said = said(text, entry_points);
    let known = KNOWN.with_borrow(|known| known.as_ref()?.get(&said).cloned());
    if let Some(known) = known {
        return Ok(known);
    }
    let compiled = compile()?;
    KNOWN.with_borrow_mut(|known| {
        if let Some(known) = known {
            known.insert(said, Arc::clone(&compiled));
        }
    });
    Ok(compiled)
}

/// What the writer puts at the start of a line is the package, or a comment, or a rule; texts of others stand in quotes.
fn said(text: &str, entry_points: &[String]) -> Said {
    let mut rules = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if !line.starts_with("# ") && !line.starts_with("package ") {
            rules.push_str(line);
        }
    }
    let name = |path: &String| path.rsplit('.').next().unwrap_or(path).to_owned();
    (rules, entry_points.iter().map(name).collect())
}

#[cfg(test)]
mod tests;
