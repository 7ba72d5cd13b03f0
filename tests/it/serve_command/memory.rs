//! Registries that send as much as they can to a server that is asked about many images at once: its memory stays bounded.
//!
//! A process of its own is looked at, by what the kernel says was the most that it ever had.

use std::fs;
use std::net::SocketAddr;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regent_engine::image::Digest;
use serde_json::json;
use tokio::task::JoinSet;

use super::Serve;
use crate::registry::no_credentials;
use crate::registry::scripted::{Asked, Reply, Scripted, descriptor, digest, index, referrer};
use crate::server::client::{pod_review, post, send_to};

const POLICY: &str = r#"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: signed}
spec:
  validationFailureAction: Enforce
  webhookConfiguration: {timeoutSeconds: 10}
  rules:
  - name: is-signed
    match: {any: [{resources: {kinds: [Pod]}}]}
    verifyImages:
    - imageReferences: ["*.example/*"]
      attestors:
      - entries:
        - keyless:
            issuer: https://token.actions.githubusercontent.com
            subject: https://github.com/your-org/*
"#;

/// Images that are asked about at once.
const IMAGES: usize = 96;
/// Mebibytes by which the process may grow: 64 for what is read, 64 for what is kept, and what is made of both.
const GROWTH: u64 = 200;

/// How a registry sends more than anybody wants.
#[derive(Debug, Clone, Copy)]
enum Flood {
    /// Lists of referrers without end.
    Lists,
    /// Manifests without end, of evidence.
    Manifests,
    /// Everything without end.
    Everything,
    /// Everything inflates, said and unsaid.
    Inflating,
    /// Manifests as large as they may be, and blobs that never come.
    Held,
    /// Attestations that nobody signed, of JSON that takes a hundred times its text.
    Statements,
    /// Manifests of the same kind.
    Descriptors,
}

impl Flood {
    const ALL: [Self; 7] = [
        Self::Lists,
        Self::Manifests,
        Self::Everything,
        Self::Inflating,
        Self::Held,
        Self::Statements,
        Self::Descriptors,
    ];

    fn host(self) -> String {
        format!("{self:?}.example").to_lowercase()
    }

