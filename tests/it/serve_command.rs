//! `regent serve` as a process: its flags, its files, and signals.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Instant;

use clap::Parser as _;
use hyper::StatusCode;
use regent::args::Args;
use regent_engine::source::Source;
use regent_engine::yaml::{self, Node};
use regent_tests::workspace;
use serde_json::json;
use tempfile::TempDir;

use crate::process::{self, Process};
use crate::server::client::{Answer, PATIENCE, get, pod_review, post, send_to};

mod memory;

const POLICY: &str = "
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: team}
spec:
  validationFailureAction: Enforce
  rules:
  - name: has-team
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate:
      message: every pod has a team
      pattern: {metadata: {labels: {team: '?*'}}}
";

/// `regent serve` with arguments, on free ports.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut all = vec!["serve"];
    all.extend(["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]);
    all.extend(arguments);
    process::command(&all)
}

/// `regent serve`, until the test ends.
struct Serve {
    process: Process,
    lines: Receiver<String>,
    address: SocketAddr,
    metrics: SocketAddr,
}

impl Serve {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        fs::create_dir_all(folder.join("policies")).unwrap();
        fs::write(folder.join("policies/team.yaml"), POLICY).unwrap();
        let policies = folder.join("policies");
        let policies = ["--policies", policies.to_str().unwrap()];
        let mut process = Process::start(
            command(&[&policies, arguments].concat())
                .stdout(Stdio::null())
                .stderr(Stdio::piped()),
        );
        let lines = process.stderr();
        let address = announced(&lines, "webhook on https://");
        let metrics = announced(&lines, "metrics on http://");
        Self {
            process,
            lines,
            address,
            metrics,
        }
    }

    fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// How it ended, once it has.
    fn ended(self) -> ExitStatus {
        self.process.ended()
    }

    async fn get(&self, authority: &[u8], path: &str) -> Answer {
        send_to(self.address, authority, get(path)).await
    }
}

/// The address in the line that starts so.
pub(crate) fn announced(lines: &Receiver<String>, start: &str) -> SocketAddr {
    loop {
        let line = lines.recv_timeout(PATIENCE).expect(start);
        if let Some(address) = line.strip_prefix(start) {
            return address.trim_end_matches("/metrics").parse().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_until_it_is_told_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let tls = folder.path().join("tls");
    let flags = ["--tls-self-signed", tls.to_str().unwrap()];
    let delayed = ["--shutdown-delay", "5"];
    let serve = Serve::start(folder.path(), &[&flags[..], &delayed].concat());
    let authority = fs::read(tls.join("ca.crt")).unwrap();
    assert_eq!(
        serve.get(&authority, "/health/liveness").await.status,
        StatusCode::OK
    );
    for (team, allowed) in [(json!({"team": "a"}), true), (json!({}), false)] {
        let review = post("/validate", pod_review(&team).to_string());
        let answer = send_to(serve.address, &authority, review).await;
        assert_eq!(answer.allowed(), allowed, "{}", answer.body);
    }
    let metrics = tokio::net::TcpStream::connect(serve.metrics).await;
    assert!(metrics.is_ok());

    serve.signal("TERM");
    let told = Instant::now();
    while serve.get(&authority, "/health/readiness").await.status == StatusCode::OK {
        assert!(told.elapsed() < PATIENCE, "it is still ready");
    }
    assert!(serve.ended().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn serves_a_certificate_of_files_and_reads_policies_again_on_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let authority = write_certificate(&folder);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("tls.crt"), path("tls.key"));
    let flags = ["--tls-cert", &certificate, "--tls-key", &key];
    let others = ["--shutdown-delay", "0", "--reload-interval", "3600"];
    let serve = Serve::start(folder.path(), &[&flags[..], &others].concat());
    let ready = serve.get(&authority, "/health/readiness").await;
    assert_eq!(ready.body, "ok: 1 policy files in force\n");
    let broken = POLICY.replace("pattern:", "patern:");
    fs::write(folder.path().join("policies/broken.yaml"), broken).unwrap();
    serve.signal("HUP");
    let told = Instant::now();
    let degraded = loop {
        let ready = serve.get(&authority, "/health/readiness").await;
        if ready.body.starts_with("degraded: 1 of 2 policy files") {
            break ready;
        }
        assert!(told.elapsed() < PATIENCE, "{}", ready.body);
    };
    assert_eq!(degraded.status, StatusCode::OK);
    serve.signal("INT");
    announced_end(&serve.lines);
    assert!(serve.ended().success());
}

/// A collector of logs that reads JSON reads every line.
#[test]
fn all_lines_are_json_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("team.yaml"), POLICY).unwrap();
    let policies = folder.path().to_str().unwrap();
    let tls = folder.path().join("tls");
    let flags = [
        "--policies",
        policies,
        "--tls-self-signed",
        tls.to_str().unwrap(),
    ];
    let others = ["--log-format", "json", "--shutdown-delay", "0"];
    let mut process = Process::start(
        command(&[flags, others].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::piped()),
    );
    let lines = process.stderr();
    let said = |start: &str| {
        let line = lines.recv_timeout(PATIENCE).expect(start);
        let record: serde_json::Value = serde_json::from_str(&line).expect(&line);
        record["fields"]["message"]
            .as_str()
            .is_some_and(|message| message.starts_with(start))
    };
    for start in ["webhook on", "metrics on", "certificate authority in"] {
        while !said(start) {}
    }
    process.signal("TERM");
    while !said("shutting down") {}
    assert!(process.ended().success());
}

