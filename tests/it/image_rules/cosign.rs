//! What cosign signed and attested, under policies that ask for it, and under the same with one thing changed.

use std::fs;
use std::path::{Path, PathBuf};

use regent_engine::image::Digest;
use regent_tests::{record, shared_path};
use serde_json::{Value, json};

use super::attached::to_another_image;
use super::{Folder, Pod, run};

pub(super) const IDENTITY: &str =
    "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main";
const ISSUER: &str = "http://127.0.0.1:23702";
const OTHER_KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIGCtBntBgnuYYiGxgggVAnZKHgrV
OxqONwLlut+ugo0TNcO0PYpmRs85pXyB2DtLYDvUw9Ubp+M/oUcohdH9xg==
-----END PUBLIC KEY-----
";

/// One image, what lies beside it, and how it was made.
struct Layout {
    name: String,
    folder: PathBuf,
    digest: Digest,
}

/// What a policy asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    Signature,
    Attestation,
}

impl Demand {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Attestation => "attestation",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Nothing,
    Identity,
    Issuer,
    Key,
    Image,
    /// The trust root is without its logs, or the evidence is in none, and the policy wants a log.
    Log,
    /// The trust root has nothing that could say when something was signed.
    Time,
}

impl Change {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "as-it-is",
            Self::Identity => "other-identity",
            Self::Issuer => "other-issuer",
            Self::Key => "other-key",
            Self::Image => "other-image",
            Self::Log => "no-log",
            Self::Time => "no-time",
        }
    }
}

impl Layout {
    fn read_all(set: &Path) -> Vec<Self> {
        let entries = fs::read_dir(set).unwrap();
        let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        folders.retain(|folder| folder.join("layout").is_dir());
        folders.sort();
        let read = |folder: PathBuf| {
            let entries = fs::read_to_string(folder.join("entries.txt")).unwrap();
            let image = entries
                .lines()
                .find_map(|line| line.strip_prefix("image @"));
            Self {
                name: folder.file_name().unwrap().to_string_lossy().into_owned(),
                digest: Digest::parse(image.unwrap()).unwrap(),
                folder,
            }
        };
        folders.into_iter().map(read).collect()
    }

    fn is_keyless(&self) -> bool {
        self.name.contains("-keyless-")
    }

    /// Whether its evidence is in a log; what is not has a timestamp of an authority, or nothing.
    fn is_logged(&self) -> bool {
        !(self.name.ends_with("-tsa") || self.name.ends_with("-none"))
    }

    /// Whether the trust root has a log of certificates: a Sigstore without one writes none into them.
    fn has_certificate_log(&self) -> bool {
        let text = fs::read_to_string(self.folder.join("trusted_root.json")).unwrap();
        let root: Value = serde_json::from_str(&text).unwrap();
        root["ctlogs"]
            .as_array()
            .is_some_and(|logs| !logs.is_empty())
    }

