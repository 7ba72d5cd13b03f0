//! Commands to try while the demonstration keeps running.
//!
//! Knows curl's flags and our own.

use anyhow::Result;

use super::client::SERVER_NAME;
use super::content::write_file;
use super::review::{pod, review};
use super::stage::{REGISTRY, Stage};

/// Writes reviews to send, and says how.
pub fn commands(stage: &Stage) -> Result<String> {
    let written = stage.written();
    let mut blocks = Vec::new();
    let curl = format!(
        "curl -s --cacert {} -H 'content-type: application/json'",
        stage.authority().display()
    );
    let webhook = format!("https://{SERVER_NAME}:{}", stage.webhook().port());
    for (title, name) in [
        (
            "An image that is signed, and built by the right builder",
            "app",
        ),
        ("One that is not signed", "unsigned"),
        ("One of another builder", "other-builder"),
    ] {
        let image = format!("{REGISTRY}/your-org/{name}:v1");
        let path = written.reviews.join(format!("{name}.json"));
        let document = review(name, &pod("production", "demo", &image));
        write_file(&path, format!("{document:#}\n").as_bytes())?;
        blocks.push(format!(
            "# {title}. Edit the file to ask for something else.\n\
             {curl} {webhook}/mutate -d @{}",
            path.display()
        ));
    }
    blocks.push(format!(
        "# Who signed an image, and what its provenance says.\n\
         regent verify {REGISTRY}/your-org/app:v1 --trusted-root {} \\\n  \
         --registry-mirror {REGISTRY}={registry} --insecure-registry {registry} \\\n  \
         --certificate-identity-regexp '^https://github.com/your-org/' \\\n  \
         --certificate-oidc-issuer https://token.actions.githubusercontent.com\n\n\
         # The policy; change it, and the webhook reads it again.\n\
         cat {}",
        written.trusted_root.display(),
        written
            .policies
            .join("verify-slsa-provenance.yaml")
            .display(),
        registry = stage.registry(),
    ));
    if let Some(metrics) = stage.metrics() {
        blocks.push(format!(
            "# What was counted.\ncurl -s http://{metrics}/metrics"
        ));
    }
    blocks.push("Everything runs until Ctrl-C.".to_owned());
    Ok(blocks.join("\n\n"))
}
