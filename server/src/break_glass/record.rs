//! The lines of the journal.

use regent_engine::admission::AdmissionRequest;
use regent_engine::evaluation::Phase;
use regent_engine::go_time::Time;
use regent_engine::jmespath::Environment;
use regent_engine::response::{ImageOutcome, LetIn, PolicyResponse, RuleResponse};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::image::trust::sha256;
use crate::review;

/// One line, without what ties it to the line before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Record {
    /// A request was let in.
    Use(Box<Use>),
    /// What was let in was looked at again.
    Verification(Verification),
    /// Somebody says that there is nothing to verify any more.
    Closed(Closed),
}

impl Record {
    /// The use that it is about.
    pub fn id(&self) -> &str {
        match self {
            Self::Use(one) => &one.id,
            Self::Verification(one) => &one.id,
            Self::Closed(one) => &one.id,
        }
    }
}

/// A request that was let in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Use {
    /// Names it, within the journal.
    pub id: String,
    /// When, in RFC 3339 and UTC.
    pub time: String,
    /// `mutate` or `validate`.
    pub phase: WebhookPhase,
    /// What it is about, as people name it: kind, namespace and name.
    pub object: String,
    /// Who asked.
    pub user: String,
    /// The rules that refuse it.
    pub rules: Vec<RefusingRule>,
    /// The images that they refuse.
    pub images: Vec<RefusedImage>,
    /// The request, as an `AdmissionReview` has it, with known digests of refused images put in; without the object where
    /// that is a Secret.
    pub request: Value,
}

/// The webhook that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WebhookPhase {
    /// `/mutate`.
    Mutate,
    /// `/validate`.
    Validate,
}

impl WebhookPhase {
    /// The engine's word for it.
    pub const fn phase(self) -> Phase {
        match self {
            Self::Mutate => Phase::Mutate,
            Self::Validate => Phase::Validate,
        }
    }
}

/// A rule that refuses what was let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusingRule {
    /// Name of the policy, with `namespace/` before it for a `Policy`.
    pub policy: String,
    /// Name of the rule.
    pub rule: String,
    /// `fail` or `error`.
    pub status: String,
    /// Why.
    pub message: String,
    /// What let it in.
    pub break_glass: Grant,
}

/// A `BreakGlass` as it was when it let something in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Its name.
    pub name: String,
    /// Why it was there.
    pub reason: String,
    /// Where more is said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// When it ended.
    pub expires_at: String,
}

impl From<&LetIn> for Grant {
    fn from(one: &LetIn) -> Self {
        Self {
            name: one.name.clone(),
            reason: one.reason.clone(),
            ticket: one.ticket.clone(),
            expires_at: one.expires_at.clone(),
        }
    }
}

/// An image that was let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedImage {
    /// As the object has it.
    pub reference: String,
    /// The digest that it had, where that was known.
    pub digest: Option<String>,
}

/// What came of looking at it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// The use.
    pub id: String,
    /// When, in RFC 3339 and UTC.
    pub time: String,
    /// What came of it.
    pub result: Verdict,
    /// Why it is not verified.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// What the policies say of what was let in, without anything that lets it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// All rules that refused it pass.
    Verified,
    /// One of them refuses it still.
    Refused,
    /// It could not be found out.
    Unknown,
}

impl Verdict {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// That there is nothing to verify any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Closed {
    /// The use.
    pub id: String,
    /// When, in RFC 3339 and UTC.
    pub time: String,
    /// Why.
    pub reason: String,
}

/// A time in RFC 3339 and UTC, to the second.
pub fn time(environment: &Environment) -> String {
    Time::from_unix(environment.seconds, 0).to_string()
}

/// What is written down of a request that is let in; nothing where no rule refuses it.
pub fn of_request(
    request: &AdmissionRequest,
    phase: Phase,
    responses: &[PolicyResponse],
    now: &Environment,
) -> Option<Use> {
    let rules = || {
        let rules = responses
            .iter()
            .flat_map(|policy| policy.rules.iter().map(move |rule| (policy, rule)));
        rules.filter_map(|(policy, rule)| Some((policy, rule, rule.let_in.as_deref()?)))
    };
    let refusing: Vec<_> = rules()
        .map(|(policy, rule, let_in)| RefusingRule {
            policy: policy.key(),
            rule: rule.rule.clone(),
            status: rule.status.name().to_owned(),
            message: rule.message.clone(),
            break_glass: let_in.into(),
        })
        .collect();
    if refusing.is_empty() {
        return None;
    }
    let mut images: Vec<RefusedImage> = Vec::new();
    for image in rules().flat_map(|(_, rule, _)| refused(rule)) {
        let known = RefusedImage {
            reference: image.reference.clone(),
            digest: image
                .digest
                .as_ref()
                .map(|digest| digest.as_str().to_owned()),
        };
        if !images.contains(&known) {
            images.push(known);
        }
    }
    let all = responses.iter().flat_map(|policy| &policy.rules);
    let pins = all.flat_map(|rule| {
        let images = rule.images.iter();
        images.filter_map(|image| {
            let digest = image.digest.as_ref()?;
            Some((image.pointer.as_str(), image.reference.as_str(), digest))
        })
    });
    let phase = match phase {
        Phase::Mutate => WebhookPhase::Mutate,
        Phase::Validate => WebhookPhase::Validate,
    };
    Some(Use {
        id: id(request, phase, now),
        time: time(now),
        phase,
        object: described(request),
        user: request
            .user_info
            .as_ref()
            .map_or_else(String::new, |user| user.username.clone()),
        rules: refusing,
        images,
        request: review::request_json(request, pins),
    })
}

/// Kind, namespace and name; what has no name yet by what its name is made from.
fn described(request: &AdmissionRequest) -> String {
    let made_from = || {
        let object = request.object.as_deref();
        let prefix = object.and_then(|object| object.pointer("/metadata/generateName"));
        let prefix = prefix.and_then(Value::as_str).unwrap_or("");
        format!("{prefix}…")
    };
    let name = match request.name.as_str() {
        "" => made_from(),
        name => name.to_owned(),
    };
    let kind = &request.kind.kind;
    match &request.namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

fn refused(rule: &RuleResponse) -> impl Iterator<Item = &ImageOutcome> {
    use regent_engine::response::RuleStatus::{Error, Fail};
    let images = rule.images.iter();
    images.filter(|image| matches!(image.status, Fail | Error))
}

/// Short enough to be typed; the uid of a request is another one for each webhook that is asked.
fn id(request: &AdmissionRequest, phase: WebhookPhase, now: &Environment) -> String {
    let text = format!("{} {phase:?} {}", request.uid, now.nanoseconds_since_1970());
    let mut hash = hex::encode(sha256(text.as_bytes()));
    hash.truncate(12);
    hash
}
