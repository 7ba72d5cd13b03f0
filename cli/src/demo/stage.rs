//! The registry and the webhook of the demonstration, running.
//!
//! Knows how they are started and stopped, and how one scene is played.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use regent_engine::builders::Builders;
use regent_engine::limits::ContextSize;
use regent_engine::load::ExceptionsFrom;
use regent_server::cluster::ClusterSettings;
use regent_server::image::layout::Layouts;
use regent_server::image::registry::RegistrySettings;
use regent_server::image::{ImageSettings, Network};
use regent_server::layout_registry::{LayoutRegistry, ReferrersApi};
use regent_server::serve::{Running, serve};
use regent_server::settings::{Limits, Settings, TlsSettings};
use serde_json::Value;
use tempfile::TempDir;

use crate::images::trust_roots;

use super::client::{Client, SERVER_NAME};
use super::content::{self, Written};
use super::review::{self, Answer, image_of, read, review};
use super::scene::{Before, Expected, Kind, Scene};
use super::show::Shot;

/// The registry that the images name; what answers for it is on loopback.
pub const REGISTRY: &str = "ghcr.io";

/// As a webhook configuration with `timeoutSeconds: 10` has it.
const DEADLINE: &str = "timeout=10s";

/// Everything that runs.
#[derive(Debug)]
pub struct Stage {
    registry: LayoutRegistry,
    running: Running,
    client: Client,
    written: Written,
    authority: PathBuf,
    asked: usize,
    // Last: what is above uses it.
    _folder: TempDir,
}

impl Stage {
    /// Starts the registry and the webhook on free ports of loopback.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir().context("a temporary folder")?;
        let written = content::write(folder.path())?;
        let layouts = Layouts::open(std::slice::from_ref(&written.layout))
            .context("the demonstration's registry")?;
        let registry = LayoutRegistry::start(layouts, REGISTRY, ReferrersApi::Served)
            .await
            .context("starting the registry")?;
        let tls = folder.path().join("tls");
        let running = serve(settings(&written, tls.clone(), registry.address())?)
            .await
            .context("starting the webhook")?;
        let authority = tls.join("ca.crt");
        let client = Client::connect(running.address(), &authority).await?;
        Ok(Self {
            registry,
            running,
            client,
            written,
            authority,
            asked: 0,
            _folder: folder,
        })
    }

    /// Where the webhook answers.
    pub fn webhook(&self) -> SocketAddr {
        self.running.address()
    }

    /// Where the registry answers.
    pub fn registry(&self) -> SocketAddr {
        self.registry.address()
    }

    /// The certificate that the webhook's chains to.
    pub fn authority(&self) -> &std::path::Path {
        &self.authority
    }

    /// Where Prometheus is answered.
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.running.metrics_address()
    }

    /// What was written for the demonstration.
    pub fn written(&self) -> &Written {
        &self.written
    }

    /// Plays one scene, twice.
    pub async fn play(&mut self, scene: Scene) -> Result<Shot> {
        match scene.before {
            Before::Nothing => {}
            Before::TagMoves => {
                let moved = content::digest_of("moved")?;
                self.registry.move_tag("your-org/moving", "v1", &moved);
            }
            Before::RegistryGoes => self.registry.stop().await,
        }
        let image = image_named(scene.image)?;
        let object = match scene.kind {
            Kind::Pod => review::pod(scene.namespace, "demo", &image),
            Kind::Deployment => review::deployment(scene.namespace, "demo", &image),
        };
        let (answer, cold) = self.admit(&object).await?;
        let (again, cached) = self.admit(&object).await?;
        let mut wrong = judge(scene.expected, &image, &answer)?;
        if again != answer {
            wrong.push("asked again, the answer was another".to_owned());
        }
        Ok(Shot {
            scene,
            image,
            answer,
            took: [cold, cached],
            wrong,
        })
    }

    /// Asks as an API server does: first what changes the object, then what judges it as it will be stored.
    async fn admit(&mut self, object: &Value) -> Result<(Answer, Duration)> {
        let started = Instant::now();
        let mut answer = self.ask("/mutate", object).await?;
        if let Answer::Admitted { object } = &answer {
            let object = object.clone();
            answer = self.ask("/validate", &object).await?;
        }
        Ok((answer, started.elapsed()))
    }

    async fn ask(&mut self, path: &str, object: &Value) -> Result<Answer> {
        self.asked += 1;
        let uid = format!("demo-{}", self.asked);
        let path = format!("{path}?{DEADLINE}");
        let answer = self.client.post(&path, &review(&uid, object)).await?;
        read(&uid, object, &answer)
    }

    /// Stops everything.
    pub async fn stop(self) {
        self.running.shutdown().await;
    }
}

fn settings(written: &Written, tls: PathBuf, registry: SocketAddr) -> Result<Settings> {
    let free_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Ok(Settings {
        listen: free_port,
        metrics_listen: Some(free_port),
        tls: TlsSettings::SelfSigned {
            directory: tls,
            names: vec![SERVER_NAME.to_owned()],
        },
        client_authority: None,
        policies: vec![written.policies.clone()],
        namespaces: None,
        cluster: ClusterSettings::default(),
        exceptions: ExceptionsFrom::Nowhere,
        break_glass: None,
        exact_slsa_versions: false,
        context_size: ContextSize::default(),
        tuf: None,
        builders: Builders::default(),
        trust_roots: trust_roots(std::slice::from_ref(&written.trusted_root))?,
        images: ImageSettings {
            network: Network::Registries(RegistrySettings {
                mirrors: vec![(REGISTRY.to_owned(), format!("http://{registry}"))],
                ..RegistrySettings::default()
            }),
            ..ImageSettings::default()
        },
        module_cache: None,
        reload_interval: Duration::from_secs(1),
        shutdown_delay: Duration::ZERO,
        drain_timeout: Duration::from_secs(1),
        limits: Limits::default(),
    })
}

/// The image of a scene: `NAME@CASE` is by the digest of that case.
fn image_named(image: &str) -> Result<String> {
    match image.split_once('@') {
        Some((name, case)) => Ok(format!("{name}@{}", content::digest_of(case)?)),
        None => Ok(image.to_owned()),
    }
}

/// Where an answer is not the expected one.
fn judge(expected: Expected, asked: &str, answer: &Answer) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    match (expected, answer) {
        (Expected::AdmittedAt { case }, Answer::Admitted { object }) => {
            let digest = content::digest_of(case)?;
            let stored = image_of(object).unwrap_or_default();
            if !stored.ends_with(&format!("@{digest}")) {
                wrong.push(format!("the image is stored as `{stored}`"));
            }
        }
        (Expected::Untouched, Answer::Admitted { object }) => {
            let stored = image_of(object).unwrap_or_default();
            if stored != asked {
                wrong.push(format!("the image was changed to `{stored}`"));
            }
        }
        (Expected::Refused { says }, Answer::Refused { message }) => {
            let missing = says.iter().filter(|part| !message.contains(*part));
            wrong.extend(missing.map(|part| format!("the message does not say `{part}`")));
        }
        (Expected::Refused { .. }, Answer::Admitted { .. }) => {
            wrong.push("it should have been refused".to_owned());
        }
        (Expected::AdmittedAt { .. } | Expected::Untouched, Answer::Refused { .. }) => {
            wrong.push("it should have been admitted".to_owned());
        }
    }
    Ok(wrong)
}
