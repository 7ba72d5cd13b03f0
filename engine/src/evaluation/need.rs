//! What an evaluation asks of its host, and what the host answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;

use crate::admission::Roles;
use crate::ast::context::Method;
use crate::image::{ImageReference, PolicyTrust, PublicKey, VerifiedImage};
use crate::program::guest::Guest;
use crate::wasm::call::{HostAnswer, HostCall, Outcome};
use crate::wasm::verdict::Verdict;

use super::inventory::Snapshot;

/// Names a need within one evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NeedId(pub usize);

/// Something from outside of the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Need {
    /// The labels of a namespace.
    NamespaceLabels {
        /// Its name.
        namespace: String,
    },
    /// The roles of the user who asks.
    Roles,
    /// The verified evidence of an image.
    Image(ImageNeed),
    /// Data that a `context` names.
    Data(DataNeed),
    /// All resources of a kind, which modules look at.
    Inventory(InventoryNeed),
    /// What a module says of the request.
    Guest(GuestNeed),
}

/// Asks for what a module says of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct GuestNeed {
    /// Which module, and under which conditions.
    pub guest: Arc<Guest>,
    /// The request's id.
    pub uid: String,
    /// The request, as JSON.
    pub request: Arc<str>,
    /// What it asked before, with the answers.
    pub answers: Arc<[(HostCall, HostAnswer)]>,
    /// The time that it sees, in seconds since 1970.
    pub seconds: i64,
}

/// Asks for data that a `context` names; the answer is JSON.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DataNeed {
    /// A `ConfigMap`, as the API server has it.
    ConfigMap {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A `Secret`, as the API server has it: `data` in base64. Asked for keys that attestors name.
    Secret {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The answer of an HTTP call.
    ApiCall(ApiCall),
    /// What a `GlobalContextEntry` holds.
    GlobalContext {
        /// Its name, with a projection behind a dot.
        name: String,
    },
    /// Objects of the cluster, as a list; those that are not meant may be among them.
    Objects(ObjectsNeed),
    /// What a registry knows of an image: `{image, resolvedImage, registry, repository, identifier, manifestList, manifest,
    /// configData}`.
    ImageData {
        /// The image as the policy names it.
        reference: String,
        /// Secrets that show registries who asks.
        pull_secrets: Vec<PullSecret>,
    },
}

/// Asks for objects of the cluster; each field may be a wildcard.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectsNeed {
    /// Their `apiVersion`.
    pub api_version: String,
    /// Their kind.
    pub kind: String,
    /// Their namespace; any where there is none.
    pub namespace: Option<String>,
    /// Their name; any where there is none.
    pub name: Option<String>,
    /// What for.
    pub purpose: Purpose,
}

/// What objects of the cluster are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To be changed, by `mutate.targets`.
    Change,
    /// To be copied, by `generate.clone` and `cloneList`.
    Copy,
}

/// Asks for all resources of a kind, which modules find in `data.inventory`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InventoryNeed {
    /// Their `apiVersion`.
    pub api_version: String,
    /// Their kind.
    pub kind: String,
}

impl InventoryNeed {
    /// What is asked for, for messages.
    pub fn description(&self) -> String {
        format!("objects of kind `{}`", self.kind)
    }
}

/// An HTTP call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ApiCall {
    /// Who is asked.
    pub target: ApiTarget,
    /// How.
    pub method: Method,
    /// The body, as JSON; none for GET.
    pub body: Option<String>,
    /// The namespace of the policy that asks, which bounds what it may ask; none for a cluster's policy.
    pub namespace: Option<String>,
}

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ApiTarget {
    /// The API server, by a path.
    Path(String),
    /// Somebody else.
    Service {
        /// The URL.
        url: String,
        /// Headers.
        headers: Vec<(String, String)>,
        /// Certificates in PEM that the server may chain to.
        ca_bundle: Option<String>,
    },
}

/// A Secret with credentials of registries.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PullSecret {
    /// Its namespace; the host's own where none is named.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Who named it.
    pub named_by: NamedBy,
}

/// Who named a Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NamedBy {
    /// The policy, or whoever runs the host.
    Trusted,
    /// The object that is judged, which counts only where whoever runs the host says so.
    Object,
}

