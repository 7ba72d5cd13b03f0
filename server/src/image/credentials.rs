//! Registry credentials, as Docker's `config.json` has them.
//!
//! A credential belongs to one host and is handed out for that host only. Secrets have no `Debug`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::Instant;

use super::fetch::{FetchError, quoted};
use super::registry::SettingsError;
use super::registry::endpoint::{DOCKER_HUB, canonical_host};

/// Bytes of a `config.json`, and of what a helper prints.
const MAX_CONFIG: u64 = 1 << 20;
/// Time for a helper; those of the clouds make one request.
const HELPER: Duration = Duration::from_secs(10);

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one header or form that it goes into.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

/// How to show a registry who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// A name and a password.
    Password(String, Secret),
    /// An OAuth 2 refresh token, exchanged at the token server.
    IdentityToken(Secret),
    /// A token that is sent as it is.
    RegistryToken(Secret),
}

/// All credentials that the operator gave.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    logins: BTreeMap<String, Login>,
    helpers: BTreeMap<String, PathBuf>,
    store: Option<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

impl Credentials {
    /// Reads `config.json` at `path`, a file or its directory; where none is given, the place that Docker looks at, if
    /// there is something.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, SettingsError> {
        let path = match path {
            Some(path) if path.is_dir() => path.join("config.json"),
            Some(path) => path.to_owned(),
            None => match usual_place() {
                Some(path) if path.is_file() => path,
                _ => return Ok(Self::default()),
            },
        };
        let fault = |what: String| SettingsError::Credentials(path.clone(), what);
        let text = read(&path).map_err(|error| fault(error.to_string()))?;
        Self::parse(&text).map_err(fault)
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        // The error says where, never what: the text holds secrets.
        let config: Config = serde_json::from_slice(text).map_err(|error| {
            format!(
                "malformed at line {}, column {}",
                error.line(),
                error.column()
            )
        })?;
        let mut credentials = Self::default();
        for (key, entry) in config.auths {
            let host =
                host_of_key(&key).ok_or_else(|| format!("{} is no registry host", quoted(&key)))?;
            if let Some(login) = login(entry).map_err(|what| format!("{}: {what}", quoted(&key)))? {
                credentials.logins.insert(host, login);
            }
        }
        for (key, helper) in config.cred_helpers {
            let host =
                host_of_key(&key).ok_or_else(|| format!("{} is no registry host", quoted(&key)))?;
            credentials.helpers.insert(host, find_helper(&helper)?);
        }
        if let Some(store) = config.creds_store.filter(|store| !store.is_empty()) {
            credentials.store = Some(find_helper(&store)?);
        }
        Ok(credentials)
    }

    /// What a Secret has: `.dockerconfigjson`, or the older `.dockercfg`.
    ///
    /// Helpers are programs, which only the operator's own configuration names: those of a Secret are not run.
    pub(crate) fn of_secret(secret: &Value) -> Result<Self, FetchError> {
        let malformed = |what: &str| FetchError::Malformed(what.to_owned());
        let field = |name: &str| {
            let written = secret.get("data").and_then(|data| data.get(name))?;
            STANDARD.decode(written.as_str()?.trim()).ok()
        };
        let auths = if let Some(text) = field(".dockerconfigjson") {
            let config: Config = serde_json::from_slice(&text)
                .map_err(|_secret| malformed("`.dockerconfigjson` is malformed"))?;
            config.auths
        } else if let Some(text) = field(".dockercfg") {
            serde_json::from_slice(&text)
                .map_err(|_secret| malformed("`.dockercfg` is malformed"))?
        } else {
            return Err(malformed(
                "it has neither `.dockerconfigjson` nor `.dockercfg`",
            ));
        };
        let mut credentials = Self::default();
        for (key, entry) in auths {
            // A key for one repository, or with a wildcard, would be sent to others too.
            let Some(host) = host_of_key(&key).filter(|host| !host.contains('*')) else {
                tracing::warn!(
                    key,
                    "credentials of a pull secret that are not for a whole registry are left out"
                );
                continue;
            };
            if let Some(login) = login(entry).map_err(malformed)? {
                credentials.logins.insert(host, login);
            }
        }
        Ok(credentials)
    }

    /// The credentials for a registry, if there are any.
    pub(crate) async fn of(
        &self,
        host: &str,
        deadline: Instant,
    ) -> Result<Option<Login>, FetchError> {
        if let Some(helper) = self.helpers.get(host) {
            return ask(helper, host, deadline).await;
        }
        if let Some(login) = self.logins.get(host) {
            return Ok(Some(login.clone()));
        }
        match &self.store {
            Some(store) => ask(store, host, deadline).await,
            None => Ok(None),
        }
    }
}

