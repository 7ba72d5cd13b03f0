//! What a registry wants to see before it answers: challenges, tokens, and which of them are remembered.
//!
//! An authorization is kept for one server and one repository, and sent to that server only.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::Method;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use moka::Expiry;
use moka::future::Cache;
use regent_engine::evaluation::need::{NamedBy, PullSecret};
use serde::Deserialize;
use tokio::time::Instant;

use challenge::{BearerChallenge, Challenge};

use super::endpoint::Endpoint;
use super::transport::Transport;
use crate::cluster::{Cluster, ClusterSettings, PodSecrets};
use crate::image::credentials::{Credentials, Login, Secret};
use crate::image::fetch::{FetchError, quoted};
use crate::outbound::place::{Place, Reach, Scheme};
use crate::outbound::{Answer, Call, Patience};

mod challenge;

/// Bytes of a token server's answer; tokens of large clouds have some 4 kB.
const MAX_TOKEN: u64 = 64 << 10;
/// Authorizations that are remembered.
const MAX_REMEMBERED: u64 = 10_000;
/// How long a token is good for where the server does not say, as the distribution's specification has it.
const UNSAID: u64 = 60;
/// Longest time that an authorization is used, whatever the server says.
const LONGEST: Duration = Duration::from_hours(1);

/// A server, and the repository on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    authority: String,
    scheme: Scheme,
    repository: String,
    /// What one policy was given is not sent for another.
    pull_secrets: Vec<PullSecret>,
}

/// The value of an `Authorization` header.
#[derive(Clone)]
pub(super) struct Authorization {
    value: HeaderValue,
    life: Duration,
}

impl Authorization {
    fn new(text: &str, life: Duration) -> Option<Self> {
        let mut value = HeaderValue::from_str(text).ok()?;
        value.set_sensitive(true);
        Some(Self { value, life })
    }

    pub(super) fn add_to(&self, headers: &mut HeaderMap) {
        headers.insert(AUTHORIZATION, self.value.clone());
    }
}

struct Lives;

impl Expiry<Key, Authorization> for Lives {
    fn expire_after_create(
        &self,
        _key: &Key,
        value: &Authorization,
        _created_at: std::time::Instant,
    ) -> Option<Duration> {
        Some(value.life)
    }
}

/// Where Secrets are read, and which.
struct Secrets {
    cluster: Arc<Cluster>,
    for_all: Vec<PullSecret>,
    of_pods: PodSecrets,
}

/// Who asks, and what was given for it.
pub(super) struct Authority {
    credentials: Credentials,
    secrets: Option<Secrets>,
    remembered: Cache<Key, Authorization>,
}

/// What an authorization is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purpose<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) scheme: Scheme,
    pub(super) repository: &'a str,
    pub(super) pull_secrets: &'a [PullSecret],
    pub(super) deadline: Instant,
    pub(super) patience: Patience,
}

impl Purpose<'_> {
    fn key(&self) -> Key {
        Key {
            authority: self.endpoint.authority.clone(),
            scheme: self.scheme,
            repository: self.repository.to_owned(),
            pull_secrets: self.pull_secrets.to_vec(),
        }
    }

    fn refused(&self, what: &str) -> FetchError {
        FetchError::Unauthorized(format!(
            "{} refuses access to {}: {what}",
            quoted(&self.endpoint.name),
            quoted(self.repository)
        ))
    }
}

impl Authority {
    pub(super) fn new(credentials: Credentials) -> Self {
        let remembered = Cache::builder()
            .max_capacity(MAX_REMEMBERED)
            .expire_after(Lives)
            .build();
        Self {
            credentials,
            secrets: None,
            remembered,
        }
    }

    pub(super) fn ask_cluster(&mut self, cluster: &Arc<Cluster>, settings: &ClusterSettings) {
        self.secrets = Some(Secrets {
            cluster: Arc::clone(cluster),
            for_all: settings.pull_secrets.clone(),
            of_pods: settings.pod_secrets,
        });
    }

