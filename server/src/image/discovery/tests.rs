use std::path::PathBuf;

use super::*;

/// The layouts below `../shared`, or nothing where they are not.
fn shared(below: &str) -> Option<PathBuf> {
    let root = std::env::var_os("REGENT_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
        PathBuf::from,
    );
    let path = root.join(below);
    if path.is_dir() {
        return Some(path);
    }
    let line = format!("skipped: needs `../shared/{below}` or `$REGENT_SHARED`\n");
    assert!(
        std::env::var_os("REGENT_TESTS_COMPLETE").is_none(),
        "{line}"
    );
    // Past the capture of test output.
    drop(std::io::Write::write_all(
        &mut std::io::stderr(),
        line.as_bytes(),
    ));
    None
}

fn image_of(entries: &str) -> Digest {
    let written = entries
        .lines()
        .find_map(|line| line.strip_prefix("image @"));
    Digest::parse(written.unwrap()).unwrap()
}

/// Every layout that real cosign wrote: what its list of entries says is what is found, and nothing is left out.
#[tokio::test]
async fn finds_what_cosign_wrote() {
    for set in ["conformance/cosign", "conformance/provenance"] {
        finds_what_its_entries_say(set).await;
    }
}

async fn finds_what_its_entries_say(set: &str) {
    let Some(path) = shared(set) else { return };
    let all = Layouts::open(std::slice::from_ref(&path)).unwrap();
    let mut seen = 0;
    for case in std::fs::read_dir(path).unwrap() {
        let case = case.unwrap().path();
        let Ok(entries) = std::fs::read_to_string(case.join("entries.txt")) else {
            continue;
        };
        seen += 1;
        let image = image_of(&entries);
        let count = |start: &str, end: &str| {
            let is_asked = |line: &&str| line.starts_with(start) && line.ends_with(end);
            entries.lines().filter(is_asked).count()
        };
        let found = discover(
            Origin::Layouts(&all),
            (&image, Wanted::Sigstore),
            &Budget::alone(),
        )
        .await
        .unwrap();
        assert_eq!(found.bundles.len(), count("referrer", ""), "{case:?}");
        assert_eq!(
            !found.signatures.is_empty(),
            count("tag", ".sig") > 0,
            "{case:?}"
        );
        assert_eq!(
            !found.attestations.is_empty(),
            count("tag", ".att") > 0,
            "{case:?}"
        );
        assert_eq!(found.skipped, Vec::new(), "{case:?}");
    }
    assert!(seen >= 20, "{seen} cases in {set}");
}

/// `cosign save` writes no names.
#[tokio::test]
async fn finds_the_generators_provenance() {
    let Some(path) = shared("images/slsa-github-generator") else {
        return;
    };
    let all = Layouts::open(std::slice::from_ref(&path)).unwrap();
    for version in ["v1.4.0", "v1.9.0", "v2.0.0"] {
        let digest = std::fs::read_to_string(path.join(version).join("digest")).unwrap();
        let digest = Digest::parse(digest.trim()).unwrap();
        assert!(all.has(&digest).await);
        let found = discover(
            Origin::Layouts(&all),
            (&digest, Wanted::Sigstore),
            &Budget::alone(),
        )
        .await
        .unwrap();
        assert_eq!(found.attestations.len(), 1, "{version}");
        assert!(
            found.signatures.is_empty() && found.bundles.is_empty() && found.skipped.is_empty()
        );
    }
}

/// Who finds no room waits for room for everything, and holds nothing while he waits.
#[tokio::test]
async fn room_is_waited_for_as_a_whole() {
    let digest = Digest::parse(&format!("sha256:{}", "a".repeat(64))).unwrap();
    let all = Memory::of(MAX_IN_FLIGHT);
    let share = Memory::of(MAX_IN_FLIGHT / 2);
    let budget = || Budget::new(&all).within(share.clone());
    let (first, second, third) = (budget(), budget(), budget());
    first.spend(MAX_TOTAL - 1, &digest).unwrap();
    second.spend(MAX_TOTAL - 1, &digest).unwrap();
    let refused = third.spend(1 << 20, &digest);
    assert!(
        matches!(refused, Err(FetchError::Crowded(_))),
        "{refused:?}"
    );
    drop(third);
    let mut waiting = Box::pin(budget().reserved());
    assert!(futures_util::poll!(&mut waiting).is_pending());
    drop(first);
    let reserved = waiting.await.unwrap();
    // All of it is there, whatever others take meanwhile.
    budget().spend(1 << 20, &digest).unwrap_err();
    reserved.spend(MAX_TOTAL, &digest).unwrap();
    let beyond = reserved.spend(1, &digest);
    assert!(matches!(beyond, Err(FetchError::TooLarge(_))), "{beyond:?}");
    drop((reserved, second));
    assert_eq!(all.left(), MAX_IN_FLIGHT);
}
