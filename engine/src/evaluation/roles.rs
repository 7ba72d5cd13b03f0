//! The roles of the user, which are asked for before anything is evaluated, where a rule needs them.
//!
//! A rule that needs them is an error where they cannot be had: a rule for roles that nobody is known to have would be
//! about nobody.

use std::sync::Arc;

use crate::admission::AdmissionRequest;
use crate::response::RuleStatus;

use super::action::strictest_action;
use super::rule::{Answer, Progress, respond};
use super::{Evaluation, find, is_waiting};

/// What is known of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Roles {
    /// The host has not said yet.
    Outstanding,
    /// As much as there is to know.
    Settled,
}

impl Evaluation {
    /// Asks for the roles where a rule needs them, and puts them into the request.
    pub(super) fn learn_roles(&mut self) -> Roles {
        let asks = |(key, one): &(_, Progress)| is_waiting(one) && self.needs_roles(*key);
        let needed = || self.rules.iter().any(asks);
        if self.request.roles.is_some() || self.request.user_info.is_none() || !needed() {
            return Roles::Settled;
        }
        let answer = self.facts.borrow_mut().roles();
        match answer {
            None => return Roles::Outstanding,
            Some(Ok(roles)) => {
                self.documents = None;
                self.request = Arc::new(AdmissionRequest {
                    roles: Some(roles),
                    ..(*self.request).clone()
                });
            }
            Some(Err(error)) => {
                self.without_roles(&format!("failed to get the roles of the user: {error}"));
            }
        }
        Roles::Settled
    }

    fn needs_roles(&self, key: (usize, usize)) -> bool {
        find(&self.set, key).is_some_and(|(_, rule)| {
            let mut exceptions = rule.exceptions.iter();
            let mut broken = rule.break_glass.iter();
            rule.needs_roles
                || exceptions.any(|exception| exception.needs_roles)
                || broken.any(|one| one.exception.needs_roles)
        })
    }

    /// Answers the rules that need roles.
    fn without_roles(&mut self, message: &str) {
        let keys: Vec<_> = self.rules.iter().map(|(key, _)| *key).collect();
        for (index, key) in keys.into_iter().enumerate() {
            // An exception for roles is not about somebody whose roles are not known, and its rule goes on without it.
            let found = find(&self.set, key).filter(|(_, rule)| rule.needs_roles);
            let Some((policy, rule)) = found else {
                continue;
            };
            let answer = Answer::new(RuleStatus::Error, message);
            let response = respond(policy, rule, strictest_action(policy, rule), answer);
            if let Some((_, progress)) = self.rules.get_mut(index) {
                *progress = Progress::Answered(response);
            }
        }
    }
}