    /// The credentials for a server: of the Secrets that the policy names, of the pod's where they count, of those that the
    /// operator named, of Docker's configuration; the first that has any.
    async fn login(&self, purpose: Purpose<'_>) -> Result<Option<Login>, FetchError> {
        let (host, deadline) = (&purpose.endpoint.name, purpose.deadline);
        let Some(secrets) = &self.secrets else {
            return self.credentials.of(host, deadline).await;
        };
        for secret in purpose.pull_secrets.iter().chain(&secrets.for_all) {
            let of_pod = secret.named_by == NamedBy::Object;
            if of_pod && secrets.of_pods == PodSecrets::Ignored {
                continue;
            }
            let read = secrets.cluster.pull_secret(secret, deadline).await;
            // As for whoever pulls the image: what a pod names need not be there.
            if of_pod && matches!(read, Err(FetchError::NotFound(_))) {
                continue;
            }
            let about = |error: FetchError| {
                error.about(&format!("the pull secret {}", quoted(&secret.name)))
            };
            let credentials = read
                .and_then(|object| Credentials::of_secret(&object))
                .map_err(about)?;
            if let Some(login) = credentials.of(host, deadline).await? {
                return Ok(Some(login));
            }
        }
        self.credentials.of(host, deadline).await
    }

    /// What was good for this repository before.
    pub(super) async fn remembered(&self, purpose: Purpose<'_>) -> Option<Authorization> {
        self.remembered.get(&purpose.key()).await
    }

    /// Answers a challenge; `tried` is what the server has just refused.
    ///
    /// Requests that are challenged at the same time share one answer.
    pub(super) async fn authorize(
        &self,
        transport: &Transport,
        purpose: Purpose<'_>,
        refusal: &Answer,
        tried: Option<&Authorization>,
    ) -> Result<Authorization, FetchError> {
        let challenge = refusal
            .headers
            .get_all("www-authenticate")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .find_map(Challenge::read)
            .ok_or_else(|| purpose.refused("it does not say how to be let in"))?;
        let key = purpose.key();
        if let Some(tried) = tried {
            let known = self.remembered.get(&key).await;
            if known.is_some_and(|known| known.value == tried.value) {
                self.remembered.invalidate(&key).await;
            }
        }
        let obtain = self.obtain(transport, purpose, &challenge);
        self.remembered
            .try_get_with(key, obtain)
            .await
            .map_err(|error: Arc<FetchError>| (*error).clone())
    }

    async fn obtain(
        &self,
        transport: &Transport,
        purpose: Purpose<'_>,
        challenge: &Challenge,
    ) -> Result<Authorization, FetchError> {
        let login = self.login(purpose).await?;
        let unusable =
            || purpose.refused("the credentials have characters that no header may have");
        match (challenge, login) {
            (_, Some(Login::RegistryToken(token))) => {
                Authorization::new(&format!("Bearer {}", token.reveal()), LONGEST)
                    .ok_or_else(unusable)
            }
            (Challenge::Basic, Some(Login::Password(name, password))) => {
                Authorization::new(&basic(&name, &password), LONGEST).ok_or_else(unusable)
            }
            (Challenge::Basic, Some(Login::IdentityToken(_))) => Err(purpose
                .refused("it wants a name and a password, and there is only an identity token")),
            (Challenge::Basic, None) => {
                Err(purpose.refused("it wants a name and a password, and there are none for it"))
            }
            (Challenge::Bearer(challenge), login) => {
                token(transport, purpose, challenge, login).await
            }
        }
    }
}

