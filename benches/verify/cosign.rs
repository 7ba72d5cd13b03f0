//! The whole command beside cosign's: a process each, which asks a registry on loopback and verifies what lies there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::slice;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use regent_benches::child::sibling;
use regent_benches::numbers::{median, rounded};
use regent_server::image::layout::Layouts;
use regent_server::layout_registry::{LayoutRegistry, ReferrersApi};
use serde_json::{Value, json};

use super::digest_of;

/// Names cosign's binary.
const COSIGN: &str = "COSIGN";
/// The registry that the images name.
const HOST: &str = "ghcr.io";
/// Who signs the images that no key signs.
const IDENTITY: &str = "^https://github.com/your-org/";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// The demonstration's images by how they were signed, whether by a key, and whether that lies in a bundle.
const IMAGES: [(&str, bool, bool); 4] = [
    ("app", false, true),
    ("legacy", false, false),
    ("keyed", true, true),
    ("keyed-legacy", true, false),
];

/// Times of both commands by image; why there are none, where cosign is not known.
pub(super) fn beside(demo: &Path, cases: &Value, turns: usize) -> Result<Value> {
    let Some(cosign) = std::env::var_os(COSIGN).map(PathBuf::from) else {
        return Ok(json!(format!("not measured: {COSIGN} names no binary")));
    };
    let regent = sibling("regent")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let layouts = Layouts::open(slice::from_ref(&demo.join("registry")))?;
    let registry = LayoutRegistry::start(layouts, HOST, ReferrersApi::Served);
    let registry = runtime.block_on(registry).context("the registry")?;
    let address = registry.address().to_string();
    let mut measured = Vec::new();
    for (image, keyed, bundle) in IMAGES {
        let digest = digest_of(cases, image)?;
        let commands = Commands {
            demo,
            address: &address,
            image: &format!("your-org/{image}@{digest}"),
            keyed,
        };
        let mut ours = commands.of_regent(&regent);
        let mut theirs = commands.of_cosign(&cosign, bundle);
        let (mut of_ours, mut of_theirs) = (Vec::new(), Vec::new());
        // The first run of each is for the page cache.
        for turn in 0..=turns {
            let times = (run(&mut ours)?, run(&mut theirs)?);
            if turn > 0 {
                of_ours.push(times.0);
                of_theirs.push(times.1);
            }
        }
        let (Some(ours), Some(theirs)) = (median(of_ours), median(of_theirs)) else {
            bail!("at least one turn");
        };
        measured.push(json!({
            "image": image,
            "regent_ms": rounded(ours),
            "cosign_ms": rounded(theirs),
            "ratio": rounded(theirs / ours),
        }));
    }
    Ok(json!(measured))
}

/// The milliseconds that a command takes; it has to take the image, or it would be the faster for that.
fn run(command: &mut Command) -> Result<f64> {
    let started = Instant::now();
    let status = command.status();
    let elapsed = started.elapsed();
    let status = status.with_context(|| format!("running {command:?}"))?;
    ensure!(status.success(), "{command:?} refuses the image");
    Ok(elapsed.as_secs_f64() * 1e3)
}

/// The commands that verify the signature of an image.
struct Commands<'a> {
    demo: &'a Path,
    /// Where the registry listens.
    address: &'a str,
    /// Repository and digest.
    image: &'a str,
    keyed: bool,
}

impl Commands<'_> {
    fn of_regent(&self, binary: &Path) -> Command {
        let mut command = self.of(binary, &format!("{HOST}/{}", self.image));
        let mirror = format!("{HOST}=http://{}", self.address);
        command.args(["--registry-mirror", &mirror]);
        command
    }

    fn of_cosign(&self, binary: &Path, bundle: bool) -> Command {
        let mut command = self.of(binary, &format!("{}/{}", self.address, self.image));
        command.arg("--allow-http-registry");
        command.arg(format!("--new-bundle-format={bundle}"));
        command
    }

    /// What both have.
    fn of(&self, binary: &Path, reference: &str) -> Command {
        let mut command = Command::new(binary);
        command.stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.args(["verify", reference, "--trusted-root"]);
        command.arg(self.demo.join("trusted_root.json"));
        if self.keyed {
            command.arg("--key").arg(self.demo.join("key.pub"));
        } else {
            command.args(["--certificate-identity-regexp", IDENTITY]);
            command.args(["--certificate-oidc-issuer", ISSUER]);
        }
        command
    }
}
