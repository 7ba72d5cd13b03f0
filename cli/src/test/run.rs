//! Running many tests at once, with the same answer for any number of threads.
//!
//! Knows nothing of how results are shown.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use regent_engine::diagnostic::{Code, Diagnostic};

use super::coverage::Coverage;
use super::definition::{self, Definition, ExpectedRow};
use super::folder::prepare;
use super::gator;
use super::report::Strictness;
use super::rows::{self, Judged, Line, Outcome};
use super::selector::Selector;
use crate::args::image::ImageArgs;
use crate::offline::documents;
use crate::offline::evaluate::{Prepared, SlsaVersions};
use crate::offline::images::{OfflineImages, Registries};
use crate::offline::observe::Watch;
use crate::offline::parallel;

/// What came of one test of a file.
#[derive(Debug)]
pub struct TestResult {
    /// The file.
    pub path: PathBuf,
    /// `metadata.name`.
    pub name: String,
    /// How many policies and resources were tested.
    pub sizes: (usize, usize),
    /// Its lines, with the warnings of the row that they belong to.
    pub rows: Vec<Judged>,
    /// What is wrong with the test, its policies and its files; warnings are about what misleads.
    pub diagnostics: Vec<Diagnostic>,
    /// What is to be said although it ran.
    pub warnings: Vec<String>,
    /// Whether the file, or one that it names, could not be read.
    pub is_broken: bool,
    /// What its rows went through, where rules were watched.
    pub coverage: Coverage,
    /// How long it took.
    pub duration: Duration,
}

impl TestResult {
    /// How many errors it is besides its lines: a file that cannot be read is one, where no line says so, and so is each thing that misleads, where
    /// that counts.
    pub fn errors(&self, strictness: Strictness) -> usize {
        let is_said = |row: &Judged| row.lines.iter().any(|line| line.outcome == Outcome::Error);
        let unread = usize::from(self.is_broken && !self.rows.iter().any(is_said));
        let misleading = self.diagnostics.iter().filter(|one| misleads(one));
        match strictness {
            Strictness::Lenient => unread,
            Strictness::Strict => unread + misleading.count(),
        }
    }

    /// All lines of all rows, each with the warnings of its row.
    pub fn lines(&self) -> impl Iterator<Item = (&Line, &[String])> {
        self.rows.iter().flat_map(|row| {
            let warnings = row.warnings.as_slice();
            row.lines.iter().map(move |line| (line, warnings))
        })
    }
}

/// Whether a diagnostic is about what misleads in a test: one that is only a warning, but counts where that is an error.
///
/// That an exception names what there is not is none: it may be about policies of another test, and where it is missed, a row
/// is not as expected.
pub fn misleads(diagnostic: &Diagnostic) -> bool {
    !diagnostic.is_error() && diagnostic.code != Code::UnknownInException
}

/// How tests are run.
#[derive(Debug)]
pub struct Options<'a> {
    /// Which rows.
    pub selector: Selector,
    /// How many files at once.
    pub threads: NonZeroUsize,
    /// Where images come from, besides what a test says.
    pub images: &'a ImageArgs,
    /// Whether registries may be asked.
    pub registries: Registries,
    /// The time that expressions see, where the flags fix it.
    pub now: Option<i64>,
    /// Which versions of provenance answer.
    pub slsa_versions: SlsaVersions,
    /// What is to be known besides.
    pub watch: Watch,
}

/// Runs the tests of some files; results are in the order of the files, and `told` hears how many files are done.
pub fn run(files: &[PathBuf], options: &Options<'_>, told: impl FnMut(usize)) -> Vec<TestResult> {
    let run = |index: usize| match files.get(index) {
        Some(file) => run_file(file, options),
        None => Vec::new(),
    };
    let results = parallel::map(files.len(), options.threads, run, told);
    results.into_iter().flatten().collect()
}

fn run_file(file: &Path, options: &Options<'_>) -> Vec<TestResult> {
    let definitions = match documents::read(file) {
        Ok(documents) if gator::is_suite(&documents) => {
            return gator::run_file(file, documents, options);
        }
        Ok(documents) => definition::of(file, documents),
        Err(diagnostics) => Err(diagnostics),
    };
    match definitions {
        Ok(definitions) => definitions
            .iter()
            .filter_map(|definition| run_test(definition, options))
            .collect(),
        Err(diagnostics) => vec![TestResult {
            path: file.to_owned(),
            name: String::new(),
            sizes: (0, 0),
            rows: Vec::new(),
            diagnostics,
            warnings: Vec::new(),
            is_broken: true,
            coverage: Coverage::default(),
            duration: Duration::ZERO,
        }],
    }
}

/// Runs one test, if any of its rows is chosen.
fn run_test(definition: &Definition, options: &Options<'_>) -> Option<TestResult> {
    let rows: Vec<ExpectedRow> = definition
        .rows
        .iter()
        .filter_map(|row| options.selector.choose(row))
        .collect();
    // A test of which the selector leaves nothing says nothing; one that expects nothing must not be passed over.
    if rows.is_empty() && !definition.rows.is_empty() {
        return None;
    }
    let mut result = TestResult {
        path: definition.path.clone(),
        name: definition.name.clone(),
        sizes: (0, 0),
        rows: Vec::new(),
        diagnostics: definition.misleading.clone(),
        warnings: Vec::new(),
        is_broken: false,
        coverage: Coverage::default(),
        duration: Duration::ZERO,
    };
    if rows.is_empty() {
        return Some(result);
    }
    let (begun, now) = (Instant::now(), options.now.or(definition.now));
    let images = OfflineImages::new(
        definition.folder(),
        &definition.images,
        options.images,
        &options.registries,
    );
    let prepared = match images {
        Ok(images) => prepare(definition, images.at(now), options.slsa_versions),
        Err(error) => Err(vec![definition.unreadable(&error)]),
    };
    match prepared {
        Ok(prepared) => {
            let prepared = prepared.watching(options.watch);
            judge_all(definition, &rows, &prepared, &mut result);
        }
        Err(diagnostics) => {
            let message = "what the test names cannot be read";
            result.rows = rows
                .iter()
                .map(|row| {
                    let resources = row.resources.join(", ");
                    let line = rows::line(row, &resources, Outcome::Error, "Load error", message);
                    Judged {
                        lines: vec![line],
                        warnings: Vec::new(),
                        place: rows::place(definition, row),
                        rule_place: None,
                    }
                })
                .collect();
            result.diagnostics.extend(diagnostics);
            result.is_broken = true;
        }
    }
    result.duration = begun.elapsed();
    Some(result)
}

fn judge_all(
    definition: &Definition,
    rows: &[ExpectedRow],
    prepared: &Prepared,
    result: &mut TestResult,
) {
    let mut operations: Vec<_> = rows.iter().map(|row| row.operation).collect();
    operations.dedup();
    let mut runs: rows::Runs = Vec::new();
    for operation in operations {
        if runs.iter().all(|(known, _)| *known != operation) {
            runs.push((operation, prepared.evaluate(operation)));
        }
    }
    result.sizes = (prepared.policies.len(), prepared.resources.len());
    result.warnings.clone_from(&prepared.warnings);
    result.diagnostics.extend(prepared.told().cloned());
    result.diagnostics.extend(prepared.misleading());
    result.is_broken = !prepared.nameless.is_empty();
    let mut coverage = prepared.watch().coverage.then(|| Coverage::of(prepared));
    result.rows = rows
        .iter()
        .map(|row| rows::judge(definition, row, prepared, &runs, coverage.as_mut()))
        .collect();
    result.coverage = coverage.unwrap_or_default();
}