/// Refuses pods, and says what they say.
const ECHO: &str = r#"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: echo}
spec:
  validationFailureAction: Enforce
  rules:
  - name: echo
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate:
      message: "{{ request.object.metadata.labels.said }}"
      deny: {}
"#;

/// Whoever is refused asks again, and must not fill the disk that logs are on.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_refusal_is_logged_in_short() {
    let folder = tempfile::tempdir().unwrap();
    let tls = folder.path().join("tls");
    fs::create_dir_all(folder.path().join("policies")).unwrap();
    fs::write(folder.path().join("policies/echo.yaml"), ECHO).unwrap();
    let serve = Serve::start(folder.path(), &["--tls-self-signed", tls.to_str().unwrap()]);
    let authority = fs::read(tls.join("ca.crt")).unwrap();
    let review = pod_review(&json!({"team": "a", "said": "é".repeat(500_000)}));
    let review = post("/validate", review.to_string());
    let answer = send_to(serve.address, &authority, review).await;
    assert!(!answer.allowed(), "{}", answer.body);
    assert!(answer.body.len() > 100_000, "{}", answer.body);
    let logged = loop {
        let line = serve.lines.recv_timeout(PATIENCE).expect("the refusal");
        if line.contains("denied") {
            break line;
        }
    };
    assert!(logged.contains("é…"), "{logged}");
    assert!(logged.len() < 8_000, "{logged}");
}

fn announced_end(lines: &Receiver<String>) {
    while !lines
        .recv_timeout(PATIENCE)
        .expect("a last word")
        .starts_with("shutting down")
    {}
}

fn write_certificate(folder: &TempDir) -> Vec<u8> {
    let pair = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    fs::write(folder.path().join("tls.crt"), pair.cert.pem()).unwrap();
    fs::write(
        folder.path().join("tls.key"),
        pair.signing_key.serialize_pem(),
    )
    .unwrap();
    pair.cert.pem().into_bytes()
}

#[test]
fn what_it_cannot_start_with_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let missing = missing.to_str().unwrap();
    let policies = format!("--policies {}", folder.path().display());
    let tls = format!("--tls-self-signed {}", folder.path().join("tls").display());
    for (line, part) in [
        (
            policies.clone(),
            "--tls-cert and --tls-key, or --tls-self-signed",
        ),
        (format!("{tls} {policies} --tls-name a,b"), "a,b"),
        (format!("{policies} --tls-cert {missing}"), "--tls-key"),
        (
            format!("{policies} --tls-cert {missing} --tls-key {missing}"),
            missing,
        ),
        (tls.clone(), "--policies"),
        (format!("{tls} --policies {missing}"), missing),
        (
            format!("{tls} {policies} --trusted-root {missing}"),
            missing,
        ),
        (format!("{tls} {policies} --oci-layout {missing}"), missing),
        (
            format!("{tls} {policies} --registry-mirror ghcr.io"),
            "HOST=ADDRESS",
        ),
        (
            format!("{tls} {policies} --evidence-max-age 2d"),
            "a duration of at most a day",
        ),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let ended = command(&arguments).output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{line}: {stderr}");
        assert!(stderr.contains(part), "{line}: {stderr}");
    }
}

/// The command line that the documented Deployment starts.
#[test]
fn the_documented_arguments_are_understood() {
    let text = fs::read_to_string(workspace().join("docs/deployment.yaml")).unwrap();
    let (documents, diagnostics) = yaml::parse(&Source::new("deployment.yaml", text));
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let of_kind = |node: &&Node| node.get("kind").and_then(Node::as_str) == Some("Deployment");
    let deployment = documents.iter().find(of_kind).unwrap();
    let fields = ["spec", "template", "spec", "containers"];
    let containers = fields
        .iter()
        .try_fold(deployment, |node, field| node.get(field));
    let list = |node: Option<&Node>| match &node.unwrap().value {
        yaml::Value::List(items) => items.clone(),
        other => panic!("{other:?}"),
    };
    let arguments = list(list(containers)[0].get("args"));
    let arguments = arguments.iter().map(|one| one.as_str().unwrap());
    let read = Args::try_parse_from(std::iter::once("regent").chain(arguments)).unwrap();
    assert!(matches!(read.command, regent::args::Command::Serve(_)));
}

/// A cluster that is not asked as the operator says is no cluster that is left out.
#[test]
fn a_cluster_that_cannot_be_asked_ends_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("policy.yaml"), POLICY).unwrap();
    let config = "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n\
        clusters: [{name: k, cluster: {server: 'https://127.0.0.1:1'}}]\n\
        users: [{name: u, user: {exec: {command: aws}}}]\n";
    fs::write(path("config"), config).unwrap();
    let (policies, tls) = (path("policy.yaml"), path("tls"));
    let (with_exec, missing) = (path("config"), path("none"));
    for (flags, said) in [
        (["--kubeconfig", &with_exec], "`exec` is not supported"),
        (["--kubeconfig", &missing], "No such file"),
        (["--image-pull-secret", "a"], "`a` is in no cluster"),
    ] {
        let files = ["--policies", &policies, "--tls-self-signed", &tls];
        let ran = command(&[&files[..], &flags].concat()).output().unwrap();
        let stderr = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
    }
}
