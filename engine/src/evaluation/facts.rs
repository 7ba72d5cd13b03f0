//! What an evaluation asked for and was told; every question is asked once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::inventory::Snapshot;
use super::need::{
    AtHand, DataNeed, Fact, FactError, GuestNeed, ImageNeed, InventoryNeed, Need, NeedId,
};
use crate::admission::Roles;
use crate::image::{Digest, VerifiedImage};
use crate::limits;
use crate::wasm::call::Outcome;
use crate::wasm::verdict::Verdict;

/// Questions in order of asking, with their answers.
#[derive(Default)]
pub(super) struct Facts {
    asked: Vec<(Need, Option<Fact>)>,
    /// Asked first: what it answers, no rule waits for.
    at_hand: Option<AtHand>,
    /// What was not asked before is not asked now.
    frozen: bool,
    /// There was no room for an answer.
    lacks_room: bool,
    /// What each reference without digest stood for the first time.
    resolved: BTreeMap<String, Digest>,
}

impl fmt::Debug for Facts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Facts")
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}

impl Facts {
    /// Has questions answered by what is at hand.
    pub(super) fn know(&mut self, at_hand: AtHand) {
        self.at_hand = Some(at_hand);
    }

    /// Takes an answer; one to a question that was not asked, or was answered already, is dropped.
    pub(super) fn answer(&mut self, id: NeedId, fact: Fact) {
        if let Some((_, answer @ None)) = self.asked.get_mut(id.0) {
            self.lacks_room |= fact.lacks_room();
            *answer = Some(fact);
        }
    }

    /// Whether there was no room for an answer: what is said without it is no answer.
    pub(super) const fn lacks_room(&self) -> bool {
        self.lacks_room
    }

    /// Says whether new questions are asked: explaining an answer asks none.
    pub(super) fn freeze(&mut self, frozen: bool) {
        self.frozen = frozen;
    }

    /// Whether there are questions without an answer.
    pub(super) fn is_waiting(&self) -> bool {
        self.asked.iter().any(|(_, answer)| answer.is_none())
    }

    /// Questions without an answer.
    pub(super) fn outstanding(&self) -> Vec<(NeedId, Need)> {
        self.asked
            .iter()
            .enumerate()
            .filter(|(_, (_, answer))| answer.is_none())
            .map(|(index, (need, _))| (NeedId(index), need.clone()))
            .collect()
    }

    /// The answer to a question; asks it where it was not.
    fn get(&mut self, need: Need) -> Option<&Fact> {
        let index = self.asked.iter().position(|(asked, _)| *asked == need);
        if index.is_none() && self.frozen {
            return None;
        }
        let index = index.unwrap_or_else(|| {
            let known = self.at_hand.as_ref().and_then(|at_hand| at_hand(&need));
            self.asked.push((need, known));
            self.asked.len() - 1
        });
        self.asked
            .get(index)
            .and_then(|(_, answer)| answer.as_ref())
    }

    /// The labels of a namespace; none where they are not known yet.
    pub(super) fn namespace_labels(
        &mut self,
        namespace: &str,
    ) -> Option<Result<BTreeMap<String, String>, FactError>> {
        let namespace = namespace.to_owned();
        match self.get(Need::NamespaceLabels { namespace })? {
            Fact::NamespaceLabels(labels) => Some(labels.clone()),
            Fact::Roles(_)
            | Fact::Image(_)
            | Fact::Data(_)
            | Fact::Inventory(_)
            | Fact::Guest(_) => Some(Err(wrong_kind())),
        }
    }

    /// The roles of the user; none where they are not known yet.
    pub(super) fn roles(&mut self) -> Option<Result<Roles, FactError>> {
        match self.get(Need::Roles)? {
            Fact::Roles(roles) => Some(roles.clone()),
            Fact::NamespaceLabels(_)
            | Fact::Image(_)
            | Fact::Data(_)
            | Fact::Inventory(_)
            | Fact::Guest(_) => Some(Err(wrong_kind())),
        }
    }

    /// Whether a context may name this: what was asked for is there, and more is asked for up to a bound.
    pub(super) fn may_name(&self, need: &DataNeed) -> bool {
        !self.is_full() || self.data_asked().any(|asked| asked == need)
    }

    /// Whether as much data was asked for as one request may name.
    pub(super) fn is_full(&self) -> bool {
        self.data_asked().nth(limits::CONTEXT_DATA - 1).is_some()
    }

    fn data_asked(&self) -> impl Iterator<Item = &DataNeed> {
        self.asked.iter().filter_map(|(need, _)| match need {
            Need::Data(data) => Some(data),
            _ => None,
        })
    }

    /// Data that a context, an image's keys or a module name; none where it is not known yet.
    pub(super) fn data(&mut self, need: DataNeed) -> Option<Result<Value, FactError>> {
        match self.get(Need::Data(need))? {
            Fact::Data(data) => Some(data.clone()),
            Fact::Image(_)
            | Fact::Roles(_)
            | Fact::NamespaceLabels(_)
            | Fact::Inventory(_)
            | Fact::Guest(_) => Some(Err(wrong_kind())),
        }
    }

    /// The resources of a kind; none where they are not known yet.
    pub(super) fn inventory(
        &mut self,
        need: &InventoryNeed,
    ) -> Option<Result<Arc<Snapshot>, FactError>> {
        match self.get(Need::Inventory(need.clone()))? {
            Fact::Inventory(Ok(found)) if found.need() != need => Some(Err(wrong_kind())),
            Fact::Inventory(found) => Some(found.clone()),
            Fact::Image(_)
            | Fact::Roles(_)
            | Fact::NamespaceLabels(_)
            | Fact::Data(_)
            | Fact::Guest(_) => Some(Err(wrong_kind())),
        }
    }

    /// What a module says; none where it is not known yet.
    pub(super) fn guest(&mut self, need: GuestNeed) -> Option<Result<Outcome<Verdict>, FactError>> {
        match self.get(Need::Guest(need))? {
            Fact::Guest(said) => Some(said.clone()),
            Fact::Image(_)
            | Fact::Roles(_)
            | Fact::NamespaceLabels(_)
            | Fact::Data(_)
            | Fact::Inventory(_) => Some(Err(wrong_kind())),
        }
    }

    /// An image's evidence; none where it is not known yet.
    ///
    /// A reference without digest must stand for the same digest each time: else the tag moved in between.
    pub(super) fn image(&mut self, need: ImageNeed) -> Option<Result<VerifiedImage, FactError>> {
        let reference = need.image.clone();
        let image = match self.get(Need::Image(need))? {
            Fact::Image(Ok(image)) => image.clone(),
            Fact::Image(Err(error)) => return Some(Err(error.clone())),
            Fact::NamespaceLabels(_)
            | Fact::Roles(_)
            | Fact::Data(_)
            | Fact::Inventory(_)
            | Fact::Guest(_) => {
                return Some(Err(wrong_kind()));
            }
        };
        let wanted = match &reference.digest {
            Some(digest) => digest.clone(),
            None => self
                .resolved
                .entry(reference.to_string())
                .or_insert_with(|| image.digest().clone())
                .clone(),
        };
        if *image.digest() == wanted {
            return Some(Ok(image));
        }
        let text = format!(
            "{reference} stands for {wanted}, and evidence came for {}",
            image.digest()
        );
        Some(Err(FactError::Malformed(text)))
    }
}

/// A defect of the host, which says nothing of what was asked for.
fn wrong_kind() -> FactError {
    FactError::Unavailable("the host answered another question".to_owned())
}
