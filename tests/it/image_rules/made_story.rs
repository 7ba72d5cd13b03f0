//! More of the reference policy's story than is recorded, by the real signers while the test runs: who else may have signed, what else
//! may be said, and what may lie beside what is right.

use std::fs;

use regent_tests::record;
use serde_json::json;

use super::stack::Stack;
use super::{Folder, Pod, run};
use crate::server::provenance::reference_policy;

const GENERATOR: &str = "slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v2.0.0";
const WORKFLOW: &str = ".github/workflows/build-with-provenance.yml@refs/heads/main";

/// Who signs: a workflow of a repository, one that it called, or the holder of a key.
#[derive(Clone, Copy)]
enum By {
    Own(&'static str),
    Called(&'static str, &'static str),
    Key,
}

/// What is made, in a bundle that the second Rekor knows, or as it says.
#[derive(Clone, Copy)]
enum Step {
    Sign(By),
    /// Provenance of a version that names a builder.
    Attest(&'static str, &'static str, By),
    /// The next ones are stored and logged like this.
    Stored(&'static str, &'static str),
}

use By::{Called, Key, Own};
use Step::{Attest, Sign, Stored};

/// Name, steps, and what the refusal says; empty where the image is admitted.
type Case = (&'static str, &'static [Step], &'static str);

const V1: &str = "slsaprovenance1";
const V02: &str = "slsaprovenance02";
const APP: &str = "your-org/app";
const OTHER_TAG: &str = "slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v2.0.0-rc.1";
const GENERIC: &str = "slsa-framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml@refs/tags/v2.0.0";
const LOOKALIKE: &str = "slsa-framework-evil/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v2.0.0";

const SIGNED: Step = Sign(Own(APP));
const RIGHT: Step = Attest(V1, GENERATOR, Called(APP, GENERATOR));

const CASES: [Case; 13] = [
    (
        "both-versions",
        &[
            SIGNED,
            RIGHT,
            Attest(V02, GENERATOR, Called(APP, GENERATOR)),
        ],
        "",
    ),
    (
        "two-signers",
        &[Sign(Own("evil/app")), Sign(Key), SIGNED, RIGHT],
        "",
    ),
    // Nobody can deny service by what he adds: statements of strangers do not count, whatever they name.
    (
        "stranger-beside",
        &[
            SIGNED,
            RIGHT,
            Attest(V1, GENERATOR, Own("evil/app")),
            Attest(V1, GENERATOR, Key),
        ],
        "",
    ),
    (
        "older-beside",
        &[
            SIGNED,
            RIGHT,
            Stored("legacy", "tsa"),
            Sign(Own("evil/app")),
            Attest(V02, OTHER_TAG, Called(APP, OTHER_TAG)),
        ],
        "",
    ),
    (
        "signed-by-builder",
        &[Sign(Called(APP, GENERATOR)), RIGHT],
        "subject mismatch",
    ),
    ("signed-by-key", &[Sign(Key), RIGHT], "no signatures found"),
    (
        "other-case",
        &[
            SIGNED,
            Attest(V1, GENERATOR, Called("Your-Org/app", GENERATOR)),
        ],
        "was called by https://github.com/Your-Org/app",
    ),
    (
        "attested-by-key",
        &[SIGNED, Attest(V1, GENERATOR, Key)],
        "attestations not found",
    ),
    (
        "no-builder",
        &[SIGNED, Attest(V1, "", Called(APP, GENERATOR))],
        "names no builder",
    ),
    (
        "unlogged",
        &[SIGNED, Stored("bundle", "tsa"), RIGHT],
        "no transparency log entry",
    ),
    (
        "lookalike-builder",
        &[SIGNED, Attest(V1, GENERATOR, Called(APP, LOOKALIKE))],
        "but is signed by https://github.com/slsa-framework-evil/",
    ),
    (
        "generic-generator",
        &[SIGNED, Attest(V1, GENERATOR, Called(APP, GENERIC))],
        "but is signed by",
    ),
    (
        "longer-tag",
        &[SIGNED, Attest(V1, OTHER_TAG, Called(APP, OTHER_TAG))],
        "@refs/tags/v2.0.0-rc.1, wanted https://",
    ),
];

impl By {
    fn is(self) -> (&'static str, String) {
        match self {
            Key => ("keyed", String::new()),
            Own(repository) => (
                "keyless",
                claims(repository, &format!("{repository}/{WORKFLOW}")),
            ),
            Called(repository, workflow) => ("keyless", claims(repository, workflow)),
        }
    }
}

/// The claims of a job of a repository, in a workflow that need not be its own.
fn claims(repository: &str, workflow: &str) -> String {
    format!(
        "repository={repository} job_workflow_ref={workflow} workflow_ref={repository}/{WORKFLOW}"
    )
}

fn predicate(kind: &str, builder: &str) -> String {
    let id = match builder {
        "" => String::new(),
        workflow => format!("https://github.com/{workflow}"),
    };
    let predicate = match kind {
        V1 => json!({"runDetails": {"builder": {"id": id}}}),
        _ => json!({"builder": {"id": id}}),
    };
    predicate.to_string()
}

/// Makes the image of a case; gives its reference.
fn make(stack: &Stack, (name, steps, _): Case) -> String {
    let image = stack.must(&[], &["image", &format!("your-org/{name}")]);
    let (mut format, mut log) = ("bundle", "v2");
    for step in steps {
        match *step {
            Stored(other, logged) => (format, log) = (other, logged),
            Sign(by) => {
                let (who, claims) = by.is();
                let environment = [("LOG", log), ("CLAIMS", claims.as_str())];
                stack.must(&environment, &["sign", &image, who, format]);
            }
            Attest(kind, builder, by) => {
                let (who, claims) = by.is();
                let environment = [("LOG", log), ("CLAIMS", claims.as_str())];
                let file = stack.file("predicate.json");
                fs::write(&file, predicate(kind, builder)).unwrap();
                let what = [kind, file.to_str().unwrap()];
                stack.must(
                    &environment,
                    &[&["attest", &image, who, format][..], &what].concat(),
                );
            }
        }
    }
    image
}

#[test]
fn more_of_the_story_gets_what_it_deserves() {
    let Some(stack) = Stack::start() else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let made = root.path().join("made");
    let pods = CASES.map(|case| {
        let image = make(&stack, case);
        let folder = made.join(case.0);
        stack.must(&[], &["save", &image, folder.to_str().unwrap()]);
        Pod {
            name: case.0.to_owned(),
            image,
            passes: case.2.is_empty(),
        }
    });
    let trusted_root = stack.file("trusted_root.json");
    let text = fs::read_to_string(&trusted_root).unwrap();
    let policy = reference_policy("http://127.0.0.1:23702", &text);
    // This instance has no log of certificates.
    let log = "                    rekor:";
    assert!(policy.contains(log));
    let waived = format!("                    ctlog: {{ignoreSCT: true}}\n{log}");
    let folder = Folder {
        policy: policy.replace(log, &waived),
        names: ("verify-slsa-provenance", "verify-provenance"),
        layout: made,
        trusted_root,
        pods: pods.into(),
    };
    let tests = root.path().join("tests");
    folder.write(&tests.join("story"));
    let lines = run(&tests);
    let wrong = CASES.iter().filter_map(|(name, _, says)| {
        let line = &lines[&("story".to_owned(), (*name).to_owned())];
        let right = line.good && line.message.contains(says);
        (!right).then(|| format!("{name}: {}", line.message))
    });
    let wrong: Vec<String> = wrong.collect();
    record("made-story", CASES.len() - wrong.len(), CASES.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