/// Asks for the verified evidence of one image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageNeed {
    /// The image; resolved by the host where it has no digest.
    pub image: ImageReference,
    /// Where evidence lies, as `registry/path`; beside the image where none is given.
    pub repository: Option<String>,
    /// URL of a log: the trust root that has a log with that URL is the one to verify under; the host's default where none is given.
    pub rekor_url: Option<String>,
    /// Secrets that show registries who asks, besides what the host has by itself.
    pub pull_secrets: Vec<PullSecret>,
    /// Keys that a policy names; what they signed is evidence too.
    pub keys: Vec<PublicKey>,
    /// Whom the policy trusts instead of parts of the trust root.
    pub trust: PolicyTrust,
}

/// An answer.
#[derive(Debug, Clone)]
pub enum Fact {
    /// To [`Need::NamespaceLabels`].
    NamespaceLabels(Result<BTreeMap<String, String>, FactError>),
    /// To [`Need::Roles`].
    Roles(Result<Roles, FactError>),
    /// To [`Need::Image`].
    Image(Result<VerifiedImage, FactError>),
    /// To [`Need::Data`].
    Data(Result<Value, FactError>),
    /// To [`Need::Inventory`]; the same one as long as nothing changed.
    Inventory(Result<Arc<Snapshot>, FactError>),
    /// To [`Need::Guest`].
    Guest(Result<Outcome<Verdict>, FactError>),
}

/// Says what the host knows already, without waiting for anything.
pub type AtHand = Arc<dyn Fn(&Need) -> Option<Fact> + Send + Sync>;

/// Why there is no answer; each becomes `RuleStatus::Error`, with the message, but that what was answered about an image
/// and proves nothing is `RuleStatus::Fail`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FactError {
    /// The host has no such source, or it could not be reached; trying again later may help.
    #[error("{0}")]
    Unavailable(String),
    /// The deadline of the request came first.
    #[error("{0}")]
    Timeout(String),
    /// What was asked for does not exist: an unknown image, an unknown namespace.
    #[error("{0}")]
    NotFound(String),
    /// What came back is malformed, too large, or not what its digest says.
    #[error("{0}")]
    Malformed(String),
    /// More than there is room for. Whoever writes a resource says how much is asked for, and whoever answers how large that
    /// is: rules fail by it, whatever else would come of them.
    #[error("{0}")]
    NoRoom(String),
    /// Nothing stands for such a source at all, as in a test that describes no cluster: whatever was to be loaded is as if it
    /// were not written. A host that has the source never says so.
    #[error("{0}")]
    NoSource(String),
    /// Access was refused.
    #[error("{0}")]
    Unauthorized(String),
}

impl Fact {
    /// Whether there was no room for the answer.
    pub(super) fn lacks_room(&self) -> bool {
        let error = match self {
            Self::NamespaceLabels(said) => said.as_ref().err(),
            Self::Roles(said) => said.as_ref().err(),
            Self::Image(said) => said.as_ref().err(),
            Self::Data(said) => said.as_ref().err(),
            Self::Inventory(said) => said.as_ref().err(),
            Self::Guest(said) => said.as_ref().err(),
        };
        matches!(error, Some(FactError::NoRoom(_)))
    }

    /// That there is no answer to a need, and why.
    pub fn missing(need: &Need, error: FactError) -> Self {
        match need {
            Need::NamespaceLabels { .. } => Self::NamespaceLabels(Err(error)),
            Need::Roles => Self::Roles(Err(error)),
            Need::Image(_) => Self::Image(Err(error)),
            Need::Data(_) => Self::Data(Err(error)),
            Need::Inventory(_) => Self::Inventory(Err(error)),
            Need::Guest(_) => Self::Guest(Err(error)),
        }
    }
}

impl DataNeed {
    /// What is asked for, for messages.
    pub fn description(&self) -> String {
        match self {
            Self::ConfigMap { namespace, name } => format!("ConfigMap `{namespace}/{name}`"),
            Self::Secret { namespace, name } => format!("Secret `{namespace}/{name}`"),
            Self::ApiCall(call) => match &call.target {
                ApiTarget::Path(path) => format!("{} `{path}`", call.method.name()),
                ApiTarget::Service { url, .. } => format!("{} `{url}`", call.method.name()),
            },
            Self::GlobalContext { name } => format!("global context entry `{name}`"),
            Self::Objects(need) => format!("objects of kind `{}`", need.kind),
            Self::ImageData { reference, .. } => format!("data of image `{reference}`"),
        }
    }
}
