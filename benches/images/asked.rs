//! The images that are asked for, and what has to come of it.

use anyhow::{Context as _, Result};
use regent_engine::image::Digest;
use serde_json::Value;

use super::{Review, pods, repository};

/// What has to come of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expectation {
    Admitted,
    Refused,
}

/// An image of the demonstration.
#[derive(Debug)]
pub(super) struct Kind {
    name: String,
    digest: Digest,
    is_good: bool,
}

/// A request about an image.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) repository: String,
    pub(super) digest: Digest,
    pub(super) review: Review,
    is_good: bool,
    is_known: bool,
}

/// Those of the demonstration, one good for each bad one.
pub(super) fn kinds() -> Result<Vec<Kind>> {
    let text = std::fs::read_to_string(repository("cli/demo/cases.json"))?;
    let cases: Value = serde_json::from_str(&text)?;
    let cases = cases
        .pointer("/cases")
        .and_then(Value::as_array)
        .context("no cases")?;
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for case in cases {
        let text = |field: &str| {
            case[field]
                .as_str()
                .with_context(|| format!("no `{field}`"))
        };
        let is_good = text("expect")? == "admit";
        let kinds = if is_good { &mut good } else { &mut bad };
        kinds.push(Kind {
            name: text("case")?.to_owned(),
            digest: Digest::parse(text("digest")?)?,
            is_good,
        });
    }
    Ok(good
        .into_iter()
        .zip(bad)
        .flat_map(|(good, bad)| [good, bad])
        .collect())
}

impl Asked {
    /// The image `number` of `name`: every second pair by tag through `/mutate`, the others by digest through `/validate`.
    pub(super) fn new(kinds: &[Kind], name: &str, number: usize) -> Result<Self> {
        let kind = kinds.get(number % kinds.len().max(1)).context("no image")?;
        let path = format!("your-org/{name}-{}-{number}", kind.name);
        let (image, webhook) = if (number / kinds.len()).is_multiple_of(2) {
            (format!("ghcr.io/{path}:v1"), "/mutate?timeout=10s")
        } else {
            let digest = &kind.digest;
            (format!("ghcr.io/{path}@{digest}"), "/validate?timeout=10s")
        };
        let pod = pods::with_image("production", &image);
        Ok(Self {
            repository: path,
            digest: kind.digest.clone(),
            review: Review::new(webhook, &pods::review(&pod)),
            is_good: kind.is_good,
            is_known: name == "known",
        })
    }

    /// Without its registry only what is known is admitted.
    pub(super) fn expectation(&self, is_away: bool) -> Expectation {
        if self.is_good && (self.is_known || !is_away) {
            Expectation::Admitted
        } else {
            Expectation::Refused
        }
    }
}
