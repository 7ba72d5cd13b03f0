//! Which lines tests reached, in the shape that `opa test --coverage` gives it.

use std::collections::BTreeSet;

use anyhow::Result;
use regent_engine::rego::foreign::suite::coverage::{Extent, Reached};
use serde_json::{Map, Value, json};

use super::files::Files;
use crate::args::rego::RegoTestArgs;
use crate::io::Io;

/// What tests reached of all modules.
#[derive(Debug)]
pub struct Report {
    files: Vec<(String, Reached)>,
}

impl Report {
    /// Of what was reached of each module.
    pub fn new(files: &Files, reached: &[Reached]) -> Self {
        let names = files.modules.iter().map(|module| module.name.clone());
        Self {
            files: names.zip(reached.iter().cloned()).collect(),
        }
    }

    /// Shows it, or that it is less than is wanted; says whether it is enough.
    pub fn show(&self, args: &RegoTestArgs, io: &mut Io<'_>) -> Result<bool> {
        let lines = self.files.iter().map(|(_, reached)| reached.lines());
        let (covered, not_covered) = lines.fold((0, 0), |sum, of_file| {
            (sum.0 + of_file.0, sum.1 + of_file.1)
        });
        let percentage = percentage(covered, not_covered);
        if percentage < args.threshold {
            writeln!(
                io.stderr,
                "Code coverage threshold not met: got {percentage:.2} instead of {:.2}",
                args.threshold
            )?;
            if args.verbose {
                self.show_missed(io)?;
            }
            return Ok(false);
        }
        let files = self.files.iter();
        let files: Map<String, Value> = files
            .map(|(name, reached)| (name.clone(), of_file(reached)))
            .collect();
        let report = json!({
            "files": files,
            "covered_lines": covered,
            "not_covered_lines": not_covered,
            "coverage": percentage,
        });
        writeln!(io.stdout, "{report:#}")?;
        Ok(true)
    }

    fn show_missed(&self, io: &mut Io<'_>) -> Result<()> {
        writeln!(io.stderr, "Lines not covered:")?;
        for (name, reached) in &self.files {
            for (first, last) in runs(&reached.not_covered) {
                let end = (first != last).then(|| format!("-{last}"));
                let end = end.unwrap_or_else(String::new);
                writeln!(io.stderr, "\t{name}:{first}{end}")?;
            }
        }
        Ok(())
    }
}

/// What is nought or empty is left out, as OPA does.
fn of_file(reached: &Reached) -> Value {
    let (covered, not_covered) = reached.lines();
    let mut fields = Map::new();
    for (name, extents) in [
        ("covered", &reached.covered),
        ("not_covered", &reached.not_covered),
    ] {
        if !extents.is_empty() {
            let extents = extents.iter().map(|at| {
                json!({
                    "start": {"row": at.start.0, "col": at.start.1},
                    "end": {"row": at.end.0, "col": at.end.1},
                })
            });
            fields.insert(name.to_owned(), extents.collect());
        }
    }
    for (name, lines) in [
        ("covered_lines", covered),
        ("not_covered_lines", not_covered),
    ] {
        if lines > 0 {
            fields.insert(name.to_owned(), json!(lines));
        }
    }
    if covered > 0 {
        fields.insert(
            "coverage".to_owned(),
            json!(percentage(covered, not_covered)),
        );
    }
    Value::Object(fields)
}

fn percentage(covered: usize, not_covered: usize) -> f64 {
    let exact = |lines: usize| u32::try_from(lines).map_or(f64::from(u32::MAX), f64::from);
    let all = exact(covered) + exact(not_covered);
    if all > 0.0 {
        100.0 * exact(covered) / all
    } else {
        0.0
    }
}

/// Lines, those that follow one another as one run.
fn runs(extents: &BTreeSet<Extent>) -> Vec<(usize, usize)> {
    let lines: BTreeSet<usize> = extents
        .iter()
        .flat_map(|at| at.start.0..=at.end.0)
        .collect();
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for line in lines {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == line => *last = line,
            _ => runs.push((line, line)),
        }
    }
    runs
}