    /// What is refused whatever the policy allows, and what the refusal says.
    fn never(&self) -> Option<&'static str> {
        let unsigned = self.name.starts_with("cosign2-")
            && (self.name.ends_with("-both") || self.name.ends_with("-v2"));
        if unsigned {
            // The second cosign cannot write to the second Rekor, and has written nothing.
            return Some(" found");
        }
        // Nothing says that the certificate was still valid when it signed.
        (self.is_keyless() && self.name.ends_with("-none")).then_some("no proven time")
    }

    /// What can be changed of it, with what the refusal has to say.
    fn changes(&self) -> Vec<(Change, String)> {
        let other_image = format!("it is about `{}`, not about this image", self.digest);
        let mut changes = vec![(Change::Image, other_image)];
        let mut add = |change, says: &str| changes.push((change, says.to_owned()));
        if self.is_keyless() {
            add(
                Change::Identity,
                "subject mismatch: expected https://github.com/evil/app/",
            );
            add(
                Change::Issuer,
                "issuer mismatch: expected https://token.actions",
            );
            add(Change::Time, "no proven time");
        } else {
            add(Change::Key, "not signed by a key that the policy names");
        }
        let stamped = !self.name.ends_with("-notsa");
        let says = if self.is_keyless() && self.is_logged() && !stamped {
            // The log was also what said when.
            "no proven time"
        } else {
            "no transparency log entry"
        };
        add(Change::Log, says);
        changes
    }

    fn write(&self, demand: Demand, change: Change, root: &Path) {
        let path = root.join(&self.name).join(demand.name());
        let path = path.join(change.name());
        fs::create_dir_all(&path).unwrap();
        let trusted_root = self.trusted_root(change, &path);
        let (layout, digest) = if change == Change::Image {
            let layout = path.join("layout");
            let digest = to_another_image(&self.folder.join("layout"), &self.digest, &layout);
            (layout, digest)
        } else {
            (self.folder.join("layout"), self.digest.clone())
        };
        let pod = Pod {
            name: "app".to_owned(),
            image: format!("registry.example.org/acme/app@{digest}"),
            passes: change == Change::Nothing && self.never().is_none(),
        };
        let folder = Folder {
            policy: policy(demand, &self.attestor(change)).to_string(),
            names: ("cosign", "verify"),
            layout,
            trusted_root,
            pods: vec![pod],
        };
        folder.write(&path);
    }

    fn trusted_root(&self, change: Change, path: &Path) -> PathBuf {
        let original = self.folder.join("trusted_root.json");
        let without: &[&str] = match change {
            Change::Log => &["tlogs"],
            Change::Time => &["tlogs", "timestampAuthorities"],
            _ => return original,
        };
        let mut root: Value = serde_json::from_str(&fs::read_to_string(original).unwrap()).unwrap();
        for part in without {
            root[part] = json!([]);
        }
        let path = path.join("trusted_root.json");
        fs::write(&path, root.to_string()).unwrap();
        path
    }

    fn attestor(&self, change: Change) -> Value {
        let without_log = !self.is_logged() && change != Change::Log;
        let without_log = without_log || change == Change::Time;
        let rekor = json!({"ignoreTlog": without_log});
        if !self.is_keyless() {
            let own = fs::read_to_string(self.folder.join("cosign.pub")).unwrap();
            let key = if change == Change::Key {
                OTHER_KEY
            } else {
                &own
            };
            return json!({"keys": {"publicKeys": key, "rekor": rekor}});
        }
        let subject = match change {
            Change::Identity => IDENTITY.replace("/acme/", "/evil/"),
            _ => IDENTITY.to_owned(),
        };
        let issuer = match change {
            Change::Issuer => "https://token.actions.githubusercontent.com",
            _ => ISSUER,
        };
        let keyless = json!({
            "subject": subject, "issuer": issuer, "rekor": rekor,
            "ctlog": {"ignoreSCT": !self.has_certificate_log()},
        });
        json!({"keyless": keyless})
    }
}

/// A policy that asks for what an attestor signed.
pub(super) fn policy(demand: Demand, attestor: &Value) -> Value {
    let attestors = json!([{"entries": [attestor]}]);
    let builder =
        |key: &str| json!([{"all": [{"key": key, "operator": "Equals", "value": IDENTITY}]}]);
    let mut entry = json!({"imageReferences": ["registry.example.org/acme/*"]});
    match demand {
        Demand::Signature => entry["attestors"] = attestors,
        Demand::Attestation => {
            entry["attestations"] = json!([
                {
                    "type": "https://slsa.dev/provenance/v1", "attestors": attestors,
                    "conditions": builder("{{ runDetails.builder.id }}"),
                },
                {
                    "type": "https://slsa.dev/provenance/v0.2", "attestors": attestors,
                    "conditions": builder("{{ builder.id }}"),
                },
            ]);
        }
    }
    json!({
        "apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": "cosign"},
        "spec": {
            "validationFailureAction": "Enforce",
            "rules": [{
                "name": "verify",
                "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
                "verifyImages": [entry],
            }],
        },
    })
}

/// What policies make of the layouts of a set, as they are and with one thing changed: how many are judged right out of
/// how many, and what is not.
pub(super) fn judge_all(set: &Path) -> (usize, usize, Vec<String>) {
    let layouts = Layout::read_all(set);
    let root = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for layout in &layouts {
        let (as_it_is, changes) = match layout.never() {
            Some(says) => (says, Vec::new()),
            None => ("", layout.changes()),
        };
        let all = std::iter::once((Change::Nothing, as_it_is.to_owned())).chain(changes);
        for (change, says) in all {
            for demand in [Demand::Signature, Demand::Attestation] {
                layout.write(demand, change, root.path());
                let folder = format!("{}/{}/{}", layout.name, demand.name(), change.name());
                expected.push((layout, folder, says.clone()));
            }
        }
    }
    let lines = run(root.path());
    assert_eq!(lines.len(), expected.len());
    let mut wrong = Vec::new();
    for (layout, folder, says) in &expected {
        let line = &lines[&(folder.clone(), "app".to_owned())];
        if !line.good || !line.message.contains(says) {
            wrong.push((&layout.name, format!("{folder}: {}", line.message)));
        }
    }
    let right = layouts
        .iter()
        .filter(|layout| !wrong.iter().any(|(name, _)| **name == layout.name));
    let right = right.count();
    let wrong = wrong.into_iter().map(|(_, line)| line).collect();
    (right, layouts.len(), wrong)
}

#[test]
fn policies_take_what_they_ask_for_and_nothing_else() {
    let Some(set) = shared_path("conformance/cosign") else {
        return;
    };
    let (right, all, wrong) = judge_all(&set);
    record("cosign-policies", right, all);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
