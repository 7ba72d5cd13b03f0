//! Trust roots by The Update Framework, from a repository that is made here: what is believed, and what is not.

mod evidence;
mod repository;

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use regent::exit_status::ExitStatus;
use regent_server::image::trust::PUBLIC_SIGSTORE;
use regent_server::tuf::{Fetched, Mirror, TRUSTED_ROOT, TufError, TufSettings};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::command::regent;
use crate::server::client::{Answer, PATIENCE, pod_review, start};
use repository::{Change, Publisher, Served};

fn settings(served: &Served, publisher: &Publisher) -> TufSettings {
    TufSettings {
        mirror: served.address(),
        root: publisher.first_root().to_vec(),
        target: TRUSTED_ROOT.to_owned(),
        directory: None,
        certificates: Vec::new(),
        interval: Duration::from_millis(50),
        beside_others: false,
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

async fn fetch(mirror: &Mirror) -> Result<Fetched, TufError> {
    mirror.fetch(now(), Instant::now() + PATIENCE).await
}

/// A trust root with a log of its own.
fn trust_root(log: &str) -> String {
    let mut root: Value = serde_json::from_str(PUBLIC_SIGSTORE).unwrap();
    root["tlogs"][0]["baseUrl"] = json!(log);
    root.to_string()
}

#[tokio::test]
async fn a_trust_root_is_fetched_by_any_earlier_root() {
    let mut publisher = Publisher::new();
    publisher.publish(&trust_root("https://one.example"));
    let served = Served::start(&publisher).await;
    let mirror = Mirror::new(&settings(&served, &publisher)).unwrap();
    let first = fetch(&mirror).await.unwrap();
    assert_eq!(first.json, trust_root("https://one.example"));
    assert_eq!(first.versions, (1, 1));

    // New keys, signed for by the old ones.
    publisher.rotate();
    publisher.rotate();
    publisher.publish(&trust_root("https://two.example"));
    served.serve(&publisher);
    let second = fetch(&mirror).await.unwrap();
    assert_eq!(second.json, trust_root("https://two.example"));
    assert_eq!(second.versions, (3, 2));
}

#[tokio::test]
async fn what_is_not_signed_for_is_not_believed() {
    let mut publisher = Publisher::new();
    publisher.publish(&trust_root("https://one.example"));
    let served = Served::start(&publisher).await;
    for (change, reason) in [
        (Change::OneSignatureOfTwo, "threshold not met"),
        (Change::ForeignKey, "threshold not met"),
        (Change::TimestampExpired, "expired"),
        (Change::OtherTarget, "integrity"),
        (Change::OtherSnapshot, "integrity"),
        (Change::NoTarget, "not listed"),
        (Change::NoTimestamp, "not found"),
        (Change::Endless, "more than"),
        (Change::RootWithoutOldKeys, "threshold not met"),
        (Change::RootExpired, "expired"),
        // CVE-2026-23992: a role that needs no signature is no role.
        (Change::RootThatAsksForNoSignature, "threshold"),
        // CVE-2026-23991: what cannot be read is an error.
        (Change::Unreadable, "failed to parse"),
        // CVE-2024-47534: who was asked to list targets is believed only by his own key.
        (Change::OtherListedByStranger, "threshold"),
    ] {
        served.serve_changed(&publisher, change);
        let mirror = Mirror::new(&settings(&served, &publisher)).unwrap();
        let error = fetch(&mirror).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{change:?}: {error}");
    }
    let stranger = Publisher::new();
    served.serve(&publisher);
    let mirror = Mirror::new(&settings(&served, &stranger)).unwrap();
    assert!(
        fetch(&mirror).await.is_err(),
        "the root that is given decides"
    );
    let mut none = settings(&served, &publisher);
    none.root = b"{}".to_vec();
    assert!(matches!(Mirror::new(&none), Err(TufError::Root(_))));
    none.mirror = "tuf.example".to_owned();
    assert!(matches!(Mirror::new(&none), Err(TufError::Mirror(_))));
}

/// CVE-2022-29173: a mirror does not go back behind what it showed, also after a restart.
#[tokio::test]
async fn a_mirror_does_not_go_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut publisher = Publisher::new();
    publisher.publish(&trust_root("https://one.example"));
    let served = Served::start(&publisher).await;
    let old = publisher.clone();
    publisher.publish(&trust_root("https://two.example"));
    served.serve(&publisher);
    let mut settings = settings(&served, &publisher);
    settings.directory = Some(folder.path().to_owned());
    fetch(&Mirror::new(&settings).unwrap()).await.unwrap();
    served.serve(&old);
    let error = fetch(&Mirror::new(&settings).unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("rollback"), "{error}");
}

const POLICY: &str = "
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: signed}
spec:
  validationFailureAction: Enforce
  rules:
  - name: is-signed
    match: {any: [{resources: {kinds: [Pod]}}]}
    verifyImages:
    - imageReferences: ['registry.example/*']
      attestors:
      - entries:
        - keyless:
            issuer: https://token.actions.githubusercontent.com
            subject: https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main
            rekor: {url: 'https://two.example'}