/// Gets a token from the token server.
async fn token(
    transport: &Transport,
    purpose: Purpose<'_>,
    challenge: &BearerChallenge,
    login: Option<Login>,
) -> Result<Authorization, FetchError> {
    let call = token_call(purpose, challenge, login.as_ref())?;
    let server = quoted(&call.place.authority);
    let answer = transport.send(&call).await?;
    match answer.status.as_u16() {
        200 => {}
        401 | 403 => {
            let with = if login.is_some() {
                "the credentials were refused"
            } else {
                "there are no credentials for it"
            };
            return Err(purpose.refused(&format!("{with} by {server}")));
        }
        408 | 429 | 500..=599 => {
            return Err(FetchError::Unavailable(format!(
                "the token server {server} answered {}",
                answer.status
            )));
        }
        _ => {
            return Err(FetchError::Malformed(format!(
                "the token server {server} answered {}",
                answer.status
            )));
        }
    }
    let malformed = || FetchError::Malformed(format!("the token server {server} gave no token"));
    let given: Given = serde_json::from_slice(&answer.body).map_err(|_secret| malformed())?;
    let token = given
        .token
        .or(given.access_token)
        .filter(|token| !token.is_empty())
        .ok_or_else(malformed)?;
    // A fifth is left for clocks and for requests under way.
    let life = Duration::from_secs(given.expires_in.unwrap_or(UNSAID)).mul_f32(0.8);
    Authorization::new(&format!("Bearer {token}"), life.min(LONGEST)).ok_or_else(malformed)
}

fn token_call(
    purpose: Purpose<'_>,
    challenge: &BearerChallenge,
    login: Option<&Login>,
) -> Result<Call, FetchError> {
    let base = Place {
        scheme: purpose.scheme,
        authority: purpose.endpoint.authority.clone(),
        path: String::new(),
    };
    let refused = |what: &str| {
        FetchError::Redirect(format!(
            "{} names the token server {}, {what}",
            quoted(&purpose.endpoint.name),
            quoted(&challenge.realm)
        ))
    };
    let mut place =
        Place::read(&challenge.realm, &base).ok_or_else(|| refused("which is no URL"))?;
    if purpose.scheme == Scheme::Https && place.scheme == Scheme::Http {
        return Err(refused("which is not https"));
    }
    let reach = reach_of(purpose.endpoint, &base, &place);
    if reach == Reach::Guarded && place.is_local() {
        return Err(refused("which is this machine or its link"));
    }
    let scope = challenge
        .scope
        .clone()
        .unwrap_or_else(|| format!("repository:{}:pull", purpose.repository));
    let mut parameters = vec![("scope", scope.as_str())];
    if let Some(service) = &challenge.service {
        parameters.push(("service", service));
    }
    let mut headers = HeaderMap::new();
    let (method, body) = if let Some(Login::IdentityToken(token)) = login {
        parameters.push(("grant_type", "refresh_token"));
        parameters.push(("client_id", "regent"));
        parameters.push(("refresh_token", token.reveal()));
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        (Method::POST, Bytes::from(form_of(&parameters)))
    } else {
        if let Some(Login::Password(name, password)) = login {
            Authorization::new(&basic(name, password), LONGEST)
                .ok_or_else(|| {
                    purpose.refused("the credentials have characters that no header may have")
                })?
                .add_to(&mut headers);
        }
        let separator = if place.path.contains('?') { '&' } else { '?' };
        place.path = format!("{}{separator}{}", place.path, form_of(&parameters));
        (Method::GET, Bytes::new())
    };
    Ok(Call {
        method,
        place,
        reach,
        headers,
        body,
        max: MAX_TOKEN,
        deadline: purpose.deadline,
        patience: purpose.patience,
        room: None,
    })
}

/// How a place may be reached that the registry at `base` named.
pub(super) fn reach_of(endpoint: &Endpoint, base: &Place, place: &Place) -> Reach {
    if place.is_same_server(base) {
        endpoint.reach
    } else if endpoint.is_local() {
        Reach::Anywhere
    } else {
        Reach::Guarded
    }
}

fn basic(name: &str, password: &Secret) -> String {
    let pair = format!("{name}:{}", password.reveal());
    format!("Basic {}", STANDARD.encode(pair))
}

fn form_of(parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    pairs.join("&")
}

fn encoded(text: &str) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(['%', digit(byte >> 4), digit(byte & 0xf)]);
        }
    }
    encoded
}

#[derive(Deserialize)]
struct Given {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

#[cfg(test)]
mod tests;
