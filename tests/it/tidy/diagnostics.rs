//! `docs/diagnostics.md` is written from the checks, and what it shows is what happens.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use regent_engine::diagnostic::{Code, Diagnostic};
use regent_engine::load::{self, Environment, ExceptionsFrom};
use regent_engine::source::Source;
use regent_tests::workspace;

use examples::{EXAMPLES, NO_EXAMPLE};

mod examples;

const HEAD: &str = "\
# Diagnostics

What `regent check` says about a policy, and every other command when it loads one, each under its name.
An error leaves the policy out: it is not run, `serve` says so in its readiness, and the other policies are.
A warning is about what is legal and likely not meant.

`tests/it/tidy/diagnostics.rs` writes this file from the sources; do not edit it.
";

/// What the rules of an example stand in, where it shows nothing but them.
const RULES: &str =
    "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: example}\nspec:\n  rules:\n";
/// What goes before an example that begins with `spec` or ends with `metadata`.
const KIND: &str = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\n";
const A_RULE: &str = "  rules:\n    - name: a-rule\n      match: {any: [{resources: {kinds: [Pod]}}]}\n      validate: {pattern: {metadata: {labels: {team: \"?*\"}}}}\n";

#[test]
fn the_page_of_diagnostics_is_what_the_checks_say() {
    let path = workspace().join("docs/diagnostics.md");
    let written = page();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &written).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == written,
        "docs/diagnostics.md is not what the checks say: UPDATE_EXPECT=1 writes it"
    );
}

