//! What cosign makes with a certificate of somebody's own, and what it says of it.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, CustomExtension};
use regent_engine::image::Digest;
use serde_json::{Value, json};

use super::super::cosign::IDENTITY;
use super::super::stack::Stack;
use super::{ISSUER, SUBJECT};
use crate::evidence::certified::{Fault, Pki};

/// How a signature is stored, what proves when it was made, and whether the certificates above the signer's are beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) format: &'static str,
    pub(super) log: &'static str,
    pub(super) enclosed: bool,
    /// Whether the signer's certificate had ended when it signed: only older tags can be made with one.
    pub(super) ended: bool,
}

pub(super) const fn cell(format: &'static str, log: &'static str, enclosed: bool) -> Cell {
    let ended = false;
    Cell {
        format,
        log,
        enclosed,
        ended,
    }
}

/// What cosign can make.
pub(super) const CELLS: [Cell; 9] = [
    cell("bundle", "v2", false),
    cell("bundle", "tsa", true),
    cell("bundle", "tsa", false),
    cell("bundle", "none", true),
    cell("bundle", "none", false),
    cell("legacy", "tsa", true),
    cell("legacy", "tsa", false),
    cell("legacy", "none", true),
    cell("legacy", "none", false),
];

/// What it can make besides where there is the first Rekor.
pub(super) const CELLS_OF_FIRST: [Cell; 8] = [
    cell("bundle", "v1", true),
    cell("bundle", "v1", false),
    cell("bundle", "v1-notsa", true),
    cell("bundle", "v1-notsa", false),
    cell("legacy", "v1", true),
    cell("legacy", "v1", false),
    cell("legacy", "v1-notsa", true),
    cell("legacy", "v1-notsa", false),
];

impl Cell {
    pub(super) fn is_logged(self) -> bool {
        self.log.starts_with('v')
    }

    pub(super) fn name(self) -> String {
        let how = if self.enclosed { "chain" } else { "alone" };
        let when = if self.ended { "-ended" } else { "" };
        format!("{}-{}-{how}{when}", self.format, self.log)
    }

    fn is_legacy(self) -> bool {
        self.format == "legacy"
    }
}

/// Whoever signs, and where cosign finds what it needs.
pub(super) struct Signer {
    pub(super) pki: Pki,
    folder: PathBuf,
}

impl Signer {
    /// Writes key and certificates into a folder of the stack, and the trust root with this authority alone.
    pub(super) fn new(stack: &Stack, name: &str, fault: Fault) -> Self {
        let issuer = |certificate: &mut CertificateParams| {
            // The older extension is bare text, the newer one a text in DER.
            let length = u8::try_from(ISSUER.len()).unwrap();
            let newer = [&[12, length], ISSUER.as_bytes()].concat();
            let parts = [(1, ISSUER.as_bytes().to_vec()), (8, newer)];
            certificate.custom_extensions = parts
                .into_iter()
                .map(|(number, content)| {
                    let arc = [1, 3, 6, 1, 4, 1, 57264, 1, number];
                    CustomExtension::from_oid_content(&arc, content)
                })
                .collect();
        };
        let pki = Pki::with_leaf(fault, issuer);
        let folder = stack.file(name);
        fs::create_dir_all(&folder).unwrap();
        let signer = Self { pki, folder };
        let write = |name: &str, text: &str| fs::write(signer.file(name), text).unwrap();
        write("leaf.pem", &signer.pki.leaf);
        write("chain.pem", &signer.chain());
        write("plain.key", &signer.pki.key.serialize_pem());
        for (name, chain) in [
            ("own.json", vec![&signer.pki.middle, &signer.pki.root]),
            ("root.json", vec![&signer.pki.root]),
        ] {
            let text = fs::read_to_string(stack.file("trusted_root.json")).unwrap();
            let mut root: Value = serde_json::from_str(&text).unwrap();
            let chain = chain.iter().map(|one| STANDARD.encode(one.der()));
            let chain: Vec<_> = chain.map(|der| json!({"rawBytes": der})).collect();
            root["certificateAuthorities"] = json!([{
                "uri": "https://ca.example.org", "certChain": {"certificates": chain},
                "validFor": {"start": "2020-01-01T00:00:00Z"},
            }]);
            write(name, &root.to_string());
        }
        let (plain, prefix) = (signer.path("plain.key"), signer.path("signer"));
        let import = ["import-key-pair", "--key", &plain];
        let to = ["--output-key-prefix", &prefix];
        stack.must(&[], &[&["cosign"], &import[..], &to].concat());
        signer
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }

    pub(super) fn chain(&self) -> String {
        format!("{}{}", self.pki.middle.pem(), self.pki.root.pem())
    }
}

/// Runs cosign with options and, at the end, what they are about.
fn cosign(stack: &Stack, command: &str, options: &[String], image: &str) -> (bool, String) {
    let mut arguments = vec!["cosign", command];
    arguments.extend(options.iter().map(String::as_str));
    arguments.push(image);
    stack.run(&[], &arguments)
}

fn options<const N: usize>(all: [&str; N]) -> Vec<String> {
    all.map(str::to_owned).to_vec()
}

