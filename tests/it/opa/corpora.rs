//! Everything that Kyverno's own test folders ask of generated programs, asked of the real OPA too, and of the interpreter.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use regent::args::image::ImageArgs;
use regent::offline::evaluate::{Prepared, SlsaVersions};
use regent::offline::images::{OfflineImages, Registries};
use regent::offline::observe::Watch;
use regent::test::find::find;
use regent::test::folder::prepare;
use regent::test::{definition, definition::Definition};
use regent_engine::load::{self, Environment};
use regent_engine::rego::library;
use regent_engine::rego::record::Asked;
use regent_tests::{record, shared_path};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::oracle;

/// A question that was asked, once for all that asked it.
struct Question {
    /// Who asked it first.
    by: String,
    asked: Asked,
    input: Value,
}

impl Question {
    /// The answer as OPA prints it; none where it is undefined.
    fn answer(&self) -> Option<Value> {
        let answer = self.asked.answer().as_ref().expect("an answer");
        answer
            .as_ref()
            .map(|answer| answer.to_json().expect("JSON"))
    }

    /// What to say where OPA gives another answer.
    fn against(&self, said: Option<&Value>) -> Option<String> {
        let answer = self.answer();
        let (by, entry, input) = (&self.by, self.asked.entry_point(), &self.input);
        (said != answer.as_ref())
            .then(|| format!("{by}: {entry}: {answer:?}, and OPA says {said:?}, of {input}"))
    }
}

/// Core folders of both corpora.
fn folders() -> Option<Vec<PathBuf>> {
    let needs = shared_path("conformance/needs.json")?;
    let needs: Value = serde_json::from_str(&fs::read_to_string(needs).unwrap()).unwrap();
    let mut folders = Vec::new();
    for corpus in ["kyverno-policies", "kyverno-cli"] {
        let root = shared_path(&format!("conformance/{corpus}"))?;
        let core = needs[corpus].as_object().unwrap().iter();
        let core = core.filter(|(_, need)| *need == "core");
        folders.extend(core.map(|(folder, _)| root.join(folder)));
    }
    Some(folders)
}

/// What the tests of a folder ask, and where the explainer has another opinion.
fn asked(definition: &Definition) -> (Vec<Asked>, Vec<String>) {
    let images = OfflineImages::new(
        definition.folder(),
        &definition.images,
        &ImageArgs::default(),
        &Registries::Offline,
    )
    .unwrap();
    // A folder of which a file cannot be read is `conformance`'s business.
    let Ok(prepared) = prepare(definition, images, SlsaVersions::EitherAnswers) else {
        return (Vec::new(), Vec::new());
    };
    let prepared = prepared.watching(Watch {
        questions: true,
        explanations: true,
        ..Watch::default()
    });
    let operations: BTreeSet<_> = definition.rows.iter().map(|row| row.operation).collect();
    let evaluated = operations
        .into_iter()
        .flat_map(|one| prepared.evaluate(one));
    let (mut questions, mut disagreements) = (Vec::new(), Vec::new());
    for one in evaluated {
        questions.extend(one.observed.questions);
        disagreements.extend(oracle::disagreements(&one.observed.traces));
    }
    (questions, disagreements)
}

/// Questions, each once.
#[derive(Default)]
pub(super) struct Questions {
    seen: BTreeSet<(String, String, String)>,
    questions: Vec<Question>,
}

impl Questions {
    pub(super) fn len(&self) -> usize {
        self.questions.len()
    }

    pub(super) fn add(&mut self, by: &str, asked: Vec<Asked>) {
        for asked in asked {
            let input = asked.input().to_json().expect("JSON");
            let text = asked.program().text().to_owned();
            let key = (asked.entry_point().to_owned(), input.to_string(), text);
            if self.seen.insert(key) {
                let by = by.to_owned();
                self.questions.push(Question { by, asked, input });
            }
        }
    }
}

/// What all tests of all folders ask, and where the explainer has another opinion.
fn of_folders(folders: &[PathBuf]) -> (Vec<Question>, Vec<String>) {
    let mut questions = Questions::default();
    let mut disagreements = Vec::new();
    for folder in folders {
        let by = folder.display().to_string();
        for file in find(std::slice::from_ref(folder), "kyverno-test.yaml").unwrap() {
            let definitions = definition::read(&file).unwrap_or_default();
            for definition in &definitions {
                let (asked, disagreed) = asked(definition);
                questions.add(&by, asked);
                disagreements.extend(disagreed);
            }
        }
    }
    (questions.questions, disagreements)
}

/// What the language's constructs ask, on the objects on which Kyverno's own verdicts are known.
fn of_constructs(construct: &str) -> Option<Vec<Question>> {
    let mut questions = Questions::default();
    for document in oracle::documents(construct)? {
        let set = oracle::loaded(&document).policies;
        for resource in oracle::list(&document["resources"]) {
            questions.add(construct, oracle::asked(&set, &resource["object"]));
        }
    }
    Some(questions.questions)
}

/// Questions to programs of which no two have the same package.
#[derive(Default)]
struct Batch<'a> {
    /// Texts by package.
    modules: BTreeMap<&'a str, &'a str>,
    /// By entry point.
    questions: BTreeMap<&'a str, Vec<&'a Question>>,
}

fn package(text: &str) -> &str {
    let mut lines = text.lines();
    lines
        .find_map(|line| line.strip_prefix("package "))
        .unwrap()
}