#[test]
fn examples_are_said_to_be_wrong_and_their_betters_are_not() {
    let mut wrong = Vec::new();
    for (name, check) in checks() {
        let code = Code::ALL.into_iter().find(|code| code.name() == name);
        let code = code.unwrap_or_else(|| panic!("{name} is no code"));
        let examples = check.examples();
        let [bad, good] = examples.as_slice() else {
            wrong.push(format!("{name}: an example, and what to use instead"));
            continue;
        };
        judge((code, bad, good), &mut wrong);
    }
    for example in &EXAMPLES {
        judge((example.code, example.bad, example.good), &mut wrong);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn judge((code, bad, good): (Code, &str, &str), wrong: &mut Vec<String>) {
    let name = code.name();
    if !said(bad).iter().any(|diagnostic| diagnostic.code == code) {
        let found = codes(bad);
        wrong.push(format!("{name}: its example is not said to be: {found:?}"));
    }
    if !said(good).is_empty() {
        wrong.push(format!("{name}: what to use instead is {:?}", codes(good)));
    }
}

/// The head of a check, without the marks of a comment.
struct Check(String);

impl Check {
    /// The YAML that it shows.
    fn examples(&self) -> Vec<&str> {
        let blocks = self.0.split("```yaml\n").skip(1);
        blocks.filter_map(|rest| rest.split("```").next()).collect()
    }
}

/// The heads of all checks by the name of their code.
fn checks() -> BTreeMap<String, Check> {
    let mut checks = BTreeMap::new();
    for entry in fs::read_dir(workspace().join("engine/src/check")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let comment = text.lines().map_while(|line| line.strip_prefix("//!"));
        let lines: Vec<&str> = comment
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect();
        let head = lines.join("\n") + "\n";
        if head.starts_with("What it checks: ") {
            let name = path.file_stem().unwrap().to_string_lossy();
            checks.insert(name.replace('_', "-"), Check(head));
        }
    }
    assert!(checks.len() > 15, "the checks are somewhere else");
    checks
}

/// What the variants of `Code` say of themselves, by their names in code.
fn variants() -> BTreeMap<String, String> {
    let text = fs::read_to_string(workspace().join("engine/src/diagnostic.rs")).unwrap();
    let body = text.split("pub enum Code {").nth(1).unwrap();
    let mut said = String::new();
    let mut variants = BTreeMap::new();
    for line in body.lines().map(str::trim).take_while(|line| *line != "}") {
        if let Some(text) = line.strip_prefix("/// ") {
            said.push_str(text);
            said.push(' ');
        } else if let Some(name) = line.strip_suffix(',') {
            variants.insert(
                name.to_owned(),
                std::mem::take(&mut said).trim_end().to_owned(),
            );
        }
    }
    variants
}

fn page() -> String {
    let (checks, variants) = (checks(), variants());
    let mut page = HEAD.to_owned();
    for code in Code::ALL {
        let name = code.name();
        let text = match checks.get(name) {
            Some(Check(head)) => sentences(head),
            None => format!("{}\n{}", variants[&format!("{code:?}")], shown(code)),
        };
        write!(page, "\n## `{name}`\n\n{text}").unwrap();
    }
    page
}

/// What is shown of a code without a check of its own: an example, or what to do.
fn shown(code: Code) -> String {
    if let Some((_, what)) = NO_EXAMPLE.iter().find(|(one, _)| *one == code) {
        return format!("{what}\n");
    }
    let example = EXAMPLES.iter().find(|example| example.code == code);
    let example = example.unwrap_or_else(|| panic!("{} has no example", code.name()));
    let (why, bad, good) = (example.why, example.bad, example.good);
    format!("{why}\n\nExample:\n\n```yaml\n{bad}```\n\nUse instead:\n\n```yaml\n{good}```\n")
}

/// Markdown of this repository has a sentence a line, and comments are filled.
fn sentences(head: &str) -> String {
    let mut out = String::new();
    let mut verbatim = false;
    for paragraph in head.split_inclusive("\n\n") {
        if verbatim || paragraph.starts_with("```") {
            out.push_str(paragraph);
            verbatim = paragraph.matches("```").count() % 2 == usize::from(!verbatim);
        } else {
            let joined = paragraph.trim_end().replace('\n', " ");
            out.push_str(&joined.replace(". ", ".\n"));
            out.push_str("\n\n");
        }
    }
    format!("{}\n", out.trim_end())
}

/// The policy that an example is a part of.
fn policy(example: &str) -> String {
    if example.starts_with("- ") {
        let indented = example.trim_end().replace('\n', "\n    ");
        return format!("{RULES}    {indented}\n");
    }
    if example.starts_with("apiVersion:") {
        return example.to_owned();
    }
    let rule = if example.contains("rules:") {
        ""
    } else {
        A_RULE
    };
    if example.starts_with("spec:") {
        format!("{KIND}metadata: {{name: example}}\n{example}{rule}")
    } else {
        format!("{KIND}{example}spec:\n{rule}")
    }
}

fn said(example: &str) -> Vec<Diagnostic> {
    let environment = Environment {
        log_urls: Some(vec!["https://rekor.sigstore.dev".to_owned()]),
        exceptions: ExceptionsFrom::Anywhere,
        ..Environment::default()
    };
    load::load(
        &[Source::new("example.yaml", policy(example))],
        &environment,
    )
    .diagnostics
}

fn codes(example: &str) -> Vec<String> {
    let said = said(example).into_iter();
    said.map(|diagnostic| format!("{}: {}", diagnostic.code.name(), diagnostic.message))
        .collect()
}

/// What programs read and call is in `docs/rego.md`, which says that it lists all of it.
#[test]
fn the_page_of_rego_names_every_function_and_entry_of_the_input() {
    let page = fs::read_to_string(workspace().join("docs/rego.md")).unwrap();
    for builtin in regent_engine::rego::builtins::BUILTINS {
        let call = format!("| `{}(", builtin.name);
        assert!(page.contains(&call), "{} is not there", builtin.name);
    }
    // Keys of what is put into `input`, as the sources write them.
    let mut missing = Vec::new();
    for (file, from) in [
        ("documents.rs", "fn subject("),
        ("pod_security.rs", "fn document("),
        ("images/projection.rs", "fn project("),
    ] {
        let path = workspace().join("engine/src/evaluation").join(file);
        let text = fs::read_to_string(path).unwrap();
        let (_, body) = text.split_once(from).expect("the function that projects");
        let quoted = body.split('"').skip(1).step_by(2);
        let keys = quoted.filter(|text| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        });
        let known = |key: &&str| {
            [format!("`{key}`"), format!("\"{key}\"")]
                .iter()
                .any(|name| page.contains(name))
        };
        missing.extend(keys.filter(|key| !known(key)).map(str::to_owned));
    }
    assert!(missing.is_empty(), "not in docs/rego.md: {missing:?}");
}
