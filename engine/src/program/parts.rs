//! All programs of a rule, in the order in which a person reads them.

use crate::rego::evaluate::Program;

use super::{Body, Change, Demand, Generation, Rule};

impl Rule {
    /// Its own program, then those of images, targets, and blocks of `foreach`.
    pub fn programs(&self) -> Vec<&Program> {
        let mut programs = vec![&self.program];
        match &self.body {
            Body::Validate(validate) => of_demand(&validate.demand, &mut programs),
            Body::PodSecurity(_) | Body::Generate(Generation::Resource(_)) => {}
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
