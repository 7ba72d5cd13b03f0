//! The reference policy's story: the same images and the same verdicts as through `serve`.

use std::fs;
use std::path::PathBuf;

use regent_server::image::layout::Layouts;
use regent_server::layout_registry::{LayoutRegistry, ReferrersApi};
use regent_tests::record;

use super::{Folder, Pod, run, run_with};
use crate::server::provenance::{Case, Story};

#[test]
fn every_image_of_the_story_gets_what_it_deserves() {
    let Some(story) = Story::read() else { return };
    let root = tempfile::tempdir().unwrap();
    let trusted_root = root.path().join("trusted_root.json");
    fs::write(&trusted_root, story.trusted_root()).unwrap();
    // By digest and by tag.
    let pod = |case: &Case, name: String, image: String| Pod {
        name,
        image,
        passes: case.admitted,
    };
    let by_digest = story
        .cases
        .iter()
        .map(|case| pod(case, case.name.clone(), case.image.clone()));
    let by_tag = story
        .cases
        .iter()
        .map(|case| pod(case, tagged(case), case.tagged()));
    let folder = Folder {
        policy: story.policy.clone(),
        names: ("verify-slsa-provenance", "verify-provenance"),
        layout: story.layouts().to_owned(),
        trusted_root,
        pods: by_digest.chain(by_tag).collect(),
    };
    folder.write(&root.path().join("story"));

    let lines = run(root.path());
    assert_eq!(lines.len(), 2 * story.cases.len());
    let mut wrong = Vec::new();
    let mut passed = 0;
    for case in &story.cases {
        let before = wrong.len();
        for pod in [case.name.clone(), tagged(case)] {
            let line = &lines[&("story".to_owned(), pod.clone())];
            if !line.good || !case.is_explained_by(&line.message) {
                wrong.push(format!("{pod}: {}", line.message));
            }
        }
        passed += usize::from(wrong.len() == before);
    }
    record("provenance-test", passed, story.cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same from a registry that has no layout beside it, and from what was recorded of it once it is gone.
#[test]
fn the_story_is_the_same_from_what_was_recorded() {
    let Some(story) = Story::read() else { return };
    let (host, _) = story.cases[0].image.split_once('/').unwrap();
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
    let (facts, trusted_root) = (path("facts.json"), path("trusted_root.json"));
    fs::write(&trusted_root, story.trusted_root()).unwrap();
    let pods = story.cases.iter().flat_map(|case| {
        [
            (case.name.clone(), case.image.clone()),
            (tagged(case), case.tagged()),
        ]
        .map(|(name, image)| Pod {
            name,
            image,
            passes: case.admitted,
        })
    });
    let folder = Folder {
        policy: story.policy.clone(),
        names: ("verify-slsa-provenance", "verify-provenance"),
        layout: PathBuf::new(),
        trusted_root: PathBuf::new(),
        pods: pods.collect(),
    };
    let tests = root.path().join("tests");
    folder.write_from(&tests.join("story"), ("facts", facts.clone().into()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let layouts = Layouts::open(&[story.layouts().to_owned()]).unwrap();
    let starting = LayoutRegistry::start(layouts, host, ReferrersApi::Served);
    let registry = runtime.block_on(starting).unwrap();
    let mirror = format!("{host}=http://{}", registry.address());
    let flags = [
        "--record",
        &facts,
        "--registry-mirror",
        &mirror,
        "--trusted-root",
        &trusted_root,
    ];
    let asked = run_with(&tests, &flags);
    drop(registry);
    assert_eq!(asked.len(), 2 * story.cases.len());
    for case in &story.cases {
        for pod in [case.name.clone(), tagged(case)] {
            let line = &asked[&("story".to_owned(), pod.clone())];
            assert!(line.good, "{pod}: {}", line.message);
            assert!(
                case.is_explained_by(&line.message),
                "{pod}: {}",
                line.message
            );
        }
    }
    assert_eq!(run(&tests), asked);
}

fn tagged(case: &Case) -> String {
    format!("{}-by-tag", case.name)
}
