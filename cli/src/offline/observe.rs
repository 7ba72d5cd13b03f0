//! What is to be known of evaluations besides their answers: only where somebody asks, since it takes time.

use regent_engine::evaluation::Evaluation;
use regent_engine::rego::record::Asked;
use regent_engine::trace::Trace;

/// What is kept of evaluations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watch {
    /// What programs were asked, and what they answered.
    pub questions: bool,
    /// What rules looked at, to explain their answers.
    pub explanations: bool,
    /// What rules looked at, to count it.
    pub coverage: bool,
}

/// What was kept.
#[derive(Debug, Default)]
pub struct Observed {
    /// What programs were asked, in the order of asking.
    pub questions: Vec<Asked>,
    /// What rules looked at.
    pub traces: Vec<Trace>,
}

impl Watch {
    /// An evaluation that keeps what is to be known.
    pub(super) fn watched(self, evaluation: Evaluation) -> Evaluation {
        let evaluation = if self.questions {
            evaluation.recording()
        } else {
            evaluation
        };
        if self.explanations || self.coverage {
            evaluation.tracing()
        } else {
            evaluation
        }
    }
}

impl Observed {
    /// Takes what an evaluation kept.
    pub(super) fn take(&mut self, evaluation: &mut Evaluation) {
        self.questions.extend(evaluation.take_record());
        self.traces.extend(evaluation.take_traces());
    }
}
