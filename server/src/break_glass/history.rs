//! What became of everything that was let in.

use std::collections::BTreeMap;

use serde_json::Value;

use super::journal::{Entry, Journal, JournalError, Place};
use super::record::{Record, Use, Verdict};

/// A use, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// What was let in, without the request.
    pub used: Use,
    /// Where it stands with the request.
    pub place: Place,
    /// What became of it.
    pub state: State,
}

/// Where a use stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It was not looked at yet.
    Open,
    /// It was, and is not verified.
    Unverified {
        /// Refused, or not to be found out.
        result: Verdict,
        /// Why.
        message: String,
        /// When.
        time: String,
    },
    /// All rules that refused it pass now.
    Verified {
        /// Since when.
        time: String,
    },
    /// Somebody says that there is nothing to verify any more.
    Closed {
        /// Why.
        reason: String,
        /// When.
        time: String,
    },
}

impl State {
    /// Whether there is nothing left to do.
    pub const fn is_settled(&self) -> bool {
        matches!(self, Self::Verified { .. } | Self::Closed { .. })
    }

    /// The word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Unverified { result, .. } => result.name(),
            Self::Verified { .. } => "verified",
            Self::Closed { .. } => "closed",
        }
    }
}

/// A journal as a whole.
#[derive(Debug, Default)]
pub struct History {
    /// What was let in, in order.
    pub uses: Vec<Past>,
    /// What is wrong with the journal, one text for each line.
    pub problems: Vec<String>,
}

impl History {
    /// The history that a journal tells. What can be read counts, whatever is wrong with the rest.
    pub fn of(journal: &Journal) -> Result<Self, JournalError> {
        let mut history = Self::default();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        journal.read(|entry| history.add(entry, &mut known))?;
        Ok(history)
    }

    fn add(&mut self, entry: Entry, known: &mut BTreeMap<String, usize>) {
        let line = entry.line;
        let record = match entry.record {
            Ok(record) => record,
            Err(error) => {
                let problem = format!("line {line} cannot be read: {error}");
                return self.problems.push(problem);
            }
        };
        if !entry.follows {
            let text = "does not follow on the line before, which was changed or taken out";
            self.problems.push(format!("line {line} {text}"));
        }
        match record {
            Record::Use(used) => {
                known.insert(used.id.clone(), self.uses.len());
                self.uses.push(Past {
                    used: Use {
                        request: Value::Null,
                        ..*used
                    },
                    place: entry.place,
                    state: State::Open,
                });
            }
            other => {
                let past = known.get(other.id()).copied();
                match past.and_then(|past| self.uses.get_mut(past)) {
                    // What is settled stays so: who verified it meanwhile had read an older journal.
                    Some(past) if past.state.is_settled() => {}
                    Some(past) => past.state = state_of(other),
                    None => self.problems.push(format!(
                        "line {line} is about `{}`, which is not there",
                        other.id()
                    )),
                }
            }
        }
    }
}

fn state_of(record: Record) -> State {
    match record {
        Record::Use(_) => State::Open,
        Record::Closed(closed) => State::Closed {
            reason: closed.reason,
            time: closed.time,
        },
        Record::Verification(one) => match one.result {
            Verdict::Verified => State::Verified { time: one.time },
            Verdict::Refused | Verdict::Unknown => State::Unverified {
                result: one.result,
                message: one.message,
                time: one.time,
            },
        },
    }
}
