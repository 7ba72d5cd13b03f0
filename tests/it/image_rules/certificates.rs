//! Certificates of somebody's own authority, with which a real cosign signs and attests while the test runs: verdicts equal cosign's.
//!
//! Each image is signed as cosign can store it, with the certificates between beside the signer's and without them. What cosign
//! cannot make: bundles with a chain for the second Rekor, which gets the chain in place of a certificate; and, as for everybody
//! else, older tags for the second Rekor. The first needs a database; entries of it are made in `evidence/own_authority.rs`.

mod signing;

use std::fs;
use std::path::{Path, PathBuf};

use regent::exit_status::ExitStatus;
use regent_tests::record;
use serde_json::{Value, json};

use self::signing::{CELLS, CELLS_OF_FIRST, Cell, Made, Signer, cell, disagreements, make};
use super::attached::to_another_image;
use super::cosign::{Demand, policy};
use super::stack::Stack;
use super::{Folder, Pod, run, run_with};
use crate::command::regent;
use crate::evidence::certified::Fault;

const SUBJECT: &str = "builder@example.org";
const ISSUER: &str = "https://login.example.org";

/// What a policy names of the signer, with what its refusal says; nothing where it passes.
struct Asked {
    name: &'static str,
    attestor: Value,
    /// The trust root, where it is not the stack's own.
    root: Option<PathBuf>,
    says: &'static str,
}

fn keyless(roots: Option<&str>, (subject, issuer): (&str, &str), logged: bool) -> Value {
    let mut keyless = json!({
        "subject": subject, "issuer": issuer,
        "rekor": {"ignoreTlog": !logged}, "ctlog": {"ignoreSCT": true},
    });
    if let Some(roots) = roots {
        keyless["roots"] = json!(roots);
    }
    json!({"keyless": keyless})
}

fn certificates(certificate: Option<&str>, chain: Option<&str>, logged: bool) -> Value {
    let rekor = json!({"ignoreTlog": !logged});
    let mut named = json!({"rekor": rekor, "ctlog": {"ignoreSCT": true}});
    if let Some(certificate) = certificate {
        named["cert"] = json!(certificate);
    }
    if let Some(chain) = chain {
        named["certChain"] = json!(chain);
    }
    json!({"certificates": named})
}

/// A question, asked with the trust root of the stack.
fn asked(name: &'static str, attestor: Value, says: &'static str) -> Asked {
    Asked {
        name,
        attestor,
        root: None,
        says,
    }
}

impl Made {
    fn is_logged(&self) -> bool {
        self.cell.is_logged()
    }

    /// Every way to ask for the signer.
    fn right(&self, signer: &Signer) -> Vec<Asked> {
        let logged = self.is_logged();
        let who = (SUBJECT, ISSUER);
        let (chain, leaf) = (signer.chain(), signer.pki.leaf.as_str());
        let root = signer.pki.root.pem();
        // With the root alone the chain has to be beside the signature.
        let cut = if self.cell.enclosed {
            ""
        } else {
            "does not chain"
        };
        let (valid, root_says) = if self.cell.ended {
            let says = "the certificate was not valid";
            (says, says)
        } else {
            ("", cut)
        };
        // An authority of a trust root is Sigstore's, whose certificates need a proven time and come alone in bundles.
        let of_authority = match (self.cell.format, self.cell.log) {
            (_, "none") => "no proven time",
            ("bundle", _) if self.cell.enclosed => "the bundle has a chain of certificates",
            _ => valid,
        };
        let named = |cert, chain| certificates(cert, chain, logged);
        vec![
            asked("roots", keyless(Some(&chain), who, logged), valid),
            asked("root", keyless(Some(&root), who, logged), root_says),
            Asked {
                root: Some(signer.file("own.json")),
                ..asked("authority", keyless(None, who, logged), of_authority)
            },
            // Who is named by his certificate alone is meant by his key, for as long as the policy says so.
            asked("cert", named(Some(leaf), None), ""),
            asked("cert-chain", named(Some(leaf), Some(&chain)), valid),
            asked("chain", named(None, Some(&chain)), valid),
        ]
    }

