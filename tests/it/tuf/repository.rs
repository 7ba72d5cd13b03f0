//! A TUF repository with two keys for every role, and a server that shows it as it is or with one thing changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sigstore_crypto::KeyPair;
use sigstore_tuf::canonical_json::to_canonical_bytes;

use crate::registry::scripted::{Reply, Scripted};

const FUTURE: &str = "2099-01-01T00:00:00Z";
const PAST: &str = "2020-01-01T00:00:00Z";

/// One thing that is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    OneSignatureOfTwo,
    ForeignKey,
    TimestampExpired,
    OtherTarget,
    OtherSnapshot,
    NoTarget,
    NoTimestamp,
    Endless,
    RootWithoutOldKeys,
    RootExpired,
    RootThatAsksForNoSignature,
    Unreadable,
    OtherListedByStranger,
}

/// Files by their paths.
type Files = BTreeMap<String, Vec<u8>>;

/// A key and the id that metadata call it by.
#[derive(Clone)]
struct Key {
    id: String,
    pair: Arc<KeyPair>,
}

/// Whoever signs the repository.
#[derive(Clone)]
pub(super) struct Publisher {
    keys: [Key; 2],
    roots: Vec<Vec<u8>>,
    version: u64,
    target: Vec<u8>,
}

impl Key {
    fn new() -> Self {
        let pair = KeyPair::generate_ecdsa_p256().unwrap();
        let id = sigstore_crypto::sha256(pair.public_key_der().unwrap().as_bytes()).to_hex();
        Self {
            id,
            pair: Arc::new(pair),
        }
    }

    fn public(&self) -> Value {
        let pem = self.pair.public_key_der().unwrap().to_pem();
        json!({"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": {"public": pem}})
    }

    fn sign(&self, signed: &Value) -> Value {
        let signature = self
            .pair
            .sign(&to_canonical_bytes(signed).unwrap())
            .unwrap();
        json!({"keyid": self.id, "sig": hex::encode(signature.as_bytes())})
    }
}

fn envelope(signed: &Value, keys: &[Key]) -> Vec<u8> {
    let signatures: Vec<Value> = keys.iter().map(|key| key.sign(signed)).collect();
    json!({"signed": signed, "signatures": signatures})
        .to_string()
        .into_bytes()
}

fn root(version: u64, keys: &[Key]) -> Value {
    let public: BTreeMap<&str, Value> = keys
        .iter()
        .map(|key| (key.id.as_str(), key.public()))
        .collect();
    let ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
    let role = json!({"keyids": ids, "threshold": keys.len()});
    json!({
        "_type": "root", "spec_version": "1.0.0", "version": version, "expires": FUTURE,
        "consistent_snapshot": true, "keys": public,
        "roles": {"root": role, "timestamp": role, "snapshot": role, "targets": role},
    })
}

/// The roles of a root need no signature.
fn ask_for_none(root: &mut Value) {
    for role in ["timestamp", "snapshot", "targets"] {
        root["roles"][role]["threshold"] = json!(0);
    }
}

/// Length and hash of a file, as metadata pin it.
fn pinned(bytes: &[u8]) -> Value {
    json!({"length": bytes.len(), "hashes": {"sha256": sigstore_crypto::sha256(bytes).to_hex()}})
}

fn pinned_at(bytes: &[u8], version: u64) -> Value {
    let mut pinned = pinned(bytes);
    pinned["version"] = json!(version);
    pinned
}

impl Publisher {
    pub(super) fn new() -> Self {
        let keys = [Key::new(), Key::new()];
        Self {
            roots: vec![envelope(&root(1, &keys), &keys)],
            keys,
            version: 0,
            target: Vec::new(),
        }
    }

    /// The root that whoever believes the repository was given.
    pub(super) fn first_root(&self) -> &[u8] {
        &self.roots[0]
    }

    /// New keys, which the old ones sign for.
    pub(super) fn rotate(&mut self) {
        let keys = [Key::new(), Key::new()];
        let version = self.roots.len() as u64 + 1;
        let signers: Vec<Key> = self.keys.iter().chain(&keys).cloned().collect();
        self.roots.push(envelope(&root(version, &keys), &signers));
        self.keys = keys;
    }

    /// A new version with another trust root.
    pub(super) fn publish(&mut self, trust_root: &str) {
        self.version += 1;
        trust_root.as_bytes().clone_into(&mut self.target);
    }