/// What cosign is told to sign or attest with.
fn signing(stack: &Stack, signer: &Signer, cell: Cell) -> Vec<String> {
    let mut all = options(["--yes", "--key", &signer.path("signer.key")]);
    all.extend(options(["--certificate", &signer.path("leaf.pem")]));
    if cell.enclosed {
        let chain = signer.path("chain.pem");
        all.extend(options(["--certificate-chain", &chain]));
    }
    let path = |name: &str| stack.file(name).to_str().unwrap().to_owned();
    if cell.is_legacy() {
        let root = path("trusted_root.json");
        all.extend(options(["--trusted-root", &root]));
        if cell.is_logged() {
            all.extend(options(["--rekor-url", "http://127.0.0.1:23715"]));
        } else {
            all.extend(options(["--tlog-upload=false"]));
        }
        let old = ["--new-bundle-format=false", "--use-signing-config=false"];
        all.extend(options(old));
        if matches!(cell.log, "tsa" | "v1") {
            let url = "http://127.0.0.1:23706/api/v1/timestamp";
            all.extend(options(["--timestamp-server-url", url]));
        }
    } else {
        let config = path(&format!("signing-{}.json", cell.log));
        all.extend(options(["--signing-config", &config]));
        all.extend(options(["--trusted-root", &signer.path("own.json")]));
    }
    all
}

/// What cosign is told to verify with, under a trust root.
fn verifying(root: &str, subject: &str, cell: Cell) -> Vec<String> {
    let mut all = options(["--trusted-root", root, "--insecure-ignore-sct"]);
    all.extend(options(["--certificate-identity", subject]));
    all.extend(options(["--certificate-oidc-issuer", ISSUER]));
    if cell.is_legacy() {
        all.extend(options(["--new-bundle-format=false"]));
    } else if cell.enclosed {
        all.extend(options(["--allow-certificate-chain"]));
    }
    if !cell.is_logged() {
        all.extend(options(["--insecure-ignore-tlog"]));
    }
    if cell.log == "tsa" {
        all.extend(options(["--use-signed-timestamps"]));
    }
    all
}

/// An image, and all that was stored beside it.
pub(super) struct Made {
    pub(super) cell: Cell,
    pub(super) folder: PathBuf,
    pub(super) digest: Digest,
}

/// Has an image signed and attested; gives its reference too.
pub(super) fn make(stack: &Stack, signer: &Signer, cell: Cell, to: &Path) -> (Made, String) {
    let name = cell.name();
    let image = stack.must(&[], &["image", &format!("acme/{name}")]);
    let with = signing(stack, signer, cell);
    let (done, said) = cosign(stack, "sign", &with, &image);
    assert!(done, "{name}: {said}");
    for (kind, predicate) in [
        (
            "slsaprovenance1",
            json!({"runDetails": {"builder": {"id": IDENTITY}}}),
        ),
        ("slsaprovenance02", json!({"builder": {"id": IDENTITY}})),
    ] {
        let file = signer.path(&format!("{kind}.json"));
        fs::write(&file, predicate.to_string()).unwrap();
        let what = options(["--type", kind, "--predicate", &file]);
        let (done, said) = cosign(stack, "attest", &[&with[..], &what].concat(), &image);
        assert!(done, "{name}: {said}");
    }
    let folder = to.join(&name);
    stack.must(&[], &["save", &image, folder.to_str().unwrap()]);
    let (_, digest) = image.split_once('@').unwrap();
    let made = Made {
        cell,
        folder,
        digest: Digest::parse(digest).unwrap(),
    };
    (made, image)
}

/// What cosign says of the signature and of an attestation.
fn said(stack: &Stack, image: &str, with: &[String]) -> (bool, bool) {
    let (signed, _) = cosign(stack, "verify", with, image);
    let of = options(["--type", "slsaprovenance1"]);
    let with = [with, &of].concat();
    let (attested, _) = cosign(stack, "verify-attestation", &with, image);
    (signed, attested)
}

/// Where cosign says otherwise than is known of what it made: as it is, with another identity, and under another authority.
pub(super) fn disagreements(
    stack: &Stack,
    (signer, other): (&Signer, &Signer),
    (cell, image): (Cell, &str),
) -> Vec<String> {
    // It looks for the timestamp of an older attestation over the envelope, and has it made over the signature.
    let own = (
        !cell.ended,
        !(cell.ended || cell.is_legacy() && cell.log == "tsa"),
    );
    // A chain in a bundle has to be allowed.
    let with = verifying(&signer.path("own.json"), SUBJECT, cell);
    let strictly: Vec<_> = with
        .iter()
        .filter(|one| *one != "--allow-certificate-chain")
        .cloned()
        .collect();
    // Beside a trust root that has the root alone the chain is needed, and those of older tags are not looked at.
    let chained = cell.enclosed && !cell.is_legacy();
    let refused = (false, false);
    let mut wrong = Vec::new();
    for (what, root, subject, expected) in [
        ("as it is", signer.path("own.json"), SUBJECT, own),
        (
            "root alone",
            signer.path("root.json"),
            SUBJECT,
            (chained, chained),
        ),
        (
            "another identity",
            signer.path("own.json"),
            "eve@example.org",
            refused,
        ),
        (
            "another authority",
            other.path("own.json"),
            SUBJECT,
            refused,
        ),
    ] {
        let said = said(stack, image, &verifying(&root, subject, cell));
        if said != expected {
            let name = cell.name();
            wrong.push(format!(
                "{name}, {what}: cosign says {said:?}, not {expected:?}"
            ));
        }
    }
    let counts = !cell.ended && (cell.is_legacy() || !cell.enclosed);
    if said(stack, image, &strictly).0 != counts {
        wrong.push(format!("{}: cosign on its chain", cell.name()));
    }
    wrong
}