    /// The same with one thing wrong each.
    fn wrong(&self, signer: &Signer, other: &Signer) -> Vec<Asked> {
        let logged = self.is_logged();
        let who = (SUBJECT, ISSUER);
        let (chain, theirs) = (signer.chain(), other.chain());
        let after = format!("{}{}", signer.pki.middle.pem(), signer.pki.ended_root());
        // Whom no key and no authority of the policy stands behind is judged under the trust root.
        let unnamed = if self.cell.log == "none" {
            "no proven time"
        } else {
            "does not chain"
        };
        let of = |who| keyless(Some(&chain), who, logged);
        let named = |cert, chain| certificates(cert, chain, logged);
        let eve = ("eve@example.org", ISSUER);
        let evil = (SUBJECT, "https://evil.example.org");
        let stranger = keyless(Some(&theirs), who, logged);
        let ended = keyless(Some(&after), who, logged);
        let mut all = vec![
            asked("other-authority", stranger, "does not chain"),
            asked("other-subject", of(eve), "subject mismatch"),
            asked("other-issuer", of(evil), "issuer mismatch"),
            asked(
                "ended-root",
                ended,
                "the certificate authority was not valid",
            ),
            asked("other-cert", named(Some(&other.pki.leaf), None), unnamed),
            asked("other-chain", named(None, Some(&theirs)), "does not chain"),
            asked("trust-root", keyless(None, who, logged), unnamed),
        ];
        if !logged {
            let no_log = keyless(Some(&chain), who, true);
            all.push(asked("unlogged", no_log, "no transparency log entry"));
        }
        all
    }

    fn asked(&self, signer: &Signer, other: &Signer) -> Vec<Asked> {
        let mut all = self.right(signer);
        if !self.cell.ended {
            all.extend(self.wrong(signer, other));
        }
        all
    }

    /// Writes all questions, each for a signature and for attestations, here and, where they pass, elsewhere; gives each folder with
    /// what its refusal has to say.
    fn write_all(&self, signers: (&Signer, &Signer), root: &Path) -> Vec<(String, String)> {
        let mut expected = Vec::new();
        let demands = [Demand::Signature, Demand::Attestation];
        for asked in self.asked(signers.0, signers.1) {
            let name = format!("{}/{}", self.cell.name(), asked.name);
            for demand in demands {
                let folder = format!("{name}/{}/here", demand.name());
                self.write((&asked, demand), false, &root.join(&folder));
                expected.push((folder, asked.says.to_owned()));
            }
            for demand in demands.into_iter().filter(|_| asked.says.is_empty()) {
                let folder = format!("{name}/{}/elsewhere", demand.name());
                self.write((&asked, demand), true, &root.join(&folder));
                expected.push((folder, format!("it is about `{}`", self.digest)));
            }
        }
        expected
    }

    /// Writes the folder of one question, of this image or of another to which all its evidence was attached.
    fn write(&self, (asked, demand): (&Asked, Demand), elsewhere: bool, path: &Path) {
        fs::create_dir_all(path).unwrap();
        let (layout, digest) = if elsewhere {
            let layout = path.join("layout");
            let digest = to_another_image(&self.folder.join("layout"), &self.digest, &layout);
            (layout, digest)
        } else {
            (self.folder.join("layout"), self.digest.clone())
        };
        let of_stack = || self.folder.join("trusted_root.json");
        let folder = Folder {
            policy: policy(demand, &asked.attestor).to_string(),
            names: ("cosign", "verify"),
            layout,
            trusted_root: asked.root.clone().unwrap_or_else(of_stack),
            pods: vec![Pod {
                name: "app".to_owned(),
                image: format!("registry.example.org/acme/app@{digest}"),
                passes: asked.says.is_empty() && !elsewhere,
            }],
        };
        folder.write(path);
    }
}

/// What policies make of all images: what is not judged as expected.
fn judge(made: &[Made], signers: &[(&Signer, &Signer)]) -> Vec<String> {
    let root = tempfile::tempdir().unwrap();
    let images = made.iter().zip(signers);
    let expected = images.flat_map(|(image, signers)| image.write_all(*signers, root.path()));
    let expected: Vec<_> = expected.collect();
    let lines = run(root.path());
    assert_eq!(lines.len(), expected.len());
    let wrong = expected.iter().filter_map(|(folder, says)| {
        let line = &lines[&(folder.clone(), "app".to_owned())];
        let right = line.good && line.message.contains(says);
        (!right).then(|| format!("{folder}: {} (expected {says:?})", line.message))
    });
    wrong.collect()
}

