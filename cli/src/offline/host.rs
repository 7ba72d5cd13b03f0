//! Answers what an evaluation needs where there is no cluster: from values, and from layouts of images.
//!
//! Knows nothing of policies.

use std::collections::BTreeMap;
use std::sync::Arc;

use regent_engine::admission::Roles;
use regent_engine::evaluation::inventory::Snapshot;
use regent_engine::evaluation::need::{DataNeed, Fact, FactError, InventoryNeed, Need, Purpose};
use regent_engine::evaluation::{Evaluation, Step};
use regent_engine::response::PolicyResponse;
use regent_server::cluster::permitted;
use regent_server::guests::Guests;
use serde_json::Value;

use super::images::OfflineImages;
use super::world::World;

/// What a test says of the world.
#[derive(Debug, Clone, Copy)]
pub struct Host<'a> {
    /// Labels of namespaces.
    pub namespaces: &'a BTreeMap<String, BTreeMap<String, String>>,
    /// Images.
    pub images: &'a OfflineImages,
    /// What stands for a cluster and for services.
    pub world: &'a World,
    /// Objects that are there besides the one that is evaluated.
    pub objects: &'a [Value],
    /// Those of them that rules may change.
    pub targets: Targets<'a>,
    /// Modules that policies ask, where there are any.
    pub guests: Option<&'a Guests>,
}

/// What rules may change besides the object that they are about.
#[derive(Debug, Clone, Copy)]
pub enum Targets<'a> {
    /// Everything that is there.
    Everything,
    /// These, and the objects of the world.
    Named(&'a [Value]),
    /// Nobody said what there is: a rule that would change some of it cannot be judged.
    Unknown,
}

impl Host<'_> {
    /// Goes through an evaluation, answering each need.
    pub fn run(self, evaluation: &mut Evaluation) -> Vec<PolicyResponse> {
        loop {
            match evaluation.step() {
                Step::Done(responses) => return responses,
                Step::Need(needs) => needs.iter().for_each(|(id, need)| {
                    let fact = self.answer(need);
                    evaluation.answer(*id, fact);
                }),
            }
        }
    }

    fn answer(self, need: &Need) -> Fact {
        match need {
            // As Kyverno's runner has it, a namespace that nobody described has no labels.
            Need::NamespaceLabels { namespace } => Fact::NamespaceLabels(Ok(self
                .namespaces
                .get(namespace)
                .cloned()
                .unwrap_or_default())),
            // Never asked: every request here says the roles of its user.
            Need::Roles => Fact::Roles(Ok(Roles::default())),
            Need::Image(need) => Fact::Image(self.images.evidence(need)),
            Need::Data(need) => Fact::Data(self.data(need)),
            Need::Inventory(need) => Fact::Inventory(Ok(self.inventory(need))),
            Need::Guest(guest) => match self.guests {
                Some(guests) => guests.answer(guest),
                None => Fact::missing(need, FactError::Unavailable("it is not loaded".to_owned())),
            },
        }
    }

    fn data(self, need: &DataNeed) -> Result<Value, FactError> {
        match need {
            DataNeed::ConfigMap { namespace, name } => {
                self.world.object("ConfigMap", namespace, name)
            }
            DataNeed::Secret { namespace, name } => self.world.object("Secret", namespace, name),
            DataNeed::ApiCall(call) => {
                let target = permitted(call).map_err(FactError::Unauthorized)?;
                self.world.call(call.method.name(), target)
            }
            DataNeed::GlobalContext { name } => self.world.entry(name),
            DataNeed::Objects(need) => self.existing(need.purpose),
            // What the test describes, else what layouts and registries have.
            DataNeed::ImageData { reference, .. } => match self.world.image(reference) {
                Ok(data) => Ok(data),
                Err(missing) => self.images.data(reference).unwrap_or(Err(missing)),
            },
        }
    }

    fn inventory(self, need: &InventoryNeed) -> Arc<Snapshot> {
        let objects = self.objects.iter().chain(self.world.objects());
        Arc::new(Snapshot::of(need, objects))
    }

    /// All of them: the engine takes those that it means.
    fn existing(self, purpose: Purpose) -> Result<Value, FactError> {
        let objects = match (purpose, self.targets) {
            (Purpose::Copy, _) | (Purpose::Change, Targets::Everything) => self.objects,
            (Purpose::Change, Targets::Named(targets)) => targets,
            (Purpose::Change, Targets::Unknown) if self.world.objects().is_empty() => {
                let message = "nothing says what exists; `--target-resource` names it";
                return Err(FactError::NoSource(message.to_owned()));
            }
            (Purpose::Change, Targets::Unknown) => &[],
        };
        Ok(objects
            .iter()
            .chain(self.world.objects())
            .cloned()
            .collect())
    }
}
