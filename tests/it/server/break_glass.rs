//! Break-glass as the API server and the operator see it: what is refused is let in for a while and for some, written down
//! first, and verified afterwards.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regent_engine::go_time::Time;
use regent_server::break_glass::history::{History, Past, State};
use regent_server::break_glass::journal::Journal;
use regent_server::break_glass::record::{Record, Verdict};
use regent_server::break_glass::{BreakGlassSettings, LONGEST};
use regent_server::clock;
use regent_server::image::Network;
use regent_server::image::layout::Layouts;
use regent_server::image::registry::RegistrySettings;
use regent_server::image::trust::{TrustRoot, TrustRoots};
use regent_server::layout_registry::{LayoutRegistry, ReferrersApi};
use regent_server::settings::Settings;
use regent_tests::workspace;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::client::{Answer, Server, pod_review, start};
use crate::registry::no_credentials;

/// A registry that can be away and come back.
struct Wire {
    address: SocketAddr,
    connected: Arc<AtomicBool>,
    _registry: LayoutRegistry,
}

impl Wire {
    async fn cut() -> Self {
        let layouts = Layouts::open(&[workspace().join("cli/demo/registry")]).unwrap();
        let registry = LayoutRegistry::start(layouts, "ghcr.io", ReferrersApi::Served)
            .await
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (address, behind) = (listener.local_addr().unwrap(), registry.address());
        let connected = Arc::new(AtomicBool::new(false));
        let is_connected = Arc::clone(&connected);
        tokio::spawn(accept(listener, behind, is_connected));
        Self {
            address,
            connected,
            _registry: registry,
        }
    }

    fn mend(&self) {
        self.connected.store(true, Ordering::Relaxed);
    }
}

async fn accept(listener: TcpListener, behind: SocketAddr, is_connected: Arc<AtomicBool>) {
    while let Ok((client, _)) = listener.accept().await {
        if is_connected.load(Ordering::Relaxed) {
            tokio::spawn(join(client, behind));
        }
    }
}

async fn join(mut client: TcpStream, server: SocketAddr) -> std::io::Result<(u64, u64)> {
    let mut server = TcpStream::connect(server).await?;
    copy_bidirectional(&mut client, &mut server).await
}

/// A journal in a folder of its own.
struct Book {
    folder: TempDir,
}

