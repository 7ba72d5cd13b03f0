//! All programs of a rule, in the order in which a person reads them.

use std::sync::Arc;

use crate::rego::evaluate::Program;
use crate::template::Template;

use super::{Body, Change, Demand, Generation, Rule};

impl Rule {
    /// Its own program, then those of images, targets, and blocks of `foreach`.
    pub fn programs(&self) -> Vec<&Program> {
        let mut programs = vec![&self.program];
        match &self.body {
            Body::Validate(validate) => of_demand(&validate.demand, &mut programs),
            Body::PodSecurity(_)
            | Body::Rego(_)
            | Body::Wasm(_)
            | Body::Generate(Generation::Resource(_)) => {}
            Body::VerifyImages(entries) => {
                programs.extend(entries.iter().map(|entry| &entry.program));
            }
            Body::Mutate(mutate) => {
                programs.extend(mutate.targets.iter().map(|target| &target.program));
                of_change(&mutate.change, &mut programs);
            }
            Body::Generate(Generation::Foreach(blocks)) => {
                programs.extend(blocks.iter().map(|block| &block.program));
            }
        }
        programs
    }

    /// Its patterns, in order of writing.
    pub(crate) fn patterns(&self) -> Vec<&Arc<Template>> {
        let mut patterns = Vec::new();
        if let Body::Validate(validate) = &self.body {
            patterns_of(&validate.demand, &mut patterns);
        }
        patterns
    }
}

fn patterns_of<'a>(demand: &'a Demand, patterns: &mut Vec<&'a Arc<Template>>) {
    match demand {
        Demand::Pattern(judged) => patterns.push(&judged.what),
        Demand::AnyPattern(judged) => patterns.extend(&judged.what),
        Demand::Deny(_) => {}
        Demand::Foreach(blocks) => {
            for block in blocks {
                patterns_of(&block.demand, patterns);
            }
        }
    }
}

fn of_demand<'a>(demand: &'a Demand, programs: &mut Vec<&'a Program>) {
    if let Demand::Foreach(blocks) = demand {
        for block in blocks {
            programs.push(&block.program);
            of_demand(&block.demand, programs);
        }
    }
}

fn of_change<'a>(change: &'a Change, programs: &mut Vec<&'a Program>) {
    if let Change::Foreach(blocks) = change {
        for block in blocks {
            programs.push(&block.program);
            of_change(&block.change, programs);
        }
    }
}