";

/// What the mirror has is in force soon, for policies too; where it is away, the last good trust root stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_follows_its_mirror() {
    let folder = tempfile::tempdir().unwrap();
    let mut publisher = Publisher::new();
    publisher.publish(&trust_root("https://one.example"));
    let served = Served::start(&publisher).await;
    let mut tuf = settings(&served, &publisher);
    tuf.directory = Some(folder.path().to_owned());
    let start_with = async |tuf: &TufSettings| {
        let tuf = tuf.clone();
        start(&[("policy.yaml", POLICY)], |settings| {
            settings.tuf = Some(tuf);
        })
        .await
    };
    let regent = start_with(&tuf).await;
    let ready = regent.get("/health/readiness").await;
    assert!(ready.body.contains("https://two.example"), "{}", ready.body);

    publisher.publish(&trust_root("https://two.example"));
    served.serve(&publisher);
    regent
        .ready_when(|answer| answer.body.starts_with("ok"))
        .await;

    // Whatever is wrong with the mirror, nothing changes.
    served.serve_changed(&publisher, Change::NoTimestamp);
    let failed = "regent_trust_root_refreshes_total{outcome=\"error\"}";
    let asked = async {
        while !regent.metrics().await.contains(failed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap();
    let ready = regent.get("/health/readiness").await;
    assert_eq!(ready.status, 200, "{}", ready.body);
    assert!(
        regent
            .metrics()
            .await
            .contains("regent_trust_root_age_seconds ")
    );
    drop(regent);

    // A restart with the mirror away goes on with what was kept; without that there is no start.
    let again = start_with(&tuf).await;
    let ready = again.get("/health/readiness").await;
    assert_eq!(ready.status, 200, "{}", ready.body);
    drop(again);
    tuf.directory = None;
    let refused = Mirror::new(&tuf).unwrap();
    assert!(fetch(&refused).await.is_err());
}

/// A policy without its log is in force and refuses, so that no image comes in for want of a trust root.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_refuses_as_long_as_no_trust_root_has_its_log() {
    let mut publisher = Publisher::new();
    publisher.publish(&trust_root("https://one.example"));
    let served = Served::start(&publisher).await;
    let tuf = settings(&served, &publisher);
    let regent = start(&[("policy.yaml", POLICY)], |settings| {
        settings.tuf = Some(tuf);
    })
    .await;
    let mut review = pod_review(&json!({}));
    let image = format!("registry.example/app@sha256:{}", "0".repeat(64));
    review["request"]["object"]["spec"]["containers"][0]["image"] = json!(image);
    let without_log = async || {
        let log = "no trust root has a log at `https://two.example` (its rule is an error)";
        let without = |answer: &Answer| answer.body.contains(log) && answer.status == 200;
        regent.ready_when(without).await;
        let said = regent.post("/validate", &review).await;
        assert!(!said.allowed(), "{}", said.body);
        assert!(
            said.body.contains("no trust root has the log"),
            "{}",
            said.body
        );
    };
    without_log().await;

    publisher.publish(&trust_root("https://two.example"));
    served.serve(&publisher);
    regent
        .ready_when(|answer| answer.body.starts_with("ok"))
        .await;
    // Also where trust roots lose the log of a policy that is in force.
    publisher.publish(&trust_root("https://three.example"));
    served.serve(&publisher);
    without_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_writes_what_a_mirror_has() {
    let folder = tempfile::tempdir().unwrap();
    let mut publisher = Publisher::new();
    publisher.publish(&trust_root("https://one.example"));
    let served = Served::start(&publisher).await;
    let root = folder.path().join("root.json");
    fs::write(&root, publisher.first_root()).unwrap();
    let output = folder.path().join("trusted_root.json");
    let address = served.address();
    let arguments = |root: &str, output: &str| {
        [
            "fetch-trust",
            "--mirror",
            &address,
            "--root",
            root,
            "--output",
            output,
        ]
        .map(str::to_owned)
    };
    let (root, written) = (root.to_str().unwrap(), output.to_str().unwrap());
    let given = arguments(root, written);
    let ran = tokio::task::spawn_blocking(move || {
        regent(&given.iter().map(String::as_str).collect::<Vec<_>>())
    });
    let ran = ran.await.unwrap();
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    assert!(ran.stderr.contains("TUF root version 1"), "{}", ran.stderr);
    assert_eq!(
        fs::read_to_string(&output).unwrap(),
        trust_root("https://one.example")
    );

    served.serve_changed(&publisher, Change::TimestampExpired);
    fs::remove_file(&output).unwrap();
    let given = arguments(root, written);
    let ran = tokio::task::spawn_blocking(move || {
        regent(&given.iter().map(String::as_str).collect::<Vec<_>>())
    });
    let ran = ran.await.unwrap();
    assert_ne!(ran.status, ExitStatus::Pass);
    assert!(ran.stderr.contains("expired"), "{}", ran.stderr);
    assert!(!output.exists());
}