fn batches(questions: &[Question]) -> Vec<Batch<'_>> {
    let mut batches: Vec<Batch<'_>> = Vec::new();
    for question in questions {
        let text = question.asked.program().text();
        let package = package(text);
        let fits = |batch: &Batch<'_>| batch.modules.get(package).is_none_or(|one| *one == text);
        let index = batches.iter().position(fits).unwrap_or_else(|| {
            batches.push(Batch::default());
            batches.len() - 1
        });
        batches[index].modules.insert(package, text);
        let of_entry = batches[index].questions.entry(question.asked.entry_point());
        of_entry.or_default().push(question);
    }
    batches
}

impl Batch<'_> {
    /// The library, the modules, and one that asks them everything.
    fn write(&self) -> TempDir {
        let mut ask = "package ask\n\nimport rego.v1\n".to_owned();
        for entry in self.questions.keys() {
            write!(
                ask,
                "\nanswers[{entry:?}] := {{format_int(index, 10): given |\n\tsome index, asked in input[{entry:?}]\n\tgiven := {entry} with input as asked\n}}\n",
            )
            .unwrap();
        }
        let folder = super::folder(&ask);
        for (package, text) in &self.modules {
            let path = folder.path().join(format!("rego/{package}.rego"));
            fs::write(path, library::importing(text)).unwrap();
        }
        folder
    }

    /// Questions to which OPA gives another answer.
    fn different(&self, opa: &Path) -> Vec<String> {
        let input: Map<String, Value> = self
            .questions
            .iter()
            .map(|(entry, questions)| {
                let inputs = questions.iter().map(|question| question.input.clone());
                ((*entry).to_owned(), inputs.collect())
            })
            .collect();
        let answers = super::evaluate(opa, self.write().path(), &json!(input), "data.ask.answers");
        let mut different = Vec::new();
        for (entry, questions) in &self.questions {
            let of_entry = questions.iter().enumerate();
            different.extend(of_entry.filter_map(|(index, question)| {
                question.against(answers[entry].get(index.to_string()))
            }));
        }
        different
    }
}

/// Asks OPA all of it.
pub(super) fn compare(name: &str, questions: &Questions) {
    compare_all(name, &questions.questions);
}

fn compare_all(name: &str, questions: &[Question]) {
    let Some(opa) = super::opa() else { return };
    let batches = batches(questions);
    let in_opa = batches.iter().flat_map(|batch| batch.different(&opa));
    let different: Vec<String> = in_opa.collect();
    let of = questions.len();
    record(&format!("opa-{name}"), of - different.len(), of);
    assert!(
        different.is_empty(),
        "{} of {of}:\n{}",
        different.len(),
        different[..different.len().min(40)].join("\n")
    );
}

#[test]
fn the_programs_of_kyvernos_folders_mean_the_same_in_opa_and_to_the_explainer() {
    let Some(folders) = folders() else { return };
    let (questions, disagreements) = of_folders(&folders);
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
    let asking: BTreeSet<&str> = questions.iter().map(|one| one.by.as_str()).collect();
    // The constructs' own tests ask the interpreter, too; the folders are run by bytecode alone elsewhere.
    for question in &questions {
        let second = question.asked.second_opinion();
        assert_eq!(&second, question.asked.answer(), "{}", question.by);
    }
    compare_all("folders", &questions);
    // A folder whose policies never run asks nothing: it must not be many.
    assert!(asking.len() * 10 >= folders.len() * 9, "{}", asking.len());
}

/// The tests of a folder, read, but for those that cannot be.
fn all_prepared(folder: &PathBuf) -> Vec<Prepared> {
    let files = find(std::slice::from_ref(folder), "kyverno-test.yaml").unwrap();
    let definitions = files
        .iter()
        .flat_map(|file| definition::read(file).unwrap_or_default());
    let prepared = definitions.filter_map(|definition| {
        let images = OfflineImages::new(
            definition.folder(),
            &definition.images,
            &ImageArgs::default(),
            &Registries::Offline,
        );
        prepare(&definition, images.unwrap(), SlsaVersions::EitherAnswers).ok()
    });
    prepared.collect()
}

/// All policies of the folders in one set, so that programs for many rules are as large as they become in a cluster.
#[test]
fn programs_for_many_rules_mean_the_same_in_opa() {
    let Some(folders) = folders() else { return };
    let (mut policies, mut resources) = (Vec::new(), Vec::new());
    for prepared in folders.iter().flat_map(all_prepared) {
        policies.extend(prepared.policies.iter().map(|one| one.source.clone()));
        resources.extend(prepared.resources.into_iter().map(|one| one.object));
    }
    policies.sort_by(|left, right| left.name.cmp(&right.name));
    policies.dedup_by(|left, right| left.name == right.name);
    let set = load::load(&policies, &Environment::default()).policies;
    let mut questions = Questions::default();
    // Every so many of them: each of a handful of programs is asked about each resource.
    for object in resources.iter().step_by(5) {
        let mut asked = oracle::asked(&set, object);
        asked.retain(|one| {
            let entry = one.entry_point();
            ["data.regent.selection_", "data.regent.demand_"]
                .iter()
                .any(|many| entry.starts_with(many))
        });
        questions.add("all folders", asked);
    }
    for question in &questions.questions {
        assert_eq!(&question.asked.second_opinion(), question.asked.answer());
    }
    compare("together", &questions);
    let demands = questions.questions.iter();
    let demands = demands.filter(|one| one.asked.entry_point().contains("demand_"));
    assert!(demands.count() > 100);
}

#[test]
fn the_programs_of_all_constructs_mean_the_same_in_opa() {
    for construct in oracle::constructs() {
        let Some(questions) = of_constructs(construct) else {
            return;
        };
        compare_all(construct, &questions);
    }
}