fn usual_place() -> Option<PathBuf> {
    let directory = match std::env::var_os("DOCKER_CONFIG") {
        Some(directory) if !directory.is_empty() => PathBuf::from(directory),
        _ => PathBuf::from(std::env::var_os("HOME")?).join(".docker"),
    };
    Some(directory.join("config.json"))
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut text = Vec::new();
    std::fs::File::open(path)?
        .take(MAX_CONFIG + 1)
        .read_to_end(&mut text)?;
    if text.len() as u64 > MAX_CONFIG {
        return Err(std::io::Error::other(format!(
            "more than {MAX_CONFIG} bytes"
        )));
    }
    Ok(text)
}

/// `https://index.docker.io/v1/`, `ghcr.io`, `https://ghcr.io/v2/`: keys name hosts in several ways. A key for one
/// repository (`ghcr.io/your-org`) is not Docker's, and would be sent to all repositories of the host.
fn host_of_key(key: &str) -> Option<String> {
    let rest = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_whole = ["", "v1", "v2"].contains(&path.trim_end_matches('/'));
    (is_whole && !host.is_empty()).then(|| canonical_host(host))
}

fn login(entry: Entry) -> Result<Option<Login>, &'static str> {
    if let Some(token) = entry.registrytoken.filter(|token| !token.is_empty()) {
        return Ok(Some(Login::RegistryToken(Secret(token))));
    }
    if let Some(token) = entry.identitytoken.filter(|token| !token.is_empty()) {
        return Ok(Some(Login::IdentityToken(Secret(token))));
    }
    if let Some(auth) = entry.auth.filter(|auth| !auth.is_empty()) {
        let decoded = STANDARD
            .decode(auth.trim())
            .ok()
            .and_then(|decoded| String::from_utf8(decoded).ok())
            .ok_or("`auth` is not base64 of text")?;
        let (name, password) = decoded
            .split_once(':')
            .ok_or("`auth` has no colon between name and password")?;
        // Docker pads with zero bytes.
        let password = password.trim_end_matches('\0');
        return Ok(Some(Login::Password(
            name.to_owned(),
            Secret::new(password),
        )));
    }
    Ok(match (entry.username, entry.password) {
        (Some(name), Some(password)) => Some(Login::Password(name, Secret(password))),
        _ => None,
    })
}

/// Finds the program of a helper; one that is not there is refused when the configuration is read.
fn find_helper(name: &str) -> Result<PathBuf, String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(format!(
            "the credential helper {} has no usable name",
            quoted(name)
        ));
    }
    let program = format!("docker-credential-{name}");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(&program))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| {
            format!(
                "the credential helper {} is not in the PATH; install it, or write the credentials into `auths`",
                quoted(&program)
            )
        })
}

/// Asks a helper for the credentials of a host, as Docker does: the host on its input, JSON on its output.
async fn ask(program: &Path, host: &str, deadline: Instant) -> Result<Option<Login>, FetchError> {
    let shown = quoted(&program.display().to_string());
    let broken = |error: &std::io::Error| {
        FetchError::Unavailable(format!("the credential helper {shown} failed: {error}"))
    };
    let server = if host == DOCKER_HUB {
        "https://index.docker.io/v1/"
    } else {
        host
    };
    let run = async {
        let mut child = Command::new(program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            match input.write_all(format!("{server}\n").as_bytes()).await {
                // One that does not care which host it is may have closed its input; what it prints counts.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
                written => written?,
            }
        }
        let mut printed = Vec::new();
        if let Some(output) = child.stdout.take() {
            output.take(MAX_CONFIG).read_to_end(&mut printed).await?;
        }
        Ok((child.wait().await?, printed))
    };
    let until = deadline.min(Instant::now() + HELPER);
    let (status, printed) = tokio::time::timeout_at(until, run)
        .await
        .map_err(|_elapsed| {
            FetchError::Timeout(format!("the credential helper {shown} did not end in time"))
        })?
        .map_err(|error: std::io::Error| broken(&error))?;
    if !status.success() {
        // The protocol has no other sign for "there are none".
        if String::from_utf8_lossy(&printed).contains("credentials not found") {
            return Ok(None);
        }
        return Err(FetchError::Unavailable(format!(
            "the credential helper {shown} ended with {status}"
        )));
    }
    let answer: HelperAnswer = serde_json::from_slice(&printed).map_err(|_secret| {
        FetchError::Malformed(format!(
            "the credential helper {shown} printed no credentials"
        ))
    })?;
    Ok(Some(if answer.username == "<token>" {
        Login::IdentityToken(Secret(answer.secret))
    } else {
        Login::Password(answer.username, Secret(answer.secret))
    }))
}

#[cfg(test)]
mod tests;