    fn answer(self, asked: &Asked) -> Reply {
        let endless = || Reply::Endless(200, String::new());
        let is_list = asked.path.contains("/referrers/");
        match self {
            Self::Lists if is_list => endless(),
            Self::Manifests if !is_list => endless(),
            Self::Everything => endless(),
            Self::Inflating => Reply::Endless(200, "Content-Encoding: gzip\r\n".to_owned()),
            Self::Held if asked.path.contains("/blobs/") => Reply::Silence,
            Self::Held if asked.path.contains(".sig") || asked.path.contains(".att") => {
                let layer = r#"{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","digest":"sha256:1111111111111111111111111111111111111111111111111111111111111111","size":1000}"#;
                let head = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":["#;
                Reply::manifest(format!("{head}{layer}]{}}}", " ".repeat(4_000_000)))
            }
            Self::Held if is_list => {
                // Each says that it is about the image that was asked for, in a list of four megabytes.
                let subject = asked.path.rsplit('/').next().unwrap_or_default();
                let subject = subject.split('?').next().unwrap_or_default();
                let about = Digest::parse(subject);
                let about = about.unwrap_or_else(|_| digest("none"));
                let one = descriptor(
                    &referrer(&about, "x"),
                    "application/vnd.dev.sigstore.bundle.v0.3+json",
                );
                let padding = format!(",\"annotations\":{{\"a\":\"{}\"}}}}", "a".repeat(3_900_000));
                let one = format!("{}{padding}", one.trim_end_matches('}'));
                Reply::index(index(&[one]))
            }
            Self::Statements if asked.path.contains("/blobs/") => Reply::blob(swollen()),
            Self::Statements if asked.path.contains(".att") => {
                let layer = format!(
                    r#"{{"mediaType":"application/vnd.dsse.envelope.v1+json","digest":"{}","size":{}}}"#,
                    digest(swollen()),
                    swollen().len()
                );
                let layers = vec![layer; 3].join(",");
                Reply::manifest(format!(r#"{{"schemaVersion":2,"layers":[{layers}]}}"#))
            }
            Self::Descriptors if !is_list => {
                let layers = vec![r#"{"digest":"","annotations":{"":""}}"#; 100_000].join(",");
                Reply::manifest(format!(r#"{{"schemaVersion":2,"layers":[{layers}]}}"#))
            }
            Self::Lists | Self::Manifests | Self::Held | Self::Statements | Self::Descriptors => {
                Reply::not_found()
            }
        }
    }
}

/// An envelope with a statement about all images of [`Flood::Statements`]: maps with one entry, which take 700 bytes each.
fn swollen() -> &'static str {
    static MADE: OnceLock<String> = OnceLock::new();
    MADE.get_or_init(|| {
        let subjects = (0..IMAGES).map(|number| {
            let image = image_of(&Flood::Statements.host(), number);
            json!({"digest": {"sha256": image.hex()}})
        });
        let maps = vec![r#"{"":0}"#; 400_000].join(",");
        let statement = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":{},"predicateType":"x","predicate":[{maps}]}}"#,
            json!(subjects.collect::<Vec<_>>())
        );
        let envelope = json!({
            "payloadType": "application/vnd.in-toto+json",
            "payload": STANDARD.encode(statement),
            "signatures": [{"sig": "AAAA"}],
        });
        envelope.to_string()
    })
}

fn image_of(host: &str, number: usize) -> Digest {
    digest(&format!("{host}{number}"))
}

/// The most that a process ever had in memory, in MiB.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kibibytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kibibytes.parse::<u64>().unwrap() / 1024
}

/// Asks about many images of a registry at once, none of which may be admitted.
async fn ask_about_all((address, authority): (SocketAddr, &[u8]), host: &str) {
    let asked = (0..IMAGES).map(|number| {
        let image = format!("{host}/acme/app@{}", image_of(host, number));
        is_admitted((address, authority.to_vec()), image)
    });
    let answers: JoinSet<bool> = asked.collect();
    let admitted = answers.join_all().await;
    assert!(!admitted.contains(&true), "{host}");
}

async fn is_admitted((address, authority): (SocketAddr, Vec<u8>), image: String) -> bool {
    let mut review = pod_review(&json!({"team": "a"}));
    review["request"]["object"]["spec"]["containers"][0]["image"] = image.into();
    let asked = post("/mutate?timeout=4s", review.to_string());
    send_to(address, &authority, asked).await.allowed()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_registries_send_without_end_does_not_take_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("policies")).unwrap();
    fs::write(folder.path().join("policies/signed.yaml"), POLICY).unwrap();
    let tls = folder.path().join("tls");
    let credentials = no_credentials();
    let mut flags = vec![
        "--tls-self-signed".to_owned(),
        tls.to_str().unwrap().to_owned(),
    ];
    flags.extend([
        "--docker-config".to_owned(),
        credentials.to_str().unwrap().to_owned(),
    ]);
    let mut registries = Vec::new();
    let honest = Scripted::start(|_| Reply::not_found()).await;
    let mut mirror = |host: String, server: Scripted| {
        let address = format!("{host}=http://{}", server.address);
        flags.extend(["--registry-mirror".to_owned(), address]);
        registries.push(server);
    };
    mirror("honest.example".to_owned(), honest);
    for flood in Flood::ALL {
        let server = Scripted::start(move |asked| flood.answer(asked)).await;
        mirror(flood.host(), server);
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let serve = Serve::start(folder.path(), &flags);
    let authority = fs::read(tls.join("ca.crt")).unwrap();
    let server = (serve.address, &authority[..]);
    ask_about_all(server, "honest.example").await;
    let before = peak(serve.process.id());
    for flood in Flood::ALL {
        ask_about_all(server, &flood.host()).await;
        let grown = peak(serve.process.id()) - before;
        assert!(grown < GROWTH, "{flood:?}: {grown} MiB more than {before}");
    }
    let sent: Vec<u64> = registries.iter().map(Scripted::sent).collect();
    // It was not spared: there was more than it has room for.
    assert!(sent.iter().sum::<u64>() > 200 << 20, "{sent:?}");
}
