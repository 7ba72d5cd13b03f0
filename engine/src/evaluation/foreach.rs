//! `validate.foreach`: the elements of each list in order, up to the first that decides.

use serde_json::Value;

use crate::explain::validate::Said;
use crate::fuel;
use crate::go_format;
use crate::program::{self, Foreach};
use crate::rego::evaluate::Document;
use crate::response::RuleStatus;

use super::names::Names;
use super::rule::{Answer, Context, unexpected};
use super::validate::{Asked, Outcome};

/// The most elements of one rule: more than any list that a request of 1.5 MiB holds is worth.
const MAX_ELEMENTS: usize = 10_000;

/// What an element costs beside its values, in units of [`fuel`]: programs are run for it.
const ELEMENT: u64 = 15_000;

/// What became of one element.
enum Element {
    Waiting,
    /// Nothing applied, or a condition said that it is not meant.
    Skipped,
    Judged(Answer),
}

/// What became of all elements so far.
#[derive(Default)]
struct Walked {
    /// Statuses by block.
    blocks: Vec<Vec<&'static str>>,
    waiting: bool,
    count: usize,
    /// What the rule ends with.
    last: Option<Answer>,
}

impl Context<'_> {
    /// Judges elements, and has the program say what that means.
    pub(super) fn foreach(
        &mut self,
        asked: &Asked<'_>,
        blocks: &[Foreach],
        said: &Said<'_>,
    ) -> Outcome {
        let mut walked = Walked::default();
        let mut listed: Option<Answer> = None;
        for block in blocks {
            let elements = match elements(asked.names, block) {
                Ok(elements) => elements,
                Err(Unlisted::Pending) => return Outcome::Waiting,
                Err(Unlisted::Unknown(reason)) => {
                    self.trace_list(block.list.text.raw(), Err(&reason));
                    continue;
                }
                Err(Unlisted::Failed(answer)) => {
                    listed = Some(decisive(listed, answer));
                    continue;
                }
            };
            self.trace_list(block.list.text.raw(), Ok(&elements));
            walked.blocks.push(Vec::new());
            self.block((asked, block), &elements, said, &mut walked);
            if walked.last.is_some() {
                break;
            }
        }
        if walked.waiting {
            return Outcome::Waiting;
        }
        self.concluded(asked, walked, listed)
    }

    fn block(
        &mut self,
        (asked, block): (&Asked<'_>, &Foreach),
        elements: &[Value],
        said: &Said<'_>,
        walked: &mut Walked,
    ) {
        for (index, element) in elements.iter().enumerate() {
            if element.is_null() {
                continue;
            }
            walked.count += 1;
            let came = if walked.count > MAX_ELEMENTS {
                let message =
                    format!("the lists of `foreach` have more than {MAX_ELEMENTS} elements");
                let status = asked.names.too_large_in(&block.list);
                Element::Judged(Answer::too_large(status, message))
            } else if !fuel::spend(ELEMENT) {
                // Whatever is said then, the rule is answered as one that took too much. Nested lists multiply.
                let message = "the elements take more work than one request may ask for";
                let status = asked.names.too_large_in(&block.list);
                Element::Judged(Answer::too_large(status, message.to_owned()))
            } else {
                self.trace_element(block.list.text.raw(), index);
                let came = self.element((asked.names, block), element, index, said);
                self.trace_element_end();
                came
            };
            let status = match &came {
                // All elements ask before any waits, so that the host can fetch for them together.
                Element::Waiting => {
                    walked.waiting = true;
                    continue;
                }
                Element::Skipped => "skip",
                Element::Judged(answer) => answer.status.name(),
            };
            if let Some(statuses) = walked.blocks.last_mut() {
                statuses.push(status);
            }
            if let Element::Judged(answer) = came
                && answer.status != RuleStatus::Pass
            {
                walked.last = Some(answer);
                return;
            }
        }
    }

    fn element(
        &mut self,
        (names, block): (&Names<'_>, &Foreach),
        element: &Value,
        index: usize,
        said: &Said<'_>,
    ) -> Element {
        let scoped = match (block.element_scope, element.is_object()) {
            (Some(true), false) => {
                let message = format!(
                    "failed to process foreach: cannot use elementScope=true foreach rules for elements that are not maps, expected type=map got type={}",
                    go_format::type_name(element)
                );
                return Element::Judged(Answer::new(RuleStatus::Error, message));
            }
            (Some(scoped), _) => scoped,
            (None, is_map) => is_map,
        };
        let names = names.of_element(index, locals(names, element, index), &block.context);
        let preconditions = self.preconditions(
            (&block.program, program::ELEMENT_PRECONDITIONS),
            block.preconditions.as_ref(),
            &names,
        );
        match preconditions {
            None => return Element::Waiting,
            Some(Ok(())) => {}
            Some(Err(answer)) if answer.status == RuleStatus::Skip => return Element::Skipped,
            // Whoever brings about an error must not have the element passed over by it.
            Some(Err(answer)) => return Element::Judged(answer),
        }
        // An empty map is no scope: Kyverno looks at the whole object then.
        let is_empty = element.as_object().is_some_and(serde_json::Map::is_empty);
        let asked = Asked {
            demand: &block.demand,
            program: &block.program,
            entry: program::ELEMENT_VERDICT,
            names: &names,
            element: Some(element).filter(|_| scoped && !is_empty),
        };
        match self.demand(&asked, said) {
            Outcome::Waiting => Element::Waiting,
            Outcome::Nothing => Element::Skipped,
            Outcome::Judged(answer) if answer.status == RuleStatus::Skip => Element::Skipped,
            Outcome::Judged(answer) => Element::Judged(answer),
        }
    }

    /// The program's word on what the elements answered.
    fn concluded(&mut self, asked: &Asked<'_>, walked: Walked, listed: Option<Answer>) -> Outcome {
        let statuses = walked
            .blocks
            .iter()
            .map(|block| Document::list(block.iter().map(|status| Document::text(status))));
        let input = Document::object([("blocks", Document::list(statuses))]);
        let answer = match self.ask(asked.program, asked.entry, &input) {
            Ok(answer) => answer,
            Err(message) => return Outcome::error(message),
        };
        let status = match answer.as_str() {
            // What could not be listed may hold what would be refused, whatever the other elements are like.
            "pass" | "none" if let Some(answer) = listed => return Outcome::Judged(answer),
            "pass" => return Outcome::Judged(Answer::new(RuleStatus::Pass, "rule passed")),
            "none" => return Outcome::Nothing,
            "fail" => RuleStatus::Fail,
            "error" => RuleStatus::Error,
            other => return Outcome::error(unexpected(other)),
        };
        let last = walked.last;
        let too_large = last.as_ref().is_some_and(|answer| answer.too_large);
        let inner = last.map_or_else(String::new, |answer| answer.message);
        // What went wrong before an element was looked at is said as it is.
        let message = if inner.starts_with("failed to process foreach") {
            inner
        } else {
            format!("validation failure: {inner}")
        };
        Outcome::Judged(Answer {
            too_large,
            ..Answer::new(status, message)
        })
    }
}

/// Names of an element, and of its place in nested lists.
fn locals(names: &Names<'_>, element: &Value, index: usize) -> Vec<(String, Value)> {
    let level = names.depth();
    vec![
        ("element".to_owned(), element.clone()),
        ("elementIndex".to_owned(), index.into()),
        (format!("element{level}"), element.clone()),
        (format!("elementIndex{level}"), index.into()),
    ]
}

/// Why there are no elements.
enum Unlisted {
    Pending,
    /// There is no such list, as the error says.
    Unknown(String),
    Failed(Answer),
}

/// Of two reasons why there are no lists: that the object is too large is known for sure, the other may be gone another time.
fn decisive(known: Option<Answer>, answer: Answer) -> Answer {
    match known {
        Some(known) if known.too_large || !answer.too_large => known,
        Some(_) | None => answer,
    }
}

/// The elements of a block; what is no list is the only element.
fn elements(names: &Names<'_>, block: &Foreach) -> Result<Vec<Value>, Unlisted> {
    match names.query(&block.list) {
        Ok(Value::Array(elements)) => Ok(elements),
        Ok(other) => Ok(vec![other]),
        Err(error) if error.is_pending() => Err(Unlisted::Pending),
        Err(error) if error.is_not_found() => Err(Unlisted::Unknown(error.to_string())),
        Err(error) => {
            let message = format!("failed to evaluate list: {error}");
            Err(Unlisted::Failed(if error.is_too_large() {
                Answer::too_large(names.too_large_in(&block.list), message)
            } else {
                Answer::new(RuleStatus::Error, message)
            }))
        }
    }
}