/// `regent verify` with cosign's flags: what it says under this authority, and under another.
fn judge_by_command(
    made: &[Made],
    stack: &Stack,
    (signer, other): (&Signer, &Signer),
) -> Vec<String> {
    let stamps = stack.file("pki/tsa-chain.pem");
    let stamps = stamps.to_str().unwrap();
    let mut wrong = Vec::new();
    for image in made {
        let reference = format!("registry.example.org/acme/app@{}", image.digest);
        let layout = image.folder.join("layout");
        let root = image.folder.join("trusted_root.json");
        for (chain, status) in [
            (signer.path("chain.pem"), ExitStatus::Pass),
            (other.path("chain.pem"), ExitStatus::Failed),
        ] {
            let mut arguments = vec!["verify", &reference, "--insecure-ignore-sct"];
            arguments.extend(["--oci-layout", layout.to_str().unwrap()]);
            arguments.extend(["--trusted-root", root.to_str().unwrap()]);
            arguments.extend(["--ca-roots", &chain]);
            arguments.extend(["--timestamp-certificate-chain", stamps]);
            arguments.extend(["--certificate-identity", SUBJECT]);
            arguments.extend(["--certificate-oidc-issuer", ISSUER]);
            arguments.extend((!image.is_logged()).then_some("--insecure-ignore-tlog"));
            let ran = regent(&arguments);
            if ran.status != status {
                wrong.push(format!("{} by command: {}", image.cell.name(), ran.stderr));
            }
        }
    }
    wrong
}

/// When the certificates have ended, what has a proven time still counts and what has none does not.
fn judge_later(made: &[Made], signer: &Signer) -> Vec<String> {
    let root = tempfile::tempdir().unwrap();
    for image in made {
        let says = if image.cell.log == "none" {
            "ended"
        } else {
            ""
        };
        let logged = image.cell.is_logged();
        let asked = Asked {
            name: "roots",
            attestor: keyless(Some(&signer.chain()), (SUBJECT, ISSUER), logged),
            root: None,
            says,
        };
        let folder = root.path().join(image.cell.name());
        image.write((&asked, Demand::Attestation), false, &folder);
    }
    let lines = run_with(root.path(), &["--now", "2031-01-01T00:00:00Z"]);
    assert_eq!(lines.len(), made.len());
    let wrong = lines.iter().filter(|((folder, _), line)| {
        let says = if folder.contains("-none-") {
            "the certificate was not valid"
        } else {
            "verified"
        };
        !(line.good && line.message.contains(says))
    });
    wrong
        .map(|((folder, _), line)| format!("{folder} later: {}", line.message))
        .collect()
}

#[test]
fn what_cosign_signs_with_certificates_of_ones_own_is_judged_as_cosign_judges_it() {
    let Some(stack) = Stack::start() else {
        return;
    };
    let signer = Signer::new(&stack, "signer", Fault::None);
    let ended = Signer::new(&stack, "ended", Fault::LeafEnded);
    let other = Signer::new(&stack, "other", Fault::None);
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let mut made = Vec::new();
    let past = ["tsa", "none"].map(|log| Cell {
        ended: true,
        ..cell("legacy", log, true)
    });
    let first = CELLS_OF_FIRST.iter().filter(|_| stack.is_full());
    let cells: Vec<_> = CELLS.iter().chain(first).collect();
    let all = cells.iter().map(|cell| (**cell, &signer));
    for (cell, by) in all.chain(past.map(|cell| (cell, &ended))) {
        let (one, image) = make(&stack, by, cell, folder.path());
        wrong.extend(disagreements(&stack, (by, &other), (cell, &image)));
        made.push(one);
    }
    // Which trust roots the signers have is read until the end.
    let signers: Vec<_> = made
        .iter()
        .map(|one| {
            if one.cell.ended {
                (&ended, &other)
            } else {
                (&signer, &other)
            }
        })
        .collect();
    wrong.extend(judge(&made, &signers));
    let lasting = &made[..cells.len()];
    wrong.extend(judge_by_command(lasting, &stack, (&signer, &other)));
    wrong.extend(judge_later(lasting, &signer));
    record(
        "certificates",
        made.len().saturating_sub(wrong.len()),
        made.len(),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