    fn files(&self, change: Option<Change>) -> Files {
        let version = self.version;
        let is = |wanted| change == Some(wanted);
        let signers = match change {
            Some(Change::OneSignatureOfTwo) => vec![self.keys[0].clone()],
            Some(Change::ForeignKey) => vec![self.keys[0].clone(), Key::new()],
            Some(Change::RootThatAsksForNoSignature) => Vec::new(),
            _ => self.keys.to_vec(),
        };
        let metadata = |kind: &str, expires: &str, field: &str, value: Value| {
            let signed = json!({
                "_type": kind, "spec_version": "1.0.0", "version": version, "expires": expires, field: value,
            });
            envelope(&signed, &signers)
        };
        let listed = if is(Change::NoTarget) || is(Change::OtherListedByStranger) {
            json!({})
        } else {
            json!({"trusted_root.json": pinned(&self.target)})
        };
        let mut targets = metadata("targets", FUTURE, "targets", listed);
        if is(Change::OtherListedByStranger) {
            targets = self.delegating();
        }
        let stranger = self.by_stranger();
        let mut pins = json!({"targets.json": pinned_at(&targets, version)});
        if is(Change::OtherListedByStranger) {
            pins["stranger.json"] = pinned_at(&stranger, version);
        }
        let snapshot = metadata("snapshot", FUTURE, "meta", pins);
        let expires = if is(Change::TimestampExpired) {
            PAST
        } else {
            FUTURE
        };
        let pins = json!({"snapshot.json": pinned_at(&snapshot, version)});
        let timestamp = metadata("timestamp", expires, "meta", pins);
        let hash = sigstore_crypto::sha256(&self.target).to_hex();
        let mut files = Files::from([
            ("timestamp.json".to_owned(), timestamp),
            (format!("{version}.snapshot.json"), snapshot),
            (format!("{version}.targets.json"), targets),
            (format!("{version}.stranger.json"), stranger),
            (
                format!("targets/{hash}.trusted_root.json"),
                self.target.clone(),
            ),
        ]);
        for (index, root) in self.roots.iter().enumerate() {
            files.insert(format!("{}.root.json", index + 1), root.clone());
        }
        if let Some(change) = change {
            self.change(change, &mut files);
        }
        files
    }

    /// Targets that list nothing and delegate everything to a role of one of the keys.
    fn delegating(&self) -> Vec<u8> {
        let [key, _] = &self.keys;
        let role = json!({
            "name": "stranger", "keyids": [key.id], "threshold": 1, "terminating": true, "paths": ["*"],
        });
        let keys = BTreeMap::from([(key.id.as_str(), key.public())]);
        let signed = json!({
            "_type": "targets", "spec_version": "1.0.0", "version": self.version, "expires": FUTURE,
            "targets": {}, "delegations": {"keys": keys, "roles": [role]},
        });
        envelope(&signed, &self.keys)
    }

    /// What that role lists, signed by somebody else.
    fn by_stranger(&self) -> Vec<u8> {
        let signed = json!({
            "_type": "targets", "spec_version": "1.0.0", "version": self.version, "expires": FUTURE,
            "targets": {"trusted_root.json": pinned(&self.target)},
        });
        envelope(&signed, &[Key::new()])
    }

    /// The name and bytes of a next root, well signed, with something changed.
    fn next_root(&self, edit: impl FnOnce(&mut Value)) -> (String, Vec<u8>) {
        let next = self.roots.len() as u64 + 1;
        let mut root = root(next, &self.keys);
        edit(&mut root);
        (format!("{next}.root.json"), envelope(&root, &self.keys))
    }

    /// What is wrong with files that were right.
    fn change(&self, change: Change, files: &mut Files) {
        let hash = sigstore_crypto::sha256(&self.target).to_hex();
        let mut spoil = |name: String| files.get_mut(&name).unwrap()[10] ^= 1;
        match change {
            Change::OtherTarget => spoil(format!("targets/{hash}.trusted_root.json")),
            Change::OtherSnapshot => spoil(format!("{}.snapshot.json", self.version)),
            Change::NoTimestamp => drop(files.remove("timestamp.json")),
            Change::RootWithoutOldKeys => {
                let keys = [Key::new(), Key::new()];
                let next = self.roots.len() as u64 + 1;
                let root = envelope(&root(next, &keys), &keys);
                files.insert(format!("{next}.root.json"), root);
            }
            Change::RootExpired => {
                let (name, root) = self.next_root(|root| root["expires"] = json!(PAST));
                files.insert(name, root);
            }
            Change::RootThatAsksForNoSignature => {
                let (name, root) = self.next_root(ask_for_none);
                files.insert(name, root);
            }
            Change::Unreadable => {
                let text = br#"{"signed": null, "signatures": {}}"#;
                files.insert("timestamp.json".to_owned(), text.to_vec());
            }
            Change::OneSignatureOfTwo
            | Change::OtherListedByStranger
            | Change::ForeignKey
            | Change::TimestampExpired
            | Change::NoTarget
            | Change::Endless => {}
        }
    }
}

/// The mirror.
pub(super) struct Served {
    server: Scripted,
    shown: Arc<Mutex<(Files, bool)>>,
}

impl Served {
    pub(super) async fn start(publisher: &Publisher) -> Self {
        let shown = Arc::new(Mutex::new((publisher.files(None), false)));
        let shared = Arc::clone(&shown);
        let server = Scripted::start(move |asked| {
            let (files, endless) = &*shared.lock().unwrap();
            let path = asked.path.trim_start_matches("/tuf/");
            match files.get(path) {
                Some(_) if *endless && path == "timestamp.json" => {
                    Reply::Endless(200, String::new())
                }
                Some(bytes) => Reply::blob(bytes.clone()),
                None => Reply::not_found(),
            }
        })
        .await;
        Self { server, shown }
    }

    pub(super) fn address(&self) -> String {
        format!("http://{}/tuf/", self.server.address)
    }

    pub(super) fn serve(&self, publisher: &Publisher) {
        *self.shown.lock().unwrap() = (publisher.files(None), false);
    }

    pub(super) fn serve_changed(&self, publisher: &Publisher, change: Change) {
        let files = publisher.files(Some(change));
        *self.shown.lock().unwrap() = (files, change == Change::Endless);
    }
}