impl Book {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("journal.jsonl")
    }

    /// The requests that were written down.
    fn requests(&self) -> Vec<Value> {
        let journal = Journal::new(&self.path());
        let uses = self.uses().into_iter();
        let requests = uses.map(|past| match journal.at(past.place).unwrap() {
            Record::Use(one) => one.request,
            other => panic!("{other:?}"),
        });
        requests.collect()
    }

    fn uses(&self) -> Vec<Past> {
        let history = History::of(&Journal::new(&self.path())).unwrap();
        assert_eq!(history.problems, Vec::<String>::new());
        history.uses
    }

    /// What became of all uses, once that is as it is wanted; a verification may take as long as a registry is left alone.
    async fn states(&self, wanted: &[&str]) {
        let mut states = Vec::new();
        for _ in 0..600 {
            states = self.uses().iter().map(|past| past.state.name()).collect();
            if states == wanted {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("{states:?}, not {wanted:?}");
    }
}

fn policy() -> String {
    let path = workspace().join("policies/provenance/keyed/policy.yaml");
    fs::read_to_string(path).unwrap()
}

fn hours_from_now(hours: i64) -> String {
    let seconds = clock::environment().seconds + hours * 3600;
    Time::from_unix(seconds, 0).to_string()
}

fn glass(from: i64, to: i64) -> String {
    format!(
        "
apiVersion: regent.dev/v1
kind: BreakGlass
metadata: {{name: incident}}
spec:
  reason: the registry is down
  ticket: INC-7
  startsAt: '{}'
  expiresAt: '{}'
  match: {{any: [{{resources: {{kinds: [Pod], namespaces: [production]}}, subjects: [{{kind: User, name: alice}}]}}]}}
  exceptions: [{{policyName: keyed, ruleNames: ['*']}}]
",
        hours_from_now(from),
        hours_from_now(to)
    )
}

async fn server(book: &Path, registry: SocketAddr, glass: &str) -> Server {
    let policies = [("policy.yaml", policy()), ("glass.yaml", glass.to_owned())];
    let policies: Vec<_> = policies
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    start(&policies, |settings: &mut Settings| {
        let root = fs::read_to_string(workspace().join("cli/demo/trusted_root.json")).unwrap();
        settings.trust_roots = TrustRoots::new(TrustRoot::parse(&root).unwrap());
        settings.images.network = Network::Registries(RegistrySettings {
            mirrors: vec![("ghcr.io".to_owned(), format!("http://{registry}"))],
            docker_config: Some(no_credentials()),
            ..RegistrySettings::default()
        });
        settings.break_glass = Some(BreakGlassSettings {
            journal: book.to_owned(),
            longest: LONGEST,
            verify_every: Duration::from_millis(300),
        });
    })
    .await
}

fn review(user: &str, image: &str) -> Value {
    let mut review = pod_review(&json!({}));
    let request = &mut review["request"];
    request["namespace"] = json!("production");
    request["userInfo"]["username"] = json!(user);
    request["object"]["metadata"]["namespace"] = json!("production");
    request["object"]["metadata"]["managedFields"] = json!([{"manager": "kubectl"}]);
    request["object"]["spec"]["containers"][0]["image"] = json!(image);
    review
}

async fn ask(server: &Server, path: &str, review: &Value) -> Answer {
    server.post(&format!("{path}?timeout=5s"), review).await
}

const TAGGED: &str = "ghcr.io/your-org/keyed:v1";
/// The same by its digest, which is known also where nobody can be asked.
fn signed() -> String {
    let cases = fs::read_to_string(workspace().join("cli/demo/cases.json")).unwrap();
    let cases: Value = serde_json::from_str(&cases).unwrap();
    let mut cases = cases["cases"].as_array().unwrap().iter();
    let keyed = cases.find(|case| case["case"] == "keyed").unwrap();
    format!("{TAGGED}@{}", keyed["digest"].as_str().unwrap())
}

const UNSIGNED: &str = "ghcr.io/your-org/unsigned:v1";

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_got_over_and_what_was_let_in_is_verified_when_it_ends() {
    let (wire, book) = (Wire::cut().await, Book::new());
    let server = server(&book.path(), wire.address, &glass(-1, 2)).await;
    let refused = ask(&server, "/mutate", &review("bob", &signed())).await;
    assert!(!refused.allowed(), "{}", refused.body);
    let let_in = ask(&server, "/mutate", &review("alice", &signed())).await;
    assert!(let_in.allowed(), "{}", let_in.body);
    let response = let_in.response();
    let warning = response["warnings"][0].as_str().unwrap();
    assert!(
        warning.contains("let in by break-glass incident"),
        "{warning}"
    );
    assert_eq!(
        response["auditAnnotations"],
        json!({"break-glass": "incident (INC-7): keyed/verify-key"})
    );
    // Nothing is stored by a dry run, and nothing is written down of it.
    let mut dry = review("alice", &signed());
    dry["request"]["dryRun"] = json!(true);
    assert!(ask(&server, "/mutate", &dry).await.allowed());
    let uses = book.uses();
    assert_eq!(uses.len(), 1, "{uses:#?}");
    let first = &uses[0].used;
    assert_eq!(first.rules[0].status, "error");
    assert_eq!(first.rules[0].break_glass.ticket.as_deref(), Some("INC-7"));
    assert_eq!(first.images[0].reference, signed());
    assert_eq!(first.images[0].digest, None);
    assert_eq!(
        (first.object.as_str(), first.user.as_str()),
        ("Pod production/app", "alice")
    );
    let requests = book.requests();
    let kept = requests[0].pointer("/object/metadata").unwrap();
    assert!(kept.get("managedFields").is_none(), "{kept}");
    book.states(&["unknown"]).await;
    let metrics = server.metrics().await;
    let counted = "regent_break_glass_uses_total{break_glass=\"incident\",policy=\"keyed\",rule=\"verify-key\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    assert!(metrics.contains("regent_break_glass_unverified{break_glass=\"incident\"} 1"));
    // By its tag it is let in too, and nobody will ever know what it was.
    let by_tag = ask(&server, "/mutate", &review("alice", TAGGED)).await;
    assert!(by_tag.allowed(), "{}", by_tag.body);
    wire.mend();
    book.states(&["verified", "unknown"]).await;
    let (status, message) = match &book.uses()[1].state {
        State::Unverified {
            result, message, ..
        } => (*result, message.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(status, Verdict::Unknown, "{message}");
    let settled = "regent_break_glass_unverified{break_glass=\"incident\"} 1";
    for _ in 0..100 {
        if server.metrics().await.contains(settled) {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("{}", server.metrics().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_signed_is_let_in_by_its_digest_and_stays_refused() {
    let (wire, book) = (Wire::cut().await, Book::new());
    wire.mend();
    let server = server(&book.path(), wire.address, &glass(-1, 2)).await;
    let mutated = ask(&server, "/mutate", &review("alice", UNSIGNED)).await;
    assert!(mutated.allowed(), "{}", mutated.body);
    let patch = mutated.response()["patch"].clone();
    let patch = STANDARD.decode(patch.as_str().unwrap()).unwrap();
    let patch: Value = serde_json::from_slice(&patch).unwrap();
    let pinned = patch[0]["value"].as_str().unwrap();
    assert!(
        pinned.starts_with(&format!("{UNSIGNED}@sha256:")),
        "{patch}"
    );
    let validated = ask(&server, "/validate", &review("alice", pinned)).await;
    assert!(validated.allowed(), "{}", validated.body);
    book.states(&["refused", "refused"]).await;
    for request in book.requests() {
        let image = request.pointer("/object/spec/containers/0/image");
        assert_eq!(image, Some(&json!(pinned)), "what ran is what is verified");
    }
    // Who starts again goes on where it was.
    drop(server);
    let server = self::server(&book.path(), wire.address, &glass(-1, 2)).await;
    let expected = "regent_break_glass_unverified{break_glass=\"incident\"} 2";
    for _ in 0..100 {
        if server.metrics().await.contains(expected) {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("{}", server.metrics().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_down_is_not_let_in() {
    let (wire, book) = (Wire::cut().await, Book::new());
    wire.mend();
    let server = server(&book.path(), wire.address, &glass(-1, 2)).await;
    fs::remove_file(book.path()).unwrap();
    fs::create_dir(book.path()).unwrap();
    let mut asked = review("alice", UNSIGNED);
    for path in ["/mutate", "/mutate/fail"] {
        let refused = ask(&server, path, &asked).await;
        assert!(!refused.allowed(), "{}", refused.body);
        let message = refused.response()["status"]["message"].to_string();
        assert!(message.contains("could not be written down"), "{message}");
        assert!(refused.response().get("auditAnnotations").is_none());
    }
    // Nothing is stored: nothing has to be written down.
    asked["request"]["dryRun"] = json!(true);
    assert!(ask(&server, "/mutate", &asked).await.allowed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_broken_brings_back_no_break_glass_that_it_had() {
    let (wire, book) = (Wire::cut().await, Book::new());
    wire.mend();
    let other = policy().replace("name: keyed\n", "name: other\n");
    let both = glass(-1, 2);
    let both = both.replace(
        "[{policyName",
        "[{policyName: other, ruleNames: ['*']}, {policyName",
    );
    let text = format!("{other}\n---\n{both}");
    let server = server(&book.path(), wire.address, &text).await;
    let before = ask(&server, "/mutate", &review("alice", UNSIGNED)).await;
    assert!(before.allowed(), "{}", before.body);
    // It is closed, by who makes a mistake elsewhere in the file.
    let closed = text.replace("name: alice", "name: carol");
    let closed = closed.replace("kinds: [Pod]\n", "kindz: [Pod]\n");
    fs::write(server.policy_path("glass.yaml"), closed).unwrap();
    server.running.reload();
    server
        .ready_when(|answer| answer.body.contains("kindz"))
        .await;
    let after = ask(&server, "/mutate", &review("alice", UNSIGNED)).await;
    assert!(!after.allowed(), "{}", after.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_glass_that_is_taken_away_is_gone_whatever_else_cannot_be_read() {
    let (wire, book) = (Wire::cut().await, Book::new());
    wire.mend();
    let server = server(&book.path(), wire.address, &glass(-1, 2)).await;
    let before = ask(&server, "/mutate", &review("alice", UNSIGNED)).await;
    assert!(before.allowed(), "{}", before.body);
    fs::remove_file(server.policy_path("glass.yaml")).unwrap();
    fs::write(server.policy_path("other.yaml"), b"\xff\xfe").unwrap();
    server.running.reload();
    server
        .ready_when(|answer| answer.body.contains("UTF-8"))
        .await;
    let after = ask(&server, "/mutate", &review("alice", UNSIGNED)).await;
    assert!(!after.allowed(), "{}", after.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_and_after_it_lets_nothing_in_and_there_is_none_without_a_journal() {
    let wire = Wire::cut().await;
    wire.mend();
    for (from, to) in [(-3, -1), (1, 3)] {
        let book = Book::new();
        let server = server(&book.path(), wire.address, &glass(from, to)).await;
        let refused = ask(&server, "/mutate", &review("alice", UNSIGNED)).await;
        assert!(!refused.allowed(), "{}", refused.body);
        assert!(book.uses().is_empty());
    }
    let book = Book::new();
    let too_long = server(&book.path(), wire.address, &glass(-1, 4)).await;
    let refused = ask(&too_long, "/mutate", &review("alice", UNSIGNED)).await;
    assert!(!refused.allowed(), "{}", refused.body);
    let ready = too_long.get("/health/readiness").await;
    assert!(
        ready.body.contains("and may be for 4h0m0s"),
        "{}",
        ready.body
    );
    let nowhere = book.folder.path().join("none/journal");
    let settings = |settings: &mut Settings| {
        settings.break_glass = Some(BreakGlassSettings {
            journal: nowhere,
            longest: LONGEST,
            verify_every: LONGEST,
        });
    };
    let started = tokio::spawn(async move { start(&[], settings).await }).await;
    assert!(
        started.is_err(),
        "a journal that cannot be made is said at the start"
    );
}
