//! Debian's `docker-registry` 2.8, which has no referrers API, with real images pushed by `skopeo`.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use regent_engine::image::Digest;
use regent_tests::{needs, shared_path};

use super::{HOST, ask, images_with, mirrored, need, trust_roots};

/// The registry, until the test ends.
struct DockerRegistry(Child);

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        // It may have ended by itself; nothing is lost then.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn is_installed(program: &str, argument: &str) -> bool {
    let run = Command::new(program)
        .arg(argument)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    run.is_ok()
}

async fn start(storage: &std::path::Path) -> (DockerRegistry, u16) {
    let port = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let config = storage.join("config.yml");
    let text = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: 127.0.0.1:{port}}}\n",
        storage.join("data").display()
    );
    std::fs::write(&config, text).unwrap();
    let child = Command::new("docker-registry")
        .arg("serve")
        .arg(config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let registry = DockerRegistry(child);
    for _ in 0..200 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_ok()
        {
            return (registry, port);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("docker-registry did not start");
}

/// Images that GitHub Actions built and the public Sigstore recorded: no special case for any version.
#[tokio::test]
async fn verifies_the_generators_images() {
    let (Some(all), Some(push)) = (
        shared_path("images/slsa-github-generator"),
        shared_path("tools/local-sigstore/push-layout.sh"),
    ) else {
        return;
    };
    if !is_installed("docker-registry", "--version") || !is_installed("skopeo", "--version") {
        needs("docker-registry and skopeo (apt-get install docker-registry skopeo)");
        return;
    }
    let storage = tempfile::tempdir().unwrap();
    let (_registry, port) = start(storage.path()).await;
    let images = images_with(mirrored(format!("127.0.0.1:{port}")), trust_roots(None));
    for version in ["v1.4.0", "v1.9.0", "v2.0.0"] {
        let pushed = Command::new("bash")
            .arg(&push)
            .arg(all.join(version).join("layout"))
            .arg(format!("127.0.0.1:{port}/your-org/app"))
            .env("TAG", version)
            .output()
            .unwrap();
        assert!(
            pushed.status.success(),
            "{}",
            String::from_utf8_lossy(&pushed.stderr)
        );
        let digest = std::fs::read_to_string(all.join(version).join("digest")).unwrap();
        let digest = Digest::parse(digest.trim()).unwrap();
        for reference in [format!(":{version}"), format!("@{digest}")] {
            let need = need(&format!("{HOST}/your-org/app{reference}"));
            let image = ask(&images, &need).await.unwrap();
            assert_eq!(*image.digest(), digest);
            let evidence = image.evidence();
            assert_eq!(
                evidence.statements.len(),
                1,
                "{version} {:?}",
                evidence.refused
            );
            assert!(evidence.signatures.is_empty());
        }
    }
}
