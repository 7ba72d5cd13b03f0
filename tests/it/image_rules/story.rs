//! The reference policy's story: the same images and the same verdicts as through `serve`.

use std::fs;

use regent_tests::record;

use super::{Folder, Pod, run};
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

fn tagged(case: &Case) -> String {
    format!("{}-by-tag", case.name)
}
