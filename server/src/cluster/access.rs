//! Where the API server is and how to show it who asks: a kubeconfig, or what is mounted into a pod.
//!
//! Opens no connection. Files that it names are read again by the client, since tokens and certificates are renewed.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regent_engine::source::Source;
use regent_engine::yaml::{self, Node, Value};
use thiserror::Error;

use crate::image::fetch::quoted;
use crate::outbound::place::{Place, Scheme};

/// Where a pod finds its service account.
const MOUNTED: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The namespace of whoever says none.
const DEFAULT: &str = "default";

/// How the cluster is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterSource {
    /// By a kubeconfig, and the context in it; its current one where none is named.
    Kubeconfig(PathBuf, Option<String>),
    /// By the service account that is mounted into this pod.
    Mounted,
}

impl ClusterSource {
    /// The cluster around this pod, if there is one that lets it in.
    pub fn mounted() -> Option<Self> {
        let is_there = Path::new(MOUNTED).join("token").is_file();
        (is_there && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()).then_some(Self::Mounted)
    }
}

/// Why a cluster cannot be asked as the operator says.
#[derive(Debug, Error)]
pub enum AccessError {
    /// A file cannot be read.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A kubeconfig that says something else than what is understood.
    #[error("the kubeconfig {path}: {what}", path = path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong there.
        what: String,
    },
    /// This is no pod, or one without a service account.
    #[error("no service account is mounted here: {0}")]
    NotMounted(String),
    /// Certificates or keys.
    #[error("the cluster's certificates: {0}")]
    Tls(String),
}

/// Bytes that are given, or in a file that may be renewed. Holds keys and tokens, so it has no `Debug` of them.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Material {
    Given(Vec<u8>),
    File(PathBuf),
}

impl fmt::Debug for Material {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => formatter.write_str("Given"),
            Self::File(path) => formatter.debug_tuple("File").field(path).finish(),
        }
    }
}

impl Material {
    pub(super) fn read(&self) -> Result<Vec<u8>, AccessError> {
        match self {
            Self::Given(bytes) => Ok(bytes.clone()),
            Self::File(path) => std::fs::read(path).map_err(|error| AccessError::Io {
                path: path.clone(),
                error,
            }),
        }
    }
}

/// Whom to believe that it is the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trust {
    /// Whoever the platform's certificates vouch for.
    Platform,
    /// Whoever these certificates (PEM) vouch for.
    Authority(Material),
    /// Anyone: the kubeconfig says so.
    Anyone,
}

/// Where the API server is and how to show it who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Access {
    /// The server; `path` is a prefix of all paths, without a slash at its end.
    pub(super) server: Place,
    pub(super) trust: Trust,
    pub(super) token: Option<Material>,
    /// Certificates and key (PEM).
    pub(super) certificate: Option<(Material, Material)>,
    /// The namespace of whoever asks.
    pub(super) namespace: String,
}

impl Access {
    pub(super) fn find(source: &ClusterSource) -> Result<Self, AccessError> {
        match source {
            ClusterSource::Kubeconfig(path, context) => {
                let text = std::fs::read_to_string(path).map_err(|error| AccessError::Io {
                    path: path.clone(),
                    error,
                })?;
                Self::parse(path, &text, context.as_deref()).map_err(|what| {
                    AccessError::Kubeconfig {
                        path: path.clone(),
                        what,
                    }
                })
            }
            ClusterSource::Mounted => {
                let variable = |name: &str| {
                    std::env::var(name)
                        .map_err(|_unset| AccessError::NotMounted(format!("{name} is not set")))
                };
                let host = variable("KUBERNETES_SERVICE_HOST")?;
                let port = variable("KUBERNETES_SERVICE_PORT")?;
                Self::mounted(Path::new(MOUNTED), &host, &port)
            }
        }
    }

    /// What is mounted at a place.
    pub(super) fn mounted(folder: &Path, host: &str, port: &str) -> Result<Self, AccessError> {
        let files = ["token", "ca.crt"].map(|name| folder.join(name));
        if let Some(missing) = files.iter().find(|file| !file.is_file()) {
            let message = format!("there is no {}", missing.display());
            return Err(AccessError::NotMounted(message));
        }
        let [token, authority] = files;
        let host = match host.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            Ok(IpAddr::V4(_)) | Err(_) => host.to_owned(),
        };
        Ok(Self {
            server: Place {
                scheme: Scheme::Https,
                authority: format!("{host}:{port}"),
                path: String::new(),
            },
            trust: Trust::Authority(Material::File(authority)),
            token: Some(Material::File(token)),
            certificate: None,
            namespace: std::fs::read_to_string(folder.join("namespace"))
                .map_or_else(|_none| DEFAULT.to_owned(), |name| name.trim().to_owned()),
        })
    }

    fn parse(path: &Path, text: &str, context: Option<&str>) -> Result<Self, String> {
        let source = Source::new(path.display().to_string(), text.to_owned());
        let (documents, diagnostics) = yaml::parse(&source);
        if let Some(error) = diagnostics.iter().find(|found| found.is_error()) {
            return Err(error.message.clone());
        }
        let config = documents.first().ok_or("it is empty")?;
        let current = text_of(config, "current-context");
        let context = context
            .or(current)
            .ok_or("it has no `current-context`, and no context was named")?;
        let context = named(config, "contexts", context, "context")?;
        let cluster = text_of(context, "cluster").ok_or("the context names no cluster")?;
        let cluster = named(config, "clusters", cluster, "cluster")?;
        let user = match text_of(context, "user") {
            Some(user) => Some(named(config, "users", user, "user")?),
            None => None,
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        Ok(Self {
            server: server(cluster)?,
            trust: trust(cluster, folder)?,
            token: user.map_or(Ok(None), |user| token(user, folder))?,
            certificate: user.map_or(Ok(None), |user| certificate(user, folder))?,
            namespace: text_of(context, "namespace").unwrap_or(DEFAULT).to_owned(),
        })
    }
}

/// The entry of a list by its name, and in it what the list is of.
fn named<'n>(config: &'n Node, list: &str, name: &str, what: &str) -> Result<&'n Node, String> {
    let missing = || format!("`{list}` has no {}", quoted(name));
    let Some(Value::List(entries)) = config.get(list).map(|entries| &entries.value) else {
        return Err(missing());
    };
    entries
        .iter()
        .find(|entry| text_of(entry, "name") == Some(name))
        .and_then(|entry| entry.get(what))
        .ok_or_else(missing)
}

fn text_of<'n>(node: &'n Node, field: &str) -> Option<&'n str> {
    let text = node.get(field).and_then(Node::as_str);
    text.filter(|text| !text.is_empty())
}

/// A field that would change who asks, or how: to leave it out in silence would be another question than was meant.
fn refuse(node: &Node, fields: &[&str]) -> Result<(), String> {
    match fields.iter().find(|field| node.get(field).is_some()) {
        Some(field) => Err(format!(
            "`{field}` is not supported: use a token, a token file or a client certificate"
        )),
        None => Ok(()),
    }
}

fn server(cluster: &Node) -> Result<Place, String> {
    refuse(cluster, &["proxy-url", "tls-server-name"])?;
    let url = text_of(cluster, "server").ok_or("the cluster has no `server`")?;
    let nowhere = Place {
        scheme: Scheme::Https,
        authority: String::new(),
        path: String::new(),
    };
    let mut place = Place::read(url, &nowhere)
        .filter(|place| !place.authority.is_empty())
        .ok_or_else(|| format!("the server {} is no URL", quoted(url)))?;
    place.path = place.path.trim_end_matches('/').to_owned();
    Ok(place)
}

fn trust(cluster: &Node, folder: &Path) -> Result<Trust, String> {
    let skip = cluster.get("insecure-skip-tls-verify");
    if skip.is_some_and(|skip| skip.value == Value::Bool(true)) {
        return Ok(Trust::Anyone);
    }
    let authority = material(cluster, "certificate-authority", folder)?;
    Ok(authority.map_or(Trust::Platform, Trust::Authority))
}

fn token(user: &Node, folder: &Path) -> Result<Option<Material>, String> {
    refuse(
        user,
        &[
            "exec",
            "auth-provider",
            "username",
            "password",
            "as",
            "as-groups",
            "as-uid",
            "as-user-extra",
        ],
    )?;
    Ok(match (text_of(user, "tokenFile"), text_of(user, "token")) {
        // The file has precedence, as in Kubernetes' own clients.
        (Some(file), _) => Some(Material::File(folder.join(file))),
        (None, Some(token)) => Some(Material::Given(token.as_bytes().to_vec())),
        (None, None) => None,
    })
}

fn certificate(user: &Node, folder: &Path) -> Result<Option<(Material, Material)>, String> {
    let certificate = material(user, "client-certificate", folder)?;
    let key = material(user, "client-key", folder)?;
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        _ => Err("`client-certificate` and `client-key` belong together".to_owned()),
    }
}

/// `FIELD-data` in base64, or the file that `FIELD` names.
fn material(node: &Node, field: &str, folder: &Path) -> Result<Option<Material>, String> {
    if let Some(data) = text_of(node, &format!("{field}-data")) {
        let bytes = STANDARD
            .decode(data.trim())
            .map_err(|_secret| format!("`{field}-data` is not base64"))?;
        return Ok(Some(Material::Given(bytes)));
    }
    let file = text_of(node, field);
    Ok(file.map(|file| Material::File(folder.join(file))))
}

#[cfg(test)]
mod tests;
